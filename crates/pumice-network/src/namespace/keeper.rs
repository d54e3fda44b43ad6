//! The process that makes a namespace and serves it from inside: addresses, forwards, ways to the simulator's ports.

use std::{
    ffi::OsString,
    fs, io,
    net::{Ipv4Addr, TcpListener as StdListener},
    os::fd::{AsFd as _, FromRawFd as _, OwnedFd},
    process::ExitCode,
};

use rustix::thread::{UnshareFlags, unshare_unsafe};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream, unix::pipe},
};

use super::{Asked, GATEWAY, GUEST, NETWORK, Told, Wanted, passing, way_out};
use crate::{
    dhcp,
    program::{self, Refused},
};

/// The body of `keep SPEC`: makes the namespace, says on standard output whether it is there, and serves it until
/// standard input ends. The program calls it before it starts a thread.
pub fn keeper_main(words: &[OsString]) -> ExitCode {
    let wanted = words.first().and_then(|text| serde_json::from_str(&text.to_string_lossy()).ok());
    let Some(wanted): Option<Wanted> = wanted else { return ExitCode::FAILURE };
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let made = make(&wanted).and_then(|in_user_namespace| {
        let runtime = runtime().map_err(|error| (error.to_string(), String::new()))?;
        Ok((in_user_namespace, runtime))
    });
    let (in_user_namespace, runtime) = match made {
        Ok(made) => made,
        Err((message, hint)) => {
            tell(&Told::Failed { message, hint });
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        match serve(&wanted).await {
            Ok(()) => {
                tell(&Told::Ready { in_user_namespace });
                wait_for_the_end().await;
            }
            Err(error) => tell(&Told::Failed { message: error.to_string(), hint: String::new() }),
        }
    });
    ExitCode::SUCCESS
}

/// Resolves when standard input ends: whoever started us lets us go, or is gone.
async fn wait_for_the_end() {
    let input = io::stdin().as_fd().try_clone_to_owned().and_then(pipe::Receiver::from_owned_fd);
    if let Ok(mut input) = input {
        let mut byte = [0];
        while input.read(&mut byte).await.is_ok_and(|count| count > 0) {}
    }
}

fn tell(told: &Told) {
    let mut line = serde_json::to_vec(told).unwrap_or_default();
    line.push(b'\n');
    let mut out = io::stdout().lock();
    drop(io::Write::write_all(&mut out, &line).and_then(|()| io::Write::flush(&mut out)));
}

/// Makes the namespace with its tap, and stays in it. Whether it is in a user namespace too.
fn make(wanted: &Wanted) -> Result<bool, Refused> {
    let (user, group) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let in_user_namespace = unshare(UnshareFlags::NEWNET).is_err();
    if in_user_namespace {
        unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNET).map_err(|error| {
            let message = format!("this host allows no network namespace to this user: {error}");
            let hint = "allow unprivileged user namespaces (sysctl user.max_user_namespaces, and on Ubuntu \
                        kernel.apparmor_restrict_unprivileged_userns=0), or run as root";
            (message, hint.to_owned())
        })?;
        // Ourselves are root in it, nobody else is there (user_namespaces(7), "Defining user and group ID mappings").
        for (file, text) in [
            ("setgroups", "deny".to_owned()),
            ("uid_map", format!("0 {user} 1")),
            ("gid_map", format!("0 {group} 1")),
        ] {
            let path = format!("/proc/self/{file}");
            fs::write(&path, text)
                .map_err(|error| (format!("cannot write {path}: {error}"), String::new()))?;
        }
    }
    let tap = wanted.tap.as_str();
    for words in [
        vec!["link", "set", "lo", "up"],
        vec!["tuntap", "add", "dev", tap, "mode", "tap"],
        vec!["address", "add", &format!("{GATEWAY}/24"), "dev", tap],
        vec!["link", "set", tap, "up"],
    ] {
        program::ip(&wanted.search_path, &words)?;
    }
    if !wanted.reach.is_nothing() {
        way_out::prepare(&wanted.reach, &wanted.search_path)?;
    }
    Ok(in_user_namespace)
}

#[expect(unsafe_code, reason = "the safe form of this call is deprecated for what other flags may do")]
fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: neither flag touches descriptors or memory, and this process has one thread.
    unsafe { unshare_unsafe(flags) }
}

/// Starts everything that is served.
async fn serve(wanted: &Wanted) -> io::Result<()> {
    let dhcp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 67)).await?;
    dhcp.bind_device(Some(wanted.tap.as_bytes()))?;
    dhcp.set_broadcast(true)?;
    let way_out = (!wanted.reach.is_nothing()).then_some(dhcp::WayOut { names: way_out::NAMES });
    tokio::spawn(give_addresses(dhcp, dhcp::Server::new(NETWORK, way_out)));
    for (descriptor, guest_port) in &wanted.forwards {
        let listener = adopt(*descriptor);
        listener.set_nonblocking(true)?;
        tokio::spawn(forward(TcpListener::from_std(listener)?, *guest_port));
    }
    tokio::spawn(broker(UnixListener::bind(&wanted.socket)?));
    Ok(())
}

#[expect(unsafe_code, reason = "a descriptor that was inherited has no owner in this process yet")]
fn adopt(descriptor: i32) -> StdListener {
    // SAFETY: whoever started us passed this descriptor for us alone, and named it once.
    StdListener::from(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

async fn give_addresses(socket: UdpSocket, mut server: dhcp::Server) {
    let mut message = [0; 1500];
    while let Ok((length, _)) = socket.recv_from(&mut message).await {
        if let Some(reply) = server.answer(&message[..length]) {
            // To everybody: the card may not know its address yet (RFC 2131, section 4.1).
            drop(socket.send_to(&reply, (Ipv4Addr::BROADCAST, 68)).await);
        }
    }
}

/// Leads connections of the host into the guest.
async fn forward(listener: TcpListener, guest_port: u16) {
    while let Ok((mut outside, _)) = listener.accept().await {
        tokio::spawn(async move {
            if let Ok(mut inside) = TcpStream::connect((GUEST, guest_port)).await {
                drop(copy_bidirectional(&mut outside, &mut inside).await);
            }
        });
    }
}

/// Serves those who want to reach a port that the simulator opens, or to be reached by the guest at one.
async fn broker(listener: UnixListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let (Ok(asked), Ok(port)) = (stream.read_u8().await, stream.read_u16().await) else { return };
            drop(match asked {
                LISTEN => listen(&stream, port).await,
                _ => lead_in(stream, port).await,
            });
        });
    }
}

/// The number of [`Asked::Listen`].
const LISTEN: u8 = Asked::Listen as u8;

async fn listen(outside: &UnixStream, port: u16) -> io::Result<()> {
    let listener = StdListener::bind((GATEWAY, port))?;
    passing::send(outside, listener.as_fd()).await
}

async fn lead_in(mut outside: UnixStream, port: u16) -> io::Result<()> {
    let Ok(mut inside) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
        return outside.write_u8(0).await;
    };
    inside.set_nodelay(true)?;
    outside.write_u8(1).await?;
    copy_bidirectional(&mut outside, &mut inside).await.map(drop)
}
