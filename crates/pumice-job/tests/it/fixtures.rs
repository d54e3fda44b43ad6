//! The jobs that come with the project: what they become, and what is said of those with mistakes.

use std::{fmt::Write as _, fs, path::PathBuf};

use expect_test::expect_file;
use pumice_types::{Diagnostics, Severity, Sources};

/// The YAML files of a directory below `fixtures/jobs`.
pub(crate) fn files(directory: &str) -> Vec<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/jobs").join(directory);
    let mut files: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}

/// One line for each mistake, with the text it is about, its advice and its suggestion.
pub(crate) fn listed(sources: &Sources, diagnostics: &Diagnostics) -> String {
    let mut listed = String::new();
    for diagnostic in diagnostics {
        let span = diagnostic.span.unwrap();
        let at = sources.position(span).unwrap();
        let level = if diagnostic.severity == Severity::Error { "error" } else { "warning" };
        let text = &sources.get(span.source).unwrap().text[span.start..span.end];
        let under: String = text.lines().next().unwrap_or_default().chars().take(40).collect();
        writeln!(listed, "{}:{} {level} {}: {}", at.line, at.column, diagnostic.code, diagnostic.message)
            .unwrap();
        write!(listed, "    {under}").unwrap();
        if let Some(label) = &diagnostic.label {
            write!(listed, " <- {label}").unwrap();
        }
        if let Some(suggestion) = &diagnostic.suggestion {
            write!(listed, " => {}", suggestion.replacement).unwrap();
        }
        listed.push('\n');
        for related in &diagnostic.related {
            let at = sources.position(related.span).unwrap();
            writeln!(listed, "    see {}:{} {}", at.line, at.column, related.label).unwrap();
        }
        if let Some(help) = &diagnostic.help {
            writeln!(listed, "    {help}").unwrap();
        }
    }
    listed
}

#[test]
fn good_jobs_become_what_is_written_beside_them() {
    let files = files("");
    assert!(files.len() > 10);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let mut sources = Sources::default();
        let id = sources.add(file.to_string_lossy(), text.as_str());
        let (job, diagnostics) = pumice_job::parse(&text, id);
        assert_eq!(listed(&sources, &diagnostics), "", "{}", file.display());
        let job = job.unwrap();
        assert_eq!(listed(&sources, &job.defects), "", "{}", file.display());
        let json = serde_json::to_string_pretty(&job).unwrap() + "\n";
        assert!(!json.contains("hunter2"), "a secret is shown");
        expect_file![file.with_extension("json")].assert_eq(&json);
    }
}

#[test]
fn mistakes_are_all_told_at_their_places() {
    let files = files("mistakes");
    assert!(files.len() > 8);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let mut sources = Sources::default();
        let id = sources.add(file.to_string_lossy(), text.as_str());
        let (job, diagnostics) = pumice_job::parse(&text, id);
        let mut told = listed(&sources, &diagnostics);
        if let Some(job) = job.filter(|job| !job.defects.is_empty()) {
            told.push_str("and when it is planned\n");
            told.push_str(&listed(&sources, &job.defects.sorted()));
        }
        expect_file![file.with_extension("txt")].assert_eq(&told);
    }
}
