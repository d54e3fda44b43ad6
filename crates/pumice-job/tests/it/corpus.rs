//! Agreement with LAVA over jobs from the field, and over those jobs with one mistake each.
//!
//! The differences that remain are listed in `docs/lava-differences.md`.

use std::{collections::HashMap, fmt::Write as _, fs, path::Path};

use pumice_types::{Diagnostic, Diagnostics, Severity, SourceId, Sources, Span};
use pumice_yaml::{Node, Value};
use serde_json::Value as Json;

use crate::fixtures::listed;

/// The rows of a file of the corpus; none, with the reason printed, where there is no corpus.
fn rows(file: &str) -> Vec<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus").join(file);
    let Ok(text) = fs::read_to_string(&path) else {
        println!("skipped: no {}", path.display());
        return Vec::new();
    };
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(row: &Json) -> &str {
    row["text"].as_str().unwrap()
}

/// What one of LAVA's schemas says.
fn accepts(row: &Json, schema: &str) -> bool {
    row[schema]["ok"].as_bool().unwrap()
}

fn shown(row: &Json, diagnostics: &Diagnostics) -> String {
    let mut sources = Sources::default();
    sources.add("job", text(row));
    let name = row["of"].as_str().or(row["name"].as_str()).unwrap();
    let mut shown = String::new();
    writeln!(shown, "{name}: {} at {}", row["mutation"], row["at"]).unwrap();
    writeln!(shown, "  on submission {}, strict {}", row["submit"]["text"], row["strict"]["text"]).unwrap();
    shown + &listed(&sources, diagnostics)
}

