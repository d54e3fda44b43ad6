//! The agent of our own server.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use pumice_api::worker::OpenChannel;
use pumice_client::{Address, Connection, Credentials, Options, PlainHttp, WorkerClient};
use pumice_sched::Event;
use pumice_types::{ByteSize, Cause, JobId, JobState, Verdict};
use pumice_worker::{Agent, AgentError, Stop, StopMode, WorkerConfig, worker_token};

use crate::{
    fake_server::{Answer, FakeServer},
    server::{Server, job_ref},
    world::{World, until},
};

const LONG: Duration = Duration::from_secs(60);

/// Writes two lines of log, a file and an outcome.
const GOOD_JOB: &str = r#"
printf -- '- {"lvl": "info"}\n- {"lvl": "results"}\n' >> output/logs.yaml
printf '%s' "$FROM_SERVER" > output/environment
grep -h . job.yaml device.yaml > output/texts
echo '{"verdict": "complete"}' > output/outcome.json
"#;

/// Says where it is and waits to be ended; says on SIGTERM that it was.
const PATIENT_JOB: &str = r#"
echo "- begun" >> output/logs.yaml
trap 'echo "- asked to end" >> output/logs.yaml; exit 0' TERM
sleep 1000 & echo $! > ../../../child
echo $$ > ../../../pid
wait
"#;

/// An agent in a thread.
struct Running {
    stop: Stop,
    thread: JoinHandle<Result<(), AgentError>>,
}

impl Running {
    fn start(config: WorkerConfig, server: &Server) -> Self {
        let (agent, stop) = Agent::new(config, server.client()).expect("a directory of its own");
        Self { stop, thread: thread::spawn(move || agent.run()) }
    }

    fn end(self, mode: StopMode) {
        self.stop.stop(mode);
        self.thread.join().expect("the agent does not panic").expect("the server accepted the worker");
    }
}

#[test]
fn a_job_is_taken_run_and_reported_with_log_and_files() {
    let (world, server) = (World::new(GOOD_JOB), Server::start(LONG));
    let agent = Running::start(world.config(), &server);
    server.submit(7);
    assert_eq!(server.verdict(7), Verdict::Complete);
    server.with(|memory| {
        assert_eq!(memory.log(7, 1), "- {\"lvl\": \"info\"}\n- {\"lvl\": \"results\"}\n");
        let file = |name: &str| memory.files[&(job_ref(7, 1), name.to_owned())].clone();
        assert_eq!(
            (file("environment").bytes.as_slice(), file("environment").complete),
            (b"yes".as_slice(), true)
        );
        assert_eq!(file("texts").bytes, b"job_name: job 7\ndevice_type: qemu\n");
        assert_eq!(memory.finished[&job_ref(7, 1)].files.len(), 2);
    });
    until("the job's directory is removed", || world.is_clean());
    agent.end(StopMode::Drain);
}

#[test]
fn many_jobs_run_beside_each_other() {
    let (world, server) = (World::new(GOOD_JOB), Server::start(LONG));
    let agent = Running::start(world.config(), &server);
    (1..=6).for_each(|id| server.submit(id));
    for id in 1..=6 {
        assert_eq!(server.verdict(id), Verdict::Complete);
    }
    agent.end(StopMode::Drain);
}

#[test]
fn the_log_arrives_while_the_job_runs_and_a_cancelled_job_is_asked_to_end() {
    let (world, server) = (World::new(PATIENT_JOB), Server::start(LONG));
    let agent = Running::start(world.config(), &server);
    server.submit(7);
    until("the first line", || server.with(|memory| memory.log(7, 1) == "- begun\n"));
    until("the server knows that it runs", || {
        server.with(|memory| memory.state(7) == Some(JobState::Running))
    });
    until("the trap is set", || world.process("pid").is_some());
    server.step(Event::Cancel(JobId(7)));
    assert_eq!(server.verdict(7), Verdict::Cancelled);
    assert_eq!(server.with(|memory| memory.log(7, 1)), "- begun\n- asked to end\n");
    assert_eq!(world.process("child"), None);
    agent.end(StopMode::Drain);
}

#[test]
fn a_cancelled_job_that_does_not_end_is_killed_with_all_it_started() {
    let script = "trap '' TERM; sleep 1000 & echo $! > ../../../child; wait; wait; sleep 1000";
    let (world, server) = (World::new(script), Server::start(LONG));
    let mut config = world.config();
    config.kill_after = Duration::from_millis(300);
    let agent = Running::start(config, &server);
    server.submit(7);
    until("the job runs", || world.process("child").is_some());
    server.step(Event::Cancel(JobId(7)));
    assert_eq!(server.verdict(7), Verdict::Cancelled);
    assert_eq!(world.process("child"), None);
    agent.end(StopMode::Drain);
}

