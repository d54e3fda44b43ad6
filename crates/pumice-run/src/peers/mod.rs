//! The other nodes of a MultiNode job, as one node sees them.
//!
//! ```text
//!  test session ─┐                       ┌ socket ┐
//!  interactive ──┼─ ask ─▶ Peers ─ line ─▶        ├─▶ whoever runs the group
//!  a step ───────┘          ▲             ◀ line ─┘
//!                           └ answers by number
//! ```
//!
//! In a lab there are two files instead of the socket: the worker passes them on to the server, which runs the group.

mod answer;
mod coordinator;
mod lines;
#[cfg(test)]
mod tests;
mod variables;

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use pumice_multinode::{
    Answer, Member, Messages, Request,
    wire::{self, FromNode, ToNode},
};
use pumice_types::{Cause, Deadline, Failure};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::UnixStream,
    sync::{mpsc, oneshot, watch},
};

pub(crate) use answer::{as_typed, asked, failure_of};
pub use coordinator::{Coordinator, Left};
use lines::{LinesIn, LinesOut};
pub(crate) use variables::{make, read};

/// A node's way to the others. Copies share it.
#[derive(Clone, Debug)]
pub struct Peers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    node: String,
    members: Vec<Member>,
    lines: mpsc::UnboundedSender<Outgoing>,
    open: Mutex<BTreeMap<u64, oneshot::Sender<Answer>>>,
    number: AtomicU64,
    told: watch::Receiver<Option<Failure>>,
    /// What messages brought, as `protocols` of the job calls it.
    received: Mutex<BTreeMap<String, String>>,
}

/// A word on its way out, and who wants to know that it is out.
#[derive(Debug)]
struct Outgoing {
    word: FromNode,
    written: Option<oneshot::Sender<()>>,
}

impl From<FromNode> for Outgoing {
    fn from(word: FromNode) -> Self {
        Self { word, written: None }
    }
}

/// How long the last word of a node may take to be written.
const LEAVE_PATIENCE: Duration = Duration::from_secs(5);

/// Says that a request is given up when whoever waited for it does not any more.
struct Waiting<'a> {
    peers: &'a Inner,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.peers.open().remove(&self.number).is_some() {
            drop(self.peers.lines.send(FromNode::GiveUp { number: self.number }.into()));
        }
    }
}

