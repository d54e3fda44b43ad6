//! Debug servers: CADI and Iris, enough for a driver to find them and to let the simulation go (reference 6.2).

mod iris;

use crate::event::{Event, Events};
use crate::journal;
use crate::terminal::listen;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

/// First ports tried (reference 1.1).
const CADI_PORT: u16 = 7000;
const IRIS_PORT: u16 = 7100;

/// Starts the CADI server; returns its port. Its protocol is not public: a client that connects lets the simulation
/// run, and gets no answer.
pub(crate) fn cadi(events: Events) -> io::Result<u16> {
    let listener = first_free(Ipv4Addr::LOCALHOST, CADI_PORT)?;
    let port = listener.local_addr()?.port();
    serve(listener, move |_, _| events.send(Event::Released));
    Ok(port)
}

/// Starts the Iris server, on every interface if `remote`; returns its port. `terminals` are the names and ports
/// that its instances show.
pub(crate) fn iris(
    start: Option<u16>,
    remote: bool,
    terminals: Vec<(String, u16)>,
    events: Events,
) -> io::Result<u16> {
    let address = if remote { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
    let listener = first_free(address, start.unwrap_or(IRIS_PORT))?;
    let port = listener.local_addr()?.port();
    serve(listener, move |stream, client| {
        events.send(Event::Released);
        if let Err(error) = iris::serve(stream, client, &terminals) {
            journal::note(&format!("Iris: {error}"));
        }
    });
    Ok(port)
}

fn first_free(address: Ipv4Addr, start: u16) -> io::Result<TcpListener> {
    for port in start..=u16::MAX {
        match listen(address, port, 16) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            other => return other,
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

/// Calls `handle` for each client, with its number from 1, in a thread of its own.
fn serve(listener: TcpListener, handle: impl Fn(&TcpStream, u64) + Send + Sync + 'static) {
    std::thread::spawn(move || {
        std::thread::scope(|scope| {
            let handle = &handle;
            let mut clients = 0;
            while let Ok((stream, _)) = listener.accept() {
                clients += 1;
                let client = clients;
                scope.spawn(move || handle(&stream, client));
            }
        });
    });
}
