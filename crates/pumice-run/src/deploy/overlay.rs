//! Builds the overlay of a namespace: the files that the tests need in the guest.

use pumice_guest::{
    overlay::{self, Contents, InstallPart, Overlay, OverlayFile, TestRun},
    session::{PlannedRun, RunSource},
};
use pumice_image::{Entry, Meta, Node, Tree, TreePath};
use pumice_job::{Install, SignalChannel};
use pumice_plan::{
    ChannelDevice, GuestConventions,
    deploy::{DefinitionPlan, OverlayPlan},
};
use pumice_types::{Blame as _, Cause, Failure, JobId};
use serde_json::json;

use super::{
    definitions::{self, Fetched},
    git_repos,
};
use crate::{boot::HostAddress, cx::StepCx, host::RunHost, peers::Peers};

/// What the plan knows of the guest.
pub(crate) struct Facts<'a> {
    /// The job.
    pub(crate) job: JobId,
    /// Directory and system.
    pub(crate) guest: &'a GuestConventions,
    /// Variables of the test shell.
    pub(crate) environment: &'a [(String, String)],
}

/// An overlay, ready to be written into whatever brings it to the guest.
#[derive(Clone)]
pub struct BuiltOverlay {
    /// Its files.
    pub files: Vec<OverlayFile>,
    /// Its directory in the guest.
    pub root: String,
    /// The runs of each stage.
    pub stages: Vec<Vec<PlannedRun>>,
}

impl BuiltOverlay {
    /// As a tree that the image writers take.
    pub(crate) fn tree(&self) -> Result<Tree, Failure> {
        let mut tree = Tree::new();
        for file in &self.files {
            let path = TreePath::new(&file.path)
                .map_err(|error| Failure::new(Cause::ImageUnusable, error.to_string()))?;
            let node = match &file.contents {
                Contents::Directory => Node::Directory,
                Contents::Bytes(bytes) => Node::File(pumice_image::Content::Bytes(bytes.to_vec())),
                Contents::HostPath(host) => {
                    let content = pumice_image::Content::host(host);
                    Node::File(content.map_err(|error| super::download::cannot_make(host, &error))?)
                }
                Contents::Link(target) => Node::Symlink(target.clone().into_bytes()),
                Contents::Pipe => Node::Fifo,
            };
            tree.insert(&path, Entry::new(Meta::new(file.mode), node)).map_err(|error| error.failure())?;
        }
        Ok(tree)
    }
}

/// Builds it.
pub(crate) async fn build(
    plan: &OverlayPlan,
    host: &RunHost,
    facts: &Facts<'_>,
    cx: &StepCx,
) -> Result<BuiltOverlay, Failure> {
    cx.step(&plan.scope, Cause::StepTimeout, async |cx| {
        let mut runs = Vec::new();
        let mut stages: Vec<Vec<PlannedRun>> = Vec::new();
        cx.step(&plan.definitions_scope, Cause::StepTimeout, async |cx| {
            for definition in &plan.definitions {
                let (run, planned) = definition_run(definition, host, facts, cx).await?;
                let stage = usize::try_from(definition.stage).unwrap_or(usize::MAX);
                stages.resize_with(stages.len().max(stage + 1), Vec::new);
                stages[stage].push(planned);
                runs.push(run);
            }
            Ok(())
        })
        .await?;
        // What is looked for in the output has its beginning and its end there too.
        let reads_output = stages.iter().flatten().any(|run| run.pattern.is_some());
        let channels = if reads_output { &[][..] } else { &plan.channel_devices };
        let overlay = Overlay {
            job: facts.job,
            root: facts.guest.directory.clone(),
            os: facts.guest.os.clone(),
            environment: environment(plan, host, facts),
            secrets: host.secrets.clone(),
            channel: channels.iter().map(channel).collect(),
            multi_node: host.peers.as_ref().map(node),
            runs,
        };
        let files = overlay::build(&overlay);
        cx.report().debug(format!("the overlay has {} files", files.len()));
        Ok(BuiltOverlay { files, root: facts.guest.directory.clone(), stages })
    })
    .await
}

