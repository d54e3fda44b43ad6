//! Nodes and their coordinator, over its socket.

use std::time::{Duration, Instant};

use pumice_multinode::{Answer, Member, Request, Values};
use pumice_types::{Cause, Deadline, Failure};
use tempfile::TempDir;

use super::{Coordinator, Peers};

struct World {
    coordinator: Coordinator,
    directory: TempDir,
}

impl World {
    /// A group of the nodes 1 and 2, `server` and `client`.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let member =
            |id: &str, role: &str| Member { id: id.to_owned(), name: role.to_owned(), role: role.to_owned() };
        let members = vec![member("1", "server"), member("2", "client")];
        let coordinator = Coordinator::listen(&directory.path().join("group"), members).unwrap();
        Self { coordinator, directory }
    }

    async fn node(&self, id: &str) -> Peers {
        Peers::join(&self.directory.path().join("group"), id).await.unwrap()
    }
}

fn within(limit: Duration) -> Deadline {
    Deadline::after(Instant::now(), limit, "the test")
}

fn soon() -> Deadline {
    within(Duration::from_secs(20))
}

fn sync() -> Request {
    Request::Sync { id: "here".to_owned() }
}

#[tokio::test]
async fn nodes_that_meet_go_on_together() {
    let world = World::new();
    let (server, client) = (world.node("1").await, world.node("2").await);
    let later = soon();
    let (one, two) = tokio::join!(server.ask(sync(), &later), client.ask(sync(), &later));
    assert_eq!((one.unwrap(), two.unwrap()), (Answer::Done, Answer::Done));
    assert_eq!(client.own().unwrap().role, "client");
}

#[tokio::test]
async fn a_message_that_was_sent_before_the_other_joined_is_there() {
    let world = World::new();
    let values = Values::from([("ip".to_owned(), "10.0.0.1".to_owned())]);
    let send = Request::Send { id: "up".to_owned(), values: values.clone() };
    assert_eq!(world.node("1").await.ask(send, &soon()).await.unwrap(), Answer::Done);
    let wait = Request::Wait { id: "up".to_owned() };
    let answer = world.node("2").await.ask(wait, &soon()).await.unwrap();
    assert_eq!(answer, Answer::Message { messages: [("1".to_owned(), values)].into() });
}

#[tokio::test]
async fn a_wait_that_is_over_with_its_time_is_given_up() {
    let world = World::new();
    let (server, client) = (world.node("1").await, world.node("2").await);
    let failure = server.ask(sync(), &within(Duration::from_millis(20))).await.unwrap_err();
    assert_eq!(failure.cause, Cause::PeerTimeout);
    assert!(failure.message.contains("lava-sync here"), "{failure}");
    // It is not here any more: the other waits until it comes again.
    let waiting = client.ask(sync(), &within(Duration::from_millis(50))).await.unwrap_err();
    assert_eq!(waiting.cause, Cause::PeerTimeout);
}

#[tokio::test]
async fn who_leaves_ends_the_waits_for_it_and_is_heard_once() {
    let mut world = World::new();
    let (server, client) = (world.node("1").await, world.node("2").await);
    let later = soon();
    let leave = async {
        server.leave(Some(Failure::new(Cause::GuestPanic, "the kernel panicked"))).await;
    };
    let (answer, ()) = tokio::join!(client.ask(sync(), &later), leave);
    let Answer::Refused { refusal } = answer.unwrap() else { panic!("it met nobody") };
    assert_eq!(refusal.to_string(), "node server (server) has ended: the kernel panicked");
    world.coordinator.gone("1", None);
    let left = world.coordinator.left().await.unwrap();
    assert_eq!((left.node.as_str(), left.failure.unwrap().cause), ("1", Cause::GuestPanic));
    let again = tokio::time::timeout(Duration::from_millis(20), world.coordinator.left()).await;
    assert!(again.is_err(), "a node leaves once");
}

#[tokio::test]
async fn a_node_is_told_to_end_also_when_it_joins_later() {
    let world = World::new();
    let server = world.node("1").await;
    let reason = Failure::new(Cause::PeerFailed, "another is gone");
    world.coordinator.end("1", &reason);
    world.coordinator.end("2", &reason);
    assert_eq!(server.ended().await, reason);
    assert_eq!(world.node("2").await.ended().await, reason);
}

#[tokio::test]
async fn a_group_that_is_gone_ends_its_nodes_and_a_stranger_is_not_let_in() {
    let world = World::new();
    let socket = world.directory.path().join("group");
    assert!(Peers::join(&socket, "9").await.is_err());
    let nobody = world.directory.path().join("nobody");
    assert!(Peers::join(&nobody, "1").await.is_err());
}

#[tokio::test]
async fn a_group_elsewhere_is_reached_by_two_files() {
    let directory = tempfile::tempdir().unwrap();
    let tell = |line: &str| {
        let path = directory.path().join("in");
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        std::io::Write::write_all(&mut file, format!("{line}\n").as_bytes()).unwrap();
    };
    // Whoever passes the words on may be faster, and was there before.
    tell(r#"{"say":"welcome","members":[{"id":"1","name":"server","role":"server"}]}"#);
    let peers = Peers::join_elsewhere(directory.path(), "1").await.unwrap();
    assert_eq!(peers.members().len(), 1);
    let deadline = soon();
    let answer = async { tell(r#"{"say":"answer","number":1,"answer":{"answer":"done"}}"#) };
    let (met, ()) = tokio::join!(peers.ask(sync(), &deadline), answer);
    assert_eq!(met.unwrap(), Answer::Done);
    peers.leave(None).await;
    let said = std::fs::read_to_string(directory.path().join("out")).unwrap();
    let words: Vec<_> = said.lines().filter_map(|line| line.split('"').nth(3)).collect();
    assert_eq!(words, ["hello", "ask", "leave"], "{said}");
}
