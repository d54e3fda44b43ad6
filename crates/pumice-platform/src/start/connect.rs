//! Connects what the program offers where it was told to: consoles at known places, and its control channel.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::{Duration, Instant},
};

use pumice_console::{Connection, Recorder};
use pumice_network::namespace;
use pumice_types::Deadline;
use tokio::net::UnixListener;

use super::{Factory, no_console};
use crate::{Find, Launch, Monitor, StartError, control::Control};

/// Connects the consoles whose place is known beforehand.
pub(super) async fn connect_known<R: Recorder + Clone + 'static>(
    launch: &Launch,
    factory: &Factory<R>,
    way_in: Option<&Path>,
    deadline: &Deadline,
) -> Result<(), StartError> {
    for source in &launch.consoles {
        let connection = match &source.find {
            Find::Connect { path } => Connection::unix(path, deadline).await,
            Find::Port { port, telnet } => match way_in {
                Some(way_in) => connect_inside(way_in, *port, *telnet, deadline).await,
                None => connect(*port, *telnet, deadline).await,
            },
            _ => continue,
        };
        factory.start(source, connection.map_err(|error| no_console(source, error))?)?;
    }
    Ok(())
}

async fn connect(
    port: u16,
    telnet: bool,
    deadline: &Deadline,
) -> Result<Connection, pumice_console::ConnectError> {
    // Models listen on IPv4 only, and `localhost` may mean ::1 (fastmodels 4.1).
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if telnet {
        Connection::tcp_telnet(address, deadline).await
    } else {
        Connection::tcp(address, deadline).await
    }
}

/// Connects to a port in the network of the machine, as soon as it is there.
async fn connect_inside(
    way_in: &Path,
    port: u16,
    telnet: bool,
    deadline: &Deadline,
) -> Result<Connection, pumice_console::ConnectError> {
    loop {
        if let Ok(stream) = namespace::connect(way_in, port).await {
            return Ok(if telnet { Connection::telnet(stream) } else { Connection::both(stream) });
        }
        if deadline.is_over(Instant::now()) {
            // Says it in the words of the other way: it is the same to a person.
            return connect(port, telnet, deadline).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Takes the connection of the program's control channel.
pub(super) async fn attach(
    monitor: Box<dyn Monitor>,
    listener: UnixListener,
    deadline: &Deadline,
) -> Result<Control, StartError> {
    let attached = async {
        let (stream, _) = listener.accept().await?;
        Control::start(monitor, stream).await
    };
    match tokio::time::timeout_at(deadline.at().into(), attached).await {
        Ok(control) => control.map_err(StartError::Control),
        Err(_) => Err(StartError::Control(io::Error::from(io::ErrorKind::TimedOut).into())),
    }
}
