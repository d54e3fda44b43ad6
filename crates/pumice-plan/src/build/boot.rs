//! Plans boot blocks.

use std::collections::BTreeMap;

use pumice_job::{Action, Boot as JobBoot, BootDetail, Image};
use pumice_types::{Code, Diagnostic};
use pumice_yaml::{Node, Value};

use super::{Builder, ORDER, on_timeout, tries, unsupported::UNSUPPORTED};
use crate::{
    boot::{Beside, BesideWhat, Boot, BootKind, BootloaderPlan, Install, Login, StartMachine, Unpack},
    container::{ContainerOptions, ContainerPlan},
    machine::{
        GuestDisk, HostSeen, ImageSpec, MachinePlanner, MachineSpec, NetworkSpec, Outline, OverlayDelivery,
    },
    plan::Block,
    scope::{BlockScopes, Scope, Tries},
};

/// The job asks for a login, or for a shell, and names no prompt.
pub(super) const NO_PROMPTS: Code = Code("no-prompts");

/// A deployed file, and what is taken out of it.
fn image_specs(image: &Image) -> Vec<ImageSpec> {
    let format = image.resource.format.as_ref().map(|format| {
        serde_json::to_value(format.value)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default()
    });
    let image_arg = image.resource.image_arg.clone();
    let own = ImageSpec { label: image.label.value.clone(), span: image.label.span, image_arg, format };
    let taken = image.resource.extract.iter().map(|file| ImageSpec {
        label: file.name.value.clone(),
        span: file.name.span,
        image_arg: None,
        format: None,
    });
    std::iter::once(own).chain(taken).collect()
}

/// What runs beside a model, in LAVA's order (lava-compat 10.2): a file, which may be written as a label or as in
/// arguments, `{LABEL}`; then commands.
fn beside(boot: &JobBoot) -> Vec<BesideWhat> {
    let BootDetail::Model(model) = &boot.detail else { return Vec::new() };
    let label = |text: &str| text.trim_matches(['{', '}']).to_owned();
    let file = model.erpc_app.iter().map(|file| BesideWhat::File(label(&file.value)));
    let commands = model.commands.iter().map(|command| command.value.clone()).collect::<Vec<_>>();
    let commands = (!commands.is_empty()).then_some(BesideWhat::Commands(commands));
    file.chain(commands).collect()
}

impl<'a> Builder<'a> {
    /// The machine a boot block asks for and who plans it; `None` when it starts none, or nobody serves it.
    pub(crate) fn machine_spec(
        &self,
        boot: &JobBoot,
        index: usize,
    ) -> Option<(&'a dyn MachinePlanner, MachineSpec)> {
        let method = boot.method.value.as_str();
        let planner = *self.planners.iter().find(|planner| planner.methods().contains(&method))?;
        let key = planner.device_method(method);
        let device = self.device.boot_method(key).cloned().unwrap_or_default();
        let namespace = boot.block.namespace();
        let images = self
            .ahead
            .deploys_before(namespace, index)
            .flat_map(|deploy| deploy.images.iter().chain(&deploy.files))
            .flat_map(image_specs)
            .collect();
        let context = self.job.context.iter();
        let context = context.filter_map(|entry| Some((entry.key.clone(), entry.value.scalar_text()?)));
        let network = self.network(boot);
        // One that says what its network is has that and no other.
        let joins_lan = self.job.node.is_some() && network.is_none();
        let spec = MachineSpec {
            platform: planner.name().to_owned(),
            method: boot.method.clone(),
            namespace: namespace.to_owned(),
            device,
            boot: Node { span: boot.block.span, value: Value::Map(boot.fields.clone()) },
            context: context.collect::<BTreeMap<_, _>>(),
            images,
            model: self.model(boot),
            network,
            joins_lan,
            wants_channel: self.options.use_channel && self.ahead.needs_shell(namespace),
            overlay: None,
            guest_disk: self.guest_disk(),
        };
        Some((planner, spec))
    }

    /// The entry of the model library: the one the block names, else the device's.
    fn model(&self, boot: &JobBoot) -> Node {
        let named = boot.model.as_ref().and_then(|name| self.options.models.get(&name.value));
        named.unwrap_or(&self.options.model).clone()
    }

    /// The network: as the block describes it, else as the command line or the device does.
    fn network(&self, boot: &JobBoot) -> Option<NetworkSpec> {
        let described = boot.fields.get("network").or(self.device.network.as_ref());
        let given = boot.fields.get("network").is_none().then(|| self.options.network.clone()).flatten();
        given.or_else(|| described.and_then(|node| NetworkSpec::read(node).ok()))
    }

