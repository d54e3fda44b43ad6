//! The process that makes a namespace and serves it from inside: addresses, forwards, ways to the simulator's ports.

use std::{
    ffi::OsString,
    fs, io,
    net::{Ipv4Addr, TcpListener as StdListener},
    os::fd::{AsFd as _, FromRawFd as _, OwnedFd},
    path::Path,
    process::ExitCode,
};

use rustix::thread::{UnshareFlags, unshare_unsafe};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream, unix::pipe},
};

use super::{GUEST, NETWORK, Told, Wanted};
use crate::dhcp;

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

/// Whether this host lets us make a namespace with a tap device, and whether that is in a user namespace: `program`,
/// which is ours, makes one and ends. On an error gives a message and what to do.
pub fn try_it(program: &Path, search_path: &str) -> Result<bool, (String, String)> {
    let wanted = Wanted {
        tap: "pmctry".to_owned(),
        socket: std::env::temp_dir().join(format!("pumice-try-{}", std::process::id())),
        search_path: search_path.to_owned(),
        forwards: Vec::new(),
    };
    let plain = |error: &dyn std::fmt::Display| (error.to_string(), String::new());
    let text = serde_json::to_string(&wanted).map_err(|error| plain(&error))?;
    let mut command = std::process::Command::new(program);
    // Its standard input is at its end at once: it makes the namespace, says so, and lets it go.
    command.args(["__network", "keep", &text]).current_dir("/").stdin(std::process::Stdio::null());
    let output = command.output().map_err(|error| plain(&error))?;
    drop(fs::remove_file(&wanted.socket));
    match serde_json::from_slice(&output.stdout).map_err(|error| plain(&error))? {
        Told::Ready { in_user_namespace } => Ok(in_user_namespace),
        Told::Failed { message, hint } => Err((message, hint)),
    }
}

fn tell(told: &Told) {
    let mut line = serde_json::to_vec(told).unwrap_or_default();
    line.push(b'\n');
    let mut out = io::stdout().lock();
    drop(io::Write::write_all(&mut out, &line).and_then(|()| io::Write::flush(&mut out)));
}

/// A message and what to do.
type Refused = (String, String);

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
    let own = dhcp::Server::new(NETWORK, true).address().to_string();
    for words in [
        vec!["link", "set", "lo", "up"],
        vec!["tuntap", "add", "dev", tap, "mode", "tap"],
        vec!["address", "add", &format!("{own}/24"), "dev", tap],
        vec!["link", "set", tap, "up"],
    ] {
        crate::ip::run(&wanted.search_path, &words)?;
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
    tokio::spawn(give_addresses(dhcp));
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

async fn give_addresses(socket: UdpSocket) {
    let mut server = dhcp::Server::new(NETWORK, true);
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

/// Leads connections of the supervisor to ports that the simulator opens.
async fn broker(listener: UnixListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move { drop(lead_in(stream).await) });
    }
}

async fn lead_in(mut outside: UnixStream) -> io::Result<()> {
    let port = outside.read_u16().await?;
    let Ok(mut inside) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
        return outside.write_u8(0).await;
    };
    inside.set_nodelay(true)?;
    outside.write_u8(1).await?;
    copy_bidirectional(&mut outside, &mut inside).await.map(drop)
}
