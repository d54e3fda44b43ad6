//! `check`, `schema` and `device`, as a shell sees them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value as Json;

fn pumice(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pumice")).args(arguments).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn json(output: &Output) -> Json {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A file in `directory`.
fn written(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// A job with a misspelt key and a machine that nothing boots.
const WRONG: &str = "\
job_name: wrong
device_type: qemu
context: {arch: arm64}
visibility: public
prioritty: high
timeouts:
  job: {minutes: 5}
actions:
  - test:
      definitions:
        - repository:
            metadata: {name: a, format: Lava-Test Test Definition 1.0, description: a}
            run: {steps: ['true']}
          from: inline
          name: a
          path: a.yaml
";

#[test]
fn check_refuses_what_cannot_run_in_every_format() {
    let directory = tempfile::tempdir().unwrap();
    let job = written(directory.path(), "wrong.yaml", WRONG);
    let job = job.to_str().unwrap();

    let text = pumice(&["check", job]);
    assert_eq!(text.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&text.stderr).contains("did you mean `priority`?"));

    let found = json(&pumice(&["check", "--format", "json", job]));
    let diagnostics = found["jobs"][0]["diagnostics"].as_array().unwrap();
    let at = |line: u64| diagnostics.iter().filter(move |one| one["line"] == line).collect::<Vec<_>>();
    assert_eq!(at(5)[0]["suggestion"], "priority");
    assert!(at(9).iter().any(|one| one["severity"] == "error"), "{diagnostics:#?}");

    let log = json(&pumice(&["check", "--format", "sarif", job]));
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), diagnostics.len());
    for (result, diagnostic) in results.iter().zip(diagnostics) {
        let region = &result["locations"][0]["physicalLocation"]["region"];
        assert_eq!(region["startLine"], diagnostic["line"]);
        assert_eq!(result["level"], diagnostic["severity"]);
        let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], diagnostic["code"]);
    }
}

#[test]
fn schemas_are_those_that_are_checked_in() {
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas");
    for of in ["job", "test-definition"] {
        let expected = fs::read_to_string(schemas.join(format!("{of}.schema.json"))).unwrap();
        let expected: Json = serde_json::from_str(&expected).unwrap();
        assert_eq!(json(&pumice(&["schema", of])), expected, "{of}");
    }
}

#[test]
fn every_device_type_that_ships_is_listed_and_without_mistakes() {
    let listed = json(&pumice(&["device", "list", "--format", "json"]));
    let listed = listed["device_types"].as_array().unwrap();
    assert!(listed.iter().any(|one| one["name"] == "qemu" && one["from"] == "shipped"));
    let checked = pumice(&["device", "check", "--format", "json"]);
    assert_eq!(json(&checked)["devices"].as_array().unwrap().len(), listed.len(), "{}", out(&checked));
    assert_eq!(checked.status.code(), Some(0), "{}", out(&checked));
}

#[test]
fn a_device_is_rendered_with_the_context_of_the_command_line() {
    let arguments = ["device", "render", "--device-type", "qemu", "--context", "arch=arm64", "--context"];
    let rendered = pumice(&[&arguments[..], &["memory=777", "--format", "json"]].concat());
    assert_eq!(rendered.status.code(), Some(0));
    assert!(out(&rendered).contains("-m 777"), "{}", out(&rendered));
}

#[test]
fn a_directory_of_device_types_comes_before_those_that_ship() {
    let directory = tempfile::tempdir().unwrap();
    written(directory.path(), "qemu.jinja2", "{% extends 'base.jinja2' %}\n");
    let path = directory.path().to_str().unwrap();
    let listed = json(&pumice(&["device", "list", "--format", "json", "--device-types", path]));
    let own = listed["device_types"].as_array().unwrap().iter().find(|one| one["name"] == "qemu").unwrap();
    assert_eq!(own["from"], directory.path().join("qemu.jinja2").to_str().unwrap());
}

#[test]
fn a_mistake_in_a_device_says_where_its_value_came_from() {
    let directory = tempfile::tempdir().unwrap();
    let check = |dictionary: &str| {
        let device = written(directory.path(), "arm-01.jinja2", dictionary);
        let arguments = ["device", "check", "--format", "json", device.to_str().unwrap()];
        let checked = pumice(&arguments);
        assert_eq!(checked.status.code(), Some(64), "{}", out(&checked));
        json(&checked)["devices"][0]["diagnostics"].clone()
    };

    let found = check("{% extends 'qemu.jinja2' %}\n{% set failure_retry = '[' %}\n");
    let related = |one: &Json| one["related"].as_array().unwrap().clone();
    let related: Vec<_> = found.as_array().unwrap().iter().flat_map(related).collect();
    assert!(
        related.iter().any(|one| one["line"] == 2 && one["label"] == "comes from `failure_retry`, set here"),
        "{found:#}"
    );

    let found = check("{% extends 'qemu.jinja2' %}\n{% if %}\n");
    assert_eq!(found[0]["line"], 2, "{found:#}");

    let found = check("{% extends 'quemu.jinja2' %}\n");
    assert_eq!(found[0]["line"], 1, "{found:#}");
    assert!(found[0]["help"].as_str().unwrap().contains("pumice device list"), "{found:#}");
}