    pub(crate) fn guest_disk(&self) -> GuestDisk {
        let defaults = GuestDisk::default();
        let guest = self.device.node.at(&["actions", "deploy", "methods", "image", "parameters", "guest"]);
        let text = |key| guest.and_then(|node| node.get(key)).and_then(Node::scalar_text);
        let size = guest.and_then(|node| node.get("size")).and_then(Node::as_i64);
        GuestDisk {
            size_mib: size.and_then(|size| u64::try_from(size).ok()).unwrap_or(defaults.size_mib),
            interface: text("interface").unwrap_or(defaults.interface),
            drive_id: text("driveid").unwrap_or(defaults.drive_id),
        }
    }

    pub(crate) fn boot(
        &mut self,
        boot: &JobBoot,
        index: usize,
        number: u32,
        scopes: &mut BlockScopes<'_>,
    ) -> Option<Block> {
        let namespace = boot.block.namespace();
        let retries = tries(&boot.block, self.device.constants.boot_retry);
        let needs_shell = self.ahead.needs_shell(namespace);
        let (scope, kind) = self.boot_kind(boot, index, number, retries, scopes)?;
        let bootloader = boot.bootloader.as_ref().map(|bootloader| BootloaderPlan {
            interrupt: scopes.step(&scope, "bootloader-interrupt"),
            commands: scopes.step(&scope, "bootloader-commands"),
            bootloader: bootloader.clone(),
        });
        let login = self.login(boot, &scope, retries, scopes);
        let has_login = login.is_some();
        let shell = (needs_shell && (has_login || boot.method.value == "docker"))
            .then(|| scopes.step(&scope, "expect-shell-connection"));
        let unpack = match &boot.transfer_overlay {
            Some(transfer) if self.ahead.needs_guest_overlay(namespace) => {
                Some(Unpack { scope: scopes.step(&scope, "overlay-unpack"), transfer: transfer.clone() })
            }
            _ => None,
        };
        let steps = self.outline_of(index).and_then(|(_, outline)| outline.steps.beside);
        let beside = steps.map_or_else(Vec::new, |steps| {
            let named = |what| {
                let name = if matches!(what, BesideWhat::File(_)) { steps.file } else { steps.commands };
                Beside { scope: scopes.step(&scope, name), what }
            };
            beside(boot).into_iter().map(named).collect()
        });
        let environment = shell.is_some().then(|| scopes.step(&scope, "export-device-env"));
        let mount_overlay = match &kind {
            BootKind::Machine(machine) => {
                machine.spec.overlay.clone().filter(|by| *by == OverlayDelivery::Disk)
            }
            _ => None,
        };
        Some(Block::Boot(Box::new(Boot {
            scope,
            kind,
            bootloader,
            login,
            shell,
            unpack,
            beside,
            mount_overlay,
            environment,
            on_timeout: on_timeout(&boot.block, false),
        })))
    }

    fn boot_kind(
        &mut self,
        boot: &JobBoot,
        index: usize,
        number: u32,
        retries: Option<Tries>,
        scopes: &mut BlockScopes<'_>,
    ) -> Option<(Scope, BootKind)> {
        if self.check_connection_role(boot).is_some() {
            return None;
        }
        let method = boot.method.value.as_str();
        match (method, &boot.detail) {
            ("new_connection", _) => {
                let scope = scopes.block(number, "new-connection", retries);
                Some((scope, self.new_connection(boot)?))
            }
            ("minimal", BootDetail::Minimal(instance)) => {
                self.needs_machine(boot, index)?;
                let scope = scopes.block(number, "minimal-boot", retries);
                let pre_power =
                    self.named_commands("pre_power_command", instance.pre_power_command, instance.span);
                let pre_os = self.named_commands("pre_os_command", instance.pre_os_command, instance.span);
                Some((scope, BootKind::Minimal { instance: instance.clone(), pre_power, pre_os }))
            }
            ("kexec", BootDetail::Kexec(kexec)) => {
                self.needs_machine(boot, index)?;
                let scope = scopes.block(number, "kexec-boot", retries);
                let call = scopes.step(&scope, "call-kexec");
                Some((scope, BootKind::Kexec { kexec: kexec.clone(), call }))
            }
            ("docker", BootDetail::Container(netboot)) => {
                self.device_boots(boot, "docker")?;
                let scope = scopes.block(number, "boot-docker", retries);
                let step = scopes.step(&scope, "docker-run");
                Some((scope, self.container_boot(boot, netboot, index, step)?))
            }
            ("ssh", BootDetail::Ssh(ssh)) => {
                self.device_boots(boot, "ssh")?;
                let target = Box::new(self.ssh_target(boot, ssh)?);
                let scope = scopes.block(number, "login-ssh", retries);
                let namespace = boot.block.namespace();
                let has_files = self.ahead.deploys_before(namespace, index).any(|one| one.to.value == "ssh");
                let copies = has_files || self.ahead.needs_overlay(namespace);
                let copy = copies.then(|| scopes.step(&scope, "scp-deploy"));
                let connect = scopes.step(&scope, "primary-ssh");
                Some((scope, BootKind::Ssh { target, copy, connect }))
            }
            _ => self.start_machine(boot, index, number, retries, scopes),
        }
    }

