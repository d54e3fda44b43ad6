//! Job and device to a plan: every step, every timeout, every mistake, before anything starts.
//!
//! `plan` is pure: the server, the editor and the command line call it and say the same. A plan is plain,
//! serialisable data. What is planned runs: there is no step that turns out to do nothing.

pub mod boot;
mod build;
pub mod container;
pub mod deploy;
mod machine;
mod multinode;
mod network;
mod plan;
mod scope;
pub mod test;
mod tree;

pub use build::{PlanOptions, plan};
pub use machine::{
    BesideSteps, BootSteps, ChannelDevice, DeployWay, Forward, GuestDisk, HostSeen, ImageSpec, ImageUse,
    MachinePlanner, MachineSpec, NetworkSpec, Outline, OverlayDelivery,
};
pub use multinode::{NodePlan, PeerRequest, PeerValue, PeerVerb};
pub use plan::{Block, CharacterDelays, Command, CommandAction, Finalize, GuestConventions, OnTimeout, Plan};
pub use scope::{
    ACTION_DEFAULT, BlockScopes, BlockTimes, CLEANUP, Scope, TimeoutSource, TimeoutTable, Tries, TryMode,
};
pub use tree::TreeStep;
