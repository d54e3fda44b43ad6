//! `run.sh`, `install.sh` and the small files beside them (lava-compat 4.1, 4.2).

use super::{InstallPart, TestRun};
use crate::{definition::Parameters, shell::quote};

/// `export K='V'` lines.
pub(super) fn exports(variables: &[(String, String)]) -> String {
    let mut text = String::new();
    for (name, value) in variables {
        text.extend(["export ", name, "=", &quote(value), "\n"]);
    }
    text
}

/// `K=V` lines. A value the shell would read differently is quoted; LAVA leaves it bare.
pub(super) fn assignments(variables: &[(String, String)]) -> String {
    let mut text = String::new();
    for (name, value) in variables {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=".contains(c);
        let bare = !value.is_empty() && value.chars().all(plain);
        let shown = if bare { value.clone() } else { quote(value) };
        text.extend([name, "=", &shown, "\n"]);
    }
    text
}

/// `key: "value"` lines; JSON strings are YAML.
pub(super) fn metadata(entries: &[(String, String)]) -> String {
    let mut text = String::new();
    for (key, value) in entries {
        text.extend([key, ": ", &serde_json::Value::from(value.as_str()).to_string(), "\n"]);
    }
    text
}

/// The script that runs the steps. A step that fails outside `lava-test-case` ends it (`-e`). It begins where
/// `lava-test-runner` has sent `STARTRUN`, and says that it came to its end by a file, so that no process is started to
/// send a signal. `inherits`: the shell that reads it has the functions of our helpers; another one has to read them.
pub(super) fn run(run: &TestRun, parameters: &Parameters, folder: &str, inherits: bool) -> String {
    let mut text = String::new();
    if !inherits {
        text.push_str(
            "if [ -n \"${LAVA_HOME:-}\" ]; then\n    . \"$LAVA_HOME/bin/lava-common-functions\"\n    . \
             \"$LAVA_HOME/bin/lava-case-functions\"\nfi\n",
        );
    }
    text.push_str(&assigned(parameters));
    if run.kernel_log {
        text.push_str("export LAVA_SIGNAL=kmsg\n");
    }
    text.extend(["export TESTRUN_ID=", &quote(&run.suite()), "\nUUID=", &quote(&run.uuid), "\n"]);
    text.extend(["set -e\ncd ", &quote(folder), "\nset -x\n"]);
    for step in &run.definition.steps {
        text.extend([&escape_positional(step), "\n"]);
    }
    text.push_str("set +x\n[ -z \"${LAVA_RESULT_DIR:-}\" ] || : > \"$LAVA_RESULT_DIR/ended\"\n");
    text
}

/// Whether the steps could tell a shell of their own from a copy of the runner's: they ask for its process id or its
/// name, or read a script that may.
pub(super) fn needs_own_shell(run: &TestRun) -> bool {
    let sources = |step: &str| step.split_whitespace().any(|word| matches!(word, "." | "source"));
    let asks = |step: &str| ["$$", "$0", "PPID", "${0"].iter().any(|name| step.contains(name));
    run.definition.steps.iter().any(|step| asks(step) || sources(step))
}

/// The script that installs what the test needs; `None` when it needs nothing.
pub(super) fn install(run: &TestRun, parameters: &Parameters, folder: &str) -> Option<String> {
    let install = &run.definition.install;
    let mut text = String::new();
    let mut command = |part: InstallPart, name: &str, words: &[String]| {
        if run.installs(part) && !words.is_empty() {
            // Bare, as LAVA writes them: a word may name parameters or hold several packages.
            text.extend([name, " ", &words.join(" "), " || exit\n"]);
        }
    };
    command(InstallPart::Keys, "lava-add-keys", &install.keys);
    command(InstallPart::Sources, "lava-add-sources", &install.sources);
    let mut packages = install.deps.clone();
    for (distro, deps) in &install.deps_by_distro {
        packages.extend(["--for".to_owned(), distro.clone()]);
        packages.extend_from_slice(deps);
    }
    command(InstallPart::Deps, "lava-install-packages", &packages);
    if run.installs(InstallPart::Steps) && !install.steps.is_empty() {
        text.extend(["cd ", &quote(folder), "\n"]);
        for step in &install.steps {
            text.extend([step, "\n"]);
        }
    }
    (!text.is_empty()).then(|| assigned(parameters) + &text)
}

fn assigned(parameters: &Parameters) -> String {
    let mut text = String::new();
    for (name, value) in parameters.iter() {
        text.extend([name, "=", &quote(value), "\n"]);
    }
    text
}

/// A step with `$1` and the like kept from the shell when it hands a command on, as LAVA does for `--cmd` and
/// `--shell` (lava-compat 4.2).
fn escape_positional(step: &str) -> String {
    if !step.contains("--cmd") && !step.contains("--shell") {
        return step.to_owned();
    }
    let mut text = String::with_capacity(step.len());
    let mut rest = step.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '$' && rest.peek().is_some_and(char::is_ascii_digit) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}
