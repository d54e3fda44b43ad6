//! Starts a new kernel from inside the guest (lava-compat 1.6).
//!
//! Blame: a kernel without the configuration the job wants, a program that refuses and a kernel that does not come up
//! are the job's.

use pumice_job::Kexec;
use pumice_plan::Scope;
use pumice_types::{Cause, Failure};
use serde_json::json;

use super::{Booted, patterns, type_line};
use crate::cx::StepCx;

/// The program when the job names none (LAVA's default).
const PROGRAM: &str = "/sbin/kexec";

/// What starts a kernel that was loaded for a panic.
const PANIC: &str = "echo c > /proc/sysrq-trigger";

/// Loads the kernel, starts it, and waits for its first words.
pub(super) async fn run(
    kexec: &Kexec,
    call: &Scope,
    booted: &mut Booted,
    cx: &StepCx,
) -> Result<(), Failure> {
    cx.step(call, Cause::NoPrompt, async |cx| {
        for line in &kexec.kernel_config {
            let wanted = line.value.replace('\'', r"'\''");
            booted.must_run(&format!("zcat /proc/config.gz | grep -q '{wanted}'"), cx).await?;
        }
        if let Some(line) = load_line(kexec) {
            booted.must_run(&line, cx).await?;
        }
        let message = patterns([kexec.boot_message.value.as_str()])?;
        // The shell is gone from here on, and a panic may be what is asked for.
        booted.prompts = None;
        booted.console.mind_fatal_watches(false);
        type_line(&booted.console, &start_line(kexec), cx).await?;
        let came = booted.expect(&message, cx.deadline()).await;
        booted.console.mind_fatal_watches(booted.minds_kernel);
        came?;
        cx.record(json!({ "success": "the new kernel is on its way" }));
        Ok(())
    })
    .await
}

fn program(kexec: &Kexec) -> &str {
    kexec.command.as_ref().map_or(PROGRAM, |command| command.value.as_str())
}

/// What loads the kernel; `None` when the job has nothing to load, and the program knows itself.
fn load_line(kexec: &Kexec) -> Option<String> {
    let load = if kexec.on_panic { "--load-panic" } else { "--load" };
    let named = [(load, &kexec.kernel), ("--dtb", &kexec.dtb), ("--initrd", &kexec.initrd)];
    let named = named.into_iter().filter_map(|(word, file)| Some(format!("{word} {}", file.as_ref()?.value)));
    let options = kexec.options.iter().map(|option| option.value.clone());
    let words: Vec<_> = named.chain(options).collect();
    (!words.is_empty()).then(|| format!("{} {}", program(kexec), words.join(" ")))
}

fn start_line(kexec: &Kexec) -> String {
    if kexec.on_panic { PANIC.to_owned() } else { format!("{} -e", program(kexec)) }
}

#[cfg(test)]
mod tests {
    use pumice_types::{Span, Spanned};

    use super::*;

    fn text(text: &str) -> Spanned<String> {
        Spanned { value: text.to_owned(), span: Span::default() }
    }

    fn kexec() -> Kexec {
        Kexec {
            boot_message: text("Linux version"),
            command: None,
            kernel: Some(text("/vmlinuz")),
            dtb: None,
            initrd: Some(text("/initrd")),
            options: vec![text("--reuse-cmdline")],
            kernel_config: Vec::new(),
            on_panic: false,
            deploy: Vec::new(),
        }
    }

    #[test]
    fn what_is_typed_is_what_kexec_takes() {
        let check = |kexec: &Kexec, load: Option<&str>, start: &str| {
            assert_eq!(load_line(kexec).as_deref(), load);
            assert_eq!(start_line(kexec), start);
        };
        let load = "/sbin/kexec --load /vmlinuz --initrd /initrd --reuse-cmdline";
        check(&kexec(), Some(load), "/sbin/kexec -e");
        let panic = Kexec { on_panic: true, initrd: None, options: Vec::new(), ..kexec() };
        check(&panic, Some("/sbin/kexec --load-panic /vmlinuz"), PANIC);
        let own = Kexec {
            command: Some(text("boot-it")),
            kernel: None,
            initrd: None,
            options: Vec::new(),
            ..kexec()
        };
        check(&own, None, "boot-it -e");
    }
}
