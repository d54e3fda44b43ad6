//! Passes a listening socket from one process to another (unix(7), `SCM_RIGHTS`). A socket stays in the network
//! namespace that it was made in, so that whoever gets it hears what is said there.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    net::TcpListener,
    os::fd::{AsFd as _, BorrowedFd},
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use tokio::{io::Interest, net::UnixStream};

/// Room for one descriptor.
const SPACE: usize = rustix::cmsg_space!(ScmRights(1));

/// Sends a socket, with one byte that carries it.
pub(super) async fn send(stream: &UnixStream, socket: BorrowedFd<'_>) -> io::Result<()> {
    let sockets = [socket];
    let sent = stream.async_io(Interest::WRITABLE, || {
        let mut space = [MaybeUninit::uninit(); SPACE];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&sockets));
        Ok(sendmsg(stream.as_fd(), &[IoSlice::new(&[1])], &mut control, SendFlags::NOSIGNAL)?)
    });
    sent.await.map(drop)
}

/// Receives one.
///
/// # Errors
/// The other side has none, or is gone.
pub(super) async fn receive(stream: &UnixStream) -> io::Result<TcpListener> {
    let received = stream.async_io(Interest::READABLE, || {
        let mut space = [MaybeUninit::uninit(); SPACE];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        recvmsg(stream.as_fd(), &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let sockets = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        Ok(sockets.flatten().next())
    });
    let listener = TcpListener::from(received.await?.ok_or(io::ErrorKind::AddrInUse)?);
    listener.set_nonblocking(true)?;
    Ok(listener)
}
