//! Finding a port: the first free one from `start_port` up, on every IPv4 address (reference, section 4.1).

use rustix::net::{self, AddressFamily, SocketFlags, SocketType, ipproto, sockopt};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};

/// One connection waits in the kernel, silent, while another is served: what a backlog of 1 does.
const BACKLOG: i32 = 1;

/// Listens on exactly this port.
pub(crate) fn listen(address: Ipv4Addr, port: u16, backlog: i32) -> io::Result<TcpListener> {
    let socket =
        net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, Some(ipproto::TCP))?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    net::bind(&socket, &SocketAddrV4::new(address, port))?;
    net::listen(&socket, backlog)?;
    Ok(socket.into())
}

/// Listens on the first free port from `start` up.
pub(super) fn listen_from(start: u16) -> io::Result<TcpListener> {
    for port in start..=u16::MAX {
        match listen(Ipv4Addr::UNSPECIFIED, port, BACKLOG) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            other => return other,
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}