fn channel(device: &ChannelDevice) -> overlay::Channel {
    overlay::Channel { device: device.path.clone(), is_ready: device.is_ready }
}

/// This node and the others, as the helpers in the guest tell of them.
fn node(peers: &Peers) -> overlay::Node {
    overlay::Node {
        id: peers.node().to_owned(),
        role: peers.own().map(|member| member.role.clone()).unwrap_or_default(),
        group: peers.members().iter().map(|member| (member.id.clone(), member.role.clone())).collect(),
    }
}

/// The variables of the test shell, with the address at which the guest sees this host (lava-compat 4.1).
fn environment(plan: &OverlayPlan, host: &RunHost, facts: &Facts<'_>) -> Vec<(String, String)> {
    let seen = HostAddress::of(&plan.host, &host.search_path).seen.to_string();
    facts.environment.iter().cloned().chain([("LAVA_DISPATCHER_IP".to_owned(), seen)]).collect()
}

async fn definition_run(
    plan: &DefinitionPlan,
    host: &RunHost,
    facts: &Facts<'_>,
    cx: &StepCx,
) -> Result<(TestRun, PlannedRun), Failure> {
    let mut fetched = definitions::run(plan, host, cx).await?;
    let uuid = format!("{}_{}", facts.job, plan.fetch.level);
    let extra = json!({
        "uuid": uuid,
        "name": plan.definition.name.value,
        "path": plan.definition.path.value,
        "commit_id": fetched.commit,
    });
    let told = async |cx: &StepCx| {
        cx.record(extra.clone());
        Ok(())
    };
    cx.step(&plan.overlay, Cause::StepTimeout, told).await?;
    let repositories = cx.step(&plan.install, Cause::DownloadFailed, async |cx| {
        cx.record(extra.clone());
        git_repos::run(plan, &fetched.definition, host, cx).await
    });
    fetched.files.extend(repositories.await?);
    cx.step(&plan.runscript, Cause::StepTimeout, told).await?;
    Ok((test_run(plan, &fetched, uuid.clone()), planned_run(plan, &fetched, uuid)))
}

fn test_run(plan: &DefinitionPlan, fetched: &Fetched, uuid: String) -> TestRun {
    let skip = plan.definition.skip_install.iter().map(|part| match part.value {
        Install::Keys => InstallPart::Keys,
        Install::Sources => InstallPart::Sources,
        Install::Deps => InstallPart::Deps,
        Install::Steps => InstallPart::Steps,
        Install::GitRepos => InstallPart::GitRepos,
        Install::All => InstallPart::All,
    });
    let signal = plan.definition.lava_signal.as_ref().map(|signal| signal.value);
    TestRun {
        stage: plan.stage,
        number: plan.number,
        name: plan.definition.name.value.clone(),
        uuid,
        definition: fetched.definition.clone(),
        text: fetched.text.clone(),
        parameters: definitions::parameters(plan),
        skip_install: skip.collect(),
        kernel_log: signal == Some(SignalChannel::Kmsg),
        metadata: Vec::new(),
        files: fetched.files.clone(),
    }
}

fn planned_run(plan: &DefinitionPlan, fetched: &Fetched, uuid: String) -> PlannedRun {
    let revision = match &plan.definition.from {
        pumice_job::DefinitionSource::Git { revision, .. } => {
            revision.as_ref().map(|text| text.value.clone())
        }
        _ => None,
    };
    let expected = plan.definition.expected.as_ref();
    let expected = expected.map(|list| list.iter().map(|case| case.value.clone()).collect());
    PlannedRun {
        suite: plan.run_name(),
        source: RunSource {
            uuid,
            repository: Some(fetched.repository.clone()),
            path: Some(plan.definition.path.value.clone()),
            revision,
            commit_id: fetched.commit.clone(),
        },
        expected: expected.or_else(|| fetched.definition.expected.clone()),
        pattern: fetched.definition.pattern.clone(),
    }
}
