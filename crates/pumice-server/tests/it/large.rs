//! A log that is long, and many who read it slowly: the server's memory stays bounded.
//!
//! `PUMICE_LOG_MIB` says how long the log is (the suite's few where it is unset); what the server held is printed.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{lab::Lab, own_worker::running};

/// How many follow the log and read next to nothing of it.
const SLOW: usize = 200;

/// The most that they, and whoever reads the whole log at once, may cost, in KiB.
const MOST_KIB: u64 = 160 << 10;

/// What this process, the server within, has in memory, in KiB (`proc_pid_status(5)`).
fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_long_log_and_slow_readers_cost_little_memory() {
    let mebibytes = std::env::var("PUMICE_LOG_MIB").ok().and_then(|text| text.parse().ok()).unwrap_or(8_u64);
    // The worker says nothing while the readers read.
    let lab = Lab::start_with(None, |config| config.lend_for(Duration::from_secs(3600)));
    let (worker, id) = running(&lab);
    let line = format!(
        "- {{\"dt\": \"2026-11-22T11:23:45+00:00\", \"lvl\": \"target\", \"msg\": \"{}\"}}\n",
        "a line of a console ".repeat(50)
    );
    let piece = line.repeat((1 << 20) / line.len());
    let began = Instant::now();
    let before = memory("VmRSS");
    let mut offset = 0;
    for _ in 0..mebibytes {
        let path = format!("jobs/{id}/log?fence=1&offset={offset}");
        let (status, said) = worker.ask("PUT", &path, piece.as_bytes());
        assert_eq!(status, 200, "{said}");
        offset += piece.len();
    }
    let kept = began.elapsed();
    let follow = format!("GET /scheduler/job/{id}/stream HTTP/1.1\r\nHost: lab\r\n\r\n");
    let slow: Vec<_> = (0..SLOW)
        .map(|_| {
            let mut stream = TcpStream::connect(lab.url.trim_start_matches("http://")).unwrap();
            // The kernel keeps little for it, so that what it does not read stays with the server.
            rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 4096).unwrap();
            stream.write_all(follow.as_bytes()).unwrap();
            // What it reads proves that the log is on its way; then it stands still.
            stream.read_exact(&mut [0; 1024]).unwrap();
            stream
        })
        .collect();
    // Meanwhile somebody reads all of it.
    let answer = ureq::get(format!("{}/api/v0.2/jobs/{id}/logs/", lab.url)).call().unwrap();
    let read = std::io::copy(
        &mut answer.into_body().into_with_config().limit(u64::MAX).reader(),
        &mut std::io::sink(),
    );
    assert_eq!(read.unwrap(), offset as u64);
    let after = memory("VmHWM");
    println!(
        "a log of {mebibytes} MiB was kept in {kept:.1?}; with {SLOW} slow readers {} MiB more than before were held",
        after.saturating_sub(before) >> 10
    );
    assert!(after < before + MOST_KIB, "{before} KiB before, {after} KiB at most");
    drop(slow);
    worker.post(
        &format!("jobs/{id}/finish"),
        &json!({"fence": 1, "outcome": {"verdict": "complete"}, "log_bytes": offset}),
    );
    assert_eq!(lab.rest("GET", &format!("/jobs/{id}/"), &Value::Null)["health"], "Complete");
}
