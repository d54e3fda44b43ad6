//! From job and device to a plan.
//!
//! One pass over the blocks, with a look ahead as LAVA does it (lava-compat 1.9): whether any test of a
//! namespace needs an overlay or a shell decides what its deploy and boot blocks do. Nothing is planned that
//! would turn out to do nothing.

mod boot;
mod command;
mod connection;
mod container;
mod deploy;
mod look_ahead;
mod overlay;
mod services;
mod test;
mod unsupported;

use std::{collections::BTreeMap, time::Duration};

use pumice_device::Device;
use pumice_guest::overlay::{Environment, os_defaults};
use pumice_job::{Action, Block as JobBlock, Job, Timeout};
use pumice_types::{Code, Diagnostic, Diagnostics, JobId, Span};
use pumice_yaml::Node;

use crate::{
    machine::{MachinePlanner, NetworkSpec},
    multinode::{self, NodePlan, PeerRequest},
    plan::{Block, CharacterDelays, Finalize, GuestConventions, OnTimeout, Plan},
    scope::{BlockScopes, BlockTimes, TimeoutTable, Tries, TryMode},
};
use look_ahead::LookAhead;

/// The device cannot do what a block asks.
pub(crate) const NOT_ON_DEVICE: Code = Code("not-on-this-device");
/// Blocks stand in an order that cannot work.
pub(crate) const ORDER: Code = Code("block-order");
/// The job's architecture is none of the device's.
const ARCHITECTURE: Code = Code("architecture");
/// The least time that machines have to stop.
const STOP: Duration = Duration::from_secs(90);

/// What a plan is made for, beside job and device.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// The job's number: part of the overlay's path in the guest.
    pub job_id: JobId,
    /// The entry of the model library that the device names; null for none.
    pub model: Node,
    /// The entries of the model library that boot blocks of the job name, by that name.
    pub models: BTreeMap<String, Node>,
    /// The network that the device or the command line describes.
    pub network: Option<NetworkSpec>,
    /// Whether a channel of its own may carry the signals of the tests.
    pub use_channel: bool,
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            job_id: JobId(0),
            model: Node::default(),
            models: BTreeMap::new(),
            network: None,
            use_channel: true,
        }
    }
}

/// Plans a job on a device. Pure. The plan is there when no diagnostic is an error.
///
/// `planners` are all platforms there are; each is asked only for the boot methods it serves.
pub fn plan(
    job: &Job,
    device: &Device,
    planners: &[&dyn MachinePlanner],
    options: &PlanOptions,
) -> (Option<Plan>, Diagnostics) {
    let mut builder = Builder {
        job,
        device,
        planners,
        options,
        table: timeouts(job, device),
        ahead: LookAhead::new(&job.actions),
        diagnostics: Diagnostics::new(),
        interactive_stages: BTreeMap::new(),
    };
    let plan = builder.plan();
    let diagnostics = builder.diagnostics.sorted();
    ((!diagnostics.has_errors()).then_some(plan), diagnostics)
}

/// Everything the builders of single blocks share.
pub(crate) struct Builder<'a> {
    pub(crate) job: &'a Job,
    pub(crate) device: &'a Device,
    pub(crate) planners: &'a [&'a dyn MachinePlanner],
    pub(crate) options: &'a PlanOptions,
    pub(crate) table: TimeoutTable,
    pub(crate) ahead: LookAhead<'a>,
    pub(crate) diagnostics: Diagnostics,
    /// How many interactive blocks each namespace had.
    pub(crate) interactive_stages: BTreeMap<String, u32>,
}

