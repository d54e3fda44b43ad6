//! The same short talk over every kind of connection.

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use pumice_console::{
    ConnectError, Connection, Console, ConsoleOptions, Listener, Patterns, Unrecorded, telnet::Codec,
};
use pumice_process::Terminal;
use pumice_types::Deadline;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, UnixListener},
};

fn in_runtime<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(future)
}

fn soon() -> Deadline {
    Deadline::after(Instant::now(), Duration::from_secs(30), "connect")
}

/// The guest's half: prompts, reads a line, answers it, ends.
async fn guest(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    answer(&mut stream).await;
}

async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    stream.write_all(b"# ").await.unwrap();
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        line.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(b"you said ").await.unwrap();
    stream.write_all(&line).await.unwrap();
    stream.flush().await.unwrap();
}

/// Our half.
async fn talk(connection: Connection) {
    let console = ask(connection).await;
    assert!(console.closed(&soon()).await, "the end of the guest is seen");
}

async fn ask(connection: Connection) -> Console {
    let mut console = Console::start("main", connection, Unrecorded, ConsoleOptions::default()).unwrap();
    console.expect(&Patterns::python(["# "]).unwrap(), &soon()).await.unwrap();
    console.send_line("hi", &soon()).await.unwrap();
    console.expect(&Patterns::python(["you said hi\n"]).unwrap(), &soon()).await.unwrap();
    console
}

#[test]
fn over_a_unix_socket_that_appears_late() {
    in_runtime(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("console");
        let deadline = soon();
        let connect = Connection::unix(&path, &deadline);
        let serve = async {
            // The first tries meet nothing.
            tokio::time::sleep(Duration::from_millis(20)).await;
            let listener = UnixListener::bind(&path).unwrap();
            guest(listener.accept().await.unwrap().0).await;
        };
        tokio::join!(async { talk(connect.await.unwrap()).await }, serve);
    });
}

#[test]
fn over_a_unix_socket_of_ours() {
    in_runtime(async {
        let directory = tempfile::tempdir().unwrap();
        let listener = Listener::bind(directory.path().join("console")).unwrap();
        let path = listener.path().to_owned();
        let deadline = soon();
        let simulator = async { guest(tokio::net::UnixStream::connect(&path).await.unwrap()).await };
        tokio::join!(async { talk(listener.accept(&deadline).await.unwrap()).await }, simulator);
        drop(listener);
        assert!(!path.exists());
    });
}

#[test]
fn over_tcp() {
    in_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = async { guest(listener.accept().await.unwrap().0).await };
        tokio::join!(async { talk(Connection::tcp(address, &soon()).await.unwrap()).await }, serve);
    });
}

#[test]
fn over_telnet_with_a_silent_peer_and_with_one_that_negotiates() {
    for greeting in [&b""[..], &[255, 251, 1, 255, 251, 3, 255, 251, 0, 255, 253, 0]] {
        in_runtime(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let serve = async {
                let mut stream = listener.accept().await.unwrap().0;
                stream.write_all(greeting).await.unwrap();
                if !greeting.is_empty() {
                    let mut answer = [0; 12];
                    stream.read_exact(&mut answer).await.unwrap();
                    assert_eq!(answer, [255, 253, 1, 255, 253, 3, 255, 253, 0, 255, 251, 0]);
                }
                guest(stream).await;
            };
            tokio::join!(
                async { talk(Connection::tcp_telnet(address, &soon()).await.unwrap()).await },
                serve
            );
        });
    }
}

#[test]
fn telnet_carries_every_byte_both_ways() {
    in_runtime(async {
        let every: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let (stream, mut peer) = tokio::io::duplex(1000);
        let connection = Connection::telnet(stream);
        let mut console = Console::start("main", connection, Unrecorded, ConsoleOptions::default()).unwrap();
        let mut wire = vec![255, 251, 0];
        Codec::encode(&every, &mut wire);
        wire.extend_from_slice(b"THE END");
        let (mut from_peer, mut to_peer) = tokio::io::split(&mut peer);
        let send = async { to_peer.write_all(&wire).await.unwrap() };
        let deadline = soon();
        let type_all = async { console.send(&every, &deadline).await.unwrap() };
        let receive = async {
            let (mut codec, mut plain, mut reply) = (Codec::default(), Vec::new(), Vec::new());
            // So that the decoder keeps NUL after CR.
            codec.decode(&[255, 251, 0], &mut plain, &mut reply);
            let mut buffer = [0; 777];
            while plain.len() < every.len() {
                let count = from_peer.read(&mut buffer).await.unwrap();
                codec.decode(&buffer[..count], &mut plain, &mut reply);
            }
            assert_eq!(plain, every);
        };
        tokio::join!(send, type_all, receive);
        let end = Patterns::python(["THE END"]).unwrap();
        console.expect(&end, &soon()).await.unwrap();
        assert_eq!(console.total_bytes(), every.len() as u64 + 7);
    });
}

#[test]
fn over_a_terminal_device_that_another_program_made() {
    in_runtime(async {
        let (mut simulator, theirs) = Terminal::pair().unwrap();
        let path = std::fs::read_link(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&theirs)));
        let connection = Connection::device(&path.unwrap(), &soon()).await.unwrap();
        drop(theirs);
        // The kernel throws away what was not read when the maker of a terminal closes it, so it must not yet.
        let (console, ()) = tokio::join!(ask(connection), answer(&mut simulator));
        drop(simulator);
        assert!(console.closed(&soon()).await);
    });
}

#[test]
fn over_our_side_of_a_terminal() {
    in_runtime(async {
        let (ours, theirs) = Terminal::pair().unwrap();
        let theirs = Terminal::from_descriptor(theirs).unwrap();
        tokio::join!(talk(Connection::terminal(ours)), guest(theirs));
    });
}

#[test]
fn who_never_answers_is_named_with_whose_time_it_was() {
    in_runtime(async {
        let now = || Deadline::after(Instant::now(), Duration::ZERO, "boot");
        let unix = Connection::unix(Path::new("/nowhere/console"), &now()).await.unwrap_err();
        assert_eq!(unix.to_string(), "no connection to /nowhere/console within the 0 seconds of boot");
        // A port that was just given back.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        drop(listener);
        let tcp = Connection::tcp(address, &now()).await.unwrap_err();
        assert!(matches!(tcp, ConnectError::Timeout { .. }), "{tcp}");
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("plain");
        std::fs::write(&file, "").unwrap();
        let device = Connection::device(&file, &soon()).await.unwrap_err();
        assert!(matches!(device, ConnectError::Refused { .. }), "{device}");
    });
}
