//! The place, the name and the time of a step.

use std::{collections::BTreeMap, time::Duration};

use pumice_types::Level;
use serde::Serialize;

use crate::multinode::PeerRequest;

/// LAVA's default for an action that nobody gives a time (`ACTION_TIMEOUT`, lava-compat 1.2).
pub const ACTION_DEFAULT: Duration = Duration::from_secs(30);

/// What cleaning up may take, on top of the job's own time (`CLEANUP_TIMEOUT`, lava-compat 1.2).
pub const CLEANUP: Duration = Duration::from_secs(300);

/// The place, the name and the time of one step. Names that users see in results or set in `timeouts` are
/// LAVA's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Scope {
    /// Its place in the tree.
    pub level: Level,
    /// Its name, for example `auto-login-action`.
    pub name: String,
    /// The namespace it works in.
    pub namespace: String,
    /// How long it may take. Its parent's end comes first if that is earlier.
    #[serde(rename = "timeout_s", serialize_with = "seconds")]
    pub timeout: Duration,
    /// Who gave it this time.
    pub timeout_from: TimeoutSource,
    /// How long one wait on a console may take.
    #[serde(rename = "connection_timeout_s", serialize_with = "seconds")]
    pub connection_timeout: Duration,
    /// How often it is tried; `None` for once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tries: Option<Tries>,
    /// What it asks of the other nodes of a MultiNode job before it begins, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<PeerRequest>,
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(duration.as_secs())
}

/// How often a block is tried (lava-compat 1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Tries {
    /// At most (or, for a repeat, exactly) this many times; at least 1.
    pub count: u32,
    /// Whether it goes on after a success.
    pub mode: TryMode,
    /// The pause between two tries.
    #[serde(rename = "interval_s", serialize_with = "seconds")]
    pub interval: Duration,
}

/// Whether a block that succeeded is run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TryMode {
    /// `failure_retry`: until the first success.
    UntilSuccess,
    /// `repeat`: always all of them.
    Always,
}

/// Who gave a step its time: the rules of lava-compat 1.2, from the weakest to the strongest; `Model` is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeoutSource {
    /// Nobody: the default of 30 seconds.
    Default,
    /// The job's `timeouts.action`.
    JobAction,
    /// The entry of the model library.
    Model,
    /// The device's `timeouts.actions.NAME`.
    DeviceNamed,
    /// The block's `timeout`.
    Block,
    /// A share of the time of a step that is tried more than once.
    Share,
    /// The job's `timeouts.actions.NAME`.
    JobNamed,
    /// The block's `timeouts.NAME`.
    BlockNamed,
}

/// The times that job and device give, from which each step's own is resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeoutTable {
    /// The job's `timeouts.action`.
    pub action: Option<Duration>,
    /// The job's `timeouts.connection`.
    pub connection: Option<Duration>,
    /// The job's `timeouts.actions`.
    pub actions: BTreeMap<String, Duration>,
    /// The job's `timeouts.connections`.
    pub connections: BTreeMap<String, Duration>,
    /// The device's `timeouts.actions`.
    pub device_actions: BTreeMap<String, Duration>,
    /// The device's `timeouts.connections`.
    pub device_connections: BTreeMap<String, Duration>,
}

/// The times that one block gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockTimes {
    /// The block's `timeout`.
    pub timeout: Option<Duration>,
    /// The block's `timeouts`.
    pub timeouts: BTreeMap<String, Duration>,
    /// How many times slower than usual the machine is.
    pub factor: u32,
    /// What a boot of this machine usually may take.
    pub usual: Option<Duration>,
}

impl TimeoutTable {
    /// The time of the step `name` inside `parent`, and who gave it (lava-compat 1.2).
    fn resolve(&self, name: &str, parent: Option<&Scope>, block: &BlockTimes) -> (Duration, TimeoutSource) {
        let factor = block.factor.max(1);
        let share = parent.and_then(|parent| Some((parent.timeout, parent.tries?.count)));
        let share = share.filter(|(_, count)| *count > 1);
        let given = |duration: Duration, source| (duration.saturating_mul(factor), source);
        if let Some(own) = block.timeouts.get(name) {
            given(*own, TimeoutSource::BlockNamed)
        } else if let Some(own) = self.actions.get(name) {
            given(*own, TimeoutSource::JobNamed)
        } else if let Some((whole, count)) = share {
            // Whole seconds, as LAVA divides; the parent's time has the factor already.
            (Duration::from_secs(whole.as_secs() / u64::from(count)), TimeoutSource::Share)
        } else if let Some(own) = block.timeout {
            given(own, TimeoutSource::Block)
        } else if let Some(own) = self.device_actions.get(name) {
            given(*own, TimeoutSource::DeviceNamed)
        } else if let Some(own) = block.usual {
            given(own, TimeoutSource::Model)
        } else if let Some(own) = self.action {
            given(own, TimeoutSource::JobAction)
        } else {
            given(ACTION_DEFAULT, TimeoutSource::Default)
        }
    }

    fn resolve_connection(&self, name: &str, factor: u32) -> Duration {
        self.connections
            .get(name)
            .or_else(|| self.device_connections.get(name))
            .copied()
            .or(self.connection)
            .unwrap_or(ACTION_DEFAULT)
            .saturating_mul(factor.max(1))
    }
}

/// Makes the scopes of one block, numbering them as they come.
#[derive(Debug)]
pub struct BlockScopes<'a> {
    table: &'a TimeoutTable,
    times: BlockTimes,
    namespace: String,
    children: BTreeMap<Level, u32>,
    /// What steps ask of the other nodes, by the name of the step.
    requests: Vec<(String, PeerRequest)>,
}