impl Builder<'_> {
    fn plan(&mut self) -> Plan {
        self.check_architecture();
        let table = self.table.clone();
        let mut blocks = Vec::new();
        for (index, action) in self.job.actions.iter().enumerate() {
            if self.refuse_unsupported(action) {
                continue;
            }
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            let times = self.times(action.block(), index);
            let requests = multinode::requests(action, &mut self.diagnostics);
            let mut scopes =
                BlockScopes::new(&table, times, action.block().namespace()).with_requests(requests.clone());
            let block = match action {
                Action::Deploy(deploy) => self.deploy(deploy, index, number, &mut scopes),
                Action::Boot(boot) => self.boot(boot, index, number, &mut scopes),
                Action::Test(test) => Some(self.test(test, index, number, &mut scopes)),
                Action::Command(command) => self.command(command, number, &mut scopes),
            };
            blocks.extend(block.map(|mut block| {
                self.place_requests(action, requests, &mut block);
                block
            }));
        }
        let start = self.job.node.as_ref().and_then(multinode::start_request);
        if let (Some(start), Some(first)) = (start, blocks.first_mut()) {
            first.scope_mut().requests.insert(0, start);
        }
        let factor = self.time_factor();
        let mut plan = Plan {
            job_name: self.job.name.value.clone(),
            device: self.device.hostname.clone(),
            device_type: self.device.device_type.clone(),
            timeout: self.job.timeouts.job.duration.saturating_mul(factor),
            hold: None,
            finalize: self.finalize(blocks.len(), &table),
            blocks,
            character_delays: CharacterDelays {
                deploy_ms: self.device.character_delays.deploy_ms,
                boot_ms: self.device.character_delays.boot_ms,
                test_ms: self.device.character_delays.test_ms,
            },
            guest: self.conventions(),
            environment: self.environment(),
            secrets: self.job.secrets.texts().map(|(name, _)| name.to_owned()).collect(),
            inactivity: self.job.timeouts.inactivity.map(|timeout| timeout.duration),
            node: self.job.node.as_ref().map(|node| NodePlan {
                name: node.name.clone(),
                role: node.role.clone(),
                request_timeout: node.timeout.map(|timeout| timeout.duration),
            }),
        };
        if let Some(hold) = self.job.timeouts.hold {
            plan.hold_for(hold.duration);
        }
        plan
    }

    /// Gives the block itself the requests that name a step it does not have: LAVA's tree has more names than ours.
    fn place_requests(&mut self, action: &Action, requests: Vec<(String, PeerRequest)>, block: &mut Block) {
        if requests.is_empty() {
            return;
        }
        let tree = block.tree();
        let steps: Vec<String> = tree.names().into_iter().map(str::to_owned).collect();
        let known: Vec<&str> = steps.iter().map(String::as_str).collect();
        multinode::check_steps(action, &known, &mut self.diagnostics);
        let strays = requests.into_iter().filter(|(step, _)| !known.contains(&step.as_str()));
        block.scope_mut().requests.extend(strays.map(|(_, request)| request));
    }

    /// LAVA requires the job's `context.arch` to be one of the device's (lava-compat 1.6).
    fn check_architecture(&mut self) {
        let Some(entry) = self.job.context.entry("arch") else { return };
        let known = &self.device.available_architectures;
        let arch = entry.value.scalar_text().unwrap_or_default();
        if !known.is_empty() && !known.contains(&arch) {
            let message = format!("the device has no architecture `{arch}`");
            let meant = pumice_types::nearest(&arch, known.iter().map(String::as_str)).map(str::to_owned);
            self.diagnostics.push(
                Diagnostic::error(ARCHITECTURE, entry.value.span, message)
                    .help(format!("it has: {}", known.join(", ")))
                    .suggest(meant),
            );
        }
    }

    /// How many times slower than usual everything is: the device's factor times the platform's.
    fn time_factor(&self) -> u32 {
        let machines = self.ahead.machines(self).into_iter();
        machines
            .map(|factor| factor.saturating_mul(self.device.time_factor))
            .max()
            .unwrap_or(self.device.time_factor)
    }

    fn times(&self, block: &JobBlock, index: usize) -> BlockTimes {
        let named = block.timeouts.iter().map(|named| (named.name.value.clone(), named.timeout.duration));
        let started = self.ahead.boot(index).and_then(|_| self.outline_of(index));
        BlockTimes {
            timeout: block.timeout.map(|timeout| timeout.duration),
            timeouts: named.collect(),
            factor: self.factor_of(block.console_namespace(), index),
            usual: started.and_then(|(_, outline)| outline.boot_time),
        }
    }

    /// The factor of the machine that a block works with.
    fn factor_of(&self, namespace: &str, index: usize) -> u32 {
        let boot = self.ahead.boot_for(namespace, index);
        let own = boot.and_then(|boot| self.outline_of(boot)).map_or(1, |(_, outline)| outline.time_factor);
        own.saturating_mul(self.device.time_factor).max(1)
    }

    /// A diagnostic that a device lacks a way to do something.
    pub(crate) fn not_on_device(&mut self, span: Span, what: &str, has: &[&str]) {
        let name = if self.device.hostname.is_empty() { "the device" } else { self.device.hostname.as_str() };
        let mut diagnostic = Diagnostic::error(NOT_ON_DEVICE, span, format!("`{name}` cannot {what}"));
        if !has.is_empty() {
            diagnostic = diagnostic.help(format!("it has: {}", has.join(", ")));
        }
        self.diagnostics.push(diagnostic);
    }

    /// Cleaning up. All of it together has [`crate::CLEANUP`], whatever time the step has by its name.
    fn finalize(&self, blocks: usize, table: &TimeoutTable) -> Finalize {
        let number = u32::try_from(blocks + 1).unwrap_or(u32::MAX);
        let mut scopes = BlockScopes::new(table, BlockTimes::default(), "common");
        let mut scope = scopes.block(number, "finalize", None);
        if let Some(cleanup) = self.job.timeouts.cleanup {
            scope.timeout = cleanup.duration;
        }
        let mut power_off = scopes.step(&scope, "power-off");
        // Devices give it the seconds that a power switch needs. A simulator that is asked to stop may write its
        // disks back first, and is killed later than that.
        power_off.timeout = power_off.timeout.max(STOP).min(scope.timeout);
        let read_feedback = scopes.step(&scope, "read-feedback");
        Finalize { scope, power_off, read_feedback }
    }

    /// From `deploy.os` and the device's constants (lava-compat 4.5).
    fn conventions(&self) -> GuestConventions {
        let os = self.job.actions.iter().find_map(|action| match action {
            Action::Deploy(deploy) => deploy.os.as_ref().map(|os| os.value.as_str()),
            _ => None,
        });
        // The plain default in a device was not meant to override the system's own directory.
        let over = self.device.constants.results_dir.as_deref().filter(|pattern| *pattern != "/lava-%s");
        let directory = os_defaults(os).root(over, &self.options.job_id.to_string());
        GuestConventions { directory, os: os.map(str::to_owned) }
    }

    /// The variables of the test shell, the later overriding the earlier (lava-compat 4.1).
    fn environment(&self) -> Vec<(String, String)> {
        let tags: Vec<_> = self.job.tags.iter().map(|tag| tag.value.as_str()).collect();
        let own = self.job.environment.iter();
        let own = own.map(|variable| (variable.name.value.as_str(), variable.value.value.clone()));
        let facts: Vec<_> = own
            .chain([
                ("LAVA_JOB_ID", self.options.job_id.to_string()),
                ("LAVA_JOB_TAGS", tags.join(" ")),
                ("LAVA_DEVICE_HOSTNAME", self.device.hostname.clone()),
                ("LAVA_DEVICE_TYPE", self.device.device_type.clone()),
            ])
            .collect();
        let node = &self.device.node;
        Environment {
            device: node.get("environment"),
            device_info: node.get("device_info"),
            static_info: node.get("static_info"),
            storage_info: node.get("storage_info"),
            job: None,
            facts: &facts,
        }
        .variables()
    }
}

