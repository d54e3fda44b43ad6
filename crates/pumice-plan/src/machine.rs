//! What a plan knows of a machine, and what it has to ask the platform that will make it.
//!
//! The plan stands above the platforms, so it asks them through [`MachinePlanner`], a trait of pure
//! functions. The seam itself (`pumice-platform`) extends it with what starts a machine.

use core::{net::Ipv4Addr, time::Duration};
use std::collections::BTreeMap;

use pumice_types::{Diagnostics, Span, Spanned};
use pumice_yaml::Node;
use serde::Serialize;

/// Everything a platform needs to know to say what it would start. Plain data, made by the plan.
#[derive(Clone, Debug, Serialize)]
pub struct MachineSpec {
    /// The platform's name.
    pub platform: String,
    /// The boot method, as the job names it.
    pub method: Spanned<String>,
    /// The namespace the machine lives in.
    pub namespace: String,
    /// The device's own part for the method, `actions.boot.methods.METHOD` (lava-compat 2.4). Null when the
    /// device has none.
    pub device: Node,
    /// The boot block as written.
    pub boot: Node,
    /// The job's `context`, its values as text.
    pub context: BTreeMap<String, String>,
    /// The files deployed in this namespace, in the order of the job.
    pub images: Vec<ImageSpec>,
    /// The entry of the model library the device or the job names, as JSON; null when none is named.
    pub model: Node,
    /// The network the device or the job asks for; `None` leaves it to the device's own arguments.
    pub network: Option<NetworkSpec>,
    /// Whether it has a card, beside its own network, on the one that the machines of its MultiNode job share.
    pub joins_lan: bool,
    /// Whether a test will want a channel of its own for its signals (design, decision 1).
    pub wants_channel: bool,
    /// How the overlay reaches the guest, once that is decided.
    pub overlay: Option<OverlayDelivery>,
    /// The disk that carries an overlay, as the device describes it.
    pub guest_disk: GuestDisk,
}

impl MachineSpec {
    /// The image with this label.
    pub fn image(&self, label: &str) -> Option<&ImageSpec> {
        self.images.iter().find(|image| image.label == label)
    }
}

/// One deployed file, as the machine sees it.
#[derive(Clone, Debug, Serialize)]
pub struct ImageSpec {
    /// Its label in the job.
    pub label: String,
    /// Where the label stands.
    #[serde(skip)]
    pub span: Span,
    /// The text the job gives for it, with `{LABEL}` for the file's path.
    pub image_arg: Option<Spanned<String>>,
    /// The format, where the job says one: `ext4`, `cpio.newc`, `tar`, `qcow2`.
    pub format: Option<String>,
}

/// The network of a machine, in one description for every platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "mode")]
pub enum NetworkSpec {
    /// No network card.
    None,
    /// The simulator's own network: outbound only, but for the ports forwarded.
    User {
        /// Ports of this host that lead into the guest.
        forwards: Vec<Forward>,
        /// The card's address; unique per machine when not given.
        mac: Option<String>,
    },
    /// A tap device: in a namespace of its own, or on a bridge the operator names.
    Tap {
        /// The bridge; `None` makes a network namespace with DHCP and a way out.
        bridge: Option<String>,
        /// Ports of this host that lead into the guest.
        forwards: Vec<Forward>,
        /// The card's address; unique per machine when not given.
        mac: Option<String>,
    },
    /// A network that the machines of one MultiNode job share, on this host only.
    Shared {
        /// Its name within the job.
        name: String,
        /// The card's address; unique per machine when not given.
        mac: Option<String>,
    },
}

/// One forwarded TCP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Forward {
    /// The port on this host, on the loopback address; 0 for a free one.
    pub host_port: u16,
    /// The port in the guest.
    pub guest_port: u16,
}

/// How the overlay reaches the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum OverlayDelivery {
    /// A cpio archive appended to this initramfs: the kernel reads archives one after the other.
    Initramfs {
        /// The image's label.
        label: String,
    },
    /// A small disk of its own.
    Disk,
    /// Written into an image, as the job's `overlays: {lava: true}` asks.
    Image {
        /// The image's label.
        label: String,
    },
    /// Fetched by the guest over HTTP with the commands of `transfer_overlay`.
    Transfer,
    /// Copied to a machine that runs already, over SSH, and unpacked there.
    Copied,
    /// A directory the machine shares or is given as it is.
    Directory,
}

/// The disk that carries an overlay (`actions.deploy.methods.image.parameters.guest`, lava-compat 2.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GuestDisk {
    /// Its size in MiB.
    pub size_mib: u64,
    /// The interface it hangs on, as the device names it.
    pub interface: String,
    /// The id of the drive.
    pub drive_id: String,
}

