//! `pumice model add` and `pumice model check`: a model's own program, looked at.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use pumice_platforms::examine::{self, Description, Finding, Subject, Verdict};
use pumice_types::{Cause, Failure, Sources};

use super::model::{program, read};
use crate::{
    cli::SubjectArgs,
    exit::Exit,
    host::Prepared,
    models,
    terminal::{print, show_failure},
};

/// Writes an entry for a program.
pub(crate) fn add(args: &SubjectArgs, name: Option<&str>, to: Option<&Path>, only_print: bool) -> Exit {
    finish(looked_at(args, async |_, description| Ok(description)).and_then(|description| {
        let name = name.map_or_else(|| description.name.clone(), str::to_owned);
        let entry = description.entry(&name);
        if only_print {
            print(entry.trim_end());
            return Ok(Exit::Success);
        }
        let (library, config) = read(&args.models)?;
        let directory = to.or_else(|| config.models.first().map(PathBuf::as_path));
        let Some(directory) = directory else {
            let message = "there is no directory for entries of your own";
            return Err(Failure::new(Cause::InvalidDefinition, message).hint(
                "name one with `--to DIR`, or in the configuration: models = [\"/srv/pumice/models\"]",
            ));
        };
        let path = directory.join(format!("{name}.toml"));
        let cannot = |error: std::io::Error| {
            Failure::new(Cause::HostRefused, format!("cannot write `{}`: {error}", path.display()))
        };
        fs::create_dir_all(directory).map_err(cannot)?;
        if path.exists() {
            let message = format!("`{}` is there already", path.display());
            return Err(Failure::new(Cause::InvalidDefinition, message)
                .hint("give the entry another name with `--name`, or remove the file"));
        }
        fs::write(&path, entry).map_err(cannot)?;
        // What we write must be what we read.
        let mut sources = Sources::default();
        let (_, found) = models::read(&[directory.to_owned()], &mut sources);
        crate::diagnostics::show(&found, &sources);
        print(&format!("{} is written", path.display()));
        if found.has_errors() {
            let message = "what was written, or another entry beside it, cannot be read: see above";
            return Err(Failure::new(Cause::InvalidDefinition, message).hint("correct or remove it"));
        }
        if let Ok(known) = library.get(&name) {
            print(&format!("it replaces the model `{}` that ships with pumice", known.name));
        }
        print(&format!("try it: pumice model show {name}; pumice run --model {name} --axf FILE"));
        Ok(Exit::Success)
    }))
}

/// Tries our beliefs on a program.
pub(crate) fn check(args: &SubjectArgs, report: Option<&Path>) -> Exit {
    let looked = looked_at(args, async |subject, description| {
        let findings = examine::examine(subject, &description).await?;
        Ok((description, findings))
    });
    finish(looked.and_then(|(description, findings)| {
        show(&description, &findings);
        if let Some(path) = report {
            let text = as_json(&description, &findings);
            fs::write(path, text).map_err(|error| {
                Failure::new(Cause::HostRefused, format!("cannot write `{}`: {error}", path.display()))
            })?;
        }
        let differs = findings.iter().any(|finding| finding.verdict == Verdict::Differs);
        Ok(if differs { Exit::TestsFailed } else { Exit::Success })
    }))
}

fn finish(outcome: Result<Exit, Failure>) -> Exit {
    outcome.unwrap_or_else(|failure| {
        show_failure(&failure);
        Exit::of_fault(failure.fault)
    })
}

/// Describes the program, then works with it, under a guard of its own.
fn looked_at<T>(
    args: &SubjectArgs,
    work: impl AsyncFnOnce(&Subject, Description) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (library, config) = read(&args.models)?;
    let named = args.program.to_string_lossy();
    let entry = library.get(&named).ok();
    let of_library = entry.and_then(|model| program(model, &config));
    let path =
        of_library.or_else(|| crate::host::find_program(&named, &config)).unwrap_or(args.program.clone());
    let mut environment = entry.map(|model| environment_of(&model.node)).unwrap_or_default();
    let shared =
        entry.and_then(|model| model.node.at(&["machine", "library"])?.scalar_text()).map(PathBuf::from);
    if let Some(name) = &args.licence {
        let stock = config.licences().remove(name).ok_or_else(|| {
            let message = format!("the configuration has no `[licences.{name}]`");
            Failure::new(Cause::InvalidDefinition, message)
        })?;
        environment.extend(stock.environment);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::new(Cause::HostRefused, format!("cannot start: {error}")))?;
    runtime.block_on(async {
        let here = env::current_dir().unwrap_or_else(|_| "/".into());
        let prepared = Prepared::new(&args.places, Vec::new(), &here, None, Vec::new(), &config)?;
        let path = std::path::absolute(&path).unwrap_or(path);
        let library = args.library.as_ref().map(|path| std::path::absolute(path).unwrap_or(path.clone()));
        let library = library.or(shared);
        let host = prepared.host.host.clone();
        let subject = Subject { program: path, library, environment, host };
        let outcome = async {
            let description = examine::describe(&subject).await?;
            work(&subject, description).await
        }
        .await;
        drop(subject);
        prepared.finish().await?;
        outcome
    })
}

/// The variables of an entry of the model library.
fn environment_of(entry: &pumice_yaml::Node) -> BTreeMap<String, String> {
    let map = entry.at(&["machine", "environment"]).and_then(pumice_yaml::Node::as_map);
    let entries = map.into_iter().flat_map(|map| map.iter());
    entries.filter_map(|entry| Some((entry.key.clone(), entry.value.scalar_text()?))).collect()
}

fn show(description: &Description, findings: &[Finding]) {
    let version = description.version.as_deref().unwrap_or("no version");
    print(&format!("{}: {version}, on {} {}", description.program, env::consts::OS, env::consts::ARCH));
    for finding in findings {
        let verdict = match finding.verdict {
            Verdict::Agrees => "agrees",
            Verdict::Differs => "DIFFERS",
            Verdict::Learnt => "learnt",
            Verdict::Untried => "untried",
        };
        let expected = match finding.verdict {
            Verdict::Differs => format!(" (expected: {})", finding.expected),
            _ => String::new(),
        };
        print(&format!("{verdict:<8} {:<64} {}{expected}", finding.what, finding.found));
        if matches!(finding.verdict, Verdict::Differs | Verdict::Learnt) {
            for line in finding.said.lines().take(12) {
                print(&format!("         | {line}"));
            }
        }
    }
    let count = |wanted| findings.iter().filter(|finding| finding.verdict == wanted).count();
    print(&format!(
        "{} agree, {} differ, {} learnt, {} untried",
        count(Verdict::Agrees),
        count(Verdict::Differs),
        count(Verdict::Learnt),
        count(Verdict::Untried)
    ));
    print("please send us the file that `--report FILE` writes: we do not have this model");
}

fn as_json(description: &Description, findings: &[Finding]) -> String {
    let findings: Vec<_> = findings
        .iter()
        .map(|finding| {
            serde_json::json!({
                "what": finding.what,
                "source": finding.source,
                "verdict": format!("{:?}", finding.verdict).to_lowercase(),
                "found": finding.found,
                "expected": finding.expected,
                "said": finding.said,
            })
        })
        .collect();
    let report = serde_json::json!({
        "format": 1,
        "pumice": env!("CARGO_PKG_VERSION"),
        "model": description.name,
        "version": description.version,
        "host": format!("{} {}", env::consts::OS, env::consts::ARCH),
        "parameters": description.parameters,
        "instances": description.instances,
        "findings": findings,
    });
    let mut text = serde_json::to_string_pretty(&report).unwrap_or_default();
    text.push('\n');
    text
}
