//! The server: a socket on the loopback address, and a thread for each connection.
//!
//! Threads, and not the run's own: a read that waits for the disk must not hold up the consoles.

use std::{
    io,
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use crate::{
    files::Files,
    mount, procedures,
    rpc::{Call, Refusal, read_message, reply, write_message},
};

/// How many connections there may be at a time. One guest opens two or three.
const MOST_CONNECTIONS: usize = 32;

/// Serves files until it is dropped.
#[derive(Debug)]
pub struct Server {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    export: String,
    files: Mutex<Files>,
    connections: Mutex<Vec<TcpStream>>,
    is_over: AtomicBool,
}

impl Server {
    /// Serves `files` under the name `export`, which begins with `/`, on a free port of the loopback address.
    ///
    /// # Errors
    /// There is no free port, or no thread.
    pub fn start(files: Files, export: impl Into<String>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            export: export.into(),
            files: Mutex::new(files),
            connections: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let acceptor = thread::Builder::new().name("nfs".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        })?;
        Ok(Self { port, shared, acceptor: Some(acceptor) })
    }

    /// Where NFS and MOUNT are served.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The name of the export.
    pub fn export(&self) -> &str {
        &self.shared.export
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        for connection in self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            drop(connection.shutdown(Shutdown::Both));
        }
        // Wakes the acceptor, which sees that it is over.
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        if let Some(acceptor) = self.acceptor.take() {
            drop(acceptor.join());
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    for stream in listener.incoming() {
        if shared.is_over.load(Ordering::SeqCst) {
            break;
        }
        threads.retain(|thread| !thread.is_finished());
        let Ok(stream) = stream else { continue };
        if threads.len() >= MOST_CONNECTIONS {
            continue;
        }
        if let Ok(copy) = stream.try_clone() {
            shared.connections.lock().unwrap_or_else(PoisonError::into_inner).push(copy);
        }
        // It may have become over since, and nobody else would close this one.
        if shared.is_over.load(Ordering::SeqCst) {
            drop(stream.shutdown(Shutdown::Both));
        }
        let shared = Arc::clone(shared);
        let spawned = thread::Builder::new().name("nfs-guest".to_owned()).spawn(move || {
            // A connection that breaks is the guest's to make again.
            drop(serve(&stream, &shared));
            let mut connections = shared.connections.lock().unwrap_or_else(PoisonError::into_inner);
            let own = stream.peer_addr().ok();
            connections.retain(|other| other.peer_addr().ok() != own);
        });
        threads.extend(spawned.ok());
    }
    for thread in threads {
        drop(thread.join());
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = io::BufReader::new(stream);
    let mut writer = stream;
    while let Some(message) = read_message(&mut reader)? {
        let mut call = Call::read(&message).map_err(|_| io::ErrorKind::InvalidData)?;
        let outcome = match (call.program, call.version) {
            (procedures::PROGRAM, procedures::VERSION) => {
                let mut files = shared.files.lock().unwrap_or_else(PoisonError::into_inner);
                procedures::answer(&mut call, &mut files)
            }
            (mount::PROGRAM, mount::VERSION) => mount::answer(&mut call, &shared.export),
            (procedures::PROGRAM | mount::PROGRAM, _) => Err(Refusal::NoVersion(procedures::VERSION)),
            _ => Err(Refusal::NoProgram),
        };
        let mut answer = io::BufWriter::new(&mut writer);
        write_message(&mut answer, &reply(call.id, outcome))?;
        io::Write::flush(&mut answer)?;
    }
    Ok(())
}
