//! What a shell completes and what `man` shows.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What `pumice` prints.
fn pumice(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_pumice")).args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The program, where it is on `PATH`.
fn find(name: &str) -> Option<PathBuf> {
    let search = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search).map(|directory| directory.join(name)).find(|path| path.is_file())
}

/// Asks bash, as a person does with the Tab key, for what may follow; the last word is the one that is typed.
const ASK_BASH: &str = r#"
source "$1" || exit 1
shift
function=$(complete -p pumice | sed -n 's/.*-F \([^ ]*\).*/\1/p')
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
"$function" pumice "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

#[test]
fn bash_completes_commands_options_and_values() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("pumice.bash");
    fs::write(&script, pumice(&["completions", "bash"])).unwrap();
    let bash = |words: &[&str]| {
        let output = Command::new("bash").args(words).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && said.is_empty(), "{said}");
        String::from_utf8(output.stdout).unwrap()
    };
    let path = script.to_str().unwrap();
    bash(&["--norc", "-n", path]);
    let check = |typed: &[&str], wanted: &[&str], others: &[&str]| {
        let offered = bash(&[["--norc", "-c", ASK_BASH, "bash", path].as_slice(), typed].concat());
        let offered: Vec<_> = offered.split_whitespace().collect();
        for word in wanted {
            assert!(offered.contains(word), "{typed:?} offers {offered:?}");
        }
        for word in others {
            assert!(!offered.contains(word), "{typed:?} offers {offered:?}");
        }
    };
    check(&["pumice", "sub"], &["submit"], &["jobs", "resubmit"]);
    check(&["pumice", ""], &["submit", "run", "uploads", "machine", "help"], &["__job", "__watch", "__keep"]);
    check(&["pumice", "submit", "--up"], &["--upload"], &["--model"]);
    check(&["pumice", "run", "--"], &["--model", "--help"], &[]);
    check(&["pumice", "submit", "--format", ""], &["text", "json"], &["sarif"]);
    check(&["pumice", "tokens", "cr"], &["create"], &["end"]);
    check(&["pumice", "tokens", "create", "--scope", ""], &["read", "submit", "manage"], &[]);
    check(&["pumice", "machine", "p"], &["push", "pull"], &["exec"]);
}

#[test]
fn every_shell_is_told_of_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let text = pumice(&["completions", shell]);
        for word in ["submit", "uploads", "resubmit", "doctor"] {
            assert!(text.contains(word), "{shell} does not know {word}");
        }
    }
}

#[test]
fn every_command_has_a_manual_page_that_renders_without_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    pumice(&["manual", directory.path().to_str().unwrap()]);
    let page = |name: &str| directory.path().join(format!("{name}.1"));
    for name in
        ["pumice", "pumice-run", "pumice-submit", "pumice-server", "pumice-worker", "pumice-machine-push"]
    {
        assert!(page(name).is_file(), "there is no page {name}");
    }
    assert!(!page("pumice-__job").exists(), "what is hidden has no page");
    let Some(groff) = find("groff") else {
        println!("skipped: there is no groff: run `cargo xtask setup`");
        return;
    };
    for entry in fs::read_dir(directory.path()).unwrap() {
        render(&groff, &entry.unwrap().path());
    }
}

/// Renders a page as `man` does (`groff_man(7)`), with every warning there is.
fn render(groff: &Path, page: &Path) {
    let output = Command::new(groff).args(["-man", "-ww", "-k", "-Tutf8"]).arg(page).output().unwrap();
    let warnings = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && warnings.is_empty(), "{}: {warnings}", page.display());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("SYNOPSIS") || text.contains("S\u{8}SY\u{8}YN"), "{}: {text}", page.display());
}
