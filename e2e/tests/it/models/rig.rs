//! A sandbox with the stand-in under the models' names, and jobs for it in LAVA's form.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use e2e::{Finished, Running, Sandbox, built};
use fs_err as fs;

/// How long a run may take: the machine may be busy with other tests.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// A guest that boots at once, logs in, and echoes from then on.
pub(crate) const SHELL: &str = "say 0 \"Linux version 6.1\\r\\nguest login: \"\nexpect 0 \"root\"\n\
                                say 0 \"root@guest:~# \"\n";

/// The rig.
pub(crate) struct Rig {
    pub(crate) sandbox: Sandbox,
    models: PathBuf,
}

/// What a job is made of; each test changes what it is about.
#[derive(Clone)]
pub(crate) struct Job {
    /// The model's name.
    pub(crate) model: &'static str,
    /// `MODEL_STANDIN`, without the guest.
    pub(crate) knobs: String,
    /// The guest's script.
    pub(crate) script: String,
    /// More arguments.
    pub(crate) arguments: Vec<String>,
    /// More lines of the boot block.
    pub(crate) boot: String,
    /// Seconds a boot may take.
    pub(crate) boot_seconds: u32,
    /// More blocks behind the boot.
    pub(crate) more: String,
}

/// A licence server that counts; it ends with this value.
pub(crate) struct LicenceServer {
    /// `port@host`.
    pub(crate) address: String,
    _running: Running,
}

impl Default for Job {
    fn default() -> Self {
        Self {
            model: "FVP_Base_RevC-2xAEMvA",
            knobs: String::new(),
            script: SHELL.to_owned(),
            arguments: Vec::new(),
            boot: String::new(),
            boot_seconds: 60,
            more: String::new(),
        }
    }
}