impl Default for GuestDisk {
    /// LAVA's defaults (lava-compat 2.5).
    fn default() -> Self {
        Self { size_mib: 512, interface: "virtio".to_owned(), drive_id: "lavatest".to_owned() }
    }
}

/// The names LAVA gives to the steps that boot by one method. Users see them in results and set them in
/// `timeouts`, so they are part of the platform's compatibility.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BootSteps {
    /// The whole block, for example the one that is retried.
    pub block: &'static str,
    /// The step that holds those that start the machine; `None` when LAVA has no such level.
    pub group: Option<&'static str>,
    /// Looks at the simulator before it is started; `None` when LAVA has no such step.
    pub version: Option<&'static str>,
    /// Starts the machine.
    pub start: &'static str,
    /// Connects its console; `None` when that is part of the start.
    pub connect: Option<&'static str>,
    /// Runs something beside the simulator; `None` where the language has no such thing.
    pub beside: Option<BesideSteps>,
    /// Runs an installer first, and waits for its end; `None` for what is installed already.
    pub install: Option<[&'static str; 2]>,
}

/// The steps that run something beside the simulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BesideSteps {
    /// Runs a deployed file.
    pub file: &'static str,
    /// Runs commands.
    pub commands: &'static str,
}

/// A way to deploy that a platform serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeployWay {
    /// The word behind `to` in a job.
    pub to: &'static str,
    /// The key of the device's `actions.deploy.methods` that must be there; empty for none.
    pub device_method: &'static str,
    /// LAVA's name for the block.
    pub step: &'static str,
}

/// A device in the guest that may be the channel for signals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChannelDevice {
    /// Its path, or a shell pattern for it.
    pub path: String,
    /// Whether it takes bytes as soon as the guest has it: to open it waits for nobody, and its speed need not be set.
    pub is_ready: bool,
}

/// What a platform answers to a plan: the shape of the machine, before any file exists. Pure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outline {
    /// LAVA's names for its steps.
    pub steps: BootSteps,
    /// The ways an overlay can reach this machine, the cheapest first. Those that the job asks for by name
    /// are not listed.
    pub overlays: Vec<OverlayDelivery>,
    /// The devices in the guest that may be the channel for signals, the likeliest first; empty when there
    /// is no channel.
    pub channel_devices: Vec<ChannelDevice>,
    /// What the machine does with each image, by label. One that is not listed is read and written.
    pub image_uses: BTreeMap<String, ImageUse>,
    /// The licence it needs, as the operator's configuration names it.
    pub licence: Option<String>,
    /// Where the guest sees this host.
    pub host: HostSeen,
    /// How many times slower than usual it is: all timeouts of its steps are multiplied by it. 1 for most.
    pub time_factor: u32,
    /// How long its boot usually may take, where it is known: for steps to which nobody gives a time by name.
    pub boot_time: Option<Duration>,
}

/// Where a guest sees this host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostSeen {
    /// What listens on this host's loopback address is seen at this one: the simulator's own network leads there, or
    /// what is made for the machine on this host.
    LoopbackAt(Ipv4Addr),
    /// At the address that this host has on this bridge.
    OnBridge(String),
    /// As anybody else does, at the address that this host has for the world.
    #[default]
    AsOthers,
}

/// What a machine does with an image: how cheap a view of it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageUse {
    /// Reads it.
    Read,
    /// Writes it in place, in its own format.
    Write,
    /// Writes it as a disk, and takes a qcow2 image in its place.
    Disk,
}

/// The part of a platform that a plan may ask. Pure: the server, the editor and the command line call it.
pub trait MachinePlanner: Send + Sync {
    /// The platform's name.
    fn name(&self) -> &'static str;

    /// The boot methods it serves, as jobs name them.
    fn methods(&self) -> &'static [&'static str];

    /// The ways to deploy it serves.
    fn deploys(&self) -> &'static [DeployWay];

    /// The key of the device's `actions.boot.methods` that a boot method reads.
    fn device_method<'a>(&self, method: &'a str) -> &'a str {
        method
    }

    /// Whether the device must have that key. A platform whose jobs say everything themselves needs none.
    fn needs_device_method(&self) -> bool {
        true
    }

    /// Whether a machine without any deployed file is hardly what was meant.
    fn needs_images(&self) -> bool {
        true
    }

    /// Every mistake in the platform's part of a device and a job.
    fn check(&self, spec: &MachineSpec) -> Diagnostics;

    /// The shape of the machine. Called only for a spec without errors.
    fn outline(&self, spec: &MachineSpec) -> Outline;
}
