//! The network of a machine: its card, what the card is wired to, and where this host is seen from it.

use std::{fmt::Write as _, net::Ipv4Addr};

use pumice_plan::NetworkSpec;
use pumice_platform::{HostNetwork, Launch, PortForward};

use crate::{
    arguments::{Words, is_option},
    board::Board,
};

/// Where the simulator's own network shows this host, when nobody says otherwise (QEMU's documentation, "Network
/// emulation", `-netdev user`: `host=`).
const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

/// The address by which a guest reaches what listens on this host's loopback address: that of the simulator's own
/// network. `None` for a guest that is wired to something else, or to nothing.
pub(crate) fn host_address(network: Option<&NetworkSpec>, words: &Words) -> Option<Ipv4Addr> {
    match network {
        Some(NetworkSpec::User { .. }) => return Some(HOST),
        Some(_) => return None,
        None => {}
    }
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

/// Wires the card as the description says, in place of what the device's options say.
pub(crate) fn attach_network(launch: &mut Launch, network: &NetworkSpec, board: &Board, instance: u32) {
    let own = format!(
        "52:54:00:{:02x}:{:02x}:{:02x}",
        instance >> 16 & 0xff,
        instance >> 8 & 0xff,
        instance & 0xff
    );
    let card = if board.has_pci() { "virtio" } else { "lan9118" };
    // What the description says replaces what the device's options say.
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
    let nic = |launch: &mut Launch, backend: String, mac: &Option<String>| {
        let mac = mac.as_ref().unwrap_or(&own);
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
        NetworkSpec::Tap { bridge, mac, .. } => {
            let tap = format!("pmc{instance:x}");
            nic(launch, format!("tap,ifname={tap},script=no,downscript=no"), mac);
            launch.network = Some(match bridge {
                Some(bridge) => HostNetwork::Bridge { tap, bridge: bridge.clone() },
                None => HostNetwork::Namespace { tap },
            });
        }
        NetworkSpec::Shared { name, mac } => {
            // A multicast group of the loopback interface: QEMU's own way to join machines of one host.
            let group = name.bytes().fold(5381_u32, |hash, byte| hash.wrapping_mul(33) ^ u32::from(byte));
            let port = 20_000 + group % 20_000;
            nic(launch, format!("socket,mcast=239.192.168.{}:{port},localaddr=127.0.0.1", group % 250), mac);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_where_the_own_network_shows_it() {
        let check = |options: &[&str], expected: Option<[u8; 4]>| {
            let device = options.iter().map(|&word| word.to_owned()).collect();
            let words = Words { device, ..Words::default() };
            assert_eq!(host_address(None, &words), expected.map(Ipv4Addr::from), "{options:?}");
        };
        check(&[], Some([10, 0, 2, 2]));
        check(&["-net", "nic,model=virtio", "-net", "user"], Some([10, 0, 2, 2]));
        check(&["-netdev", "user,id=n,net=172.20.51.0/24"], Some([172, 20, 51, 2]));
        check(&["-nic", "user,net=10.1.0.0/16,host=10.1.0.9"], Some([10, 1, 0, 9]));
        check(&["-net", "nic", "-net", "tap"], None);
        check(&["-nic", "none"], None);
    }
}
