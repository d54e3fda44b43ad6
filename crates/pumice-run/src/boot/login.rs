//! Waits for the guest and logs in (lava-compat 1.6).
//!
//! Blame: a prompt that never comes, a panic and a refused login are the job's; a console that closes is the
//! infrastructure's.

use std::time::{Duration, Instant};

use pumice_console::Patterns;
use pumice_job::AutoLogin;
use pumice_plan::boot::Login;
use pumice_record::LogLevel;
use pumice_types::{Blame as _, CaseResult, Cause, Deadline, Failure};
use serde_json::json;

use super::{Booted, patterns, type_line};
use crate::cx::StepCx;

/// What login programs say when they refuse (util-linux, busybox, shadow).
const REFUSED: [&str; 2] = ["Login incorrect", "Login timed out"];

/// How often a silent console is nudged.
const NUDGES: u32 = 6;

/// A shell that shows its prompt.
pub(crate) struct Reached {
    /// Its prompts.
    pub(crate) prompts: Patterns,
    /// Whether the prompt came in answer to something typed, and is none that only looked like one.
    pub(crate) has_answered: bool,
}

/// Waits and logs in.
pub(crate) async fn run(plan: &Login, booted: &mut Booted, cx: &StepCx) -> Result<Reached, Failure> {
    let prompts = patterns(plan.prompts.iter().map(|prompt| prompt.value.as_str()))?;
    booted.minds_kernel = !plan.ignore_kernel_messages;
    booted.console.mind_fatal_watches(booted.minds_kernel);
    // A step that is tried again boots anew: the tries are the block's.
    let has_answered = cx
        .step(&plan.scope, Cause::NoPrompt, async |cx| {
            wait_for_kernel(plan, booted, cx).await?;
            cx.step(&plan.login_scope, Cause::NoPrompt, async |cx| {
                let began = Instant::now();
                let outcome = log_in(plan, booted, cx).await;
                report_kernel(plan, booted, began, outcome.as_ref().err(), cx);
                let mut has_answered = outcome?;
                for command in plan.auto_login.iter().flat_map(|login| &login.login_commands) {
                    type_line(&booted.console, &command.value, cx).await?;
                    booted.expect(&prompts, cx.deadline()).await?;
                    has_answered = true;
                }
                cx.record(json!({ "success": "the shell is there" }));
                Ok(has_answered)
            })
            .await
        })
        .await?;
    Ok(Reached { prompts, has_answered })
}

/// Waits for the kernel's first words, or those of a boot loader that failed.
async fn wait_for_kernel(plan: &Login, booted: &mut Booted, cx: &StepCx) -> Result<(), Failure> {
    let Some(message) = &plan.start_message else { return Ok(()) };
    let texts = std::iter::once(message).chain(&plan.bootloader_errors).map(String::as_str);
    let all = patterns(texts)?;
    match booted.expect(&all, cx.deadline()).await? {
        0 => Ok(()),
        index => {
            let what = plan.bootloader_errors.get(index - 1).map_or("an error", String::as_str);
            let message = format!("the boot loader failed: it said `{what}`");
            Err(Failure::new(Cause::BootloaderError, message).evidence("console", booted.console.tail(400)))
        }
    }
}

/// Answers the login's prompts until a shell's prompt is there; says whether there was one to answer.
async fn log_in(plan: &Login, booted: &mut Booted, cx: &StepCx) -> Result<bool, Failure> {
    let shell = plan.prompts.len();
    let mut texts: Vec<&str> = plan.prompts.iter().map(|prompt| prompt.value.as_str()).collect();
    texts.extend(REFUSED);
    if let Some(login) = &plan.auto_login {
        texts.push(&login.login_prompt.value);
    }
    let all = patterns(texts)?;
    let mut has_begun = false;
    loop {
        let index = expect_nudging(&all, booted, cx).await?;
        if index < shell {
            return Ok(has_begun);
        }
        if index < shell + REFUSED.len() {
            let begun = plan.auto_login.as_ref().filter(|_| has_begun);
            return Err(refused(plan, begun).evidence("console", booted.console.tail(400)));
        }
        let Some(login) = &plan.auto_login else { continue };
        has_begun = true;
        type_line(&booted.console, &login.username.value, cx).await?;
        if let Some(prompt) = &login.password_prompt {
            let shells = plan.prompts.iter().map(|prompt| prompt.value.as_str());
            let asked = patterns(std::iter::once(prompt.value.as_str()).chain(shells))?;
            if booted.expect(&asked, cx.deadline()).await? > 0 {
                cx.report().warning(format!("`{}` logs in without a password", login.username.value));
                return Ok(true);
            }
            let password = login.password.as_ref().map_or("", |password| password.value.as_str());
            cx.report().log(LogLevel::Input, pumice_types::MASK);
            let line = format!("{password}\n");
            let sent = booted.console.send(line.as_bytes(), cx.deadline()).await;
            sent.map_err(|error| error.failure())?;
        }
    }
}

