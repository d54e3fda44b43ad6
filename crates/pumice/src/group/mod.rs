//! A MultiNode job in one `pumice run`: a coordinator, and a process for each node.
//!
//! ```text
//!  pumice run group.yaml ─┬─ Coordinator (socket) ◀── requests of the nodes
//!                         ├─ Switch (socket)      ◀── frames of their machines
//!                         ├─ pumice run … --node  server     OUT/server/
//!                         └─ pumice run … --node  client-1   OUT/client-1/
//! ```
//!
//! Each node is a job as any other: one process, its own directory, its own verdict. The coordinator only passes words
//! and frames, ends the others when an essential node fails, and writes the group's verdict, `OUT/group.json`.

mod lan;
mod node;
mod report;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use pumice_multinode::Member;
use pumice_network::Switch;
use pumice_process::Signal;
use pumice_run::{Coordinator, Left};
use pumice_types::{Cause, Deadline, Failure};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    cli::RunArgs, config::Config, execute::GroupPlace, exit::Exit, host::Prepared, input::NodeInput,
};

pub(crate) use lan::Lan;
pub(crate) use node::NodeFile;
use node::{Finished, Node};

/// How long nodes may take to clean up after they were asked to end, before they are killed.
const END_PATIENCE: Duration = Duration::from_secs(330);

/// A group about to run.
pub(crate) struct GroupRun<'a> {
    pub(crate) args: &'a RunArgs,
    /// The job's text, as it was planned.
    pub(crate) text: &'a str,
    /// What messages call it.
    pub(crate) name: &'a str,
    pub(crate) nodes: Vec<NodeInput>,
    pub(crate) output_dir: &'a Path,
}

/// How a node ended.
pub(crate) struct Ended {
    pub(crate) member: Member,
    pub(crate) output_dir: PathBuf,
    pub(crate) finished: Finished,
    /// Why it failed; `None` when it did not.
    pub(crate) failure: Option<Failure>,
}

impl GroupRun<'_> {
    /// Runs all nodes to their end, and says what came of it.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(Cause::HostRefused, format!("cannot start: {error}")))?;
        runtime.block_on(self.execute())
    }

    async fn execute(self) -> Result<Exit, Failure> {
        let config = Config::read(self.args.device.config.as_deref())?;
        let prepared =
            Prepared::new(&self.args.places, Vec::new(), self.output_dir, None, Vec::new(), &config)?;
        let work_dir = prepared.host.work_dir.clone();
        let (socket, lan) = (work_dir.join("group"), work_dir.join("lan"));
        let members: Vec<Member> = self.nodes.iter().map(|node| node.member.clone()).collect();
        let coordinator = Coordinator::listen(&socket, members).map_err(|error| {
            Failure::new(Cause::HostRefused, format!("cannot listen for the nodes: {error}"))
        })?;
        let refused =
            |error| Failure::new(Cause::NetworkSetup, format!("cannot make the shared network: {error}"));
        let _switch = Switch::listen(&lan).map_err(refused)?;
        let place = GroupPlace::Here { socket, lan };
        let mut nodes = Vec::new();
        for (index, input) in self.nodes.iter().enumerate() {
            let file = NodeFile {
                index,
                name: self.name.to_owned(),
                text: self.text.to_owned(),
                output_dir: self.output_dir.join(&input.member.name),
                group: place.clone(),
            };
            nodes.push(Node::start(input, file, self.args, &prepared)?);
        }
        let (ended, first) = supervise(nodes, coordinator).await;
        prepared.finish().await?;
        report::write(self.output_dir, &ended, first.as_ref())?;
        Ok(report::show(self.args, self.output_dir, &ended, first.as_ref()))
    }
}

/// Runs until the last node has ended. Gives how each did, and the failure that came first: the others follow from
/// it.
async fn supervise(mut nodes: Vec<Node>, mut coordinator: Coordinator) -> (Vec<Ended>, Option<Failure>) {
    let essential: BTreeMap<String, bool> =
        nodes.iter().map(|node| (node.member.id.clone(), node.is_essential)).collect();
    let members: Vec<Member> = nodes.iter().map(|node| node.member.clone()).collect();
    let name_of =
        |id: &str| members.iter().find(|member| member.id == id).map_or("?", |one| one.name.as_str());
    let mut interrupts = Interrupts::new();
    let mut first: Option<Failure> = None;
    let mut failures: BTreeMap<String, Failure> = BTreeMap::new();
    let mut ended = Vec::new();
    let mut give_up: Option<Instant> = None;
    let mut note = |left: Left, coordinator: &Coordinator, failures: &mut BTreeMap<String, Failure>| {
        let Some(failure) = left.failure else { return };
        failures.insert(left.node.clone(), failure.clone());
        first.get_or_insert_with(|| Failure {
            message: format!("node {}: {}", name_of(&left.node), failure.message),
            ..failure.clone()
        });
        if essential.get(&left.node) == Some(&true) {
            let message =
                format!("node {}, which is essential, failed: {}", name_of(&left.node), failure.message);
            let spread = Failure::new(Cause::PeerFailed, message);
            for member in &members {
                coordinator.end(&member.id, &spread);
            }
        }
    };
    while !nodes.is_empty() {
        tokio::select! {
            biased;
            Some(left) = coordinator.left() => note(left, &coordinator, &mut failures),
            () = interrupts.next() => {
                for node in &nodes {
                    node.signal(Signal::TERM);
                }
                give_up.get_or_insert_with(|| Instant::now() + END_PATIENCE);
            }
            () = until(give_up) => {
                let soon = Deadline::after(Instant::now(), Duration::from_secs(10), "the end of the nodes");
                for node in &nodes {
                    node.kill(&soon).await;
                }
                give_up = None;
            }
            index = node::any_ended(&nodes) => {
                let node = nodes.remove(index);
                let (member, output_dir) = (node.member.clone(), node.output_dir.clone());
                let finished = node.finish().await;
                // It has said so itself, unless it died.
                coordinator.gone(&member.id, finished.failure(&member.name));
                ended.push(Ended { member, output_dir, finished, failure: None });
            }
        }
    }
    while let Ok(Some(left)) = tokio::time::timeout(Duration::ZERO, coordinator.left()).await {
        note(left, &coordinator, &mut failures);
    }
    for one in &mut ended {
        one.failure = failures.remove(&one.member.id).or_else(|| one.finished.failure(&one.member.name));
    }
    let place = |id: &str| members.iter().position(|member| member.id == id);
    ended.sort_by_key(|one| place(&one.member.id));
    (ended, first)
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// The signals that ask us to end.
struct Interrupts(Vec<tokio::signal::unix::Signal>);

impl Interrupts {
    fn new() -> Self {
        let kinds =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
        Self(kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect())
    }

    /// Resolves when one of them came. Cancel-safe.
    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            if self.0.iter_mut().any(|stream| stream.poll_recv(context).is_ready()) {
                return std::task::Poll::Ready(());
            }
            std::task::Poll::Pending
        })
        .await;
    }
}
