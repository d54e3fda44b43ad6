//! Stops a boot loader and types commands into it.

use std::{collections::BTreeMap, path::PathBuf};

use pumice_console::Console;
use pumice_plan::boot::BootloaderPlan;
use pumice_record::LogLevel;
use pumice_types::{Blame as _, Cause, Failure};
use serde_json::json;

use super::{Booted, patterns};
use crate::cx::StepCx;

/// Stops it and talks to it; after the last command the system is on its way.
pub(crate) async fn run(
    plan: &BootloaderPlan,
    files: &BTreeMap<String, PathBuf>,
    booted: &mut Booted,
    cx: &StepCx,
) -> Result<(), Failure> {
    cx.step(&plan.interrupt, Cause::NoPrompt, async |cx| {
        booted.with_console(async |console| interrupt(plan, console, cx).await).await?;
        cx.record(json!({ "success": "the boot loader waits for commands" }));
        Ok(())
    })
    .await?;
    cx.step(&plan.commands, Cause::NoPrompt, async |cx| {
        booted.with_console(async |console| talk(plan, files, console, cx).await).await?;
        cx.record(json!({ "commands": plan.bootloader.commands.len() }));
        Ok(())
    })
    .await
}

async fn interrupt(plan: &BootloaderPlan, console: &mut Console, cx: &StepCx) -> Result<(), Failure> {
    let bootloader = &plan.bootloader;
    if let Some(message) = &bootloader.interrupt_prompt {
        let message = patterns([message.value.as_str()])?;
        console.expect(&message, cx.deadline()).await.map_err(|error| error.failure())?;
        let text = bootloader.interrupt_text.as_ref().map_or("\n", |text| text.value.as_str());
        cx.report().log(LogLevel::Input, text.escape_debug().to_string());
        console.send(text.as_bytes(), cx.deadline()).await.map_err(|error| error.failure())?;
    }
    let prompt = patterns([bootloader.prompt.value.as_str()])?;
    console.expect(&prompt, cx.deadline()).await.map(drop).map_err(|error| error.failure())
}

async fn talk(
    plan: &BootloaderPlan,
    files: &BTreeMap<String, PathBuf>,
    console: &mut Console,
    cx: &StepCx,
) -> Result<(), Failure> {
    let prompt = patterns([plan.bootloader.prompt.value.as_str()])?;
    let commands = &plan.bootloader.commands;
    for (index, command) in commands.iter().enumerate() {
        if index > 0 {
            console.expect(&prompt, cx.deadline()).await.map_err(|error| error.failure())?;
        }
        let line = files.iter().fold(command.value.clone(), |line, (label, path)| {
            line.replace(&format!("{{{label}}}"), &path.to_string_lossy())
        });
        cx.report().log(LogLevel::Input, &line);
        let typed = format!("{line}{}", plan.bootloader.line_separator.as_str());
        console.send(typed.as_bytes(), cx.deadline()).await.map_err(|error| error.failure())?;
    }
    Ok(())
}
