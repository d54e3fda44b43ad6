//! What a run is given by its host.

use std::{ffi::OsString, path::PathBuf, rc::Rc, sync::Arc};

use pumice_platform::{Host, NetworkPolicy, Platform};
use pumice_process::Guard;
use pumice_store::Store;

use crate::{container::Containers, control::Hands, licence::Licences, peers::Peers};

/// What a run is given by its host. The runner reads no environment and looks for no directory itself.
pub struct RunHost {
    /// Every process of the run is started under it.
    pub guard: Guard,
    /// Artifacts, shared with every run of this host.
    pub store: Arc<Store>,
    /// All platforms there are.
    pub platforms: Vec<Rc<dyn Platform>>,
    /// What platforms may look at.
    pub host: Host,
    /// The directory of this run alone; it is there and empty, and removed by the caller in the end. Short, so
    /// that socket paths fit.
    pub work_dir: PathBuf,
    /// Where transcripts and files of the simulator are kept; `None` keeps none.
    pub output_dir: Option<PathBuf>,
    /// A number that no other run of this host has at the same time.
    pub instance: u32,
    /// A number that hardly another host has, nor another process namespace of this one, in which the same numbers count
    /// the runs.
    pub host_key: u32,
    /// The licences that simulators take.
    pub licences: Licences,
    /// The machines that people can reach while the run goes on.
    pub hands: Hands,
    /// What containers may use, and what the run knows of its own.
    pub containers: Containers,
    /// Secrets for the test shell: name and value.
    pub secrets: Vec<(String, String)>,
    /// The `PATH` of the helpers we start (git, containers).
    pub search_path: String,
    /// The other nodes of a MultiNode job; `None` for a job of one machine.
    pub peers: Option<Peers>,
    /// The words by which our program makes and enters network namespaces.
    pub network_helper: Vec<OsString>,
    /// What the operator lets machines have of this host's networks.
    pub networks: NetworkPolicy,
    /// Where the switch of the network listens that the machines of a MultiNode job share; `None` where there is none.
    pub lan: Option<PathBuf>,
}

impl RunHost {
    /// The platform of this name.
    pub fn platform(&self, name: &str) -> Option<Rc<dyn Platform>> {
        self.platforms.iter().find(|platform| platform.name() == name).cloned()
    }
}
