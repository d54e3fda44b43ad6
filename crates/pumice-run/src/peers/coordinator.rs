//! Runs the group of a MultiNode job: listens for its nodes, and passes between them what the group's rules say.

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pumice_multinode::{
    Delivery, Ending, Group, Member, Ticket,
    wire::{self, FromNode, ToNode},
};
use pumice_types::Failure;
use tokio::{
    io::{AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::mpsc,
    task::JoinHandle,
};

use super::next;

/// A node that will ask nothing more.
#[derive(Clone, Debug)]
pub struct Left {
    /// Its id.
    pub node: String,
    /// Why it failed; `None` when all went well.
    pub failure: Option<Failure>,
}

/// The group of a MultiNode job. Dropped, it hears nobody any more.
#[derive(Debug)]
pub struct Coordinator {
    state: Arc<Mutex<State>>,
    left: mpsc::UnboundedReceiver<Left>,
    listener: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    group: Group,
    /// Where the words for a node go, by its id.
    nodes: BTreeMap<String, mpsc::UnboundedSender<ToNode>>,
    /// What a node was told before it joined.
    ends: BTreeMap<String, Failure>,
    left: mpsc::UnboundedSender<Left>,
}

impl State {
    fn deliver(&self, due: Vec<Delivery>) {
        for Delivery { ticket, answer } in due {
            if let Some(node) = self.nodes.get(&ticket.node) {
                drop(node.send(ToNode::Answer { number: ticket.number, answer }));
            }
        }
    }

    fn leave(&mut self, node: &str, failure: Option<Failure>) {
        if self.group.ending(node).is_some() {
            return;
        }
        let ending = match &failure {
            None => Ending::Complete,
            Some(failure) => Ending::Failed(failure.message.clone()),
        };
        let due = self.group.leave(node, ending);
        // First the reason, then what follows from it.
        drop(self.left.send(Left { node: node.to_owned(), failure }));
        self.deliver(due);
    }

    fn hear(&mut self, node: &str, word: FromNode) {
        match word {
            FromNode::Ask { number, request } => {
                let due = self.group.ask(Ticket { node: node.to_owned(), number }, request);
                self.deliver(due);
            }
            FromNode::GiveUp { number } => self.group.give_up(&Ticket { node: node.to_owned(), number }),
            FromNode::Leave { failure } => self.leave(node, failure),
            FromNode::Hello { .. } => {}
        }
    }
}

impl Coordinator {
    /// Listens at `socket`, which is not there yet, for the nodes of a group. To be called inside the runtime.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn listen(socket: &Path, members: Vec<Member>) -> io::Result<Self> {
        let listener = UnixListener::bind(socket)?;
        let (sender, left) = mpsc::unbounded_channel();
        let state = Arc::new(Mutex::new(State {
            group: Group::new(members),
            nodes: BTreeMap::new(),
            ends: BTreeMap::new(),
            left: sender,
        }));
        let shared = Arc::clone(&state);
        let listener = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Ok(Self { state, left, listener })
    }

    /// The next node that leaves. A node leaves once. Cancel-safe.
    pub async fn left(&mut self) -> Option<Left> {
        self.left.recv().await
    }

    /// Says that a node is gone, whether it said so itself or not: its process has ended.
    pub fn gone(&self, node: &str, failure: Option<Failure>) {
        lock(&self.state).leave(node, failure);
    }

    /// Tells a node to end. One that has left is not told.
    pub fn end(&self, node: &str, failure: &Failure) {
        let mut state = lock(&self.state);
        if state.group.ending(node).is_some() {
            return;
        }
        match state.nodes.get(node) {
            Some(sender) => drop(sender.send(ToNode::End { failure: failure.clone() })),
            None => drop(state.ends.insert(node.to_owned(), failure.clone())),
        }
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One node's connection, until it closes. Whoever runs the node's process says what that means.
async fn serve(stream: UnixStream, state: Arc<Mutex<State>>) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader);
    let Ok(Some(FromNode::Hello { version: wire::VERSION, node })) = next(&mut lines).await else { return };
    let mut words = {
        let mut state = lock(&state);
        let members = state.group.members().to_vec();
        if !members.iter().any(|member| member.id == node) {
            return;
        }
        let (sender, words) = mpsc::unbounded_channel();
        drop(sender.send(ToNode::Welcome { members }));
        if let Some(failure) = state.ends.remove(&node) {
            drop(sender.send(ToNode::End { failure }));
        }
        state.nodes.insert(node.clone(), sender);
        words
    };
    let write = async {
        while let Some(word) = words.recv().await {
            let Ok(line) = wire::line(&word) else { continue };
            if writer.write_all(&line).await.is_err() {
                return;
            }
        }
    };
    let read = async {
        while let Ok(Some(word)) = next(&mut lines).await {
            lock(&state).hear(&node, word);
        }
    };
    tokio::select! {
        () = write => {}
        () = read => {}
    }
}
