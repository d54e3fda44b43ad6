//! Agreement with LAVA over jobs from the field.

use std::{fmt::Write as _, fs, path::Path};

use pumice_types::{Diagnostic, Diagnostics, Severity, SourceId, Sources, Span};
use pumice_yaml::Node;
use serde_json::Value as Json;

/// The rows of a file of the corpus; none, with the reason printed, where there is no corpus.
fn rows(file: &str) -> Vec<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus").join(file);
    let Ok(text) = fs::read_to_string(&path) else {
        println!("skipped: no {}", path.display());
        return Vec::new();
    };
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ok(row: &Json, schema: &str) -> bool {
    row[schema]["ok"].as_bool().unwrap()
}

fn shown(row: &Json, diagnostics: &Diagnostics) -> String {
    let mut sources = Sources::default();
    sources.add("job", row["text"].as_str().unwrap());
    let mut shown = format!(
        "{} {} at {}\n    submit {}\n    strict {}\n",
        row["of"].as_str().or(row["name"].as_str()).unwrap(),
        row["mutation"],
        row["at"],
        row["submit"]["text"],
        row["strict"]["text"]
    );
    for Diagnostic { severity, code, message, span, .. } in diagnostics {
        let line = span.and_then(|span| sources.position(span)).map_or(0, |at| at.line);
        writeln!(shown, "    ours {line} {severity:?} {code}: {message}").unwrap();
    }
    shown
}

#[test]
fn survey() {
    let (mut count, mut differ, mut silent) = (0, 0, 0);
    let boards: Vec<String> = rows("jobs.jsonl")
        .iter()
        .filter(|row| row["virtual"] == false)
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect();
    for row in rows("jobs.jsonl").iter().chain(&rows("mutants.jsonl")) {
        let name = row["of"].as_str().or(row["name"].as_str()).unwrap();
        if boards.iter().any(|board| board == name) {
            continue;
        }
        let (_, diagnostics) = pumice_job::parse(row["text"].as_str().unwrap(), SourceId(0));
        count += 1;
        if diagnostics.has_errors() == ok(row, "submit") {
            differ += 1;
            print!("DIFFERS {}", shown(row, &diagnostics));
        } else if !ok(row, "strict") && diagnostics.is_empty() {
            silent += 1;
            print!("SILENT {}", shown(row, &diagnostics));
        }
    }
    println!("{count} texts, {differ} differ, {silent} silent");
}

fn lines(sources: &Sources, span: Span) -> (usize, usize) {
    let end = Span::new(span.source, span.end.saturating_sub(1).max(span.start), span.end);
    (sources.position(span).unwrap().line, sources.position(end).unwrap().line)
}

/// The lines on which a mistake at this path may be reported: those of the key and of a scalar value; for something
/// that is missing, those of what lacks it.
fn places(node: &Node, path: &[&str], sources: &Sources) -> Vec<usize> {
    let mut found = Vec::new();
    let mut here = node;
    for (depth, part) in path.iter().enumerate() {
        let last = depth + 1 == path.len();
        let next = match &here.value {
            pumice_yaml::Value::Seq(items) => {
                part.parse::<usize>().ok().and_then(|at| items.get(at)).map(|item| (item.span, item))
            }
            pumice_yaml::Value::Map(map) => {
                let entry = map.entry(part).or_else(|| map.entry(&format!("{part}_x")));
                entry.map(|entry| (entry.key_span, &entry.value))
            }
            _ => None,
        };
        let Some((span, value)) = next else {
            // Gone: any line of what should hold it.
            let (first, last) = lines(sources, here.span);
            found.extend(first.saturating_sub(1)..=last);
            return found;
        };
        if last {
            let (first, end) = lines(sources, value.span);
            found.push(lines(sources, span).0);
            found.extend(first..=end);
        }
        here = value;
    }
    if path.is_empty() {
        let (first, last) = lines(sources, node.span);
        found.extend(first..=last);
    }
    found
}

#[test]
fn lines_and_suggestions() {
    let bases = rows("jobs.jsonl");
    let (mut count, mut wrong, mut misspelt, mut missed) = (0, 0, 0, 0);
    for row in rows("mutants.jsonl") {
        let text = row["text"].as_str().unwrap();
        let mut sources = Sources::default();
        let id = sources.add("job", text);
        let (_, diagnostics) = pumice_job::parse(text, id);
        let (node, _) = pumice_yaml::parse(text, id);
        let path: Vec<&str> =
            row["at"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
        let Some(base) = bases.iter().find(|base| base["name"] == row["of"]) else { continue };
        let (_, before) = pumice_job::parse(base["text"].as_str().unwrap(), id);
        let is_new = |d: &&Diagnostic| !before.iter().any(|b| b.message == d.message && b.code == d.code);
        let lava_reacts = ["submit", "strict"]
            .iter()
            .any(|schema| !ok(&row, schema) && row[schema]["text"] != base[schema]["text"]);
        if !lava_reacts && !diagnostics.iter().any(|d| is_new(&d)) {
            continue;
        }
        count += 1;
        let places = places(&node.unwrap(), &path, &sources);
        let at_place = |d: &&Diagnostic| places.contains(&lines(&sources, d.span.unwrap()).0);
        if !diagnostics.iter().any(|d| at_place(&d)) {
            wrong += 1;
            print!("LINE {}", shown(&row, &diagnostics));
        }
        if row["mutation"] == "rename" {
            misspelt += 1;
            let right = diagnostics
                .iter()
                .any(|d| d.suggestion.as_ref().is_some_and(|s| Some(&s.replacement.as_str()) == path.last()));
            if !right {
                missed += 1;
                print!("SUGGESTION {}", shown(&row, &diagnostics));
            }
        }
    }
    println!("{count} mutants, {wrong} wrong lines; {misspelt} misspelt, {missed} missed");
    let _ = Severity::Error;
}