/// Fails when more than a share of the cases is wrong, and shows those.
fn assert_at_most(wrong: &[String], of: usize, percent: usize) {
    println!("{} of {of} are wrong", wrong.len());
    assert!(wrong.len() * 100 <= of * percent, "{} of {of} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_a_lab_accepts_is_accepted_and_what_it_refuses_is_refused() {
    let jobs = rows("jobs.jsonl");
    let is_board = |name: &Json| jobs.iter().any(|job| job["name"] == *name && job["virtual"] == false);
    let mut count = 0;
    let mut wrong = Vec::new();
    let mut silent = Vec::new();
    for row in jobs.iter().chain(&rows("mutants.jsonl")) {
        let name = if row["of"].is_null() { &row["name"] } else { &row["of"] };
        if is_board(name) {
            continue;
        }
        count += 1;
        let (_, diagnostics) = pumice_job::parse(text(row), SourceId(0));
        if diagnostics.has_errors() == accepts(row, "submit") {
            wrong.push(shown(row, &diagnostics));
        }
        if !accepts(row, "strict") && diagnostics.is_empty() {
            silent.push(shown(row, &diagnostics));
        }
    }
    assert_at_most(&wrong, count, 1);
    assert_at_most(&silent, count, 0);
}

#[test]
fn jobs_for_boards_are_refused_by_name() {
    for row in rows("jobs.jsonl").iter().filter(|row| row["virtual"] == false) {
        let (_, diagnostics) = pumice_job::parse(text(row), SourceId(0));
        let named = diagnostics.iter().find(|diagnostic| diagnostic.code == pumice_job::codes::NEEDS_BOARD);
        let methods = row["methods"]["boot"].to_string() + &row["methods"]["deploy"].to_string();
        let named = named.unwrap_or_else(|| panic!("{}", shown(row, &diagnostics)));
        let word = named.message.split_once(": ").and_then(|(_, rest)| rest.split('`').next()).unwrap();
        assert!(methods.contains(word), "{named:?}");
        assert_eq!(named.severity, Severity::Error);
    }
}

/// What a mutant is about: those that neither LAVA nor we tell from the job it was made of say nothing.
struct Mutant {
    row: Json,
    diagnostics: Diagnostics,
    node: Node,
    sources: Sources,
}

fn mutants() -> Vec<Mutant> {
    let jobs = rows("jobs.jsonl");
    let read = |text: &str| pumice_job::parse(text, SourceId(0)).1;
    let before: HashMap<&str, (&Json, Diagnostics)> =
        jobs.iter().map(|job| (job["name"].as_str().unwrap(), (job, read(text(job))))).collect();
    let mut mutants = Vec::new();
    for row in rows("mutants.jsonl") {
        let Some((job, known)) = before.get(row["of"].as_str().unwrap()) else { continue };
        let mut sources = Sources::default();
        let id = sources.add("job", text(&row));
        let (_, diagnostics) = pumice_job::parse(text(&row), id);
        let is_new = |d: &Diagnostic| !known.iter().any(|k| (&k.message, k.code) == (&d.message, d.code));
        let refused = |schema| !accepts(&row, schema) && row[schema]["text"] != job[schema]["text"];
        if refused("submit") || refused("strict") || diagnostics.iter().any(is_new) {
            let node = pumice_yaml::parse(text(&row), id).0.unwrap();
            mutants.push(Mutant { row, diagnostics, node, sources });
        }
    }
    mutants
}

impl Mutant {
    fn path(&self) -> Vec<&str> {
        self.row["at"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect()
    }

    /// The first and the last line of a span.
    fn lines(&self, span: Span) -> (usize, usize) {
        let last = Span::new(span.source, span.end.saturating_sub(1).max(span.start), span.end);
        (self.sources.position(span).unwrap().line, self.sources.position(last).unwrap().line)
    }

    /// The lines on which the mistake may be told: those of the key and its value; where something was taken away,
    /// those of what lacks it and of its key.
    fn places(&self) -> Vec<usize> {
        let mut here = &self.node;
        let mut key = here.span;
        for part in self.path() {
            let next = match &here.value {
                Value::Seq(items) => {
                    part.parse().ok().and_then(|at: usize| items.get(at)).map(|item| (item.span, item))
                }
                Value::Map(map) => {
                    let entry = map.entry(part).or_else(|| map.entry(&format!("{part}_x")));
                    entry.map(|entry| (entry.key_span, &entry.value))
                }
                _ => None,
            };
            match next {
                Some(next) => (key, here) = next,
                None => break,
            }
        }
        let (first, last) = self.lines(here.span);
        (first..=last).chain([self.lines(key).0]).collect()
    }
}

#[test]
fn mistakes_are_told_on_their_lines() {
    let mutants = mutants();
    let is_wrong = |mutant: &&Mutant| {
        let places = mutant.places();
        let told = |d: &Diagnostic| d.span.is_some_and(|span| places.contains(&mutant.lines(span).0));
        !mutant.diagnostics.iter().any(told)
    };
    let wrong: Vec<_> = mutants.iter().filter(is_wrong).map(|m| shown(&m.row, &m.diagnostics)).collect();
    assert_at_most(&wrong, mutants.len(), 1);
}

#[test]
fn a_misspelt_key_gets_the_right_suggestion() {
    let mutants: Vec<_> = mutants().into_iter().filter(|mutant| mutant.row["mutation"] == "rename").collect();
    let is_wrong = |mutant: &&Mutant| {
        let key = mutant.path().last().copied();
        let suggests =
            |d: &Diagnostic| d.suggestion.as_ref().is_some_and(|s| Some(s.replacement.as_str()) == key);
        !mutant.diagnostics.iter().any(suggests)
    };
    let wrong: Vec<_> = mutants.iter().filter(is_wrong).map(|m| shown(&m.row, &m.diagnostics)).collect();
    assert_at_most(&wrong, mutants.len(), 10);
}

#[test]
fn what_lava_plans_has_no_defect_and_what_it_cannot_plan_has_one() {
    let jobs = rows("jobs.jsonl");
    let mut wrong = Vec::new();
    let mut count = 0;
    for plan in rows("plans.jsonl") {
        let Some(job) = jobs.iter().find(|job| job["name"] == plan["of"] && job["virtual"] == true) else {
            continue;
        };
        count += 1;
        let (read, _) = pumice_job::parse(text(job), SourceId(0));
        let defects = read.unwrap().defects;
        if defects.is_empty() != plan["ok"].as_bool().unwrap() {
            wrong.push(shown(job, &defects));
        }
    }
    assert_at_most(&wrong, count, 0);
}
