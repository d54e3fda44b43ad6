//! Talks to a console and looks at its answers (lava-compat 1.7, interactive).

use std::{collections::BTreeMap, time::Instant};

use pumice_console::{Console, Match, Patterns};
use pumice_job::{Condition, ConditionFault, Interactive, MessageRequest, ScriptCommand, ScriptStep};
use pumice_plan::Scope;
use pumice_record::{LogLevel, ResultRecord};
use pumice_types::{Blame as _, CaseResult, Cause, Failure, Fault};

use super::monitor::{in_test, report_missing};
use crate::{boot::patterns, cx::StepCx, peers};

/// What `{NAME}` in a command stands for.
pub(crate) type Substitutions = BTreeMap<String, String>;

/// An interactive block.
pub(crate) struct Block<'a> {
    /// Its scripts.
    pub(crate) scripts: &'a [Interactive],
    /// Its number among the interactive blocks of the namespace, from 0.
    pub(crate) stage: u32,
    /// The step that runs it.
    pub(crate) scope: &'a Scope,
}

/// Runs the scripts of a block, one after the other. What one found, the next may use.
pub(crate) async fn run(
    block: &Block<'_>,
    mut known: Substitutions,
    console: &mut Console,
    cx: &StepCx,
) -> Result<(), Failure> {
    for script in block.scripts {
        let suite = format!("{}_{}", block.stage, script.name.value);
        let began = Instant::now();
        let outcome = run_script(script, &suite, &mut known, console, cx).await;
        let result = if outcome.is_ok() { CaseResult::Pass } else { CaseResult::Fail };
        let mut record = ResultRecord::new("lava", suite, result);
        record.namespace = Some(block.scope.namespace.clone());
        record.level = Some(block.scope.level.to_string());
        record.duration = Some(began.elapsed());
        if let Err(failure) = &outcome {
            record.extra = Some(serde_json::json!({ "fail": failure.message }));
        }
        cx.report().result(record);
        outcome?;
    }
    Ok(())
}

async fn run_script(
    script: &Interactive,
    suite: &str,
    known: &mut Substitutions,
    console: &mut Console,
    cx: &StepCx,
) -> Result<(), Failure> {
    let mut seen = Vec::new();
    for step in &script.script {
        match step {
            ScriptStep::Delay(delay) => {
                cx.report().debug(format!("waiting for {} seconds", delay.value.as_secs_f64()));
                pause(delay.value, cx).await?;
            }
            ScriptStep::Command(command) => {
                seen.extend(command.name.as_ref().map(|name| name.value.clone()));
                run_command(command, script, suite, known, console, cx).await?;
            }
            ScriptStep::Message(message) => exchange(message, known, cx).await?,
        }
    }
    report_missing(suite, script.expected.as_deref(), &seen, cx);
    Ok(())
}

/// Asks the other nodes (lava-compat 1.7): what they sent may be used by the commands that follow.
async fn exchange(message: &MessageRequest, known: &mut Substitutions, cx: &StepCx) -> Result<(), Failure> {
    let request = peers::read(message)?;
    let (peers, limit) = cx.peers()?;
    cx.report().info(format!("asking the other nodes: {request}"));
    let messages = peers.exchange(request, limit, cx.deadline()).await?;
    known.extend(messages.into_values().flatten());
    Ok(())
}

async fn run_command(
    command: &ScriptCommand,
    script: &Interactive,
    suite: &str,
    known: &mut Substitutions,
    console: &mut Console,
    cx: &StepCx,
) -> Result<(), Failure> {
    let (began, start_line) = (Instant::now(), cx.report().lines());
    let outcome = converse(command, script, known, console, cx).await;
    if let Some(name) = &command.name {
        let result = if matches!(outcome, Ok(Answer::Pass)) { CaseResult::Pass } else { CaseResult::Fail };
        let mut record = ResultRecord::new(suite, &name.value, result);
        record.duration = Some(began.elapsed());
        record.start_line = Some(start_line);
        record.end_line = Some(cx.report().lines());
        if let Ok(Answer::Fail(what)) = &outcome {
            record.extra = Some(serde_json::json!({ "reason": what }));
        }
        cx.report().result(record);
    }
    match outcome.map_err(|failure| in_step(failure, command, script))? {
        Answer::Raise(failure) => Err(failure),
        Answer::Fail(what) if command.name.is_none() => {
            let command = command.command.as_ref().map_or("the wait", |command| command.value.as_str());
            Err(Failure::new(Cause::TestRaised, format!("`{command}` failed: {what}"))
                .evidence(console.name(), console.tail(400)))
        }
        Answer::Pass | Answer::Fail(_) => Ok(()),
    }
}

