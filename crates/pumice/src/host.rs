//! Where things are on this host: the one place that reads the environment.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use pumice_network::bridge::Interfaces;
use pumice_platform::{Host, Platform, SecretVariables};
use pumice_process::{Guard, GuardOptions, Thing};
use pumice_run::{Hands, Licences, RunHost};
use pumice_store::{Policy, Store};
use pumice_types::{Blame as _, Cause, Failure};
use tempfile::TempDir;

use crate::{cli::Places, config::Config};

/// What a run has of this host. Dropping it removes the run's own directory.
pub(crate) struct Prepared {
    /// For the runner.
    pub(crate) host: RunHost,
    /// What dead runs left and was removed now, for a person.
    pub(crate) reclaimed: Vec<String>,
    /// Where artifacts are.
    store: PathBuf,
    work_dir: TempDir,
    thing: Option<Thing>,
}

/// Where artifacts are kept.
pub(crate) fn cache_dir(places: &Places) -> PathBuf {
    places.cache.clone().unwrap_or_else(|| base("XDG_CACHE_HOME", ".cache"))
}

/// Where ledgers are kept.
pub(crate) fn state_dir(places: &Places) -> PathBuf {
    places.state.clone().unwrap_or_else(|| base("XDG_STATE_HOME", ".local/state"))
}

/// Where the tests are that ship with pumice: installed beside the program, or made in the build's directory.
pub(crate) fn test_directories() -> Vec<PathBuf> {
    let own = env::current_exe().unwrap_or_default();
    let above = |levels| own.ancestors().nth(levels).map(Path::to_owned);
    let installed = above(2).map(|prefix| prefix.join("share/pumice/tests"));
    installed.into_iter().chain(above(2).map(|target| target.join("tests"))).collect()
}

/// The program of that name: where the operator says it is, else on `PATH`.
pub(crate) fn find_program(name: &str, config: &Config) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let runs = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if let Some(path) = config.programs.get(name) {
        return Some(path.clone()).filter(runs);
    }
    simulator_directories(config).into_iter().map(|directory| directory.join(name)).find(runs)
}

/// The program that the operator names for one of these names and that is not there, in words.
pub(crate) fn wrongly_named(names: &[&str], config: &Config) -> Option<String> {
    let (name, path) = names.iter().find_map(|name| config.programs.get_key_value(*name))?;
    Some(format!(
        "[programs] of the configuration says that {name} is {}, which is no program",
        path.display()
    ))
}

/// Where simulators are looked for: where the operator says, then on `PATH`.
fn simulator_directories(config: &Config) -> Vec<PathBuf> {
    config.search().into_iter().chain(env::split_paths(&search_path())).collect()
}

/// The operator's configuration, where no other is named.
pub(crate) fn config_file() -> PathBuf {
    let named = env::var_os("PUMICE_CONFIG").map(PathBuf::from);
    named.unwrap_or_else(|| base("XDG_CONFIG_HOME", ".config").join("config.toml"))
}

/// A directory of the user's (XDG Base Directory Specification 0.8).
fn base(variable: &str, below_home: &str) -> PathBuf {
    let given = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || env::var_os("HOME").map_or_else(env::temp_dir, PathBuf::from).join(below_home);
    given.unwrap_or_else(home).join("pumice")
}

/// Starts the guard of whatever is started from here on; `state` must be there.
pub(crate) fn start_guard(state: &Path) -> Result<Guard, Failure> {
    let options = GuardOptions {
        state: state.to_owned(),
        watcher: vec![own_program(), OsString::from("__watch")],
        cgroups: true,
    };
    Guard::start(&options).map_err(|error| error.failure())
}

/// What platforms and container engines may look at.
pub(crate) fn host(guard: Guard, cache_dir: Option<PathBuf>, config: &Config) -> Host {
    Host {
        guard,
        search_path: simulator_directories(config),
        cache_dir,
        programs: config.programs.clone(),
        own_environment: SecretVariables(own_environment()),
        environment: SecretVariables::default(),
        engine_environment: engine_environment(),
        inside: None,
    }
}

/// What tells this host from others: the id of this start of its kernel (random(4), `boot_id`) and the process namespace
/// that our own id counts in (`pid_namespaces(7)`), folded into a number by FNV-1a.
fn host_key() -> u32 {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let bytes = boot.bytes().chain(namespace.to_string_lossy().bytes().collect::<Vec<_>>());
    bytes.fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Our own program, which watches runs and serves networks under other words.
fn own_program() -> OsString {
    env::current_exe().unwrap_or_else(|_| PathBuf::from("/proc/self/exe")).into_os_string()
}

/// The words by which it makes and enters network namespaces.
pub(crate) fn network_helper() -> Vec<OsString> {
    vec![own_program(), OsString::from("__network")]
}

/// The `PATH` on which programs of this host are found.
pub(crate) fn search_path() -> String {
    env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned())
}

/// What the client of a container engine finds its engine, its settings and its images by (docker CLI: "Environment
/// variables"; podman(1), containers.conf(5)): a name, or the beginning of names. Registry passwords are none of them.
const ENGINE_VARIABLES: [&str; 18] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "DBUS_SESSION_BUS_ADDRESS",
    "DOCKER_",
    "CONTAINER_HOST",
    "CONTAINER_SSHKEY",
    "CONTAINER_CONNECTION",
    "CONTAINER_PROXY",
    "CONTAINERS_",
    "REGISTRY_AUTH_FILE",
    "STORAGE_DRIVER",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];

