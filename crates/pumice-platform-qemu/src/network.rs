//! The network of a machine, as the device or the job describes it.

use std::{fmt::Write as _, net::Ipv4Addr, path::Path};

use pumice_plan::{HostSeen, NetworkSpec};
use pumice_platform::{Bound, HostNetwork, Launch, PortForward, host_on_made_network};
use pumice_types::{Code, Diagnostic, Diagnostics};

use crate::{
    arguments::{Words, is_option},
    board::Board,
    platform::escaped,
};

/// A network that is not there.
const NO_LAN: Code = Code("bad-network");

/// The card a machine has by itself, and the one on the network of its MultiNode job.
const OWN_CARD: u8 = 0x54;
const LAN_CARD: u8 = 0x56;

/// Where the simulator's own network shows this host, when nobody says otherwise (QEMU's documentation, "Network
/// emulation", `-netdev user`: `host=`).
const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

/// Where a guest sees this host.
pub(crate) fn host_seen(network: Option<&NetworkSpec>, words: &Words) -> HostSeen {
    let shown = match network {
        Some(NetworkSpec::User { .. }) => Some(HOST),
        Some(network) => return host_on_made_network(network).unwrap_or_default(),
        None => shown_by(words),
    };
    shown.map_or(HostSeen::AsOthers, HostSeen::LoopbackAt)
}

/// The address by which a guest reaches what listens on this host's loopback address: that of the simulator's own
/// network. `None` for a guest that the words wire to something else, or to nothing.
fn shown_by(words: &Words) -> Option<Ipv4Addr> {
    let next = words.all().skip(1);
    let backends: Vec<&str> = words
        .all()
        .zip(next)
        .filter(|(word, value)| is_option(word, &["net", "nic", "netdev"]) && !value.starts_with("nic,"))
        .map(|(_, value)| value)
        .filter(|value| *value != "nic")
        .collect();
    if backends.is_empty() {
        return Some(HOST);
    }
    let user = backends.into_iter().find(|value| value.split(',').next() == Some("user"))?;
    let property =
        |name: &str| user.split(',').find_map(|property| property.strip_prefix(name)?.strip_prefix('='));
    if let Some(host) = property("host") {
        return host.parse().ok();
    }
    let Some(net) = property("net") else { return Some(HOST) };
    let base: Ipv4Addr = net.split('/').next()?.parse().ok()?;
    // The second address of the network.
    let [a, b, c, d] = base.octets();
    Some(Ipv4Addr::new(a, b, c, d.checked_add(2)?))
}

/// Gives the machine the network that is described, instead of what the device's own options say.
pub(crate) fn attach(
    launch: &mut Launch,
    network: &NetworkSpec,
    board: &Board,
    bound: &Bound,
) -> Result<(), Diagnostics> {
    remove_options(launch);
    let nic = |launch: &mut Launch, backend: String, mac: &Option<String>| {
        let own = mac_address(bound.station(), OWN_CARD);
        let mac = mac.as_ref().unwrap_or(&own);
        let card = if board.has_pci() { "virtio" } else { "lan9118" };
        launch.args.extend(["-nic".to_owned(), format!("{backend},model={card},mac={mac}")]);
    };
    match network {
        NetworkSpec::None => launch.args.extend(["-nic".to_owned(), "none".to_owned()]),
        NetworkSpec::User { forwards, mac } => {
            let mut backend = "user".to_owned();
            for forward in forwards {
                let (host, guest) = (forward.host_port, forward.guest_port);
                let _ = write!(backend, ",hostfwd=tcp:127.0.0.1:{host}-:{guest}");
                launch
                    .forwards
                    .push(PortForward { host_port: forward.host_port, guest_port: forward.guest_port });
            }
            nic(launch, backend, mac);
        }
        NetworkSpec::Tap { bridge, mac, forwards } => {
            launch.forwards.extend(
                forwards
                    .iter()
                    .map(|one| PortForward { host_port: one.host_port, guest_port: one.guest_port }),
            );
            let tap = format!("pmc{:x}", bound.instance);
            nic(launch, format!("tap,ifname={tap},script=no,downscript=no"), mac);
            launch.network = Some(match bridge {
                Some(bridge) => HostNetwork::Bridge { tap, bridge: bridge.clone() },
                None => HostNetwork::Namespace { tap },
            });
        }
        NetworkSpec::Shared { mac, .. } => {
            let Some(lan) = &bound.lan else {
                let message = "there is no network of mode `shared`: this is no MultiNode job, or its nodes are on several workers";
                let help = "give every role the same `worker`, or let the machines reach each other by their devices' networks";
                return Err([Diagnostic::error(NO_LAN, None, message).help(help)].into_iter().collect());
            };
            let own = mac_address(bound.station(), LAN_CARD);
            add_card(launch, lan, board, mac.as_ref().unwrap_or(&own));
        }
    }
    Ok(())
}

/// Gives the machine one more card, on the network that the machines of its MultiNode job share.
pub(crate) fn join_lan(launch: &mut Launch, lan: &Path, board: &Board, station: u32) {
    add_card(launch, lan, board, &mac_address(station, LAN_CARD));
}

/// QEMU 7.2 is the first to have `stream`.
fn add_card(launch: &mut Launch, lan: &Path, board: &Board, mac: &str) {
    let card = if board.has_pci() { "virtio-net-pci" } else { "virtio-net-device" };
    launch.args.extend([
        "-netdev".to_owned(),
        format!("stream,id=lan,server=off,addr.type=unix,addr.path={}", escaped(lan)),
        "-device".to_owned(),
        format!("{card},netdev=lan,mac={mac}"),
    ]);
}

/// What the description says replaces what the device's options say.
fn remove_options(launch: &mut Launch) {
    let mut kept = Vec::with_capacity(launch.args.len());
    let mut words = std::mem::take(&mut launch.args).into_iter();
    while let Some(word) = words.next() {
        if is_option(&word, &["net", "nic", "netdev"]) {
            words.next();
        } else {
            kept.push(word);
        }
    }
    launch.args = kept;
}

/// An address of this machine's own: QEMU's `52:54` with the instance behind it, `52:56` for a second card. Both are
/// locally administered.
fn mac_address(station: u32, card: u8) -> String {
    let [a, b, c, d] = station.to_be_bytes();
    format!("52:{card:02x}:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_where_the_own_network_shows_it() {
        let check = |options: &[&str], expected: Option<[u8; 4]>| {
            let device = options.iter().map(|&word| word.to_owned()).collect();
            let words = Words { device, ..Words::default() };
            let expected = expected.map_or(HostSeen::AsOthers, |ip| HostSeen::LoopbackAt(ip.into()));
            assert_eq!(host_seen(None, &words), expected, "{options:?}");
        };
        check(&[], Some([10, 0, 2, 2]));
        check(&["-net", "nic,model=virtio", "-net", "user"], Some([10, 0, 2, 2]));
        check(&["-netdev", "user,id=n,net=172.20.51.0/24"], Some([172, 20, 51, 2]));
        check(&["-nic", "user,net=10.1.0.0/16,host=10.1.0.9"], Some([10, 1, 0, 9]));
        check(&["-net", "nic", "-net", "tap"], None);
        check(&["-nic", "none"], None);
    }
}