impl<'a> BlockScopes<'a> {
    /// The scopes of a block in `namespace` that gives `times`.
    pub fn new(table: &'a TimeoutTable, times: BlockTimes, namespace: &str) -> Self {
        Self {
            table,
            times,
            namespace: namespace.to_owned(),
            children: BTreeMap::new(),
            requests: Vec::new(),
        }
    }

    /// With what steps of these names ask of the other nodes.
    #[must_use]
    pub(crate) fn with_requests(mut self, requests: Vec<(String, PeerRequest)>) -> Self {
        self.requests = requests;
        self
    }

    /// How many times slower than usual the block's machine is; at least 1.
    pub fn factor(&self) -> u32 {
        self.times.factor.max(1)
    }

    /// The scope of the block itself, the `number`th of the job.
    pub fn block(&mut self, number: u32, name: &str, tries: Option<Tries>) -> Scope {
        self.make(Level::block(number), name, None, tries)
    }

    /// The next scope inside `parent`.
    pub fn step(&mut self, parent: &Scope, name: &str) -> Scope {
        self.step_with_tries(parent, name, None)
    }

    /// The next scope inside `parent`, tried more than once.
    pub fn step_with_tries(&mut self, parent: &Scope, name: &str, tries: Option<Tries>) -> Scope {
        let number = self.children.entry(parent.level.clone()).or_insert(0);
        *number += 1;
        let level = parent.level.child(*number);
        self.make(level, name, Some(parent), tries)
    }

    fn make(&self, level: Level, name: &str, parent: Option<&Scope>, tries: Option<Tries>) -> Scope {
        let (timeout, timeout_from) = self.table.resolve(name, parent, &self.times);
        Scope {
            level,
            name: name.to_owned(),
            namespace: self.namespace.clone(),
            timeout,
            timeout_from,
            connection_timeout: self.table.resolve_connection(name, self.times.factor),
            tries,
            requests: self
                .requests
                .iter()
                .filter(|(step, _)| step == name)
                .map(|(_, one)| one.clone())
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(entries: &[(&str, u64)]) -> BTreeMap<String, Duration> {
        entries.iter().map(|(name, s)| ((*name).to_owned(), Duration::from_secs(*s))).collect()
    }

    #[test]
    fn the_strongest_source_gives_the_time() {
        let table = TimeoutTable {
            action: Some(Duration::from_secs(100)),
            actions: seconds(&[("c", 300)]),
            device_actions: seconds(&[("b", 200), ("c", 201)]),
            ..TimeoutTable::default()
        };
        let check = |name, timeout: Option<u64>, timeouts: &[(&str, u64)], expected: (u64, TimeoutSource)| {
            let times = BlockTimes {
                timeout: timeout.map(Duration::from_secs),
                timeouts: seconds(timeouts),
                factor: 1,
                usual: (name == "usual" || name == "b").then(|| Duration::from_secs(600)),
            };
            let scope = BlockScopes::new(&table, times, "common").block(1, name, None);
            assert_eq!((scope.timeout.as_secs(), scope.timeout_from), expected);
        };
        check("usual", None, &[], (600, TimeoutSource::Model));
        check("usual", Some(50), &[], (50, TimeoutSource::Block));
        check("a", None, &[], (100, TimeoutSource::JobAction));
        check("b", None, &[], (200, TimeoutSource::DeviceNamed));
        check("b", Some(50), &[], (50, TimeoutSource::Block));
        check("c", Some(50), &[], (300, TimeoutSource::JobNamed));
        check("c", Some(50), &[("c", 7)], (7, TimeoutSource::BlockNamed));
    }

    #[test]
    fn tries_share_the_time_of_their_parent_at_every_depth() {
        // The figures LAVA plans for two tries in 120 seconds: 120, 60, 30.
        let table = TimeoutTable::default();
        let times = BlockTimes { timeout: Some(Duration::from_secs(120)), ..BlockTimes::default() };
        let tries = Some(Tries { count: 2, mode: TryMode::UntilSuccess, interval: Duration::from_secs(1) });
        let mut scopes = BlockScopes::new(&table, times, "common");
        let block = scopes.block(2, "boot-image-retry", tries);
        let group = scopes.step_with_tries(&block, "group", tries);
        let start = scopes.step(&group, "start");
        let login = scopes.step(&block, "auto-login-action");
        let all = [&block, &group, &start, &login];
        assert_eq!(all.map(|scope| scope.timeout.as_secs()), [120, 60, 30, 60]);
        assert_eq!(all.map(|scope| scope.level.to_string()), ["2", "2.1", "2.1.1", "2.2"]);
    }

    #[test]
    fn a_slow_machine_gets_its_factor_once() {
        let table = TimeoutTable { connection: Some(Duration::from_secs(10)), ..TimeoutTable::default() };
        let times = BlockTimes { timeout: Some(Duration::from_secs(60)), factor: 3, ..BlockTimes::default() };
        let tries = Some(Tries { count: 2, mode: TryMode::Always, interval: Duration::ZERO });
        let mut scopes = BlockScopes::new(&table, times, "common");
        let block = scopes.block(1, "x", tries);
        let step = scopes.step(&block, "y");
        assert_eq!(
            [block.timeout, step.timeout, step.connection_timeout].map(|t| t.as_secs()),
            [180, 90, 30]
        );
    }
}
