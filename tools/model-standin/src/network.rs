//! The guest's network (reference, section 6.1).

use crate::journal;
use crate::model::Model;

/// A port of the host that leads to a port of the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Forward {
    /// QEMU's words: `tcp:HOST:PORT-GUEST:PORT`.
    pub(crate) rule: String,
}

/// What is behind the guest's network device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// Nothing: the interface has no other end.
    None,
    /// A router in the process.
    User { subnet: String, forwards: Vec<Forward> },
    /// A tap interface of the host.
    Tap(String),
}

/// The guest's network device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nic {
    pub(crate) mac: String,
    pub(crate) backend: Backend,
}

/// The device that is enabled: virtio where both are, since it is the quicker one.
pub(crate) fn nic(model: &Model) -> Option<Nic> {
    let roles = &model.roles;
    let (device, bridge) = if model.role_flag(roles.virtio_net.as_ref(), "enabled") {
        (roles.virtio_net.as_ref(), roles.virtio_net_hostbridge.as_ref())
    } else if model.role_flag(roles.nic.as_ref(), "enabled") {
        (roles.nic.as_ref(), roles.hostbridge.as_ref())
    } else {
        return None;
    };
    let mac = match model.role_text(device, "mac_address") {
        "auto" => mac_from(std::process::id()),
        mac => mac.to_owned(),
    };
    let interface = model.role_text(bridge, "interfaceName");
    let backend = if model.role_flag(bridge, "userNetworking") {
        Backend::User {
            subnet: model.role_text(bridge, "userNetSubnet").to_owned(),
            forwards: forwards(model.role_text(bridge, "userNetPorts")),
        }
    } else if interface.is_empty() {
        Backend::None
    } else {
        Backend::Tap(interface.to_owned())
    };
    Some(Nic { mac, backend })
}

/// A locally administered address that differs between instances.
fn mac_from(seed: u32) -> String {
    let [a, b, c, d] = seed.to_be_bytes();
    format!("02:4d:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// `[host-ip:]hport=[model-ip:]mport[,…]`. A list with a mistake leads to no forward at all, and to no word about
/// it: "If setup fails, or the parameter syntax is incorrect, there is no error reporting" (`100964_1110`, 1.11.1).
fn forwards(text: &str) -> Vec<Forward> {
    if text.is_empty() {
        return Vec::new();
    }
    let all: Option<Vec<Forward>> = text.split(',').map(forward).collect();
    all.unwrap_or_else(|| {
        journal::note(&format!("userNetPorts={text}: not understood, no port is forwarded"));
        Vec::new()
    })
}

fn forward(text: &str) -> Option<Forward> {
    let (host, guest) = text.split_once('=')?;
    let side = |text: &str| {
        let (address, port) = text.rsplit_once(':').unwrap_or(("", text));
        let port = port.trim().parse::<u16>().ok().filter(|port| *port != 0)?;
        Some(format!("{}:{port}", address.trim()))
    };
    Some(Forward { rule: format!("tcp:{}-{}", side(host)?, side(guest)?) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelName;

    #[track_caller]
    fn check(parameters: &[&str], expected: Option<&Backend>) {
        let mut model = Model::new(ModelName::parse("FVP_Base_RevC-2xAEMvA").unwrap()).unwrap();
        for assignment in parameters {
            let (name, value) = assignment.split_once('=').unwrap();
            model.parameters.set(&format!("bp.{name}"), value).unwrap();
        }
        assert_eq!(nic(&model).map(|nic| nic.backend).as_ref(), expected);
    }

    fn user(rules: &[&str]) -> Backend {
        let forwards = rules.iter().map(|rule| Forward { rule: (*rule).to_owned() }).collect();
        Backend::User { subnet: "172.20.51.0/24".into(), forwards }
    }

    #[test]
    fn the_enabled_device_and_its_own_bridge_count() {
        check(&["hostbridge.userNetworking=1"], None);
        check(&["smsc_91c111.enabled=1"], Some(&Backend::None));
        check(
            &["smsc_91c111.enabled=1", "hostbridge.interfaceName=tap01"],
            Some(&Backend::Tap("tap01".into())),
        );
        check(&["virtio_net.enabled=1", "virtio_net.hostbridge.userNetworking=1"], Some(&user(&[])));
    }

    #[test]
    fn port_lists_are_read_and_a_mistake_in_one_is_silent() {
        let with = |ports: &str| {
            [
                "smsc_91c111.enabled=1".to_owned(),
                "hostbridge.userNetworking=1".to_owned(),
                format!("hostbridge.userNetPorts={ports}"),
            ]
        };
        let check = |ports: &str, rules: &[&str]| {
            let parameters = with(ports);
            check(&parameters.each_ref().map(String::as_str), Some(&user(rules)));
        };
        check(
            "8022=22,127.0.0.1:5555=172.20.51.1:5555",
            &["tcp::8022-:22", "tcp:127.0.0.1:5555-172.20.51.1:5555"],
        );
        check("8022=22,nonsense", &[]);
    }
}