/// Why a guest refused a login: that of the job, or one that nobody meant, by what was typed to wake its console.
fn refused(plan: &Login, begun: Option<&AutoLogin>) -> Failure {
    let (message, hint) = match (begun, &plan.auto_login) {
        (Some(login), _) => (
            format!("the login as `{}` was refused", login.username.value),
            "check `auto_login`: the user, the password and its prompt".to_owned(),
        ),
        (None, Some(login)) => {
            let prompt = &login.login_prompt.value;
            (
                format!("the guest asks for a login, and not with `{prompt}`"),
                "let `login_prompt` of `auto_login` match what the guest asks with".to_owned(),
            )
        }
        (None, None) => (
            "the guest asks for a login, and the job has no `auto_login`".to_owned(),
            "add `auto_login: {login_prompt: 'login:', username: root}` to the boot action".to_owned(),
        ),
    };
    Failure::new(Cause::LoginRefused, message).hint(hint)
}

/// Waits; a console that stays silent for half of the time may have swallowed its prompt, and is nudged with a
/// comment (lava-compat 1.6, "force prompt").
async fn expect_nudging(all: &Patterns, booted: &mut Booted, cx: &StepCx) -> Result<usize, Failure> {
    let left = cx.deadline().remaining(Instant::now());
    let first = cx.deadline().narrowed(Instant::now(), left / 2, "the first wait");
    let mut outcome = booted.expect(all, &first).await;
    for _ in 0..NUDGES {
        match outcome {
            Err(failure) if failure.cause == Cause::NoPrompt && !cx.deadline().is_over(Instant::now()) => {
                cx.report().debug("no prompt yet: typing a comment to bring it back");
                type_line(&booted.console, "#", cx).await?;
                let next = own_wait(cx.deadline(), left / 10);
                outcome = booted.expect(all, &next).await;
            }
            other => return other,
        }
    }
    match outcome {
        Err(failure) if failure.cause == Cause::NoPrompt => booted.expect(all, cx.deadline()).await,
        other => other,
    }
}

fn own_wait(deadline: &Deadline, limit: Duration) -> Deadline {
    deadline.narrowed(Instant::now(), limit, "a wait for the prompt")
}

/// The result `lava/kernel-messages`: what the kernel said of itself while it booted. Better than a plain pass, it
/// fails when something fatal was found.
fn report_kernel(plan: &Login, booted: &Booted, began: Instant, failure: Option<&Failure>, cx: &StepCx) {
    let (messages, _) = booted.console.messages();
    let fatal = failure.is_some_and(|failure| failure.cause == Cause::GuestPanic);
    if failure.is_some() && !fatal {
        return;
    }
    let list: Vec<_> = messages
        .iter()
        .map(|message| json!({ "kind": message.kind.lava_name(), "message": message.line.trim() }))
        .collect();
    let result = if fatal { CaseResult::Fail } else { CaseResult::Pass };
    let mut record = pumice_record::ResultRecord::new("lava", "kernel-messages", result);
    record.namespace = Some(plan.login_scope.namespace.clone());
    record.level = Some(plan.login_scope.level.to_string());
    record.duration = Some(began.elapsed());
    record.extra = Some(json!({ "extra": list }));
    cx.report().result(record);
}
