//! An Ethernet switch in user space: the network that the machines of a MultiNode job share.
//!
//! Each machine connects to one unix socket; a frame is its length in four bytes, the highest first, and its bytes: what
//! QEMU's `-netdev stream` speaks (`net/stream.c`). The switch learns who is where, sends a frame to one port or to all
//! others, and gives addresses by DHCP. A port whose machine does not read loses frames, as on any Ethernet.
//!
//! Where every machine is in the care of a process of its own, as in a lab, each process has a switch, and each switch a line to
//! every other ([`Switch::join`]): they are one network, from which each may go at any moment.

use std::{
    collections::BTreeMap,
    io,
    net::Ipv4Addr,
    os::unix::net::UnixStream as StdUnixStream,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream, unix::OwnedReadHalf},
    sync::mpsc,
    task::JoinHandle,
};

use crate::{Mac, dhcp, frame};

/// The addresses on the shared network: 172.20.76.1 is the switch, machines get 172.20.76.2 and so on.
const NETWORK: Ipv4Addr = Ipv4Addr::new(172, 20, 76, 0);

/// The switch's own card: locally administered, and no address that a machine gets.
const OWN_CARD: Mac = [0x02, 0x70, 0x6d, 0x63, 0x00, 0x01];

/// The longest frame: what a card that offloads segments hands over (`NET_BUFSIZE` in QEMU is 4096 + 65536).
const LONGEST_FRAME_BYTES: usize = 4096 + 65536;

/// How many frames wait for a machine.
const QUEUE_FRAMES: usize = 1024;

/// A switch. Dropped, it carries nothing any more.
pub struct Switch {
    state: Arc<Mutex<State>>,
    /// Its listeners, and its lines to other switches.
    tasks: Vec<JoinHandle<()>>,
}

/// Which of the switches of a network one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number, from 0.
    pub place: u8,
    /// How many there are.
    pub of: u8,
}

type Frame = Arc<[u8]>;

/// What is at the other end of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Machine,
    /// Another switch of the same network.
    Switch,
}

struct Port {
    side: Side,
    frames: mpsc::Sender<Frame>,
}

struct State {
    ports: BTreeMap<u64, Port>,
    /// On which port a card was heard last.
    cards: BTreeMap<Mac, u64>,
    next: u64,
    addresses: dhcp::Server,
}

/// The most cards that are remembered: a guest that invents addresses fills no memory.
const MOST_CARDS: usize = 4096;

impl State {
    fn take(&mut self, from: u64, bytes: &[u8]) {
        let Some((to, card)) = frame::ends(bytes) else { return };
        if !frame::is_group(card) && (self.cards.len() < MOST_CARDS || self.cards.contains_key(&card)) {
            self.cards.insert(card, from);
        }
        if self.side(from) == Some(Side::Machine) {
            self.answer(from, bytes);
        }
        let frame: Frame = bytes.into();
        match self.cards.get(&to).filter(|_| !frame::is_group(to)) {
            Some(port) => self.pass_on(from, *port, &frame),
            None if to == OWN_CARD => {}
            None => {
                for port in self.ports.keys() {
                    self.pass_on(from, *port, &frame);
                }
            }
        }
    }

    fn side(&self, port: u64) -> Option<Side> {
        self.ports.get(&port).map(|port| port.side)
    }

    /// Not back to where it came from; and what a switch sent, it has sent to every other one itself.
    fn pass_on(&self, from: u64, to: u64, frame: &Frame) {
        let is_between_switches = [from, to].iter().all(|port| self.side(*port) == Some(Side::Switch));
        if from != to && !is_between_switches {
            self.send(to, frame);
        }
    }

    /// What is for the switch itself.
    fn answer(&mut self, from: u64, bytes: &[u8]) {
        let address = self.addresses.address();
        let reply = match frame::dhcp_request(bytes) {
            Some(message) => {
                let reply = self.addresses.answer(message);
                reply.and_then(|message| frame::dhcp_reply(OWN_CARD, address, &message))
            }
            None => frame::arp_reply(bytes, address, OWN_CARD),
        };
        if let Some(reply) = reply {
            self.send(from, &reply.into());
        }
    }

    fn send(&self, port: u64, frame: &Frame) {
        if let Some(port) = self.ports.get(&port) {
            // Full: the frame is lost.
            drop(port.frames.try_send(Arc::clone(frame)));
        }
    }
}

impl Switch {
    /// The only switch of a network. It listens at `socket`, which is not there yet. To be called inside the runtime.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn listen(socket: &Path) -> io::Result<Self> {
        Self::listen_as(Part { place: 0, of: 1 }, socket)
    }

    /// One of the switches of a network, which is to [join](Self::join) the others.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn listen_as(part: Part, socket: &Path) -> io::Result<Self> {
        let state = Arc::new(Mutex::new(State {
            ports: BTreeMap::new(),
            cards: BTreeMap::new(),
            next: 0,
            addresses: dhcp::Server::new(NETWORK, None).sharing(part.place, part.of),
        }));
        let mut switch = Self { state, tasks: Vec::new() };
        switch.accept(socket, Side::Machine)?;
        Ok(switch)
    }

    /// Makes `door`, where switches that come later connect, and connects to the `doors` of those that are there. Only one switch of a
    /// network may do so at a time, or two could have two lines to each other. A door behind which nobody is any more is passed by.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn join(&mut self, door: &Path, doors: &[PathBuf]) -> io::Result<()> {
        self.accept(door, Side::Switch)?;
        for other in doors {
            let Ok(stream) = StdUnixStream::connect(other) else { continue };
            stream.set_nonblocking(true)?;
            let served = serve(UnixStream::from_std(stream)?, Side::Switch, Arc::clone(&self.state));
            self.tasks.push(tokio::spawn(served));
        }
        Ok(())
    }

    fn accept(&mut self, socket: &Path, side: Side) -> io::Result<()> {
        let listener = UnixListener::bind(socket)?;
        let state = Arc::clone(&self.state);
        self.tasks.push(tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, side, Arc::clone(&state)));
            }
        }));
        Ok(())
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One machine, or another switch, until it is gone.
async fn serve(stream: UnixStream, side: Side, state: Arc<Mutex<State>>) {
    let (mut reader, mut writer) = stream.into_split();
    let (sender, mut frames) = mpsc::channel::<Frame>(QUEUE_FRAMES);
    let port = {
        let mut state = lock(&state);
        state.next += 1;
        let port = state.next;
        state.ports.insert(port, Port { side, frames: sender });
        port
    };
    let write = async {
        while let Some(frame) = frames.recv().await {
            let Ok(length) = u32::try_from(frame.len()) else { continue };
            let mut bytes = Vec::with_capacity(4 + frame.len());
            bytes.extend(length.to_be_bytes());
            bytes.extend_from_slice(&frame);
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    let read = async {
        while let Ok(frame) = next(&mut reader).await {
            lock(&state).take(port, &frame);
        }
    };
    tokio::select! {
        () = write => {}
        () = read => {}
    }
    let mut state = lock(&state);
    state.ports.remove(&port);
    state.cards.retain(|_, on| *on != port);
}

async fn next(reader: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let length = usize::try_from(reader.read_u32().await?).unwrap_or(usize::MAX);
    if length > LONGEST_FRAME_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; length];
    reader.read_exact(&mut frame).await?;
    Ok(frame)
}