/// Our own environment, as far as it is text.
fn own_environment() -> BTreeMap<String, String> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// What of our own environment must never be shown: where a licence is (FlexNet: `VENDOR_LICENSE_FILE` and
/// `LM_LICENSE_FILE`).
pub(crate) fn own_secrets() -> impl Iterator<Item = String> {
    let own = own_environment().into_iter().filter(|(name, _)| name.ends_with("_LICENSE_FILE"));
    own.map(|(_, value)| value).filter(|value| !value.is_empty())
}

/// The part of our own environment that an engine's client gets.
fn engine_environment() -> BTreeMap<String, String> {
    let is_known = |name: &str| {
        ENGINE_VARIABLES.iter().any(|known| name == *known || known.ends_with('_') && name.starts_with(known))
    };
    own_environment().into_iter().filter(|(name, _)| is_known(&name.to_uppercase())).collect()
}

impl Prepared {
    /// Cleans up after dead runs, then starts the guard of this one. To be called inside the runtime, before
    /// anything is started.
    pub(crate) fn new(
        places: &Places,
        platforms: Vec<Rc<dyn Platform>>,
        output_dir: &Path,
        scratch_dir: Option<&Path>,
        secrets: Vec<(String, String)>,
        config: &Config,
    ) -> Result<Self, Failure> {
        let state = state_dir(places);
        let cache = cache_dir(places);
        for directory in [&state, &cache] {
            fs::create_dir_all(directory).map_err(|error| cannot_make(directory, &error))?;
        }
        let mut interfaces = Interfaces { search_path: search_path() };
        let report = pumice_process::reconcile(&state, &mut interfaces)
            .map_err(|error| cannot_make(&state, &error))?;
        let reclaimed = report
            .reclaimed
            .iter()
            .map(|run| format!("cleaned up after run {}, which was killed", run.run))
            .collect();
        let guard = start_guard(&state)?;
        let store_dir = cache.join("store");
        let store = Store::open(&store_dir).map_err(|error| error.failure())?;
        // Paths of sockets hold 108 bytes (unix(7)): a directory that is too deep cannot hold them.
        let short = |path: &&Path| path.as_os_str().len() <= 60;
        let temporary = scratch_dir.filter(short).map_or_else(env::temp_dir, Path::to_owned);
        fs::create_dir_all(&temporary).map_err(|error| cannot_make(&temporary, &error))?;
        let work_dir = tempfile::Builder::new()
            .prefix("pmc")
            .tempdir_in(&temporary)
            .map_err(|error| cannot_make(&temporary, &error))?;
        let thing = Thing::directory(work_dir.path()).ok();
        if let Some(thing) = &thing {
            guard.ledger().made(thing.clone()).map_err(|error| error.failure())?;
        }
        let host = RunHost {
            host: host(guard.clone(), Some(cache.join("probes")), config),
            guard,
            store: Arc::new(store),
            platforms,
            work_dir: work_dir.path().to_owned(),
            output_dir: Some(output_dir.to_owned()),
            instance: std::process::id(),
            host_key: host_key(),
            containers: config.containers(),
            licences: Licences::new(&state, config.licences()),
            hands: Hands::default(),
            secrets,
            search_path: search_path(),
            peers: None,
            network_helper: network_helper(),
            networks: config.networks(),
            lan: None,
        };
        Ok(Self { host, reclaimed, store: store_dir, work_dir, thing })
    }

    /// Fetches only what `policy` allows, and what the run itself has fetched before (`downloads://`).
    pub(crate) fn limit_downloads(&mut self, mut policy: Policy) -> Result<(), Failure> {
        if let Some(readable) = &mut policy.readable {
            let own = self.host.work_dir.canonicalize();
            readable.push(own.map_err(|error| cannot_make(&self.host.work_dir, &error))?);
        }
        let store = Store::open(&self.store).map_err(|error| error.failure())?;
        self.host.store = Arc::new(store.with_policy(policy));
        Ok(())
    }

    /// Ends everything that was started and removes what was made.
    pub(crate) async fn finish(self) -> Result<(), Failure> {
        let deadline = pumice_types::Deadline::after(
            std::time::Instant::now(),
            std::time::Duration::from_secs(30),
            "clean-up",
        );
        let guard = self.host.guard.clone();
        let path = self.work_dir.path().to_owned();
        self.work_dir.close().map_err(|error| cannot_make(&path, &error))?;
        if let Some(thing) = &self.thing {
            guard.ledger().gone(thing).map_err(|error| error.failure())?;
        }
        guard.finish(&deadline).await.map_err(|error| error.failure())
    }
}

fn cannot_make(path: &Path, error: &io::Error) -> Failure {
    let full = error.kind() == io::ErrorKind::StorageFull;
    let cause = if full { Cause::DiskFull } else { Cause::HostRefused };
    Failure::new(cause, format!("cannot make or remove `{}`: {error}", path.display()))
}
