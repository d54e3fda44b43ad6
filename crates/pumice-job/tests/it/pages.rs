//! The page of every code, made of its paragraph and of the first place where it stands in `fixtures/jobs/mistakes`.

use std::{collections::HashMap, fmt::Write as _, fs};

use expect_test::expect_file;
use pumice_types::{Diagnostic, Severity, Sources};

/// A line of a job and what is said of it.
struct Example {
    line: String,
    said: Diagnostic,
}

fn examples() -> HashMap<&'static str, Example> {
    let mut examples = HashMap::new();
    for file in crate::fixtures::files("mistakes") {
        let text = fs::read_to_string(&file).unwrap();
        let mut sources = Sources::default();
        let id = sources.add("job", text.as_str());
        let (job, diagnostics) = pumice_job::parse(&text, id);
        let defects = job.map(|job| job.defects).unwrap_or_default();
        for said in diagnostics.into_iter().chain(defects) {
            let at = sources.position(said.span.unwrap()).unwrap();
            let line = text.lines().nth(at.line - 1).unwrap_or_default().to_owned();
            examples.entry(said.code.0).or_insert(Example { line, said });
        }
    }
    examples
}

#[test]
fn every_code_has_its_page() {
    let examples = examples();
    for (code, paragraph) in pumice_job::codes() {
        let mut page = format!("# {code}\n\n{paragraph}\n");
        if let Some(Example { line, said }) = examples.get(code.0) {
            let level = if said.severity == Severity::Error { "error" } else { "warning" };
            write!(page, "\n```yaml\n{line}\n```\n\n{level}: {}\n", said.message).unwrap();
            if let Some(help) = &said.help {
                writeln!(page, "\nhelp: {help}").unwrap();
            }
        }
        let path = format!("{}/../../docs/user/codes/{code}.md", env!("CARGO_MANIFEST_DIR"));
        expect_file![path].assert_eq(&page);
    }
}