#[test]
fn a_link_cut_for_less_than_the_lease_changes_nothing() {
    let script = "echo '- before' >> output/logs.yaml; until [ -e ../../../go ]; do sleep 0.05; done
        echo '- after' >> output/logs.yaml; echo '{\"verdict\": \"complete\"}' > output/outcome.json";
    let (world, server) = (World::new(script), Server::start(LONG));
    let agent = Running::start(world.config(), &server);
    server.submit(7);
    until("the first line", || server.with(|memory| memory.log(7, 1) == "- before\n"));
    server.cut(true);
    fs::write(world.path("go"), "").unwrap();
    until("the job has ended", || world.state().join("jobs/7-1/exit.json").exists());
    server.cut(false);
    assert_eq!(server.verdict(7), Verdict::Complete);
    assert_eq!(server.with(|memory| memory.log(7, 1)), "- before\n- after\n");
    agent.end(StopMode::Drain);
}

#[test]
fn a_worker_cut_off_stops_its_job_before_the_job_is_given_away() {
    let (world, server) = (World::new(PATIENT_JOB), Server::start(Duration::from_secs(4)));
    let agent = Running::start(world.config(), &server);
    server.submit(7);
    until("the job runs", || world.process("child").is_some());
    server.cut(true);
    until("the server gives the job away", || {
        server.step(Event::Tick);
        let given_away = server.with(|memory| memory.lab.job(JobId(7)).is_none_or(|job| job.losses > 0));
        assert!(!given_away || world.process("child").is_none(), "given away while it ran");
        given_away
    });
    server.cut(false);
    until("it is given again", || server.with(|memory| memory.log(7, 2) == "- begun\n"));
    agent.end(StopMode::Kill);
    let failure = server.with(|memory| memory.finished[&job_ref(7, 2)].outcome.failure.clone());
    assert_eq!(failure.map(|failure| failure.cause), Some(Cause::HostRefused));
}

#[test]
fn a_job_outlives_its_agent_and_the_next_one_goes_on_with_it() {
    let script = "echo '- before' >> output/logs.yaml; echo $$ > ../../../pid
        until [ -e ../../../go ]; do sleep 0.05; done
        echo '- after' >> output/logs.yaml; echo '{\"verdict\": \"complete\"}' > output/outcome.json";
    let (world, server) = (World::new(script), Server::start(LONG));
    let first = Running::start(world.config(), &server);
    server.submit(7);
    until("the first line", || server.with(|memory| memory.log(7, 1) == "- before\n"));
    first.end(StopMode::Detach);
    assert!(world.process("pid").is_some());
    let second = Running::start(world.config(), &server);
    fs::write(world.path("go"), "").unwrap();
    assert_eq!(server.verdict(7), Verdict::Complete);
    assert_eq!(server.with(|memory| memory.log(7, 1)), "- before\n- after\n");
    second.end(StopMode::Drain);
}

#[test]
fn a_job_that_ended_while_no_agent_was_there_is_still_reported() {
    let script = "until [ -e ../../../go ]; do sleep 0.05; done
        echo '- after' >> output/logs.yaml; echo '{\"verdict\": \"complete\"}' > output/outcome.json";
    let (world, server) = (World::new(script), Server::start(LONG));
    let first = Running::start(world.config(), &server);
    server.submit(7);
    until("the job runs", || world.state().join("jobs/7-1/keeper.json").exists());
    first.end(StopMode::Detach);
    fs::write(world.path("go"), "").unwrap();
    until("the job has ended", || world.state().join("jobs/7-1/exit.json").exists());
    let second = Running::start(world.config(), &server);
    assert_eq!(server.verdict(7), Verdict::Complete);
    assert_eq!(server.with(|memory| memory.log(7, 1)), "- after\n");
    second.end(StopMode::Drain);
}

