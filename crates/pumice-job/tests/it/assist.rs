//! Completion and hover, at the place of `|`.

use pumice_job::Root;
use pumice_types::SourceId;

fn at_cursor(marked: &str) -> (String, usize) {
    let offset = marked.find('|').unwrap();
    (marked.replacen('|', "", 1), offset)
}

/// The first words that are offered.
fn offers(marked: &str, expected: &[&str]) {
    let (text, offset) = at_cursor(marked);
    let node = pumice_yaml::parse(&text, SourceId(0)).0.unwrap();
    let words: Vec<_> =
        pumice_job::complete(Root::Job, &node, &text, offset).into_iter().map(|offer| offer.word).collect();
    for word in expected {
        assert!(words.contains(word), "{word} is not among {words:?} in\n{marked}");
    }
    assert_eq!(words.is_empty(), expected.is_empty(), "{words:?} in\n{marked}");
}

fn explains(marked: &str, expected: Option<&str>) {
    let (text, offset) = at_cursor(marked);
    let node = pumice_yaml::parse(&text, SourceId(0)).0.unwrap();
    let found = pumice_job::hover(Root::Job, &node, offset).map(|hover| hover.text);
    assert_eq!(found.as_deref().map(|text| text.lines().next().unwrap()), expected, "{marked}");
}

#[test]
fn keys_are_offered_where_they_may_stand() {
    offers("job_name: x\n|", &["timeouts", "actions", "visibility"]);
    offers("job_name: x\ntimeouts:\n  job: {minutes: 1}\n  |\n", &["action", "connection", "actions"]);
    offers("job_name: x\ntimeouts:\n  job: {minutes: 1}\n|", &["actions"]);
    offers("actions:\n- boot:\n    method: fvp\n    |\n", &["console_string", "prompts", "timeout"]);
    offers("actions:\n- boot:\n    method: fvp\n    pro|\n", &["prompts"]);
    offers("actions:\n- test:\n    timeout: {minutes: 1}\n    |\n", &["definitions", "monitors"]);
    offers("actions:\n- test:\n    definitions:\n    - from: git\n      |\n", &["repository", "branch"]);
    offers("timeouts:\n  job: {|}\n", &["minutes"]);
    offers("context:\n  arch: arm64\n  |\n", &["cpu", "memory"]);
}

#[test]
fn words_are_offered_where_they_may_stand() {
    offers("actions:\n- boot:\n    method: |\n", &["qemu", "fvp", "minimal"]);
    offers("actions:\n- deploy: {to: t|}\n", &["tmpfs", "downloads"]);
    offers("visibility: p|\n", &["public", "personal"]);
    offers("actions:\n- boot:\n    ignore_kernel_messages: |\n", &["true", "false"]);
    offers("job_name: |x\n", &[]);
}

#[test]
fn keys_and_words_are_explained() {
    explains("timeouts:\n  jo|b: {minutes: 5}\n", Some("The whole run."));
    explains("timeouts:\n  job: {minu|tes: 5}\n", Some("How many minutes."));
    explains("actions:\n- deploy:\n    to: tmp|fs\n", Some("Fetch images and hand them to a simulator."));
    explains(
        "actions:\n- boot:\n    method: qemu\n    prom|pts: x\n",
        Some("Patterns of the shell's prompt."),
    );
    explains("context: {ar|ch: arm64}\n", Some("The architecture of the machine: `arm64`, `amd64`, …"));
    explains("unknow|n: 1\n", None);
}
