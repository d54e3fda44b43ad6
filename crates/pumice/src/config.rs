//! What the operator says of this host: a TOML file, `--config` or `PUMICE_CONFIG`.
//!
//! ```toml
//! models = ["/srv/pumice/models"]              # directories with entries of the model library
//! search = ["/opt/arm/*/bin"]                  # where programs of models are, before PATH; `*` is any one directory
//!
//! [programs]                                   # where models are: by path, container image or file name
//! "FVP_VE_Cortex-A15x1" = "/opt/arm/ve/FVP_VE_Cortex-A15x1"
//!
//! [licences.fast-models]
//! seats = 4                                    # how many runs of this host may hold one at once
//! environment = { ARMLMD_LICENSE_FILE = "8224@licences.example" }
//!
//! [downloads]                                  # what jobs of a lab may fetch to this host
//! files = ["/srv/images"]                      # where `file:` may read
//! private_addresses = true                     # networks of one's own; the lab's server always is allowed
//!
//! [containers]                                 # what containers of jobs may use of this host
//! devices = ["/dev/ttyUSB0"]                   # devices that a job may ask for
//! test_mounts = [{ source = "/srv/tools", target = "/tools", read_only = true }]
//!
//! [networks]                                   # what machines with `network: {mode: tap}` may have of this host's
//! reach = ["192.0.2.0/24"]                     # reached from their namespaces: everything unless given, [] nothing
//! bridges = ["br0"]                            # what their taps may be attached to: any bridge unless given
//! ```

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use pumice_network::{Ipv4Network, NetworkPolicy, Reach};
use pumice_platform::container::Mount;
use pumice_run::{Containers, LicenceStock};
use pumice_store::Policy;
use pumice_types::{Cause, Failure, is_public_address};
use serde::Deserialize;

use crate::cli::lab::JobServer;

