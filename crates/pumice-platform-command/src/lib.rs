//! The platform `command`: any simulator with a console, from one declarative file.
//!
//! The declaration is the device's part for the boot method, `actions.boot.methods.command.parameters`, so one
//! device-type file describes a simulator to Pumice. `docs/contributor/adding-a-platform.md` explains every
//! key; `declaration` holds what they are read into.

mod declaration;
mod platform;
mod reader;

pub use platform::CommandPlatform;
