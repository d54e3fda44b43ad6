//! Networks of mode `tap`, between machines that the test makes: pumice runs on the first, the second is somebody
//! beyond.

mod bridge;
mod namespace;
mod user;

use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use e2e::{Missing, Network, Process, Running, Sandbox, Signal, built, program};

const LIMIT: Duration = Duration::from_secs(290);

/// What the server beyond serves, and on which port.
const PAGE: &str = "beyond";
const PORT: u16 = 8000;

/// A job that ends with its first download.
const NOTHING: &str = "job_name: nothing\ndevice_type: qemu\nvisibility: public\ncontext: {arch: arm64}\n\
                       timeouts: {job: {minutes: 1}, action: {minutes: 1}, connection: {minutes: 1}}\nactions:\n\
                       - deploy:\n    to: tmpfs\n    images:\n      kernel: {url: 'file:///nonexistent/kernel'}\n";

/// How often a fact is looked at that nothing announces.
const POLL: Duration = Duration::from_millis(50);

/// Two machines on one network; the second serves a page.
struct World {
    network: Network,
    _server: Running,
    sandbox: Sandbox,
}

impl World {
    fn new() -> Result<Self, Missing> {
        let sandbox = Sandbox::new();
        program("slirp4netns")?;
        let network = Network::new(&sandbox, 2)?;
        sandbox.write("www/index.html", PAGE);
        let server = serve(&sandbox, &network, 1)?;
        Ok(Self { network, _server: server, sandbox })
    }

    /// Runs `pumice` on the first machine, with the stand-in's models on its `PATH`.
    fn pumice(&self, words: &[&str]) -> Running {
        let models = self.sandbox.path().join("models");
        if !models.exists() {
            fs::create_dir_all(&models).unwrap();
            let links = Command::new(built("model-standin")).arg("links").arg(&models).output().unwrap();
            assert!(links.status.success(), "{links:?}");
        }
        let search = std::env::var("PATH").unwrap_or_default();
        let mut command = self.sandbox.command("pumice", words);
        command.env("PATH", format!("{}:{search}", models.display()));
        self.sandbox.start(&mut self.network.on(0, &command))
    }

    /// What the first machine gets from a URL, trying until it answers.
    fn page(&self, url: &str) -> String {
        page(&self.sandbox, &self.network, url)
    }

    /// The tap devices of the first machine.
    fn taps(&self) -> Vec<String> {
        let ip = program("ip").unwrap();
        let words = ["-oneline", "link", "show"];
        let output = self.network.on(0, &self.sandbox.foreign(ip, words)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let names = said.lines().filter_map(|line| line.split(": ").nth(1)).map(str::to_owned);
        names.filter(|name| name.starts_with("pmc")).collect()
    }

    /// The processes that pumice started, itself included.
    fn processes(&self) -> Vec<Process> {
        let mut all = self.sandbox.processes();
        all.retain(|process| {
            !["sleep infinity", "httpd", "udhcpd"].iter().any(|own| process.command_line.contains(own))
        });
        all
    }

    /// The processes that carry what leaves the namespaces. They clear their environment and their directory, so that
    /// only the keeper that they name tells whose they are.
    fn carriers(&self) -> Vec<u32> {
        let keepers: Vec<_> = self.processes().iter().map(|one| format!("/proc/{}/ns/net", one.id)).collect();
        let ids = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        let words = |id: &u32| fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        ids.filter(|id| {
            let words = String::from_utf8_lossy(&words(id)).into_owned();
            words.contains("slirp4netns") && keepers.iter().any(|keeper| words.contains(keeper))
        })
        .collect()
    }

    /// None of these carriers is alive any more.
    fn are_gone(carriers: &[u32]) {
        let end = Instant::now() + Duration::from_secs(10);
        // One that has ended and is not reaped yet has no words.
        let is_alive =
            |id: &&u32| fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|words| !words.is_empty());
        while let Some(id) = carriers.iter().find(is_alive) {
            assert!(Instant::now() < end, "slirp4netns {id} is still there");
            thread::sleep(POLL);
        }
    }

    /// Kills a run and the process that watches over it, so that nobody cleans up.
    fn kill_with_its_watcher(&self, run: &Running) {
        // The watcher first: it would begin at once.
        let watchers: Vec<_> = self.processes();
        watchers.iter().filter(|one| one.command_line.contains("__watch")).for_each(Process::kill);
        run.signal(Signal::KILL);
    }

    /// The next start finds what killed runs left, says so, and nothing is left of them: no process, and so no
    /// namespace, which lives as long as a process in it; no tap, no file, no ledger.
    fn next_start_leaves_nothing(&self, killed: usize) {
        let job = self.sandbox.write("none.yaml", NOTHING);
        let finished = self.pumice(&["run", "-o", "none", job.to_str().unwrap()]).wait(LIMIT);
        let log = fs::read_to_string(self.sandbox.path().join("none/logs.yaml")).unwrap();
        assert_eq!(log.matches("cleaned up after run").count(), killed, "{log}{}", finished.stderr);
        let end = Instant::now() + Duration::from_secs(10);
        while !self.processes().is_empty() {
            assert!(Instant::now() < end, "still alive: {:?}", self.processes());
            thread::sleep(POLL);
        }
        assert_eq!(self.taps(), Vec::<String>::new());
        let left: Vec<_> = fs::read_dir(self.sandbox.path())
            .unwrap()
            .chain(fs::read_dir(self.sandbox.path().join("state/pumice")).unwrap())
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with("pmc") || name.ends_with(".ledger"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Serves the sandbox's `www` on a machine.
fn serve(sandbox: &Sandbox, network: &Network, machine: u8) -> Result<Running, Missing> {
    let busybox = program("busybox")?;
    let directory = sandbox.path().join("www").display().to_string();
    let words = ["httpd", "-f", "-p", &PORT.to_string(), "-h", &directory].map(str::to_owned);
    let server = sandbox.start(&mut network.on(machine, &sandbox.foreign(busybox, words)));
    assert_eq!(
        page(sandbox, network, &format!("http://{}:{PORT}/index.html", Network::address(machine))),
        PAGE
    );
    Ok(server)
}

fn page(sandbox: &Sandbox, network: &Network, url: &str) -> String {
    let curl = program("curl").unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let words = ["--silent", "--fail", "--noproxy", "*", "--max-time", "5", url];
        let output = network.on(0, &sandbox.foreign(&curl, words)).output().unwrap();
        if output.status.success() {
            return String::from_utf8_lossy(&output.stdout).trim().to_owned();
        }
        assert!(Instant::now() < end, "{url}: {output:?}");
        thread::sleep(POLL);
    }
}

/// The lines of a boot block by which the guest fetches the overlay itself.
const TRANSFER: &str =
    "    transfer_overlay: {download_command: 'cd /tmp && wget -q', unpack_command: 'tar -C / -xzf'}\n";

/// The step of a test that asks the server beyond.
fn reaches_beyond() -> String {
    let address = Network::address(1);
    format!(
        "lava-test-case beyond --shell \"wget -q -O - http://{address}:{PORT}/index.html | grep -qx {PAGE}\""
    )
}
