//! The model library: what is known of each model, so that a job need not say it.
//!
//! A model is one TOML file; `library/models/README.md` documents the keys. Models inherit: `extends` names
//! another, whose tables are taken over key by key. A platform reads its own part from [`Model::node`].

mod library;
mod read;
mod tree;

use std::{collections::BTreeMap, time::Duration};

use pumice_types::Name;
use pumice_yaml::Node;

use crate::HostShare;

pub use self::library::{ModelLibrary, UnknownModel};

/// One model, with everything it inherits.
#[derive(Clone, Debug)]
pub struct Model {
    /// The name that jobs and devices use: `A15x1`, `base-revc`.
    pub name: Name,
    /// Other names for it.
    pub aliases: Vec<Name>,
    /// The models it extends, nearest first.
    pub ancestors: Vec<Name>,
    /// Whether it is only there to be extended.
    pub is_abstract: bool,
    /// One line for a person.
    pub description: String,
    /// The platform that starts it.
    pub platform: String,
    /// File names of the program, the preferred first.
    pub binaries: Vec<String>,
    /// The lowest version that is known to work, as the program prints it.
    pub minimum_version: Option<String>,
    /// Parameters it is started with, in the order of the file, those inherited first. Booleans are 1 and 0.
    pub parameters: Vec<(String, String)>,
    /// Its consoles by role: `main`, `secure`, `channel`, …
    pub consoles: BTreeMap<String, ModelConsole>,
    /// What it can do, in the platform's words.
    pub capabilities: Vec<String>,
    /// The licence a run of it takes.
    pub licence: Option<Licence>,
    /// What a run of it takes of its host; `None` where the library does not say.
    pub host: Option<HostShare>,
    /// How long things take on it at most: `announce`, `boot`, `stop`.
    pub timeouts: BTreeMap<String, Duration>,
    /// How many times slower than usual it is; at least 1.
    pub time_factor: u32,
    /// Its network, in the one description that all platforms share.
    pub network: Option<Node>,
    /// The whole entry with all it inherits, for the platform, which alone knows what `machine` means.
    pub node: Node,
}

/// A console of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelConsole {
    /// What the model calls it in the line that announces its port, a regular expression for the whole name.
    pub announced_as: String,
    /// The device behind it in the guest, for one that carries signals: `ttyAMA1`.
    pub guest_device: Option<String>,
}

/// A licence that a run takes from a counted stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Licence {
    /// How it is checked.
    pub kind: LicenceKind,
    /// The stock's name in the operator's configuration.
    pub feature: String,
    /// Seats one run takes.
    pub seats: u32,
}

/// How a licence is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LicenceKind {
    /// A server counts floating seats.
    Floating,
    /// A person's or machine's own licence, not counted by a server.
    User,
}