    fn start_machine(
        &mut self,
        boot: &JobBoot,
        index: usize,
        number: u32,
        retries: Option<Tries>,
        scopes: &mut BlockScopes<'_>,
    ) -> Option<(Scope, BootKind)> {
        let Some((planner, mut spec)) = self.machine_spec(boot, index) else {
            let known: Vec<_> =
                self.planners.iter().flat_map(|planner| planner.methods().iter().copied()).collect();
            let message = format!("booting with method `{}` is not supported yet", boot.method.value);
            let meant = pumice_types::nearest(&boot.method.value, known.iter().copied()).map(str::to_owned);
            self.diagnostics.push(
                Diagnostic::error(UNSUPPORTED, boot.method.span, message)
                    .help(format!("there is: {}", known.join(", ")))
                    .suggest(meant),
            );
            return None;
        };
        let described = boot.fields.get("network").or(self.device.network.as_ref());
        if let Some(Err(mistake)) = described.map(NetworkSpec::read) {
            self.diagnostics.push(*mistake);
            return None;
        }
        if let (Some(NetworkSpec::Shared { .. }), None) = (&spec.network, &self.job.node) {
            let span = described.map_or(boot.block.word_span, |node| node.span);
            self.diagnostics.push(NetworkSpec::nobody_shares(span));
            return None;
        }
        if planner.needs_device_method() {
            self.device_boots(boot, planner.device_method(&boot.method.value))?;
        }
        let found = planner.check(&spec);
        let failed = found.has_errors();
        self.diagnostics.extend(found);
        if failed {
            return None;
        }
        let outline = self.outline(planner, &spec, boot);
        let deploys: Vec<_> = self.ahead.deploys_before(boot.block.namespace(), index).collect();
        if deploys.is_empty() && spec.images.is_empty() && planner.needs_images() {
            let message = "nothing is deployed in this namespace before it is booted";
            self.diagnostics.push(
                Diagnostic::warning(ORDER, boot.method.span, message)
                    .help("put a `deploy` block with the machine's images before this one"),
            );
        }
        spec.overlay = self.overlay_of(boot, index, &outline.overlays);
        let scope = scopes.block(number, outline.steps.block, retries);
        let group = outline.steps.group.map(|name| scopes.step_with_tries(&scope, name, retries));
        let parent = group.as_ref().unwrap_or(&scope).clone();
        let version = outline.steps.version.map(|name| scopes.step(&parent, name));
        let install = outline.steps.install.map(|[start, end]| Install {
            start: scopes.step(&parent, start),
            end: scopes.step(&parent, end),
        });
        let start = scopes.step(&parent, outline.steps.start);
        let connect = outline.steps.connect.map(|name| scopes.step(&parent, name));
        let channel_devices = if spec.wants_channel { outline.channel_devices } else { Vec::new() };
        let mut licences: Vec<_> = outline.licence.into_iter().collect();
        licences.extend(
            self.device.licences.iter().filter(|name| !licences.contains(name)).cloned().collect::<Vec<_>>(),
        );
        let container = self.container_of(planner, boot);
        let host = outline.host;
        let machine = StartMachine {
            spec,
            group,
            version,
            install,
            start,
            connect,
            channel_devices,
            host,
            licences,
            container,
            needs_container: !beside(boot).is_empty(),
        };
        Some((scope, BootKind::Machine(Box::new(machine))))
    }

    /// The container that the job names for the machine's simulator, and what the device lets it use.
    fn container_of(&self, planner: &dyn MachinePlanner, boot: &JobBoot) -> Option<Box<ContainerPlan>> {
        let container = boot.container.clone()?;
        let method = self.device.boot_method(planner.device_method(&boot.method.value));
        let options = ContainerOptions::read(method.and_then(|node| node.get("options")));
        Some(Box::new(ContainerPlan { container, options }))
    }