/// A failure while a step was waited for, with the step.
fn in_step(failure: Failure, command: &ScriptCommand, script: &Interactive) -> Failure {
    if failure.cause != Cause::TestTimeout {
        return failure;
    }
    let name = command.name.as_ref().map(|name| format!(" `{}`", name.value)).unwrap_or_default();
    let typed = match &command.command {
        Some(text) if text.value.is_empty() => "after an empty line".to_owned(),
        Some(text) => format!("after `{}`", text.value),
        None => "where nothing is typed".to_owned(),
    };
    let message = format!("{}: the step{name} of `{}`, {typed}", failure.message, script.name.value);
    Failure { message, ..failure }
}

/// Waits, and no longer than the tests may take.
async fn pause(delay: std::time::Duration, cx: &StepCx) -> Result<(), Failure> {
    let over = tokio::time::sleep_until(cx.deadline().at().into());
    let mut cancel = cx.cancel();
    tokio::select! {
        () = tokio::time::sleep(delay) => Ok(()),
        reason = cancel.requested() => Err(reason),
        () = over => {
            let (owner, limit) = (cx.deadline().owner(), cx.deadline().limit());
            Err(Failure::timed_out(Cause::TestTimeout, owner, limit, "a delay of the script"))
        }
    }
}

/// What an answer means.
enum Answer {
    Pass,
    Fail(String),
    /// It ends the job.
    Raise(Failure),
}

async fn converse(
    command: &ScriptCommand,
    script: &Interactive,
    known: &mut Substitutions,
    console: &mut Console,
    cx: &StepCx,
) -> Result<Answer, Failure> {
    if let Some(text) = &command.command {
        let line = substituted(&text.value, known);
        cx.report().log(LogLevel::Input, &line);
        console.send_line(&line, cx.deadline()).await.map_err(|error| error.failure())?;
        if script.discards_echo && !line.is_empty() {
            let echo = Patterns::from(pumice_console::Pattern::literal(&line));
            wait(console, &echo, cx).await?;
        }
    }
    let texts = |list: &'_ [Condition]| list.iter().map(|one| one.message.value.clone()).collect::<Vec<_>>();
    let prompts: Vec<String> = script.prompts.iter().map(|prompt| prompt.value.clone()).collect();
    let all: Vec<String> =
        prompts.iter().cloned().chain(texts(&command.successes)).chain(texts(&command.failures)).collect();
    let all = patterns(all.iter().map(String::as_str))?;
    let found = wait(console, &all, cx).await?;
    let index = found.index();
    let Some(index) = index.checked_sub(prompts.len()) else {
        return Ok(if command.successes.is_empty() {
            Answer::Pass
        } else {
            Answer::Fail("the prompt came and none of the answers that mean success".to_owned())
        });
    };
    let names = all.list().get(found.index()).map(|pattern| pattern.group_names().to_vec());
    let answer = match index.checked_sub(command.successes.len()) {
        None => {
            learn(known, &found, names.unwrap_or_default());
            Answer::Pass
        }
        Some(index) => failed(command.failures.get(index), &found),
    };
    if command.waits_for_prompt && !matches!(answer, Answer::Raise(_)) {
        wait(console, &patterns(prompts.iter().map(String::as_str))?, cx).await?;
    }
    Ok(answer)
}

async fn wait(console: &mut Console, patterns: &Patterns, cx: &StepCx) -> Result<Match, Failure> {
    console.expect(patterns, cx.deadline()).await.map_err(|error| in_test(error.failure()))
}

/// What an answer that means failure leads to.
fn failed(condition: Option<&Condition>, found: &Match) -> Answer {
    let said = found.text().trim().to_owned();
    let Some(condition) = condition else { return Answer::Fail(said) };
    let what = condition.error.as_ref().map_or(said, |error| error.value.clone());
    let Some(fault) = &condition.fault else { return Answer::Fail(what) };
    let fault = match fault.value {
        ConditionFault::Infrastructure => Fault::Infrastructure,
        ConditionFault::Job => Fault::Job,
        ConditionFault::Test => Fault::Test,
    };
    Answer::Raise(Failure::new(Cause::TestRaised, what).blame(fault))
}

/// Keeps what the named groups of an answer found.
fn learn(known: &mut Substitutions, found: &Match, names: Vec<Option<String>>) {
    for name in names.into_iter().flatten() {
        if let Some(bytes) = found.named(&name) {
            known.insert(name, String::from_utf8_lossy(bytes).into_owned());
        }
    }
}

