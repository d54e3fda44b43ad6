//! A server that is told to end does so soon, whatever is open, and a job of a worker elsewhere runs on.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use e2e::{Sandbox, Signal};
use fs_err as fs;

use super::rig::{Lab, waits_for};

/// Well below what `systemctl stop` allows (90 s), and above what requests in flight may take.
const SOON: Duration = Duration::from_secs(15);

#[test]
fn a_server_ends_soon_with_open_streams_slow_clients_and_running_jobs() {
    let mut lab = Lab::new(Sandbox::new());
    lab.start();
    let go = lab.sandbox.path().join("go");
    let job = lab.submit("runs", &waits_for(&go));
    lab.wait_until("its first case", || lab.cases(&job) == ["case_before"]);

    let address = lab.url().trim_start_matches("http://").to_owned();
    let open = |request: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    let follows = format!("GET /scheduler/job/{job}/stream HTTP/1.1\r\nHost: lab\r\n\r\n");
    let mut listener = open(&follows);
    let mut begun = [0; 15];
    listener.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200 OK");
    // One that reads nothing, one that never says what it wants, one that never sends what it announced.
    let _held = [
        open(&follows),
        open("GET /scheduler/alljobs HTT"),
        open(
            "POST /api/v0.2/jobs/ HTTP/1.1\r\nHost: lab\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
        ),
    ];
    let follower = lab.sandbox.start(
        lab.sandbox
            .command("pumice", ["logs", "-f", &job])
            .env("PUMICE_URL", lab.url())
            .env("PUMICE_TOKEN", lab.token()),
    );

    let server = lab.server.take().unwrap();
    server.signal(Signal::TERM);
    let ended = server.wait(SOON);
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let mut rest = Vec::new();
    listener.read_to_end(&mut rest).unwrap();
    drop(follower);

    lab.start_server();
    fs::write(&go, "").unwrap();
    assert_eq!(lab.health(&job), "Complete", "{}", lab.said());
    assert_eq!(lab.cases(&job), ["case_before", "case_after"]);
    lab.end();
}
