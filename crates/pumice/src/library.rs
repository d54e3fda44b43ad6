//! What ships inside the program.

/// The device types that ship with pumice, by file name.
pub(crate) const DEVICE_TYPES: &[(&str, &str)] = &[
    ("base.jinja2", include_str!("../../../library/device-types/base.jinja2")),
    ("command.jinja2", include_str!("../../../library/device-types/command.jinja2")),
    ("docker.jinja2", include_str!("../../../library/device-types/docker.jinja2")),
    ("fvp.jinja2", include_str!("../../../library/device-types/fvp.jinja2")),
    ("kvm.jinja2", include_str!("../../../library/device-types/kvm.jinja2")),
    ("qemu-aarch64.jinja2", include_str!("../../../library/device-types/qemu-aarch64.jinja2")),
    ("qemu.jinja2", include_str!("../../../library/device-types/qemu.jinja2")),
    ("ssh.jinja2", include_str!("../../../library/device-types/ssh.jinja2")),
    ("uml.jinja2", include_str!("../../../library/device-types/uml.jinja2")),
];
