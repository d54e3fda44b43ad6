//! What `lavacli` says to commands that are written down with their answers, like a terminal's transcript:
//!
//! ```text
//! = board.yaml              a file for the commands after it; its lines are indented
//!   job_name: board
//! $ jobs submit board.yaml  a command, by the administrator; `alice$` is an ordinary user's, `nobody$` nobody's
//! 1                         what it prints; `…` stands for any words, a line `…` for any lines
//! [1]                       its exit, if that is not 0
//! ## words                  a remark
//! ```

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::program;
use crate::lab::Lab;

/// A command and what is expected of it.
struct Step {
    who: String,
    words: Vec<String>,
    printed: Vec<String>,
    code: i64,
    line: usize,
}

/// Reads a transcript; its files are written into `directory`.
fn read(text: &str, directory: &Path) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut file = None;
    for (number, line) in text.lines().enumerate() {
        if let Some(name) = line.strip_prefix("= ") {
            file = Some(std::fs::File::create(directory.join(name)).unwrap());
        } else if let (Some(file), Some(line)) = (&mut file, line.strip_prefix("  ")) {
            writeln!(file, "{line}").unwrap();
        } else if let Some((who, words)) =
            line.split_once("$ ").filter(|(who, _)| matches!(*who, "" | "alice" | "nobody"))
        {
            file = None;
            let words = shell_words(words);
            let who = who.to_owned();
            steps.push(Step { who, words, printed: Vec::new(), code: 0, line: number + 1 });
        } else if line.starts_with("## ") || file.is_some() {
        } else if let Some(step) = steps.last_mut() {
            let code = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')?.parse().ok());
            match code {
                Some(code) => step.code = code,
                None => step.printed.push(line.to_owned()),
            }
        }
    }
    for step in &mut steps {
        while step.printed.last().is_some_and(String::is_empty) {
            step.printed.pop();
        }
    }
    steps
}

/// Words between blanks; quotes keep blanks.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (None, ' ') => words.push(String::new()),
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), close) if open == close => quote = None,
            (_, letter) => words.last_mut().unwrap().push(letter),
        }
    }
    words
}

/// Whether the words in `pattern` between its `…` come in this order, from the beginning to the end.
fn fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

/// Whether what was printed is what was expected; a line `…` stands for any lines.
fn all_fit(expected: &[String], printed: &[&str]) -> bool {
    match expected {
        [] => printed.is_empty(),
        [any, rest @ ..] if any == "…" => (0..=printed.len()).any(|from| all_fit(rest, &printed[from..])),
        [first, rest @ ..] => {
            printed.first().is_some_and(|line| fits(first, line)) && all_fit(rest, &printed[1..])
        }
    }
}

/// Says every command of a transcript to a lab, and holds what comes against what is written.
pub(super) fn check(lab: &Lab, alice: &str, text: &str) {
    let Some(python) = program("python") else { return };
    let directory = tempfile::tempdir().unwrap();
    let steps = read(text, directory.path());
    let mut said = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/lavacli/several.py"))
        .current_dir(directory.path())
        .env("XDG_CONFIG_HOME", directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = said.stdin.take().unwrap();
    for step in &steps {
        let user = match step.who.as_str() {
            "" => format!("admin:{}@", lab.token),
            "alice" => format!("alice:{alice}@"),
            _ => String::new(),
        };
        let uri = format!("{}/RPC2", lab.url.replace("://", &format!("://{user}")));
        let words: Vec<_> = ["--uri".to_owned(), uri].into_iter().chain(step.words.iter().cloned()).collect();
        writeln!(input, "{}", json!(words)).unwrap();
    }
    drop(input);
    let output = said.wait_with_output().unwrap();
    let answers: Vec<Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    assert_eq!(answers.len(), steps.len(), "lavacli itself failed");
    let mut wrong = Vec::new();
    for (step, answer) in steps.iter().zip(&answers) {
        let printed = answer["printed"].as_str().unwrap();
        let lines: Vec<_> = printed.lines().collect();
        if answer["code"] != step.code || !all_fit(&step.printed, &lines) {
            let command = step.words.join(" ");
            wrong.push(format!("line {}: {command}\n[{}] {printed}", step.line, answer["code"]));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_transcript_is_compared_by_words_and_lines() {
    for (pattern, line, expected) in [
        ("a … c", "a b c", true),
        ("a … c", "a b c d", false),
        ("…", "", true),
        ("a…b…c", "axbxc", true),
        ("a", "ab", false),
    ] {
        assert_eq!(fits(pattern, line), expected, "{pattern} {line}");
    }
    let any = ["a", "…", "d"].map(str::to_owned);
    assert!(all_fit(&any, &["a", "b", "c", "d"]) && !all_fit(&any, &["a", "b"]));
    assert_eq!(shell_words("a 'b c' \"d\""), ["a", "b c", "d"]);
}