/// The times that job and device give.
fn timeouts(job: &Job, device: &Device) -> TimeoutTable {
    let named = |list: &[pumice_job::NamedTimeout]| {
        list.iter().map(|named| (named.name.value.clone(), named.timeout.duration)).collect()
    };
    TimeoutTable {
        action: job.timeouts.action.map(|timeout| timeout.duration),
        connection: job.timeouts.connection.map(|timeout| timeout.duration),
        actions: named(&job.timeouts.actions),
        connections: named(&job.timeouts.connections),
        device_actions: device.action_timeouts.clone(),
        device_connections: device.connection_timeouts.clone(),
    }
}

/// How often a block is tried: as it says, else as the device says.
pub(crate) fn tries(block: &JobBlock, default: Option<u32>) -> Option<Tries> {
    let interval =
        block.failure_retry_interval.as_ref().map_or(Duration::from_secs(1), |interval| interval.value);
    let (count, mode) = if let Some(repeat) = &block.repeat {
        (repeat.value.get(), TryMode::Always)
    } else if let Some(retry) = &block.failure_retry {
        (retry.value.get(), TryMode::UntilSuccess)
    } else {
        (default?, TryMode::UntilSuccess)
    };
    (count > 1).then_some(Tries { count, mode, interval })
}

/// What a block does when its own time is over.
pub(crate) fn on_timeout(block: &JobBlock, may_skip: bool) -> OnTimeout {
    block.timeout.as_ref().map_or(OnTimeout::Fail, |timeout| timeout_policy(timeout, may_skip))
}

/// What the end of this time means. `skip` is for tests only.
pub(crate) fn timeout_policy(timeout: &Timeout, may_skip: bool) -> OnTimeout {
    match timeout {
        Timeout { soft: true, .. } => OnTimeout::Soft,
        Timeout { skip: true, .. } if may_skip => OnTimeout::Skip,
        _ => OnTimeout::Fail,
    }
}

/// A command line of the device, as words. Devices are the operator's: what cannot be split is one word.
pub(crate) fn words(text: &str) -> Vec<String> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    shell_words::split(text).unwrap_or_else(|_| vec![text.to_owned()])
}
