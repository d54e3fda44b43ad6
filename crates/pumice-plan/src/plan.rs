//! The plan: what will be done, as data.

use std::time::Duration;

use serde::Serialize;

use pumice_types::Level;

use crate::{
    boot::Boot,
    deploy::Deploy,
    multinode::NodePlan,
    scope::{Scope, TimeoutSource},
    test::Test,
};

/// The built-in command, and the step, that hold the machines for people.
pub(crate) const HOLD: &str = "hold";

/// Everything one job on one device will do.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The job's name.
    pub job_name: String,
    /// The device's hostname.
    pub device: String,
    /// The device's type.
    pub device_type: String,
    /// How long the whole job may take, validation included.
    #[serde(serialize_with = "seconds", rename = "timeout_s")]
    pub timeout: Duration,
    /// The blocks, in order.
    pub blocks: Vec<Block>,
    /// Holds the machines for people when the job failed or a test did, `hold`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Scope>,
    /// What follows the last block, always.
    pub finalize: Finalize,
    /// Pauses between characters typed.
    pub character_delays: CharacterDelays,
    /// How the guest's shell and its paths are called.
    pub guest: GuestConventions,
    /// Variables of the test shell, from the device and the job.
    pub environment: Vec<(String, String)>,
    /// Names of the secrets the job holds; their values are not part of a plan.
    pub secrets: Vec<String>,
    /// Longest silence of every console of a machine that is in use; `None` for no limit.
    #[serde(serialize_with = "optional_seconds", rename = "inactivity_s")]
    pub inactivity: Option<Duration>,
    /// Which node of a MultiNode job it is; `None` for a job of one machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<NodePlan>,
}

impl Plan {
    /// Holds the machines for people for `limit` when the job failed or a test did.
    pub fn hold_for(&mut self, limit: Duration) {
        // Its number follows that of the last step, whose number users know.
        let number = u32::try_from(self.blocks.len() + 2).unwrap_or(u32::MAX);
        let like = &self.finalize.scope;
        self.hold = Some(Scope {
            level: Level::block(number),
            name: HOLD.to_owned(),
            timeout: limit,
            timeout_from: TimeoutSource::JobNamed,
            tries: None,
            ..like.clone()
        });
    }
}

pub(crate) fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(duration.as_secs())
}

#[expect(clippy::ref_option, reason = "the shape serde asks for")]
pub(crate) fn optional_seconds<S: serde::Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs()).serialize(serializer)
}

/// One block of the job.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "block")]
pub enum Block {
    /// Brings files to where a machine can use them.
    Deploy(Box<Deploy>),
    /// Brings a machine to where tests can run.
    Boot(Box<Boot>),
    /// Runs tests.
    Test(Test),
    /// Runs one of the commands the device offers.
    Command(Command),
}

impl Block {
    /// The scope of the block itself.
    pub(crate) fn scope_mut(&mut self) -> &mut Scope {
        match self {
            Self::Deploy(deploy) => &mut deploy.scope,
            Self::Boot(boot) => &mut boot.scope,
            Self::Test(test) => &mut test.scope,
            Self::Command(command) => &mut command.scope,
        }
    }
}

/// What to do when a block's own time is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnTimeout {
    /// The job ends.
    #[default]
    Fail,
    /// The failure is recorded and the job goes on with the next block, on the same machine
    /// (LAVA's `skip`, for tests only: lava-compat 1.2).
    Skip,
    /// A soft timeout: recorded as `lava/NAME-soft-timeout`, the block is given up, the job goes on.
    Soft,
}

/// Runs one of the commands the device offers (lava-compat 1.7).
#[derive(Clone, Debug, Serialize)]
pub struct Command {
    /// Its scope, `user-command`.
    pub scope: Scope,
    /// Its name: a built-in, or a key of the device's `commands.users`.
    pub name: String,
    /// What it is.
    pub action: CommandAction,
}

/// What a command does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "does")]
pub enum CommandAction {
    /// Resets the machine.
    Reset,
    /// Powers it on.
    PowerOn,
    /// Powers it off.
    PowerOff,
    /// Ends the services that test blocks have started.
    StopServices,
    /// Holds the machines for people until they are done or the block's time is over. An extension.
    Hold,
    /// Runs argument vectors on this host, from the device, and another in the end.
    Host {
        /// What to run, one after the other.
        run: Vec<Vec<String>>,
        /// What to run in clean-up; empty for nothing.
        undo: Vec<String>,
    },
}

/// What follows the last block, always (lava-compat 3.5).
#[derive(Clone, Debug, Serialize)]
pub struct Finalize {
    /// Its scope, `finalize`.
    pub scope: Scope,
    /// Ends the machine, `power-off`.
    pub power_off: Scope,
    /// Reads what is left on the other consoles, `read-feedback`.
    pub read_feedback: Scope,
}

/// Pauses between characters typed, by block (lava-compat 2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CharacterDelays {
    /// In deploy blocks, in ms.
    pub deploy_ms: u64,
    /// In boot blocks, in ms.
    pub boot_ms: u64,
    /// In test blocks, in ms.
    pub test_ms: u64,
}

/// How the guest's shell and its paths are called: from `deploy.os` and the device's constants
/// (lava-compat 2.4, 4.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GuestConventions {
    /// The directory of the overlay in the guest, `/lava-JOB`.
    pub directory: String,
    /// The system the job names.
    pub os: Option<String>,
}
