//! A sandbox with the stand-in for a container engine, and jobs that run in containers.

use std::time::Duration;

use e2e::{ContainerEngine, Finished, Results, Running, Sandbox};

/// How long a run may take: the machine may be busy with other tests.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// The image that jobs of this rig use.
pub(crate) const IMAGE: &str = "registry.example/tools:12";

/// The rig.
pub(crate) struct Rig {
    pub(crate) sandbox: Sandbox,
    pub(crate) engine: ContainerEngine,
}

/// How a job ended.
pub(crate) struct Ended {
    pub(crate) finished: Finished,
    pub(crate) results: Results,
    pub(crate) log: String,
}

/// The blocks of a job as its text.
pub(crate) fn job(device_type: &str, blocks: &[&str]) -> String {
    format!(
        "job_name: containers\ndevice_type: {device_type}\nvisibility: public\npriority: medium\n\
         timeouts: {{job: {{minutes: 5}}, action: {{minutes: 2}}, connection: {{minutes: 2}}}}\nactions:\n{}",
        blocks.concat()
    )
}

/// A container in the place of a machine.
pub(crate) fn boot(command: &str) -> String {
    format!(
        "- deploy: {{to: docker, image: '{IMAGE}'}}\n\
         - boot: {{method: docker, command: '{command}', prompts: ['standin# '], timeout: {{seconds: 60}}}}\n"
    )
}

/// A test block with these steps; `more` are further lines of it.
pub(crate) fn test(steps: &[&str], more: &str) -> String {
    let steps: Vec<_> = steps.iter().map(|step| format!("          - {step:?}\n")).collect();
    format!(
        "- test:\n    timeout: {{seconds: 60}}\n{more}    definitions:\n    - from: inline\n      name: cases\n      \
         path: inline/cases.yaml\n      repository:\n        \
         metadata: {{format: Lava-Test Test Definition 1.0, name: cases, description: cases}}\n        \
         run:\n          steps:\n{}",
        steps.concat()
    )
}

impl Rig {
    /// With an engine whose client is called `client` and that has [`IMAGE`] in its registry.
    pub(crate) fn new(client: &str) -> Self {
        let sandbox = Sandbox::new();
        let engine = ContainerEngine::start(&sandbox, client);
        engine.publish(IMAGE, &[]);
        Self { sandbox, engine }
    }

    /// Starts `pumice run` on a job.
    pub(crate) fn start(&self, text: &str) -> Running {
        let path = self.sandbox.write("job.yaml", text);
        let mut command = self.sandbox.command("pumice", ["run", "--output-dir", "out"]);
        command.arg(path);
        self.engine.serve(&mut command);
        self.sandbox.start(&mut command)
    }

    /// What a run left, once it ended; no container is there then, and no process once the engine is gone.
    pub(crate) fn end(&mut self, running: Running) -> Ended {
        let finished = running.wait(LIMIT);
        let containers = self.engine.containers();
        assert!(containers.is_empty(), "{containers:?} of the run are left\n{}", self.engine.calls());
        self.engine.stop();
        self.sandbox.is_empty_within(Duration::from_secs(5));
        let output = self.sandbox.path().join("out");
        let log = fs_err::read_to_string(output.join("logs.yaml")).unwrap_or_default();
        Ended { results: Results::read(&output), finished, log }
    }

    /// Runs a job to its end.
    pub(crate) fn run(&mut self, text: &str) -> Ended {
        let running = self.start(text);
        self.end(running)
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn passed(&self, tests: &[&str]) {
        let Finished { status, stdout, stderr } = &self.finished;
        assert!(status.success(), "{stdout}{stderr}");
        assert_eq!(self.results.tests(), tests, "{stdout}{stderr}");
    }

    /// It failed with this cause, this fault and a message that holds this text.
    #[track_caller]
    pub(crate) fn failed(&self, cause: &str, fault: &str, text: &str) {
        let (found_cause, found_fault, message) = self.results.failure().unwrap();
        assert_eq!(
            (found_cause.as_str(), found_fault.as_str()),
            (cause, fault),
            "{message}\n{}",
            self.finished.stderr
        );
        assert!(message.contains(text), "no `{text}` in `{message}`");
    }
}