impl Inner {
    fn open(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, oneshot::Sender<Answer>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peers {
    /// Joins the group that listens at `socket` as the node with this id. To be called inside the runtime.
    ///
    /// # Errors
    /// Nobody listens there, or it does not speak our version.
    pub async fn join(socket: &Path, node: &str) -> io::Result<Self> {
        let (reader, writer) = UnixStream::connect(socket).await?.into_split();
        Self::over(LinesIn::Socket(BufReader::new(reader)), LinesOut::Socket(writer), node).await
    }

    /// Joins a group elsewhere, by way of the files `out` and `in` of `directory`, which a worker passes on
    /// (docs/protocol/job-directory.md). Waits for as long as nobody answers. To be called inside the runtime.
    ///
    /// # Errors
    /// The files cannot be used, or the group does not speak our version.
    pub async fn join_elsewhere(directory: &Path, node: &str) -> io::Result<Self> {
        let (lines, writer) = lines::files(directory)?;
        Self::over(LinesIn::File(lines), LinesOut::File(writer), node).await
    }

    async fn over(mut lines: LinesIn, mut writer: LinesOut, node: &str) -> io::Result<Self> {
        let hello = FromNode::Hello { version: wire::VERSION, node: node.to_owned() };
        writer.write(&wire::line(&hello)?).await?;
        let members = match lines.next().await? {
            Some(ToNode::Welcome { members }) => members,
            Some(ToNode::End { failure }) => return Err(io::Error::other(failure.message)),
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the group did not answer as ours do",
                ));
            }
        };
        let (sender, mut words) = mpsc::unbounded_channel::<Outgoing>();
        let (tell, told) = watch::channel(None);
        let inner = Arc::new(Inner {
            node: node.to_owned(),
            members,
            lines: sender,
            open: Mutex::default(),
            number: AtomicU64::new(1),
            told,
            received: Mutex::default(),
        });
        tokio::spawn(async move {
            while let Some(outgoing) = words.recv().await {
                let Ok(line) = wire::line(&outgoing.word) else { continue };
                if writer.write(&line).await.is_err() {
                    return;
                }
                if let Some(written) = outgoing.written {
                    let _ = written.send(());
                }
            }
        });
        // Not the other way round: the last copy that is dropped ends the connection.
        let weak = Arc::downgrade(&inner);
        tokio::spawn(async move {
            let failure = loop {
                match lines.next().await {
                    Ok(Some(ToNode::Answer { number, answer })) => {
                        let Some(inner) = weak.upgrade() else { return };
                        let waiting = inner.open().remove(&number);
                        drop(waiting.map(|waiting| waiting.send(answer)));
                    }
                    Ok(Some(ToNode::End { failure })) => break failure,
                    Ok(Some(ToNode::Welcome { .. })) => {}
                    Ok(None) | Err(_) => {
                        break Failure::new(Cause::PeerFailed, "the group of this node is gone");
                    }
                }
            };
            drop(tell.send(Some(failure)));
            // Nobody answers any more.
            if let Some(inner) = weak.upgrade() {
                inner.open().clear();
            }
        });
        Ok(Self(inner))
    }

    /// This node's id.
    pub fn node(&self) -> &str {
        &self.0.node
    }

    /// Every node of the group, this one too.
    pub fn members(&self) -> &[Member] {
        &self.0.members
    }

    /// This node; `None` for a group that does not know it.
    pub fn own(&self) -> Option<&Member> {
        self.0.members.iter().find(|member| member.id == self.0.node)
    }

    /// Resolves when the whole group ends, with the reason.
    pub async fn ended(&self) -> Failure {
        let mut told = self.0.told.clone();
        match told.wait_for(Option::is_some).await {
            Ok(failure) => failure.clone().unwrap_or_else(gone),
            Err(_) => gone(),
        }
    }

    /// Asks, and waits for the answer. Dropped, it waits no longer, and the group knows. An answer that refuses is
    /// an answer.
    ///
    /// # Errors
    /// The deadline was over, or the group is gone.
    pub async fn ask(&self, request: Request, deadline: &Deadline) -> Result<Answer, Failure> {
        let number = self.0.number.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.0.open().insert(number, sender);
        let _waiting = Waiting { peers: &self.0, number };
        let shown = request.to_string();
        if self.0.lines.send(FromNode::Ask { number, request }.into()).is_err() {
            return Err(gone());
        }
        match tokio::time::timeout_at(deadline.at().into(), answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(self.0.told.borrow().clone().unwrap_or_else(gone)),
            Err(_) => {
                let waited_for = format!("the other nodes, in `{shown}`");
                Err(Failure::timed_out(Cause::PeerTimeout, deadline.owner(), deadline.limit(), &waited_for))
            }
        }
    }

    /// Asks with a time of its own, where one is given, within that of the step.
    pub(crate) async fn ask_within(
        &self,
        request: Request,
        limit: Option<Duration>,
        deadline: &Deadline,
    ) -> Result<Answer, Failure> {
        match limit {
            Some(limit) => {
                let own = deadline.narrowed(Instant::now(), limit, request.to_string());
                self.ask(request, &own).await
            }
            None => self.ask(request, deadline).await,
        }
    }

    /// Asks as [`Self::ask_within`] does, and gives what was waited for: nothing for a send or a sync.
    ///
    /// # Errors
    /// As before, and the failure that a refusal is.
    pub(crate) async fn exchange(
        &self,
        request: Request,
        limit: Option<Duration>,
        deadline: &Deadline,
    ) -> Result<Messages, Failure> {
        match self.ask_within(request.clone(), limit, deadline).await? {
            Answer::Done => Ok(Messages::new()),
            Answer::Message { messages } => Ok(messages),
            Answer::Refused { refusal } => Err(failure_of(&request, &refusal)),
        }
    }

    /// Tells the others that this node asks nothing more, and why where it failed. Returns once it is said, or when
    /// nobody can be told.
    pub(crate) async fn leave(&self, failure: Option<Failure>) {
        let (written, said) = oneshot::channel();
        let word = Outgoing { word: FromNode::Leave { failure }, written: Some(written) };
        if self.0.lines.send(word).is_ok() {
            drop(tokio::time::timeout(LEAVE_PATIENCE, said).await);
        }
    }

    /// What a message brought under the name that the job gives it.
    pub fn received(&self, name: &str) -> Option<String> {
        self.0.received.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn receive(&self, name: String, value: String) {
        self.0.received.lock().unwrap_or_else(PoisonError::into_inner).insert(name, value);
    }
}

fn gone() -> Failure {
    Failure::new(Cause::PeerFailed, "the group of this node is gone")
}

/// The next word; `None` at the end, and for a line that is too long.
async fn next<T: serde::de::DeserializeOwned>(
    lines: &mut (impl tokio::io::AsyncBufRead + Unpin),
) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    let limit = u64::try_from(wire::LINE_LIMIT_BYTES).unwrap_or(u64::MAX);
    lines.take(limit).read_until(b'\n', &mut line).await?;
    if line.last() != Some(&b'\n') {
        return Ok(None);
    }
    serde_json::from_slice(&line).map(Some).map_err(io::Error::from)
}
