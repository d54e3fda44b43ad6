//! An Ethernet switch in user space: the network that the machines of a MultiNode job share.
//!
//! Each machine connects to one unix socket; a frame is its length in four bytes, the highest first, and its bytes: what
//! QEMU's `-netdev stream` speaks (`net/stream.c`). The switch learns who is where, sends a frame to one port or to all
//! others, and gives addresses by DHCP. A port whose machine does not read loses frames, as on any Ethernet.

use std::{
    collections::BTreeMap,
    io,
    net::Ipv4Addr,
    path::Path,
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
#[derive(Debug)]
pub struct Switch {
    listener: JoinHandle<()>,
}

type Frame = Arc<[u8]>;

struct State {
    ports: BTreeMap<u64, mpsc::Sender<Frame>>,
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
        self.answer(from, bytes);
        let frame: Frame = bytes.into();
        match self.cards.get(&to).filter(|_| !frame::is_group(to)) {
            Some(port) if *port == from => {}
            Some(port) => self.send(*port, &frame),
            None if to == OWN_CARD => {}
            None => {
                let others: Vec<u64> = self.ports.keys().copied().filter(|port| *port != from).collect();
                for port in others {
                    self.send(port, &frame);
                }
            }
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
        if let Some(queue) = self.ports.get(&port) {
            // Full: the frame is lost.
            drop(queue.try_send(Arc::clone(frame)));
        }
    }
}

impl Switch {
    /// Listens at `socket`, which is not there yet. To be called inside the runtime.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn listen(socket: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(socket)?;
        let state = Arc::new(Mutex::new(State {
            ports: BTreeMap::new(),
            cards: BTreeMap::new(),
            next: 0,
            addresses: dhcp::Server::new(NETWORK, None),
        }));
        let listener = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&state)));
            }
        });
        Ok(Self { listener })
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One machine, until it is gone.
async fn serve(stream: UnixStream, state: Arc<Mutex<State>>) {
    let (mut reader, mut writer) = stream.into_split();
    let (queue, mut frames) = mpsc::channel::<Frame>(QUEUE_FRAMES);
    let port = {
        let mut state = lock(&state);
        state.next += 1;
        let port = state.next;
        state.ports.insert(port, queue);
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
