//! The switch, with machines that are sockets.

use std::{path::PathBuf, time::Duration};

use pumice_network::{Part, Switch};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

struct Lan {
    socket: PathBuf,
    _switch: Switch,
    _directory: TempDir,
}

impl Lan {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("lan");
        let switch = Switch::listen(&socket).unwrap();
        Self { socket, _switch: switch, _directory: directory }
    }

    async fn machine(&self, card: u8) -> Machine {
        Machine { stream: UnixStream::connect(&self.socket).await.unwrap(), card }
    }
}

/// A machine whose card ends with this byte.
struct Machine {
    stream: UnixStream,
    card: u8,
}

fn mac(card: u8) -> [u8; 6] {
    if card == 0xff { [0xff; 6] } else { [2, 0, 0, 0, 0, card] }
}

impl Machine {
    async fn send(&mut self, to: u8, text: &str) {
        let mut frame = Vec::new();
        frame.extend(mac(to));
        frame.extend(mac(self.card));
        frame.extend([0x88, 0xb5]);
        frame.extend(text.as_bytes());
        self.stream.write_u32(u32::try_from(frame.len()).unwrap()).await.unwrap();
        self.stream.write_all(&frame).await.unwrap();
    }

    /// Who sent the next frame, and its text.
    async fn hear(&mut self) -> (u8, String) {
        let next = async {
            let length = self.stream.read_u32().await.unwrap();
            let mut frame = vec![0; length as usize];
            self.stream.read_exact(&mut frame).await.unwrap();
            (frame[11], String::from_utf8_lossy(&frame[14..]).into_owned())
        };
        tokio::time::timeout(Duration::from_secs(10), next).await.expect("no frame came")
    }
}

impl Machine {
    /// Sends until the other machine hears: it takes a moment until all switches have let each other in.
    async fn reach(&mut self, other: &mut Self) {
        let mut is_heard = false;
        while !is_heard {
            self.send(other.card, "hello").await;
            let readable = tokio::time::timeout(Duration::from_millis(50), other.stream.readable()).await;
            is_heard = readable.is_ok() && other.hear().await == (self.card, "hello".to_owned());
        }
    }

    /// The next frame that is none of those.
    async fn hear_news(&mut self) -> String {
        loop {
            let (_, text) = self.hear().await;
            if text != "hello" {
                return text;
            }
        }
    }
}

#[tokio::test]
async fn a_frame_goes_to_all_until_it_is_known_where_its_card_is() {
    let lan = Lan::new();
    let (mut a, mut b, mut c) = (lan.machine(1).await, lan.machine(2).await, lan.machine(3).await);
    // All three are there once each has been heard by the others.
    for (machine, word) in [(&mut a, "a"), (&mut b, "b"), (&mut c, "c")] {
        machine.send(0xff, word).await;
    }
    let mut seen = [a.hear().await.1, a.hear().await.1];
    seen.sort();
    assert_eq!(seen, ["b", "c"]);
    // From here on everybody is known: what is for one reaches no other.
    b.send(1, "for a").await;
    c.send(0xff, "for all").await;
    let mut at_a = Vec::new();
    while at_a.len() < 2 {
        at_a.push(a.hear().await);
    }
    at_a.sort();
    assert_eq!(at_a, [(2, "for a".to_owned()), (3, "for all".to_owned())]);
    let mut at_b = b.hear().await;
    while at_b.1 != "for all" {
        assert_ne!(at_b.1, "for a", "a machine hears itself");
        at_b = b.hear().await;
    }
}

#[tokio::test]
async fn a_machine_that_is_gone_leaves_its_place() {
    let lan = Lan::new();
    let (mut a, mut b) = (lan.machine(1).await, lan.machine(2).await);
    a.send(0xff, "a").await;
    b.send(0xff, "b").await;
    assert_eq!(a.hear().await.1, "b");
    drop(b);
    let mut again = lan.machine(2).await;
    again.send(0xff, "again").await;
    assert_eq!(a.hear().await.1, "again");
    a.send(2, "for b").await;
    assert_eq!(again.hear().await, (1, "for b".to_owned()));
}

#[tokio::test]
async fn a_frame_longer_than_any_ends_the_connection_and_nothing_else() {
    let lan = Lan::new();
    let (mut a, mut b) = (lan.machine(1).await, lan.machine(2).await);
    b.stream.write_u32(u32::MAX).await.unwrap();
    assert_eq!(b.stream.read(&mut [0; 1]).await.unwrap(), 0);
    let mut c = lan.machine(3).await;
    c.send(0xff, "c").await;
    assert_eq!(a.hear().await.1, "c");
    a.send(3, "a").await;
    assert_eq!(c.hear().await.1, "a");
}

/// Switches of one network, each with a machine, which join one after the other; those that are there already, and one that
/// died, are behind the doors.
#[tokio::test]
async fn switches_of_several_processes_are_one_network_from_which_each_may_go() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str, place: u8| directory.path().join(format!("{name}{place}"));
    drop(std::os::unix::net::UnixListener::bind(path("door", 9)).unwrap());
    let mut doors = vec![path("door", 9)];
    let mut switches = Vec::new();
    for place in 0..3 {
        let mut switch = Switch::listen_as(Part { place, of: 3 }, &path("lan", place)).unwrap();
        switch.join(&path("door", place), &doors).unwrap();
        doors.push(path("door", place));
        switches.push(switch);
    }
    let mut machines = Vec::new();
    for place in 0..3_u8 {
        let stream = UnixStream::connect(path("lan", place)).await.unwrap();
        machines.push(Machine { stream, card: place + 1 });
    }
    let [a, b, c] = machines.as_mut_slice() else { unreachable!() };
    a.reach(b).await;
    a.reach(c).await;
    b.reach(a).await;
    b.reach(c).await;
    c.reach(a).await;
    c.reach(b).await;
    a.send(2, "for b").await;
    a.send(0xff, "for all").await;
    a.send(0xff, "the last").await;
    assert_eq!(
        [b.hear_news().await, b.hear_news().await, b.hear_news().await],
        ["for b", "for all", "the last"]
    );
    assert_eq!([c.hear_news().await, c.hear_news().await], ["for all", "the last"], "nothing comes twice");
    // The first one goes: the others are no worse off.
    switches.remove(0);
    b.send(3, "still here").await;
    assert_eq!(c.hear_news().await, "still here");
}
