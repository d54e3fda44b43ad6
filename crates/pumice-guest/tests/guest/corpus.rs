//! Test definitions from the field, with LAVA's verdict on each, and what is said of mistakes in them.

use std::{fmt::Write as _, fs, path::Path};

use expect_test::expect_file;

use pumice_guest::definition::{self, codes};
use pumice_types::{Diagnostics, Severity, SourceId};
use serde_json::Value;

/// What is refused in `text`.
fn errors(text: &str) -> Vec<String> {
    let (node, diagnostics) = pumice_yaml::parse(text, SourceId(0));
    let (_, more) = node.map_or_else(|| (None, Diagnostics::new()), |node| definition::parse(&node));
    diagnostics
        .into_iter()
        .chain(more)
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .map(|diagnostic| diagnostic.message)
        .collect()
}

#[test]
fn verdicts_on_test_definitions_from_the_field_agree_with_lavas() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/testdefs.jsonl");
    let Ok(lines) = fs::read_to_string(&path) else {
        println!("skipped: there is no corpus at {}", path.display());
        return;
    };
    let (mut judged, mut differ) = (0, Vec::new());
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = case["text"].as_str().unwrap();
        let errors = errors(text);
        let Some(accepted) = case["verdict"]["ok"].as_bool() else { continue };
        judged += 1;
        if accepted != errors.is_empty() {
            differ.push(format!("{}: LAVA accepts: {accepted}; ours: {errors:?}", case["name"]));
        }
    }
    println!("{judged} definitions, {} verdicts differ", differ.len());
    assert!(judged > 100);
    assert!(differ.len() * 100 <= judged, "{}", differ.join("\n"));
}

/// What is said of `text`, an item a line: severity, code, the text it points at, the message.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let (node, _) = pumice_yaml::parse(text, SourceId(0));
    let (_, diagnostics) = definition::parse(&node.unwrap());
    let shown: Vec<_> = diagnostics
        .iter()
        .map(|said| {
            let span = said.span.unwrap();
            format!("{:?} {} `{}`: {}", said.severity, said.code, &text[span.start..span.end], said.message)
        })
        .collect();
    assert_eq!(shown, expected);
}

const METADATA: &str = "metadata: {format: Lava-Test Test Definition 1.0, name: t}\n";

#[test]
fn every_mistake_is_said_at_its_place() {
    check("[]", &["Error wrong-type `[]`: a test definition must be a mapping, and this is a list"]);
    check(
        "run: {steps: []}",
        &["Error missing-key `run: {steps: []}`: `metadata` is missing in a test definition"],
    );
    check(
        "metadata: {format: Lava-Test Test Definition 2.0}",
        &[
            "Error test-definition-format `Lava-Test Test Definition 2.0`: `format` must be `Lava-Test Test Definition \
             1.0`",
            "Error missing-key `{format: Lava-Test Test Definition 2.0}`: `name` is missing in `metadata`",
        ],
    );
    check(
        &format!("{METADATA}runs: {{steps: []}}\nrun: {{steps: [true, [x]]}}"),
        &[
            "Warning unknown-key `runs`: nobody reads `runs` here",
            "Warning wrong-type `true`: a boolean in `steps` is read as `True`",
            "Error wrong-type `[x]`: an item of `steps` must be a string, and this is a list",
        ],
    );
    check(
        &format!("{METADATA}params: {{a-b: 1, C: [1]}}\ninstall: {{deps: x, git-repos: [{{branch: b}}, 3]}}"),
        &[
            "Warning parameter-name `a-b`: `a-b` cannot be a variable of the shell; the parameter is left out",
            "Warning wrong-type `[1]`: `C` is a list; the test sees it as JSON text",
            "Error wrong-type `x`: `deps` must be a list, and this is a string",
            "Error missing-key `{branch: b}`: `url` is missing in a repository",
            "Error wrong-type `3`: a repository must be a mapping, and this is an integer",
        ],
    );
}

#[test]
fn a_whole_definition_is_read() {
    let text = format!(
        "{METADATA}params: {{A: 1, B: yes}}
parameters: {{A: two}}
install:
  deps: [a]
  deps-debian: [b]
  git-repos: [https://example.org/x, {{url: https://example.org/$A, branch: main, destination: y}}]
  steps: ['true']
run: {{steps: [echo]}}
parse: {{pattern: 'x', fixupdict: {{OK: pass}}}}
expected: [c]
"
    );
    let (node, _) = pumice_yaml::parse(&text, SourceId(0));
    let (definition, diagnostics) = definition::parse(&node.unwrap());
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let definition = definition.unwrap();
    assert_eq!(definition.name, "t");
    assert_eq!(definition.parameters.iter().collect::<Vec<_>>(), [("A", "two"), ("B", "True")]);
    assert_eq!(definition.install.deps_by_distro, [("debian".to_owned(), vec!["b".to_owned()])]);
    assert_eq!(definition.install.git_repos[1].destination.as_deref(), Some("y"));
    assert_eq!(definition.steps, ["echo"]);
    assert_eq!(definition.pattern.unwrap().fixups, [("OK".to_owned(), "pass".to_owned())]);
    assert_eq!(definition.expected, Some(vec!["c".to_owned()]));
}

#[test]
fn the_codes_of_test_definitions_have_their_pages() {
    for (code, paragraph, text) in codes::PAGES {
        let (node, _) = pumice_yaml::parse(text, SourceId(0));
        let (_, diagnostics) = definition::parse(&node.unwrap());
        let said = diagnostics.iter().find(|said| said.code == code).unwrap();
        let level = if said.severity == Severity::Error { "error" } else { "warning" };
        let mut page =
            format!("# {code}\n\n{paragraph}\n\n```yaml\n{text}\n```\n\n{level}: {}\n", said.message);
        if let Some(help) = &said.help {
            writeln!(page, "\nhelp: {help}").unwrap();
        }
        let path = format!("{}/../../docs/user/codes/{code}.md", env!("CARGO_MANIFEST_DIR"));
        expect_file![path].assert_eq(&page);
    }
}