#[test]
fn a_killed_keeper_takes_its_job_with_it_and_the_job_ends_with_an_infrastructure_cause() {
    let (world, server) = (World::new(PATIENT_JOB), Server::start(LONG));
    let agent = Running::start(world.config(), &server);
    server.submit(7);
    until("the job runs", || world.process("child").is_some());
    let record = fs::read_to_string(world.state().join("jobs/7-1/keeper.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let pid = i32::try_from(record["pid"].as_i64().unwrap()).unwrap();
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    assert_eq!(server.verdict(7), Verdict::Incomplete);
    let failure = server.with(|memory| memory.finished[&job_ref(7, 1)].outcome.failure.clone()).unwrap();
    assert_eq!(failure.cause, Cause::HostRefused);
    until("nothing of the job is left", || world.process("child").is_none());
    agent.end(StopMode::Drain);
}

#[test]
fn a_job_that_says_nothing_of_its_end_is_incomplete_with_its_last_words() {
    let (world, server) = (World::new("echo 'out of cheese' >&2; exit 7"), Server::start(LONG));
    let agent = Running::start(world.config(), &server);
    server.submit(7);
    assert_eq!(server.verdict(7), Verdict::Incomplete);
    let failure = server.with(|memory| memory.finished[&job_ref(7, 1)].outcome.failure.clone()).unwrap();
    assert_eq!(failure.cause, Cause::Bug);
    assert_eq!(failure.evidence.unwrap().text, "out of cheese");
    agent.end(StopMode::Drain);
}

#[test]
fn a_job_program_that_is_missing_is_the_hosts_fault() {
    let (world, server) = (World::new(""), Server::start(LONG));
    let mut config = world.config();
    config.job_program.program = "/nowhere/pumice".into();
    let agent = Running::start(config, &server);
    server.submit(7);
    assert_eq!(server.verdict(7), Verdict::Incomplete);
    let failure = server.with(|memory| memory.finished[&job_ref(7, 1)].outcome.failure.clone()).unwrap();
    assert_eq!(failure.cause, Cause::HostRefused);
    assert!(failure.message.contains("/nowhere/pumice"), "{}", failure.message);
    agent.end(StopMode::Drain);
}

#[test]
fn pieces_too_large_are_halved_and_broken_files_sent_again() {
    let script = "i=0; while [ $i -lt 3000 ]; do echo \"- line $i\"; i=$((i+1)); done > output/logs.yaml
        cp output/logs.yaml output/copy; echo '{\"verdict\": \"complete\"}' > output/outcome.json";
    let (world, server) = (World::new(script), Server::start(LONG));
    server.with(|memory| (memory.max_piece, memory.spoil) = (5_000, true));
    let agent = Running::start(world.config(), &server);
    server.submit(7);
    assert_eq!(server.verdict(7), Verdict::Complete);
    server.with(|memory| {
        let lines: Vec<_> = (0..3000).map(|line| format!("- line {line}")).collect();
        let expected = lines.join("\n") + "\n";
        assert_eq!(memory.log(7, 1), expected);
        assert_eq!(memory.files[&(job_ref(7, 1), "copy".to_owned())].bytes, expected.as_bytes());
    });
    agent.end(StopMode::Drain);
}

#[test]
fn a_worker_without_room_says_so_and_is_given_nothing() {
    let (world, server) = (World::new(GOOD_JOB), Server::start(LONG));
    let mut config = world.config();
    config.least_free = ByteSize(u64::MAX);
    let agent = Running::start(config, &server);
    until("the worker says why", || server.with(|memory| memory.not_ready.is_some()));
    server.submit(7);
    assert_eq!(server.with(|memory| memory.state(7)), Some(JobState::Submitted));
    agent.end(StopMode::Drain);
}

#[test]
fn a_job_that_was_given_away_is_killed_and_forgotten() {
    let (world, server) = (World::new(PATIENT_JOB), Server::start(LONG));
    let agent = Running::start(world.config(), &server);
    server.submit(7);
    until("the job runs", || world.process("child").is_some());
    server.step(Event::GiveUp(JobId(7)));
    until("nothing of the job is left", || world.process("child").is_none() && world.is_clean());
    assert!(server.with(|memory| memory.finished.is_empty()));
    agent.end(StopMode::Drain);
}

#[test]
fn the_words_of_a_node_are_passed_on_whatever_agent_is_there() {
    let script = "echo hello >> group/out; printf half >> group/out
        until grep -qx one group/in; do sleep 0.05; done
        echo ' of it' >> group/out
        until grep -qx two group/in; do sleep 0.05; done
        echo bye >> group/out; echo '{\"verdict\": \"complete\"}' > output/outcome.json";
    let (world, server) = (World::new(script), Server::start(LONG));
    server.with(|memory| memory.are_nodes = true);
    let first = Running::start(world.config(), &server);
    server.submit(7);
    until("the first word", || server.with(|memory| memory.heard == b"hello\n"));
    first.end(StopMode::Detach);
    server.with(|memory| memory.said.extend(b"one\n"));
    let second = Running::start(world.config(), &server);
    until("the second word", || server.with(|memory| memory.heard == b"hello\nhalf of it\n"));
    server.cut(true);
    server.with(|memory| memory.said.extend(b"two\n"));
    server.cut(false);
    assert_eq!(server.verdict(7), Verdict::Complete);
    let heard = server.with(|memory| String::from_utf8(memory.heard.clone()).unwrap());
    assert_eq!(heard, "hello\nhalf of it\nbye\n", "and before its end");
    second.end(StopMode::Drain);
}

#[test]
fn whoever_pauses_because_of_an_outage_tries_again_when_a_poll_is_answered() {
    let script = "echo hello >> group/out; until grep -qx one group/in; do sleep 0.05; done
        echo '{\"verdict\": \"complete\"}' > output/outcome.json";
    let (world, server) = (World::new(script), Server::start(LONG));
    server.with(|memory| {
        memory.are_nodes = true;
        memory.hold = Duration::from_millis(50);
        memory.said.extend(b"one\n");
        // By their own pauses alone, both threads would be deaf for minutes.
        memory.deaf = 24;
    });
    let agent = Running::start(world.config(), &server);
    server.submit(7);
    assert_eq!(server.verdict(7), Verdict::Complete);
    assert_eq!(server.with(|memory| memory.heard.clone()), b"hello\n");
    agent.end(StopMode::Drain);
}

#[test]
fn a_channel_copies_bytes_both_ways_between_a_person_and_the_job() {
    let script = "exec python3 -c '
import socket
server = socket.socket(socket.AF_UNIX)
server.bind(\"control.sock\")
server.listen()
connection, _ = server.accept()
while (piece := connection.recv(100)):
    connection.sendall(piece.upper())
connection.sendall(b\"BYE\")
connection.close()
open(\"output/outcome.json\", \"w\").write(\"{\\\"verdict\\\": \\\"complete\\\"}\")
'";
    let (world, server) = (World::new(script), Server::start(LONG));
    let agent = Running::start(world.config(), &server);
    server.submit(7);
    until("the job listens", || world.state().join("jobs/7-1/control.sock").exists());
    let open = OpenChannel { channel: "c1".to_owned(), job: JobId(7), fence: job_ref(7, 1).fence };
    server.with(|memory| {
        memory.channels.push(open);
        memory.down = b"hello".to_vec();
    });
    until("the echo", || server.with(|memory| memory.up == b"HELLO"));
    server.with(|memory| memory.down_ended = true);
    assert_eq!(server.verdict(7), Verdict::Complete);
    until("the end of the channel", || server.with(|memory| memory.up == b"HELLOBYE" && memory.up_ended));
    agent.end(StopMode::Drain);
}

#[test]
fn two_agents_cannot_use_one_directory() {
    let (world, server) = (World::new(""), Server::start(LONG));
    let (_first, _stop) = Agent::new(world.config(), server.client()).unwrap();
    let second = Agent::new(world.config(), server.client());
    assert!(matches!(second, Err(AgentError::InUse { .. })));
}

#[test]
fn a_joining_token_is_used_once_and_the_workers_own_is_kept_for_its_eyes_only() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let http = FakeServer::start(move |request| {
        assert_eq!(request.header("authorization"), Some("Bearer joining"));
        count.fetch_add(1, Ordering::SeqCst);
        Some(Answer::json(200, r#"{"name": "w1", "token": "own"}"#))
    });
    let address = Address::parse(&http.url(), PlainHttp::Loopback).unwrap();
    let options = Options::new(address, Credentials::Bearer("joining".to_owned()));
    let joining = WorkerClient::new(Connection::new(options).unwrap());
    let world = World::new("");
    let token = |joining: Option<&WorkerClient>| worker_token(&world.state(), &"w1".into(), joining);
    assert!(matches!(token(None), Err(AgentError::NoToken { .. })));
    assert_eq!(token(Some(&joining)).unwrap(), "own");
    assert_eq!(token(Some(&joining)).unwrap(), "own");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let mode = fs::metadata(world.state().join("token")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_job_that_cannot_be_taken_is_handed_back() {
    let (world, server) = (World::new(GOOD_JOB), Server::start(LONG));
    let agent = Running::start(world.config(), &server);
    until("the worker is there", || {
        server.with(|memory| memory.lab.worker(&"w1".into()).unwrap().epoch.0 > 0)
    });
    fs::remove_dir(world.state().join("jobs")).unwrap();
    fs::write(world.state().join("jobs"), "in the way").unwrap();
    server.submit(7);
    until("the job comes back", || server.with(|memory| !memory.returned.is_empty()));
    server.with(|memory| {
        let (job, reason) = &memory.returned[0];
        assert_eq!((*job, reason.failure.cause), (job_ref(7, 1), Cause::HostRefused));
    });
    agent.end(StopMode::Drain);
}
