//! Agreement with PyYAML itself, where there is one.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use pumice_types::SourceId;
use pumice_yaml::{Node, Value};
use serde_json::{Value as Json, json};

/// PyYAML in a process of its own.
struct Oracle {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// `None`, with the reason printed, where there is no Python with PyYAML.
    fn start() -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/pyyaml.py");
        let has_yaml = Command::new("python3").args(["-c", "import yaml"]).stderr(Stdio::null()).status();
        if !has_yaml.is_ok_and(|status| status.success()) {
            println!("skipped: python3 with PyYAML is not here (pip install pyyaml)");
            return None;
        }
        let mut child = Command::new("python3")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let questions = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Some(Self { child, questions, answers })
    }

    /// What each of the two loaders makes of a text.
    fn ask(&mut self, text: &str) -> [Json; 2] {
        writeln!(self.questions, "{}", json!(text)).unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A tree in the form of the oracle's answers.
fn plain(node: &Node) -> Json {
    match &node.value {
        Value::Float(_) => json!({"float": node.scalar_text()}),
        Value::Seq(items) => items.iter().map(plain).collect(),
        Value::Map(map) => {
            let pairs: Vec<_> = map.iter().map(|entry| json!([entry.key, plain(&entry.value)])).collect();
            json!({"map": pairs})
        }
        _ => node.to_json(),
    }
}

/// What we make of a text: null when it is refused.
fn ours(text: &str) -> Json {
    let (node, diagnostics) = pumice_yaml::parse(text, SourceId(0));
    match node {
        Some(node) if !diagnostics.has_errors() => json!([plain(&node)]),
        _ => Json::Null,
    }
}

/// The texts on which neither loader agrees with us.
fn disagreements<'t>(texts: impl IntoIterator<Item = &'t str>) -> Vec<String> {
    let Some(mut oracle) = Oracle::start() else { return Vec::new() };
    let mut found = Vec::new();
    for text in texts {
        let theirs = oracle.ask(text);
        let ours = ours(text);
        if !theirs.contains(&ours) {
            found.push(format!(
                "{text:?}\n    PyYAML {}\n    libyaml {}\n    ours {ours}",
                theirs[0], theirs[1]
            ));
        }
    }
    found
}

fn assert_agreement<'t>(texts: impl IntoIterator<Item = &'t str>) {
    let found = disagreements(texts);
    assert!(found.is_empty(), "{} differ:\n{}", found.len(), found.join("\n"));
}

#[test]
fn small_texts_mean_what_pyyaml_says() {
    assert_agreement(include_str!("small.txt").split("\n=====\n"));
}

#[test]
fn texts_that_were_cut_or_changed_mean_what_pyyaml_says() {
    let texts: Vec<_> = include_str!("small.txt").split("\n=====\n").collect();
    let alphabet = [
        '\t', ' ', '\n', ':', '-', '?', '{', '}', '[', ']', ',', '#', '&', '*', '!', '|', '>', '\'', '"',
        '%', '@', '\\', 'a', '1', '.', '\u{85}', 'é', '=',
    ];
    let mut changed = Vec::new();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |bound: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % bound as u64).unwrap()
    };
    for text in texts.iter().filter(|text| text.len() < 400) {
        for _ in 0..12 {
            let mut characters: Vec<char> = text.chars().collect();
            for _ in 0..=below(3) {
                let at = below(characters.len() + 1);
                let letter = alphabet[below(alphabet.len())];
                match below(4) {
                    0 => characters.truncate(at),
                    1 if at < characters.len() => characters[at] = letter,
                    2 if at < characters.len() => drop(characters.remove(at)),
                    _ => characters.insert(at, letter),
                }
            }
            changed.push(characters.into_iter().collect::<String>());
        }
    }
    assert_agreement(changed.iter().map(String::as_str));
}

#[test]
fn jobs_and_devices_from_the_field_mean_what_pyyaml_says() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    if !corpus.is_dir() {
        println!("skipped: no corpus at {}", corpus.display());
        return;
    }
    let mut texts = Vec::new();
    // The mutants differ little from one another for YAML; reading them all would take most of the time.
    for (file, field, step) in
        [("jobs", "text", 1), ("mutants", "text", 8), ("testdefs", "text", 1), ("plans", "device_yaml", 4)]
    {
        let lines = fs::read_to_string(corpus.join(file).with_extension("jsonl")).unwrap();
        for line in lines.lines().step_by(step) {
            let row: Json = serde_json::from_str(line).unwrap();
            texts.extend(row[field].as_str().map(str::to_owned));
        }
    }
    assert!(texts.len() > 300);
    assert_agreement(texts.iter().map(String::as_str));
}
