//! The plan as a tree of named steps: what `pumice plan` prints and LAVA's `description.yaml` holds.

use serde::Serialize;

use crate::{
    boot::{Boot, BootKind},
    deploy::{DefinitionPlan, Deploy, DeployKind, Download},
    plan::{Block, Plan},
    scope::Scope,
    test::{ServicePlan, Test, TestKind},
};

/// One step and those inside it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TreeStep<'a> {
    /// Its place, name and time.
    #[serde(flatten)]
    pub scope: &'a Scope,
    /// What it does, in a few words.
    pub summary: String,
    /// The steps inside it, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<TreeStep<'a>>,
}

fn step(scope: &Scope, summary: impl Into<String>) -> TreeStep<'_> {
    TreeStep { scope, summary: summary.into(), steps: Vec::new() }
}

impl<'a> TreeStep<'a> {
    fn with(mut self, steps: impl IntoIterator<Item = TreeStep<'a>>) -> Self {
        self.steps.extend(steps);
        self
    }

    /// The names of the step and of all inside it, each once.
    pub(crate) fn names(&self) -> Vec<&'a str> {
        let mut names = vec![self.scope.name.as_str()];
        for name in self.steps.iter().flat_map(TreeStep::names) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

impl Block {
    /// Its steps, in the order they run.
    pub(crate) fn tree(&self) -> TreeStep<'_> {
        match self {
            Self::Deploy(deploy) => of_deploy(deploy),
            Self::Boot(boot) => of_boot(boot),
            Self::Test(test) => of_test(test),
            Self::Command(command) => step(&command.scope, format!("run `{}`", command.name)),
        }
    }
}

impl Plan {
    /// All steps, in the order they run.
    pub fn tree(&self) -> Vec<TreeStep<'_>> {
        let blocks = self.blocks.iter().map(Block::tree);
        let finalize = step(&self.finalize.scope, "end the job").with([
            step(&self.finalize.power_off, "end the machine"),
            step(&self.finalize.read_feedback, "read what the other consoles still say"),
        ]);
        let hold =
            self.hold.iter().map(|scope| step(scope, "hold the machines for people, when something failed"));
        blocks.chain(hold).chain([finalize]).collect()
    }
}

fn of_deploy(deploy: &Deploy) -> TreeStep<'_> {
    let overlay = deploy.overlay.iter().map(|overlay| {
        let definitions = overlay.definitions.iter().flat_map(of_definition);
        step(&overlay.scope, "build the overlay")
            .with([step(&overlay.definitions_scope, "bring the test definitions").with(definitions)])
            .with(overlay.compress.iter().map(|scope| step(scope, "pack the overlay")))
    });
    let own: Vec<_> = match &deploy.kind {
        DeployKind::Nfs { extract } => vec![step(extract, "unpack the root file system")],
        DeployKind::IsoInstaller { empty_image, pull, .. } => {
            vec![
                step(empty_image, "make an empty disk"),
                step(pull, "take kernel and initrd out of the image"),
            ]
        }
        DeployKind::Downloads { postprocess: Some((scope, _)), .. } => {
            vec![step(scope, "work on the files in a container")]
        }
        _ => Vec::new(),
    };
    step(&deploy.scope, "deploy")
        .with(overlay)
        .with(deploy.downloads.iter().map(of_download))
        .with(own)
        .with(deploy.apply.iter().map(|apply| step(&apply.scope, "bring the overlay to the machine")))
}

fn of_definition(definition: &DefinitionPlan) -> Vec<TreeStep<'_>> {
    let archive = definition
        .archive
        .iter()
        .map(|(retry, scope)| step(retry, "fetch, trying again").with([step(scope, "fetch the archive")]));
    vec![
        step(&definition.fetch, format!("bring definition `{}`", definition.definition.name.value))
            .with(archive),
        step(&definition.overlay, "add the definition to the overlay"),
        step(&definition.install, "write its install steps"),
        step(&definition.runscript, "write its run steps"),
    ]
}

fn of_service(service: &ServicePlan) -> [TreeStep<'_>; 2] {
    let archive = service
        .archive
        .iter()
        .map(|(retry, scope)| step(retry, "fetch, trying again").with([step(scope, "fetch the archive")]));
    let name = &service.service.name.value;
    [
        step(&service.fetch, format!("bring the files of service `{name}`")).with(archive),
        step(&service.start, format!("start service `{name}`")),
    ]
}

fn of_download(download: &Download) -> TreeStep<'_> {
    let fetch = step(&download.scope, format!("fetch {}", download.resource.url.value));
    let overlays = download.overlays.iter().flat_map(|overlays| {
        let others = overlays.others.iter().map(|other| {
            step(&other.retry, format!("overlay `{}`", other.file.name.value))
                .with([step(&other.scope, format!("fetch {}", other.file.resource.url.value))])
        });
        others.chain([step(&overlays.scope, "write overlays into the image")])
    });
    step(&download.retry, format!("file `{}`", download.label)).with([fetch]).with(overlays)
}

fn of_boot(boot: &Boot) -> TreeStep<'_> {
    let mut block = step(&boot.scope, "boot");
    match &boot.kind {
        BootKind::Machine(machine) => {
            let version = machine.version.iter().map(|scope| step(scope, "look at the simulator"));
            let install = machine.install.iter().flat_map(|install| {
                [step(&install.start, "start the installer"), step(&install.end, "wait for its end")]
            });
            let start = step(&machine.start, format!("start the machine ({})", machine.spec.platform));
            let connect = machine.connect.iter().map(|scope| step(scope, "connect its console"));
            let steps = version.chain(install).chain([start]).chain(connect);
            block = match &machine.group {
                Some(group) => block.with([step(group, "start").with(steps)]),
                None => block.with(steps),
            };
        }
        BootKind::Container { scope, .. } => block = block.with([step(scope, "start the container")]),
        BootKind::Ssh { copy, connect, .. } => {
            let copy = copy.iter().map(|scope| step(scope, "copy what was deployed to the machine"));
            block = block.with(copy.chain([step(connect, "log in over SSH")]));
        }
        BootKind::Kexec { call, .. } => block = block.with([step(call, "start the new kernel")]),
        BootKind::NewConnection { .. } | BootKind::Minimal { .. } => {}
    }
    block
        .with(
            boot.login.iter().map(|login| {
                step(&login.scope, "wait for the guest").with([step(&login.login_scope, "log in")])
            }),
        )
        .with(boot.shell.iter().map(|scope| step(scope, "make sure of the shell")))
        .with(boot.unpack.iter().map(|unpack| step(&unpack.scope, "fetch the overlay in the guest")))
        .with(boot.beside.iter().map(|beside| step(&beside.scope, "run something beside the model")))
        .with(boot.environment.iter().map(|scope| step(scope, "export the device's environment")))
}

fn of_test(test: &Test) -> TreeStep<'_> {
    let own = match &test.kind {
        TestKind::Services { services } => {
            step(&test.run, "start the services").with(services.iter().flat_map(of_service))
        }
        _ => step(&test.run, "run the tests"),
    };
    step(&test.scope, "test").with([own])
}