fn substituted(text: &str, known: &Substitutions) -> String {
    known.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pumice_types::{Level, Span, Spanned};

    use super::super::harness::{Conversation, spanned};
    use super::*;

    fn condition(message: &str) -> Condition {
        Condition { message: spanned(message), fault: None, error: None }
    }

    fn command(text: &str, name: &str) -> ScriptCommand {
        ScriptCommand {
            command: Some(spanned(text)),
            name: (!name.is_empty()).then(|| spanned(name)),
            successes: Vec::new(),
            failures: Vec::new(),
            waits_for_prompt: true,
            span: Span::default(),
        }
    }

    fn script(commands: Vec<ScriptCommand>) -> Interactive {
        Interactive {
            name: spanned("boot"),
            prompts: vec![spanned("=> ")],
            discards_echo: false,
            script: commands.into_iter().map(|command| ScriptStep::Command(Box::new(command))).collect(),
            expected: None,
            span: Span::default(),
        }
    }

    fn scope() -> Scope {
        Scope {
            level: Level::block(3).child(1),
            name: "lava-test-interactive".to_owned(),
            namespace: "common".to_owned(),
            timeout: Duration::from_secs(60),
            timeout_from: pumice_plan::TimeoutSource::Block,
            connection_timeout: Duration::from_secs(60),
            tries: None,
            requests: Vec::new(),
        }
    }

    async fn talk(script: Interactive, answers: &[&str]) -> (Result<(), Failure>, Conversation) {
        let mut conversation = Conversation::start();
        conversation.answer_lines(answers);
        let (scripts, scope) = ([script], scope());
        let block = Block { scripts: &scripts, stage: 0, scope: &scope };
        let known = Substitutions::from([("JOB_ID".to_owned(), "7".to_owned())]);
        let outcome = conversation.run(async |console, cx| run(&block, known, console, cx).await).await;
        (outcome, conversation)
    }

    #[tokio::test]
    async fn the_prompt_alone_passes_unless_an_answer_is_wanted() {
        let mut wants = command("version", "version");
        wants.successes.push(condition("U-Boot 20"));
        let commands = vec![command("echo {JOB_ID}", "echo"), wants];
        let (outcome, conversation) = talk(script(commands), &["7\r\n=> ", "nothing\r\n=> "]).await;
        outcome.unwrap();
        assert_eq!(conversation.results(), ["0_boot/echo pass", "0_boot/version fail", "lava/0_boot pass"]);
        assert_eq!(conversation.typed(), "echo 7\nversion\n");
    }

    #[tokio::test]
    async fn what_an_answer_names_is_used_by_later_commands() {
        let mut asks = command("dhcp", "dhcp");
        asks.successes.push(condition(r"address (?P<ip>[\d.]+)"));
        let commands = vec![asks, command("ping {ip}", "")];
        let (outcome, conversation) =
            talk(script(commands), &["address 10.0.2.15\r\n=> ", "alive\r\n=> "]).await;
        outcome.unwrap();
        assert_eq!(conversation.typed(), "dhcp\nping 10.0.2.15\n");
    }

    #[tokio::test]
    async fn an_echo_is_no_answer_when_it_is_discarded() {
        let mut asks = command("echo done", "echo");
        asks.failures.push(condition("done"));
        let mut asked = script(vec![asks]);
        asked.discards_echo = true;
        let (outcome, conversation) = talk(asked, &["echo done\r\n=> "]).await;
        outcome.unwrap();
        assert_eq!(conversation.results(), ["0_boot/echo pass", "lava/0_boot pass"]);
    }

    #[tokio::test]
    async fn a_step_without_a_name_that_fails_ends_the_test() {
        let mut asks = command("load", "");
        asks.failures.push(condition("Bad Linux"));
        let (outcome, conversation) = talk(script(vec![asks]), &["Bad Linux\r\n=> "]).await;
        let failure = outcome.unwrap_err();
        assert_eq!((failure.fault, failure.message.as_str()), (Fault::Test, "`load` failed: Bad Linux"));
        assert_eq!(conversation.results(), ["lava/0_boot fail"]);
    }

    #[tokio::test]
    async fn a_failure_with_an_exception_is_whose_it_says() {
        let mut asks = command("load", "load");
        asks.failures.push(Condition {
            fault: Some(Spanned { value: ConditionFault::Infrastructure, span: Span::default() }),
            error: Some(spanned("the server is away")),
            ..condition("Retry count exceeded")
        });
        let (outcome, conversation) =
            talk(script(vec![asks, command("x", "x")]), &["Retry count exceeded"]).await;
        let failure = outcome.unwrap_err();
        assert_eq!((failure.fault, failure.message.as_str()), (Fault::Infrastructure, "the server is away"));
        assert_eq!(conversation.results(), ["0_boot/load fail", "lava/0_boot fail"]);
    }

    #[tokio::test]
    async fn an_answer_that_never_comes_is_a_timeout_of_the_test() {
        let mut conversation = Conversation::start();
        let (scripts, scope) = ([script(vec![command("x", "x")])], scope());
        let block = Block { scripts: &scripts, stage: 1, scope: &scope };
        let limit = Duration::from_millis(30);
        let work =
            async |console: &mut Console, cx: &StepCx| run(&block, Substitutions::new(), console, cx).await;
        let failure = conversation.run_within(limit, work).await.unwrap_err();
        assert_eq!(failure.cause, Cause::TestTimeout);
        assert_eq!(conversation.results(), ["1_boot/x fail", "lava/1_boot fail"]);
    }
}
