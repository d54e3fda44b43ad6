//! The patterns of a job, looked at before anything is started: one that cannot be read would fail its step after the
//! boot.

use pumice_console::Pattern;
use pumice_job::{Action, Boot, BootDetail, Condition, Job, ScriptStep, Test, TestKind};
use pumice_types::{Code, Diagnostic, Diagnostics, Spanned};

/// A pattern that cannot be read.
const BAD_PATTERN: Code = Code("bad-pattern");

/// Every pattern of a job that is none, at its place. Pure.
pub fn check_patterns(job: &Job) -> Diagnostics {
    job.actions.iter().flat_map(patterns).filter_map(mistake).collect()
}

fn mistake(text: &Spanned<String>) -> Option<Diagnostic> {
    let error = Pattern::python(&text.value).err()?;
    let rest: String = text.value.get(error.offset..).unwrap_or_default().chars().take(20).collect();
    let message = format!("the pattern cannot be read: {error}");
    let place = if rest.is_empty() { "at its end".to_owned() } else { format!("at `{rest}`") };
    Some(Diagnostic::error(BAD_PATTERN, text.span, message).label(place).help(
        "it is a regular expression as Python writes them: a character that stands for itself, such as `(`, `[`, `*`, \
         `?` or `+`, is written with a backslash",
    ))
}

fn patterns(action: &Action) -> Vec<&Spanned<String>> {
    match action {
        Action::Boot(boot) => of_boot(boot),
        Action::Test(test) => of_test(test),
        Action::Deploy(_) | Action::Command(_) => Vec::new(),
    }
}

fn of_boot(boot: &Boot) -> Vec<&Spanned<String>> {
    let login = boot.auto_login.iter();
    let login = login.flat_map(|login| [Some(&login.login_prompt), login.password_prompt.as_ref()]);
    let bootloader = boot.bootloader.iter();
    let bootloader = bootloader.flat_map(|one| [one.interrupt_prompt.as_ref(), Some(&one.prompt)]);
    let kexec = match &boot.detail {
        BootDetail::Kexec(kexec) => Some(&kexec.boot_message),
        _ => None,
    };
    let start = boot.messages.kernel_start.as_ref();
    boot.prompts.iter().chain(login.flatten()).chain(bootloader.flatten()).chain(kexec).chain(start).collect()
}

fn of_test(test: &Test) -> Vec<&Spanned<String>> {
    match &test.kind {
        TestKind::Monitors(monitors) => {
            monitors.iter().flat_map(|one| [&one.start, &one.end, &one.pattern]).collect()
        }
        TestKind::Interactive(scripts) => {
            let mut found = Vec::new();
            for script in scripts {
                found.extend(&script.prompts);
                for step in &script.script {
                    if let ScriptStep::Command(command) = step {
                        let answers = command.successes.iter().chain(&command.failures);
                        found.extend(answers.map(|one: &Condition| &one.message));
                    }
                }
            }
            found
        }
        TestKind::Definitions { .. } | TestKind::Services(_) | TestKind::Commands(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use pumice_types::{SourceId, Sources};

    use super::*;

    #[test]
    fn a_pattern_that_is_none_is_told_at_its_line() {
        let text = "job_name: x\ndevice_type: qemu\nvisibility: public\ntimeouts: {job: {minutes: 5}}\nactions:\n\
                    - boot:\n    method: qemu\n    prompts:\n    - '# '\n    - 'root@(.*# '\n    \
                    auto_login: {login_prompt: 'login:', username: root}\n\
                    - test:\n    monitors:\n    - {name: m, start: a, end: b, pattern: '(?P<test_case_id>\\w+) *+'}\n\
                    - test:\n    interactive:\n    - name: i\n      prompts: ['=> ']\n      script:\n      \
                    - {command: x, failures: [{message: '[a'}]}\n";
        let mut sources = Sources::default();
        let source = sources.add("job.yaml", text);
        let (job, _) = pumice_job::parse(text, source);
        let found = check_patterns(&job.unwrap());
        let lines: Vec<_> = found.iter().filter_map(|one| Some(sources.position(one.span?)?.line)).collect();
        assert_eq!(lines, [10, 14, 20], "{found:?}");
        assert_eq!(found.iter().next().and_then(|one| one.label.as_deref()), Some("at `(.*# `"));
        assert_eq!(source, SourceId(0));
    }
}