    /// What the platform says of the machine. In a container on networks of its own, a simulator's own network shows
    /// the container's loopback address and not this host's.
    pub(crate) fn outline(
        &self,
        planner: &dyn MachinePlanner,
        spec: &MachineSpec,
        boot: &JobBoot,
    ) -> Outline {
        let mut outline = planner.outline(spec);
        let container = self.container_of(planner, boot);
        if container.is_some_and(|container| !container.options.networks.is_empty()) {
            outline.host = HostSeen::AsOthers;
        }
        outline
    }

    /// How the overlay reaches this machine: as its deploy block decides.
    fn overlay_of(&self, boot: &JobBoot, index: usize, ways: &[OverlayDelivery]) -> Option<OverlayDelivery> {
        let namespace = boot.block.namespace();
        if !self.ahead.needs_guest_overlay(namespace) {
            return None;
        }
        let lava = |image: &&Image| image.resource.overlays.contains(&pumice_job::Overlay::Lava);
        let images = self.ahead.deploys_before(namespace, index).flat_map(|deploy| &deploy.images);
        let into_image = images.into_iter().find(lava);
        if let Some(image) = into_image {
            return Some(OverlayDelivery::Image { label: image.label.value.clone() });
        }
        if boot.transfer_overlay.is_some() {
            return Some(OverlayDelivery::Transfer);
        }
        if self.ahead.deploys_before(namespace, index).any(|deploy| deploy.to.value == "nfs") {
            return Some(OverlayDelivery::Directory);
        }
        ways.first().cloned()
    }

    /// The device must have the method (lava-compat 1.9).
    fn device_boots(&mut self, boot: &JobBoot, method: &str) -> Option<()> {
        if self.device.boot_method(method).is_some() {
            return Some(());
        }
        let has: Vec<_> = self.device.boot_methods().iter().map(|name| format!("`{name}`")).collect();
        let has: Vec<_> = has.iter().map(String::as_str).collect();
        self.not_on_device(boot.method.span, &format!("boot with method `{}`", boot.method.value), &has);
        None
    }

    /// A method that works on a machine that runs already.
    fn needs_machine(&mut self, boot: &JobBoot, index: usize) -> Option<()> {
        let namespace = boot.block.console_namespace();
        let earlier = self.job.actions[..index]
            .iter()
            .any(|action| matches!(action, Action::Boot(other) if other.block.namespace() == namespace));
        if !earlier {
            let message = format!("method `{}` needs a machine that runs already", boot.method.value);
            self.diagnostics.push(
                Diagnostic::error(ORDER, boot.method.span, message)
                    .help("put a `boot` block that starts one before it, in the same namespace"),
            );
            return None;
        }
        Some(())
    }

    /// The wait for the guest: planned when the job names prompts or a login (lava-compat 1.6).
    fn login(
        &mut self,
        boot: &JobBoot,
        parent: &Scope,
        retries: Option<Tries>,
        scopes: &mut BlockScopes<'_>,
    ) -> Option<Login> {
        if boot.method.value == "docker" || (boot.prompts.is_empty() && boot.auto_login.is_none()) {
            return None;
        }
        if boot.prompts.is_empty() {
            let span = boot.auto_login.as_ref().map(|login| login.login_prompt.span);
            self.diagnostics.push(
                Diagnostic::error(NO_PROMPTS, span, "`auto_login` without `prompts`").help(
                    "name the prompt of the shell that the login ends in, for example `prompts: ['# ']`",
                ),
            );
            return None;
        }
        let scope = scopes.step_with_tries(parent, "auto-login-action", retries);
        let login_scope = scopes.step(&scope, "login-action");
        let start_message = match &boot.messages.kernel_start {
            Some(message) => Some(message.value.clone()).filter(|message| !message.is_empty()),
            None => {
                Some(self.device.constants.kernel_start_message.clone()).filter(|message| !message.is_empty())
            }
        };
        let waits_for_kernel = match boot.method.value.as_str() {
            "ssh" | "new_connection" => false,
            // Its own `boot_message` is waited for, and may be the same.
            "kexec" => boot.messages.kernel_start.is_some(),
            _ => true,
        };
        Some(Login {
            scope,
            login_scope,
            start_message: start_message.filter(|_| waits_for_kernel),
            bootloader_errors: self.device.constants.bootloader_errors.clone(),
            prompts: boot.prompts.clone(),
            auto_login: boot.auto_login.clone(),
            ignore_kernel_messages: boot.ignore_kernel_messages,
        })
    }
}
