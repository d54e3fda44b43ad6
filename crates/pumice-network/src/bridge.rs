//! A tap device on a bridge that the operator names.
//!
//! It is an interface of the host's own network: it is written down in the ledger before it is made, and taken away with
//! the machine; when the run is killed, by the next start.

use std::{io, path::Path};

use pumice_process::{Ledger, Reclaim, Thing};
use pumice_types::{Blame as _, Cause, Failure};

/// A tap device that is there. Dropped, it is removed.
#[derive(Debug)]
pub struct BridgedTap {
    name: String,
    search_path: String,
}

impl BridgedTap {
    /// Makes one with this name, on this bridge.
    ///
    /// # Errors
    /// There is no such bridge, or this user may not administer networks.
    pub fn make(ledger: &Ledger, name: &str, bridge: &str, search_path: &str) -> Result<Self, Failure> {
        if !Path::new("/sys/class/net").join(bridge).join("bridge").is_dir() {
            let message = format!("this host has no bridge `{bridge}`");
            return Err(Failure::new(Cause::NetworkSetup, message)
                .hint("leave `bridge` out: the machine then gets a network namespace of its own"));
        }
        ledger.made(thing(name)).map_err(|error| error.failure())?;
        let tap = Self { name: name.to_owned(), search_path: search_path.to_owned() };
        for words in [
            vec!["tuntap", "add", "dev", name, "mode", "tap"],
            vec!["link", "set", name, "master", bridge],
            vec!["link", "set", name, "up"],
        ] {
            if let Err((message, hint)) = crate::ip::run(search_path, &words) {
                tap.end(ledger).ok();
                return Err(Failure::new(Cause::NetworkSetup, message).hint(hint));
            }
        }
        Ok(tap)
    }

    /// Removes it.
    ///
    /// # Errors
    /// It is still there, and in the ledger for the next start.
    pub fn end(self, ledger: &Ledger) -> Result<(), Failure> {
        remove(&self.name, &self.search_path)
            .map_err(|error| Failure::new(Cause::NetworkSetup, format!("tap {}: {error}", self.name)))?;
        ledger.gone(&thing(&self.name)).map_err(|error| error.failure())
    }
}

impl Drop for BridgedTap {
    fn drop(&mut self) {
        drop(remove(&self.name, &self.search_path));
    }
}

fn thing(name: &str) -> Thing {
    Thing::Tap { name: name.to_owned() }
}

/// Succeeds also when it is not there.
fn remove(name: &str, search_path: &str) -> io::Result<()> {
    if !Path::new("/sys/class/net").join(name).exists() {
        return Ok(());
    }
    crate::ip::run(search_path, &["link", "delete", name]).map_err(|(message, _)| io::Error::other(message))
}

/// Removes interfaces that killed runs have left; leaves seats to those who count them.
#[derive(Clone, Debug)]
pub struct Interfaces {
    /// The `PATH` on which `ip` is found.
    pub search_path: String,
}

impl Reclaim for Interfaces {
    fn reclaim(&mut self, thing: &Thing) -> io::Result<bool> {
        match thing {
            Thing::Tap { name } => remove(name, &self.search_path).map(|()| true),
            _ => Ok(false),
        }
    }
}
