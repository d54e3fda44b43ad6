//! Where a machine's simulator is: on this host, or in the image of a container that the job names.

use std::collections::BTreeMap;

use pumice_plan::{boot::StartMachine, container::ContainerPlan};
use pumice_platform::{
    Availability, Facts, Host, Launch, Platform,
    container::{Engine, Inside, enclosed},
};
use pumice_types::{Cause, Failure};

use super::container::for_machine;
use crate::{
    container::{bring_image, noted},
    cx::StepCx,
    host::RunHost,
};

/// Where it is, and what is known of it.
pub(super) struct Place {
    /// What the look at it found.
    pub(super) facts: Facts,
    /// The engine, when it is in a container.
    engine: Option<std::rc::Rc<Engine>>,
}

/// Looks for it. A container is taken where the job names one, unless the platform prefers a program of this host and
/// there is one.
pub(super) async fn find(
    platform: &dyn Platform,
    plan: &StartMachine,
    host: &RunHost,
    cx: &StepCx,
) -> Result<Place, Failure> {
    let Some(container) = &plan.container else {
        let facts = looked(platform.probe(Some(&plan.spec), &host.host).await)?;
        return Ok(Place { facts, engine: None });
    };
    let image = &container.container.image.value;
    let mut own = None;
    // What runs beside the model runs in the container that the job names for both, and nowhere else.
    if platform.prefers_own_program() && !plan.needs_container {
        match looked(platform.probe(Some(&plan.spec), &host.host).await) {
            Ok(facts) => {
                let program = facts.program.as_deref().unwrap_or("it".as_ref()).display();
                cx.report().info(format!("{program} of this host is used, and not container image {image}"));
                return Ok(Place { facts, engine: None });
            }
            Err(failure) => own = Some(failure),
        }
    }
    let engine = host.containers.engine(container.options.remote.as_deref(), host, cx).await;
    let engine = engine.map_err(|failure| neither(own, failure))?;
    let id = bring_image(&engine, &container.container, host, cx).await?;
    let facts = look_inside(platform, plan, container, &engine, id, host).await?;
    Ok(Place { facts, engine: Some(engine) })
}

/// The same look, at the program in the image.
async fn look_inside(
    platform: &dyn Platform,
    plan: &StartMachine,
    container: &ContainerPlan,
    engine: &Engine,
    image_id: Option<String>,
    host: &RunHost,
) -> Result<Facts, Failure> {
    let container = for_machine(container, &host.work_dir, host)?;
    let name = container.name.clone();
    let inside = Inside { engine: engine.call.clone(), container, image_id };
    let there = Host { inside: Some(inside), ..host.host.clone() };
    looked(noted(&engine.call, &name, host, platform.probe(Some(&plan.spec), &there)).await?)
}

fn looked(availability: Availability) -> Result<Facts, Failure> {
    match availability {
        Availability::Ready(facts) => Ok(facts),
        Availability::Missing { reason, hint } => {
            let failure = Failure::new(Cause::SimulatorMissing, reason);
            Err(match hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            })
        }
    }
}

/// Neither the program nor an engine is there: both are told, and whichever comes will do.
fn neither(own: Option<Failure>, engine: Failure) -> Failure {
    let Some(own) = own else { return engine };
    let hints = [own.hint, engine.hint].into_iter().flatten().collect::<Vec<_>>().join("; or ");
    let mut failure = Failure::new(own.cause, format!("{}, and {}", own.message, engine.message)).hint(hints);
    failure.evidence = engine.evidence;
    failure
}

impl Place {
    /// What the program gets of our own environment, which nothing in a container does.
    pub(super) fn inherited(&self, platform: &dyn Platform, host: &RunHost) -> BTreeMap<String, String> {
        if self.engine.is_some() { BTreeMap::new() } else { host.host.inherited(platform.inherits()) }
    }

    /// The launch, where it is executed.
    pub(super) fn enclose(
        &self,
        launch: Launch,
        plan: &StartMachine,
        host: &RunHost,
    ) -> Result<Launch, Failure> {
        let (Some(engine), Some(container)) = (&self.engine, &plan.container) else { return Ok(launch) };
        if launch.network.is_some() {
            let message = "a machine in a container cannot join a network that is made for it on this host";
            return Err(Failure::new(Cause::NetworkSetup, message)
                .hint("use `network: {mode: user}` with `forwards`, or the simulator of this host"));
        }
        let mut launch =
            enclosed(launch.clone(), &for_machine(container, &launch.work_dir, host)?, &engine.call);
        launch.extra.insert("engine".to_owned(), format!("{} {}", engine.name, engine.version));
        launch.extra.insert("image".to_owned(), container.container.image.value.clone());
        Ok(launch)
    }
}
