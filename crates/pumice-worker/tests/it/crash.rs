//! An agent in a process of its own, killed with -9 again and again.

use std::{
    env, fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use pumice_client::{Address, Connection, Credentials, Options, PlainHttp, WorkerClient};
use pumice_types::Verdict;
use pumice_worker::{Agent, JobProgram, WorkerConfig};

use crate::{
    server::Server,
    world::{World, keeper, one_test, until},
};

pub(crate) fn agent_body() {
    let Some(last) = env::args_os().next_back() else { return };
    if Path::new(&last).extension().is_none_or(|extension| extension != "agent") {
        return;
    }
    let text = fs::read_to_string(&last).unwrap();
    let mut lines = text.lines();
    let mut next = || lines.next().unwrap().to_owned();
    let (url, state, script) = (next(), next(), next());
    let program = JobProgram { program: "/bin/sh".into(), arguments: vec![script.into()] };
    let mut config = WorkerConfig::new("w1".into(), state.into(), program, keeper());
    config.least_free = pumice_types::ByteSize(0);
    let address = Address::parse(&url, PlainHttp::Loopback).unwrap();
    let options = Options::new(address, Credentials::Bearer("token".to_owned()));
    let client = WorkerClient::new(Connection::new(options).unwrap());
    let (agent, _stop) = Agent::new(config, client).unwrap();
    agent.run().unwrap();
}

struct Process(Child);

impl Process {
    fn start(world: &World, server: &Server) -> Self {
        let wishes = world.path("w1.agent");
        let state = world.state().display().to_string();
        let script = world.path("script").display().to_string();
        fs::write(&wishes, format!("{}\n{state}\n{script}\n", server.url())).unwrap();
        let mut argv = one_test("this_program_is_also_its_own_agent");
        let program = argv.remove(0);
        let child =
            Command::new(program).args(argv).arg(wishes).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(child.unwrap())
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Jobs of a tenth of a second, with a line of log at each end, while the agent is killed at ever other moments: between
/// taking a job and starting it, while it runs, while it is reported.
#[test]
fn an_agent_killed_at_any_moment_loses_no_job_and_no_line_and_runs_none_twice() {
    let script = r#"
        id=$(sed 's/.*job //' job.yaml)
        echo "$id" >> ../../../starts
        echo "- begin $id" >> output/logs.yaml
        sleep 0.1
        echo "- end $id" >> output/logs.yaml
        echo '{"verdict": "complete"}' > output/outcome.json
    "#;
    let (world, server) = (World::new(script), Server::start(Duration::from_secs(60)));
    let jobs: Vec<i64> = (1..=12).collect();
    for id in &jobs {
        server.submit(*id);
    }
    // Not synchronisation: each of these is a moment to be killed at.
    for moment in [5, 400, 30, 250, 60, 700, 110, 160] {
        let agent = Process::start(&world, &server);
        thread::sleep(Duration::from_millis(moment));
        agent.kill();
    }
    let last = Process::start(&world, &server);
    for id in &jobs {
        assert_eq!(server.verdict(*id), Verdict::Complete, "job {id}");
        assert_eq!(server.with(|memory| memory.log(*id, 1)), format!("- begin {id}\n- end {id}\n"));
    }
    let mut starts: Vec<i64> =
        fs::read_to_string(world.path("starts")).unwrap().lines().map(|line| line.parse().unwrap()).collect();
    starts.sort_unstable();
    assert_eq!(starts, jobs, "every job was started once");
    until("nothing is left", || world.is_clean());
    last.kill();
}
