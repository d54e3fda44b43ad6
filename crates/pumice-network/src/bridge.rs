//! A tap device on a bridge that the operator names.
//!
//! It is an interface of the host's own network: it is written down in the ledger before it is made, and taken away with
//! the machine; when the run is killed, by the next start.

use std::{io, net::Ipv4Addr};

use pumice_process::{Ledger, Reclaim, Thing};
use pumice_types::{Blame as _, Cause, Failure};

use crate::{
    NetworkPolicy,
    program::{self, Refused},
};

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
    /// The operator allows others only, there is no such bridge, or this user may not administer networks.
    pub fn make(
        ledger: &Ledger,
        name: &str,
        bridge: &str,
        policy: &NetworkPolicy,
        search_path: &str,
    ) -> Result<Self, Failure> {
        if !policy.allows(bridge) {
            let message = format!("the operator of this host lets no machine join the bridge `{bridge}`");
            let allowed = policy.bridges.clone().unwrap_or_default().join(", ");
            return Err(Failure::new(Cause::NetworkSetup, message)
                .hint(format!("those in `bridges` of the configuration's `[networks]` are: {allowed}")));
        }
        let refused = |(message, hint): Refused| Failure::new(Cause::NetworkSetup, message).hint(hint);
        if !interfaces(&["type", "bridge"], search_path).map_err(refused)?.iter().any(|one| one == bridge) {
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
            if let Err(why) = program::ip(search_path, &words) {
                tap.end(ledger).ok();
                return Err(refused(why));
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

/// The address that this host has on a bridge, where it has one: there its machines reach it.
pub fn address(bridge: &str, search_path: &str) -> Option<Ipv4Addr> {
    address_in(&program::ip(search_path, &["-4", "-oneline", "address", "show", "dev", bridge]).ok()?)
}

/// The first address in what `ip -oneline address` says: `2: br0    inet 192.0.2.1/24 brd …` (ip-address(8)).
fn address_in(said: &str) -> Option<Ipv4Addr> {
    let mut words = said.split_whitespace().skip_while(|word| *word != "inet").skip(1);
    words.next()?.split('/').next()?.parse().ok()
}

fn thing(name: &str) -> Thing {
    Thing::Tap { name: name.to_owned() }
}

/// Succeeds also when it is not there.
fn remove(name: &str, search_path: &str) -> io::Result<()> {
    let failed = |(message, _): Refused| io::Error::other(message);
    if interfaces(&[], search_path).map_err(failed)?.iter().any(|one| one == name) {
        program::ip(search_path, &["link", "delete", name]).map_err(failed)?;
    }
    Ok(())
}

/// The interfaces that `ip link show` finds, of a kind where one is given. Not those in `/sys/class/net`, which may be
/// of another network namespace than ours: the one it was mounted in.
fn interfaces(kind: &[&str], search_path: &str) -> Result<Vec<String>, Refused> {
    let words = [&["-oneline", "link", "show"], kind].concat();
    Ok(names_in(&program::ip(search_path, &words)?))
}

/// The names in lines like `5: veth0@if4: <BROADCAST> …` (ip-link(8)).
fn names_in(said: &str) -> Vec<String> {
    let names = said.lines().filter_map(|line| line.split(": ").nth(1)?.split('@').next());
    names.map(str::to_owned).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_address_of_a_bridge_is_read() {
        let check = |said: &str, expected: Option<[u8; 4]>| {
            assert_eq!(address_in(said), expected.map(Ipv4Addr::from), "{said}");
        };
        check(
            "2: br0    inet 192.0.2.1/24 brd 192.0.2.255 scope global br0\\       valid_lft forever\n",
            Some([192, 0, 2, 1]),
        );
        check("3: p2p    inet 198.51.100.1 peer 198.51.100.2/32 scope global p2p\n", Some([198, 51, 100, 1]));
        check("", None);
    }

    #[test]
    fn interfaces_are_read_by_their_names() {
        let said = "1: lo: <LOOPBACK,UP> mtu 65536\\    link/loopback\n5: veth0@if4: <UP> mtu 1500\\    link/ether\n";
        assert_eq!(names_in(said), ["lo", "veth0"]);
        assert_eq!(names_in(""), Vec::<String>::new());
    }
}