/// The file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Directories with entries of the model library.
    #[serde(default)]
    pub(crate) models: Vec<PathBuf>,
    /// Directories in which simulators are looked for before `PATH`; a part that is `*` stands for every directory there.
    #[serde(default)]
    search: Vec<PathBuf>,
    /// Where programs are.
    #[serde(default)]
    pub(crate) programs: BTreeMap<String, PathBuf>,
    /// Licences that are counted.
    #[serde(default)]
    licences: BTreeMap<String, Licence>,
    /// What jobs of a lab may fetch.
    #[serde(default)]
    downloads: DownloadSettings,
    /// What containers may use.
    #[serde(default)]
    containers: ContainerSettings,
    /// What machines may have of this host's networks.
    #[serde(default)]
    networks: NetworkSettings,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkSettings {
    /// Networks that machines in namespaces of their own may reach.
    reach: Option<Vec<Ipv4Network>>,
    /// Bridges that machines may join.
    bridges: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DownloadSettings {
    /// Directories of this host that `file:` may read.
    files: Option<Vec<PathBuf>>,
    /// Whether addresses that are not public may be used.
    private_addresses: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContainerSettings {
    /// Devices of this host that a job may ask for.
    #[serde(default)]
    devices: Vec<String>,
    /// Directories of this host that containers with tests see.
    #[serde(default)]
    test_mounts: Vec<TestMount>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TestMount {
    source: PathBuf,
    target: PathBuf,
    #[serde(default)]
    read_only: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Licence {
    /// How many there are; without it they are not counted.
    seats: Option<u32>,
    /// Variables for whoever holds one. They are secrets.
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

impl Config {
    /// The file that is named, else `pumice/config.toml` in the user's configuration where it is there.
    pub(crate) fn read(named: Option<&Path>) -> Result<Self, Failure> {
        let usual = crate::host::config_file();
        let path = match named {
            Some(path) => path,
            None if usual.exists() => &usual,
            None => return Ok(Self::default()),
        };
        let text = fs::read_to_string(path).map_err(|error| bad(path, &error.to_string()))?;
        toml::from_str(&text).map_err(|error| bad(path, &error.to_string()))
    }

    /// The directories in which simulators are looked for, before those of `PATH`.
    pub(crate) fn search(&self) -> Vec<PathBuf> {
        self.search.iter().flat_map(|pattern| directories(pattern)).collect()
    }

    /// The stocks of licences by name.
    pub(crate) fn licences(&self) -> BTreeMap<String, LicenceStock> {
        let stocks = self.licences.iter().map(|(name, licence)| {
            let environment = licence.environment.clone();
            (name.clone(), LicenceStock { seats: licence.seats, environment })
        });
        stocks.collect()
    }

    /// More that containers with tests see.
    pub(crate) fn add_test_mounts(&mut self, mounts: Vec<Mount>) {
        self.containers.test_mounts.extend(mounts.into_iter().map(|mount| TestMount {
            source: mount.source,
            target: mount.target,
            read_only: mount.read_only,
        }));
    }

    /// What containers may use.
    pub(crate) fn containers(&self) -> Containers {
        let mounts = self.containers.test_mounts.iter().map(|mount| Mount {
            source: mount.source.clone(),
            target: mount.target.clone(),
            read_only: mount.read_only,
        });
        Containers::new(self.containers.devices.clone(), mounts.collect())
    }

    /// What machines may have of this host's networks.
    pub(crate) fn networks(&self) -> NetworkPolicy {
        NetworkPolicy {
            reach: self.networks.reach.clone().map_or(Reach::Everything, Reach::Only),
            bridges: self.networks.bridges.clone(),
        }
    }

    /// What a job that came from a lab's server may fetch. Where the operator does not say: everything in a lab of this
    /// host alone, and from another host's lab no file and nothing of private networks, for whoever may submit there need
    /// not have an account here.
    pub(crate) fn downloads(&self, server: &JobServer) -> Policy {
        let mut policy = Policy { certificates: server.ca_cert.clone(), ..Policy::default() };
        let authority = |url: &String| {
            let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
            rest.split('/').next().unwrap_or_default().to_owned()
        };
        let authority = server.server.as_ref().map(authority);
        let is_own = authority.as_deref().is_none_or(is_on_this_host);
        // Its links are followed, as those of the files in it are; one that is not there lets nothing be read.
        let whole = |directory: &PathBuf| fs::canonicalize(directory).ok();
        let files = self.downloads.files.as_ref().map(|files| files.iter().filter_map(whole).collect());
        policy.readable = files.or_else(|| (!is_own).then(Vec::new));
        if !self.downloads.private_addresses.unwrap_or(is_own) {
            policy.is_address_allowed = Arc::new(is_public_address);
        }
        policy.allowed_servers = authority.into_iter().collect();
        policy
    }

    /// What must never be shown.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = String> {
        self.licences.values().flat_map(|licence| licence.environment.values().cloned())
    }
}

/// The directories that a pattern stands for, in the order of their names.
fn directories(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        if part.as_os_str() != "*" {
            for path in &mut found {
                path.push(part);
            }
            continue;
        }
        let inside = |path: &PathBuf| {
            let entries = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
            let mut inside: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
            inside.sort();
            inside
        };
        found = found.iter().flat_map(inside).collect();
    }
    found.retain(|path| path.is_dir());
    found
}

/// Whether a server, `HOST` or `HOST:PORT`, is this host's own.
fn is_on_this_host(authority: &str) -> bool {
    if let Ok(address) = authority.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn bad(path: &Path, why: &str) -> Failure {
    Failure::new(
        Cause::DeviceInvalid,
        format!("the configuration `{}` cannot be used: {why}", path.display()),
    )
    .hint("docs/fast-models.md shows all it may hold")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_and_unknown_keys_are_refused() {
        let text = "[programs]\nA = \"/a\"\n[licences.fm]\nseats = 4\nenvironment = { X = \"1@h\" }\n";
        let config: Config = toml::from_str(text).unwrap();
        assert_eq!(config.licences()["fm"].seats, Some(4));
        assert_eq!(config.secrets().collect::<Vec<_>>(), ["1@h"]);
        assert!(toml::from_str::<Config>("licenses = {}").is_err());
    }

    #[test]
    fn programs_are_looked_for_in_every_directory_that_a_pattern_stands_for() {
        let root = tempfile::tempdir().unwrap();
        for directory in ["b/bin", "a/bin", "a/lib", "c"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        fs::write(root.path().join("file"), "").unwrap();
        let check = |pattern: &str, expected: &[&str]| {
            let expected: Vec<_> = expected.iter().map(|path| root.path().join(path)).collect();
            assert_eq!(directories(&root.path().join(pattern)), expected, "{pattern}");
        };
        check("*/bin", &["a/bin", "b/bin"]);
        check("a/*", &["a/bin", "a/lib"]);
        check("c", &["c"]);
        check("no/*/bin", &[]);
    }

    #[test]
    fn machines_reach_everything_unless_the_operator_says_what() {
        let check = |text: &str, expected: Option<Reach>| {
            let read = toml::from_str::<Config>(text).ok().map(|config| config.networks().reach);
            assert_eq!(read, expected, "{text}");
        };
        let only = |network: &str| Reach::Only(vec![network.parse().unwrap()]);
        check("", Some(Reach::Everything));
        check("[networks]\nbridges = [\"br0\"]", Some(Reach::Everything));
        check("[networks]\nreach = []", Some(Reach::Only(Vec::new())));
        check("[networks]\nreach = [\"192.0.2.0/24\"]", Some(only("192.0.2.0/24")));
        check("[networks]\nreach = [\"example\"]", None);
    }

    #[test]
    fn jobs_of_a_lab_fetch_from_its_server_and_else_what_the_operator_allows() {
        let of = |server: &str| JobServer { server: Some(server.to_owned()), ca_cert: None };
        let read = |text: &str| toml::from_str::<Config>(text).unwrap();
        let private = "192.168.0.7".parse().unwrap();
        for own in ["http://127.0.0.1:8000", "https://localhost/lab", "http://[::1]:80", "http://127.0.0.1"] {
            let policy = read("").downloads(&of(own));
            assert!((policy.is_address_allowed)(private) && policy.readable.is_none(), "{own}");
        }
        let far = of("http://10.0.0.1:8000/lab");
        let closed = read("").downloads(&far);
        assert!(!(closed.is_address_allowed)(private));
        assert_eq!(
            (closed.readable, closed.allowed_servers),
            (Some(Vec::new()), vec!["10.0.0.1:8000".to_owned()])
        );
        let text = "[downloads]\nfiles = ['/no/such/directory', '/']\nprivate_addresses = true\n";
        let allowed = read(text).downloads(&far);
        assert!((allowed.is_address_allowed)(private));
        assert_eq!(allowed.readable, Some(vec!["/".into()]));
        let narrowed =
            read("[downloads]\nfiles = []\nprivate_addresses = false\n").downloads(&of("http://[::1]:80"));
        assert!(!(narrowed.is_address_allowed)(private) && narrowed.readable == Some(Vec::new()));
    }
}
