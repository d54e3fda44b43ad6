//! A machine that boots at once: a shell of this host behind the platform `command`. For tests of what happens around
//! a machine, where a real guest would only cost time.

use std::{path::PathBuf, time::Duration};

use crate::{Finished, Results, Sandbox};

/// The device and the job, to be changed where a test wants them otherwise.
pub struct ShellMachine {
    /// What the shell does before it reads commands.
    pub before: String,
    /// More lines of the device.
    pub device: String,
    /// The job's `timeouts`, as a flow mapping.
    pub timeouts: String,
    /// More lines of the boot block, indented by two.
    pub boot: String,
    /// The blocks behind it.
    pub blocks: String,
}

impl Default for ShellMachine {
    fn default() -> Self {
        Self {
            before: String::new(),
            device: String::new(),
            timeouts: "{job: {minutes: 2}, action: {minutes: 1}, connection: {minutes: 1}}".to_owned(),
            boot: String::new(),
            blocks: String::new(),
        }
    }
}

impl ShellMachine {
    /// Runs the job to its end.
    ///
    /// # Panics
    /// When it records no results, or leaves a process.
    pub fn run(&self, sandbox: &Sandbox) -> (Finished, Results) {
        let [device, job] = self.write(sandbox);
        let arguments = ["run", "-q", "-o", "out", "--device"];
        let paths = [device.to_str().unwrap(), job.to_str().unwrap()];
        let finished = sandbox.pumice(arguments.into_iter().chain(paths), Duration::from_secs(100));
        let results = Results::read(&sandbox.path().join("out"));
        sandbox.is_empty_within(Duration::from_secs(2));
        (finished, results)
    }

    /// Writes the device and the job; returns their paths.
    pub fn write(&self, sandbox: &Sandbox) -> [PathBuf; 2] {
        let Self { before, device, timeouts, boot, blocks } = self;
        let device = format!(
            "hostname: shell\ndevice_type: command\n{device}actions:\n  deploy: {{methods: {{image: null}}}}\n  \
             boot:\n    connections: {{serial: null}}\n    methods:\n      minimal: null\n      command:\n        \
             parameters:\n          program: sh\n          arguments:\n          - -c\n          - |\n            \
             {before}\n            echo 'Linux version 0'\n            printf 'root@guest:~# '\n            \
             while IFS= read -r line; do eval \"$line\"; printf 'root@guest:~# '; done\n"
        );
        let job = format!(
            "job_name: shell\ndevice_type: command\nvisibility: public\ntimeouts: {timeouts}\nactions:\n\
             - boot:\n    method: command\n    prompts: ['root@guest:~#']\n{boot}{blocks}"
        );
        [sandbox.write("device.yaml", device), sandbox.write("job.yaml", job)]
    }
}
