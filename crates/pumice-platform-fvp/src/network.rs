//! The network of a model of the library (fastmodels 6.1).

use pumice_plan::NetworkSpec;
use pumice_platform::{HostNetwork, Launch, PortForward};

use crate::entry::Entry;

/// A model speaks no protocol of a switch in user space.
pub(crate) const NO_LAN: &str = "a model does not join the network that the machines of a MultiNode job share; give \
                                 it `network: {mode: tap, bridge: NAME}` on a bridge of this host";

/// Passes the network the device or the job describes to the model. Models say nothing when a forward fails, so
/// each is a [`PortForward`]: looked at before the start and tried after.
pub(crate) fn attach(launch: &mut Launch, network: &NetworkSpec, entry: &Entry, instance: u32) {
    let (Some(card), Some(bridge)) = (entry.network("card"), entry.network("bridge")) else {
        launch.notes.push(format!("the model {} has no network card that pumice knows of", entry.name));
        return;
    };
    let mut set = |name: String, value: &str| {
        launch.args.extend(["-C".to_owned(), format!("{name}={value}")]);
    };
    let enabled = u8::from(*network != NetworkSpec::None).to_string();
    set(format!("{card}.enabled"), &enabled);
    let own = mac_address(instance);
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
            let forwards = forwards.iter();
            launch.forwards.extend(
                forwards.map(|one| PortForward { host_port: one.host_port, guest_port: one.guest_port }),
            );
        }
        NetworkSpec::Tap { bridge: host_bridge, mac, forwards } => {
            let tap = format!("pmc{instance:x}");
            set(format!("{card}.mac_address"), mac.as_deref().unwrap_or(&own));
            set(format!("{bridge}.userNetworking"), "0");
            set(format!("{bridge}.interfaceName"), &tap);
            let forwards = forwards.iter();
            launch.forwards.extend(
                forwards.map(|one| PortForward { host_port: one.host_port, guest_port: one.guest_port }),
            );
            launch.network = Some(match host_bridge {
                Some(bridge) => HostNetwork::Bridge { tap, bridge: bridge.clone() },
                None => HostNetwork::Namespace { tap },
            });
        }
        NetworkSpec::Shared { .. } => {
            launch.notes.push(NO_LAN.to_owned());
        }
    }
}

/// A locally administered address of this machine's own: by default all instances have the same (fastmodels 6.1).
fn mac_address(instance: u32) -> String {
    let [high, b, c, d] = instance.to_be_bytes();
    format!("02:50:{high:02x}:{b:02x}:{c:02x}:{d:02x}")
}
