//! `boot` blocks.

use pumice_types::Diagnostics;

use super::{Fields, blocks};
use crate::{
    AutoLogin, Block, Boot, BootDetail, BootMessages, Bootloader, ContainerBoot, Kexec, LineSeparator,
    MinimalBoot, ModelBoot, SshBoot, TransferMethod, TransferOverlay,
};

pub(super) fn boot(fields: Fields<'_>, block: Block, defects: &mut Diagnostics) -> Option<Boot> {
    let method = fields.needed("method", defects)?;
    let parameters = fields.fields("parameters", defects);
    let message =
        |key: &str, defects: &mut Diagnostics| parameters.and_then(|fields| fields.text(key, defects));
    Some(Boot {
        block,
        prompts: fields.texts("prompts", defects),
        auto_login: fields.fields("auto_login", defects).and_then(|fields| auto_login(fields, defects)),
        transfer_overlay: fields
            .fields("transfer_overlay", defects)
            .and_then(|f| transfer_overlay(f, defects)),
        messages: BootMessages {
            kernel_start: message("kernel-start-message", defects),
            bootloader_final: message("bootloader-final-message", defects),
            shutdown: message("shutdown-message", defects),
        },
        ignore_kernel_messages: fields.flag("ignore_kernel_messages", false),
        soft_reboot: fields.texts("soft_reboot", defects),
        media: fields.text("media", defects),
        connection: fields.text("connection", defects),
        container: fields.fields("docker", defects).and_then(|fields| blocks::container(fields, defects)),
        bootloader: fields
            .get("bootloader")
            .filter(|node| node.as_map().is_some())
            .and_then(|node| bootloader(Fields::of(node, defects)?, defects)),
        model: fields.text("model", defects),
        detail: detail(&method.value, fields, parameters, defects),
        method,
        fields: fields.map.clone(),
    })
}

fn detail(
    method: &str,
    fields: Fields<'_>,
    parameters: Option<Fields<'_>>,
    defects: &mut Diagnostics,
) -> BootDetail {
    match method {
        "fvp" => BootDetail::Model(Box::new(model(fields, defects))),
        "docker" | "nodebooter" => {
            container(fields, defects).map_or(BootDetail::Plain, BootDetail::Container)
        }
        "ssh" | "schroot" => BootDetail::Ssh(SshBoot {
            host_id: parameters.and_then(|fields| fields.text("hostID", defects)),
            host_key: parameters.and_then(|fields| fields.text("host_key", defects)),
            schroot: fields.text("schroot", defects),
        }),
        "kexec" => {
            kexec(fields, defects).map_or(BootDetail::Plain, |kexec| BootDetail::Kexec(Box::new(kexec)))
        }
        "minimal" => BootDetail::Minimal(MinimalBoot {
            pre_power_command: fields.flag("pre_power_command", false),
            pre_os_command: fields.flag("pre_os_command", false),
            reset: fields.flag("reset", true),
            span: fields.span,
        }),
        _ => BootDetail::Plain,
    }
}

pub(super) fn auto_login(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<AutoLogin> {
    if fields.get("password_prompt").is_some() {
        let _ = fields.needed("password", defects);
    }
    Some(AutoLogin {
        login_prompt: fields.needed("login_prompt", defects)?,
        username: fields.needed("username", defects)?,
        password_prompt: fields.text("password_prompt", defects),
        password: fields.text("password", defects),
        login_commands: fields.texts("login_commands", defects),
    })
}

fn transfer_overlay(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<TransferOverlay> {
    const METHODS: [(&str, TransferMethod); 3] =
        [("http", TransferMethod::Http), ("nfs", TransferMethod::Nfs), ("zmodem", TransferMethod::Zmodem)];
    Some(TransferOverlay {
        download_command: fields.needed("download_command", defects)?,
        unpack_command: fields.needed("unpack_command", defects)?,
        method: fields.word("transfer_method", &METHODS, defects).map(|word| word.value).unwrap_or_default(),
    })
}

fn bootloader(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<Bootloader> {
    const SEPARATORS: [(&str, LineSeparator); 2] =
        [("unix", LineSeparator::Unix), ("dos", LineSeparator::Dos)];
    Some(Bootloader {
        interrupt_prompt: fields.text("interrupt_prompt", defects),
        interrupt_text: fields.text("interrupt_text", defects),
        prompt: fields.needed("prompt", defects)?,
        commands: fields.texts("commands", defects),
        line_separator: fields
            .word("line_separator", &SEPARATORS, defects)
            .map(|word| word.value)
            .unwrap_or_default(),
    })
}

fn model(fields: Fields<'_>, defects: &mut Diagnostics) -> ModelBoot {
    ModelBoot {
        image: fields.text("image", defects),
        arguments: fields.texts("arguments", defects),
        console_string: fields.text("console_string", defects),
        feedbacks: fields.texts("feedbacks", defects),
        use_telnet: fields.flag("use_telnet", true),
        license_variable: fields.text("license_variable", defects),
        environment: fields.texts("environment", defects),
        ubl_license: fields.text("ubl_license", defects),
        version_string: fields.text("version_string", defects),
        version_args: fields.text("version_args", defects),
        erpc_app: fields.text("erpc_app", defects),
        commands: fields.texts("commands", defects),
    }
}

fn container(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<ContainerBoot> {
    Some(ContainerBoot {
        command: fields.needed("command", defects)?,
        downloads_namespace: fields.text("downloads-namespace", defects),
    })
}

fn kexec(fields: Fields<'_>, defects: &mut Diagnostics) -> Option<Kexec> {
    Some(Kexec {
        boot_message: fields.needed("boot_message", defects)?,
        command: fields.text("command", defects),
        kernel: fields.text("kernel", defects),
        dtb: fields.text("dtb", defects),
        initrd: fields.text("initrd", defects),
        options: fields.texts("options", defects),
        kernel_config: fields.texts("kernel-config", defects),
        on_panic: fields.flag("on_panic", false),
        deploy: fields.variables("deploy", defects),
    })
}
