//! The network of a model of the library (fastmodels 6.1).

use pumice_plan::{Forward, NetworkSpec};
use pumice_platform::{Bound, HostNetwork, Launch, PortForward};

use crate::{entry::Entry, options};

/// A model speaks no protocol of a switch in user space.
pub(crate) const NO_LAN: &str = "a model does not join the network that the machines of a MultiNode job share; give \
                                 it `network: {mode: tap, bridge: NAME}` on a bridge of this host";

/// Passes the network the device or the job describes to the model. Models say nothing when a forward fails, so
/// each is a [`PortForward`]: looked at before the start and tried after.
pub(crate) fn attach(launch: &mut Launch, network: &NetworkSpec, entry: &Entry, bound: &Bound) {
    let mode = match network {
        NetworkSpec::None => "none",
        NetworkSpec::User { .. } => "user",
        NetworkSpec::Tap { .. } | NetworkSpec::Shared { .. } => "tap",
    };
    let tap = format!("pmc{:x}", bound.instance);
    if let Some(words) = entry.network_words(mode) {
        launch.args.extend(words.iter().map(|word| word.replace("{tap}", &tap)));
        match network {
            NetworkSpec::User { forwards, .. } if !forwards.is_empty() => launch
                .notes
                .push(format!("the model {} forwards no ports that pumice could ask it for", entry.name)),
            NetworkSpec::Tap { bridge, forwards, .. } => make(launch, tap, bridge.as_deref(), forwards),
            _ => {}
        }
        return;
    }
    let (Some(card), Some(bridge)) = (entry.network("card"), entry.network("bridge")) else {
        launch.notes.push(format!("the model {} has no network card that pumice knows of", entry.name));
        return;
    };
    let mut set = |name: String, value: &str| {
        launch.args.extend(["-C".to_owned(), format!("{name}={value}")]);
    };
    let enabled = u8::from(*network != NetworkSpec::None).to_string();
    set(format!("{card}.enabled"), &enabled);
    let own = mac_address(bound.station());
    match network {
        NetworkSpec::None => {}
        NetworkSpec::User { forwards, mac } => {
            set(format!("{card}.mac_address"), mac.as_deref().unwrap_or(&own));
            set(format!("{bridge}.userNetworking"), "1");
            let pairs: Vec<_> =
                forwards.iter().map(|one| format!("{}={}", one.host_port, one.guest_port)).collect();
            if !pairs.is_empty() {
                set(format!("{bridge}.userNetPorts"), &pairs.join(","));
            }
            launch.forwards.extend(forwards.iter().copied().map(forward));
        }
        NetworkSpec::Tap { bridge: host_bridge, mac, forwards } => {
            set(format!("{card}.mac_address"), mac.as_deref().unwrap_or(&own));
            set(format!("{bridge}.userNetworking"), "0");
            set(format!("{bridge}.interfaceName"), &tap);
            make(launch, tap, host_bridge.as_deref(), forwards);
        }
        NetworkSpec::Shared { .. } => {
            launch.notes.push(NO_LAN.to_owned());
        }
    }
}

/// Has the tap made on the host.
fn make(launch: &mut Launch, tap: String, bridge: Option<&str>, forwards: &[Forward]) {
    launch.forwards.extend(forwards.iter().copied().map(forward));
    launch.network = Some(match bridge {
        Some(bridge) => HostNetwork::Bridge { tap, bridge: bridge.to_owned() },
        None => HostNetwork::Namespace { tap },
    });
}

fn forward(one: Forward) -> PortForward {
    PortForward { host_port: one.host_port, guest_port: one.guest_port }
}

/// The forwards in the words of a job: `INSTANCE.userNetPorts=[host-ip:]hport=[model-ip:]mport[,…]`, where user
/// networking is not switched off (fastmodels 6.1). What is no such list is the model's affair, which says nothing.
pub(crate) fn claims(words: &[String]) -> Vec<PortForward> {
    let mut found = Vec::new();
    for (name, value) in options::parameters(words) {
        let Some(bridge) = name.strip_suffix(".userNetPorts") else { continue };
        let switch = options::parameter(words, &format!("{bridge}.userNetworking"));
        if !switch.is_some_and(options::is_on) {
            continue;
        }
        let port = |side: &str| side.rsplit(':').next()?.trim().parse().ok();
        found.extend(value.split(',').filter_map(|pair| {
            let (host, guest) = pair.split_once('=')?;
            Some(PortForward { host_port: port(host)?, guest_port: port(guest)? })
        }));
    }
    found
}

/// A locally administered address of this machine's own: by default all instances have the same (fastmodels 6.1).
fn mac_address(station: u32) -> String {
    let [high, b, c, d] = station.to_be_bytes();
    format!("02:50:{high:02x}:{b:02x}:{c:02x}:{d:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwards_are_read_from_the_models_own_words() {
        let check = |words: &[&str], expected: &[(u16, u16)]| {
            let words: Vec<_> = words.iter().flat_map(|word| ["-C".to_owned(), (*word).to_owned()]).collect();
            let found: Vec<_> =
                claims(&words).iter().map(|claim| (claim.host_port, claim.guest_port)).collect();
            assert_eq!(found, expected, "{words:?}");
        };
        let on = "bp.hostbridge.userNetworking=1";
        check(
            &[on, "bp.hostbridge.userNetPorts=5022=22,127.0.0.1:8080=10.0.2.15:80"],
            &[(5022, 22), (8080, 80)],
        );
        check(&[on, "bp.hostbridge.userNetPorts=nonsense,=,7=x"], &[]);
        check(&["bp.hostbridge.userNetPorts=5022=22"], &[]);
        check(&["bp.hostbridge.userNetworking=0", "bp.hostbridge.userNetPorts=5022=22"], &[]);
    }
}