/// How a job ended.
pub(crate) struct Ended {
    pub(crate) finished: Finished,
    /// `result.yaml`.
    pub(crate) result: String,
    /// `logs.yaml`.
    pub(crate) log: String,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::new();
        let models = sandbox.path().join("models");
        fs::create_dir_all(&models).unwrap();
        let links = Command::new(built("model-standin")).arg("links").arg(&models).output().unwrap();
        assert!(links.status.success(), "{links:?}");
        // Once: runs that are started together read it.
        sandbox.write("disk.img", vec![0_u8; 4096]);
        Self { sandbox, models }
    }

    /// Writes the job in LAVA's form.
    pub(crate) fn job(&self, name: &str, job: &Job) -> PathBuf {
        let script = self.sandbox.write(&format!("{name}.script"), &job.script);
        let image = self.sandbox.path().join("disk.img");
        let separator = if job.knobs.is_empty() { "" } else { "," };
        let mut arguments: Vec<String> =
            (0..4).map(|n| format!("-C bp.terminal_{n}.start_telnet=0")).collect();
        arguments.extend([
            "-C bp.vis.disable_visualisation=1".to_owned(),
            "-C bp.secure_memory=0".to_owned(),
            "-C bp.virtioblockdevice.image_path={DISK}".to_owned(),
            "-C 'bp.hostbridge.userNetworking=1' --stat".to_owned(),
        ]);
        arguments.extend(job.arguments.clone());
        let arguments: Vec<_> = arguments.iter().map(|one| format!("    - {one:?}\n")).collect();
        let arguments = arguments.concat();
        let text = format!(
            "job_name: {name}\ndevice_type: fvp\nvisibility: public\npriority: medium\ntimeouts:\n  \
             job: {{minutes: 5}}\n  action: {{seconds: {seconds}}}\n  connection: {{seconds: {seconds}}}\n\
             actions:\n- deploy:\n    to: fvp\n    images:\n      disk: {{url: \"file://{image}\"}}\n\
             - boot:\n    method: fvp\n    docker: {{name: \"registry.example/fvp:11.31\", local: true}}\n    \
             image: /opt/model/{model}\n    timeout: {{seconds: {seconds}}}\n    \
             console_string: 'terminal_0: Listening for serial connection on port (?P<PORT>\\d+)'\n    \
             feedbacks: ['(?P<NAME>terminal_1): Listening for serial connection on port (?P<PORT>\\d+)']\n    \
             environment: ['MODEL_STANDIN=guest=script:{script}{separator}{knobs}']\n    \
             arguments:\n{arguments}    auto_login: {{login_prompt: 'login:', username: root}}\n    \
             prompts: ['root@guest:~#']\n{boot}{more}",
            seconds = job.boot_seconds,
            image = image.display(),
            model = job.model,
            script = script.display(),
            knobs = job.knobs,
            boot = job.boot,
            more = job.more,
        );
        self.sandbox.write(&format!("{name}.yaml"), text)
    }

    /// Starts `pumice run` on a job of that name.
    pub(crate) fn start(&self, name: &str, job: &Job, more: &[&str]) -> Running {
        let path = self.job(name, job).display().to_string();
        self.pumice(&[&["run", "--output-dir", name], more, &[&path]].concat())
    }

    /// Starts `pumice` with the models on its `PATH`.
    pub(crate) fn pumice(&self, words: &[&str]) -> Running {
        self.pumice_with(words, &[])
    }

    /// As [`Rig::pumice`], with more variables.
    pub(crate) fn pumice_with(&self, words: &[&str], variables: &[(&str, &str)]) -> Running {
        let mut command = self.sandbox.command("pumice", words);
        let search = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{search}", self.models.display())).envs(variables.iter().copied());
        self.sandbox.start(&mut command)
    }

    /// What a run left, once it ended; nothing of it may be alive then.
    pub(crate) fn end(&self, name: &str, running: Running) -> Ended {
        self.end_within(name, running, LIMIT)
    }

    /// As [`Rig::end`], within a time of its own.
    pub(crate) fn end_within(&self, name: &str, running: Running, limit: Duration) -> Ended {
        let finished = running.wait(limit);
        self.sandbox.is_empty_within(Duration::from_secs(10));
        self.left(name, finished)
    }

    /// What a run left, while others go on.
    pub(crate) fn left(&self, name: &str, finished: Finished) -> Ended {
        let read =
            |file: &str| fs::read_to_string(self.sandbox.path().join(name).join(file)).unwrap_or_default();
        Ended { finished, result: read("result.yaml"), log: read("logs.yaml") }
    }

    /// Runs a job to its end.
    pub(crate) fn run(&self, job: &Job) -> Ended {
        let running = self.start("job", job, &[]);
        self.end("job", running)
    }

    /// Puts a shell script in a model's place; the word `MODEL` in it is the model itself.
    pub(crate) fn wrap(&self, model: &str, script: &str) {
        let real = self.sandbox.path().join("real").join(model);
        fs::create_dir_all(real.parent().unwrap()).unwrap();
        let link = self.models.join(model);
        fs::rename(&link, &real).unwrap();
        let script = script.replace("MODEL ", &format!("{} ", real.display()));
        fs::write(&link, format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(&link, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Starts a licence server with so many seats.
    pub(crate) fn licence_server(&self, seats: usize) -> LicenceServer {
        let mut command =
            self.sandbox.foreign(self.models.join("standin-lmgrd"), ["--seats", &seats.to_string()]);
        let mut running = self.sandbox.start(&mut command);
        running.wait_for("seats\n", LIMIT);
        let place = running.output()[0].split_whitespace().nth(1).unwrap().trim_end_matches(',').to_owned();
        LicenceServer { address: place, _running: running }
    }

    /// How many seats of it are taken.
    pub(crate) fn seats_used(&self, server: &LicenceServer) -> usize {
        let mut command = self.sandbox.foreign(self.models.join("standin-lmgrd"), ["stat", &server.address]);
        let finished = self.sandbox.start(&mut command).wait(LIMIT);
        finished.stdout.strip_prefix("USED ").unwrap().split(' ').next().unwrap().parse().unwrap()
    }

    /// Where user-based licences are cached.
    pub(crate) fn licence_cache(&self) -> PathBuf {
        self.sandbox.path().join("armlm-cache")
    }

    /// Activates a user-based licence for a user.
    pub(crate) fn activate(&self, user: &str) {
        let words = ["activate", "--code", "00000-00000-00000-00000-00000", "--as-user", user];
        let mut command = self.sandbox.foreign(self.models.join("armlm"), words);
        command.env("ARMLM_CACHED_LICENSES_LOCATION", self.licence_cache());
        let finished = self.sandbox.start(&mut command).wait(LIMIT);
        assert!(finished.status.success(), "{finished:?}");
    }

    /// Lets the cached licence be one of 1970.
    pub(crate) fn expire_licence(&self) {
        for entry in fs::read_dir(self.licence_cache()).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let at = text.find("\"expires\": ").unwrap() + "\"expires\": ".len();
            let digits = text[at..].find(|letter: char| !letter.is_ascii_digit()).unwrap();
            fs::write(&path, format!("{}1{}", &text[..at], &text[at + digits..])).unwrap();
        }
    }

    /// The models that are alive: processes whose program is called like one.
    pub(crate) fn models_alive(&self) -> usize {
        let processes = self.sandbox.processes();
        let is_model =
            |line: &str| line.split(' ').next().is_some_and(|program| program.contains("/models/FVP"));
        processes.iter().filter(|process| is_model(&process.command_line)).count()
    }

    /// Waits until `holds`.
    pub(crate) fn wait_until(what: &str, holds: impl Fn() -> bool) {
        let end = Instant::now() + LIMIT;
        while !holds() {
            assert!(Instant::now() < end, "never came: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn passed(&self) {
        assert!(self.finished.status.success(), "{}{}", self.finished.stdout, self.finished.stderr);
    }

    /// A person was told this.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) {
        let all = format!("{}\n{}{}", self.result, self.finished.stdout, self.finished.stderr);
        assert!(all.contains(text), "no `{text}` in {all}");
    }

    /// It failed with this type of LAVA's, and its message holds this text.
    #[track_caller]
    pub(crate) fn failed(&self, error_type: &str, text: &str) {
        let all = format!("{}\n{}{}", self.result, self.finished.stdout, self.finished.stderr);
        assert!(!self.finished.status.success(), "{all}");
        assert!(self.result.contains(&format!("error_type: \"{error_type}\"")), "no {error_type} in {all}");
        assert!(self.result.contains(text), "no `{text}` in {all}");
    }
}
