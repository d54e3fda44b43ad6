//! Brings one test definition: its text and the files around it.

use std::fs;

use pumice_guest::{
    definition::{self, Parameters, TestDefinition},
    overlay::{Contents, OverlayFile},
};
use pumice_image::{Node, Tree};
use pumice_job::DefinitionSource;
use pumice_plan::deploy::DefinitionPlan;
use pumice_types::{Cause, Diagnostics, Failure, Sources};

use super::{
    cannot_make,
    repository::{self, Repository},
};
use crate::{cx::StepCx, host::RunHost};

/// A definition and what came with it.
pub(crate) struct Fetched {
    /// The definition.
    pub(crate) definition: TestDefinition,
    /// Its text.
    pub(crate) text: String,
    /// The files of its repository, their paths from the test's folder.
    pub(crate) files: Vec<OverlayFile>,
    /// The commit that was used.
    pub(crate) commit: Option<String>,
    /// Where it came from, as `lava/N_name` tells it.
    pub(crate) repository: serde_json::Value,
}

/// Brings the definition.
pub(crate) async fn run(plan: &DefinitionPlan, host: &RunHost, cx: &StepCx) -> Result<Fetched, Failure> {
    cx.step(&plan.fetch, Cause::DownloadFailed, async |cx| {
        if let DefinitionSource::Inline(node) = &plan.definition.from {
            return inline(plan, node);
        }
        let source = repository::Source {
            from: &plan.definition.from,
            label: &plan.definition.name.value,
            archive: plan.archive.as_ref(),
        };
        let directory = host.work_dir.join(format!("t{}", plan.number));
        let Repository { tree, commit, url } = repository::bring(&source, &directory, host, cx).await?;
        let files = files(&tree)?;
        let (definition, text) = read(plan, &files)?;
        Ok(Fetched { definition, text, files, commit, repository: url.into() })
    })
    .await
}

fn inline(plan: &DefinitionPlan, node: &pumice_yaml::Node) -> Result<Fetched, Failure> {
    let (definition, diagnostics) = definition::parse(node);
    let repository = node.to_json();
    let text = serde_json::to_string_pretty(&repository).unwrap_or_default();
    let definition = checked(plan, definition, &diagnostics, &Sources::default())?;
    Ok(Fetched { definition, text, files: Vec::new(), commit: None, repository })
}

/// The definition at the plan's path among `files`.
fn read(plan: &DefinitionPlan, files: &[OverlayFile]) -> Result<(TestDefinition, String), Failure> {
    let path = plan.definition.path.value.trim_start_matches("./").trim_start_matches('/');
    let Some(file) = files.iter().find(|file| file.path == path) else {
        let name = &plan.definition.name.value;
        return Err(Failure::new(
            Cause::InvalidDefinition,
            format!("the repository of test definition `{name}` has no file `{path}`"),
        ));
    };
    let bytes = match &file.contents {
        Contents::Bytes(bytes) => bytes.to_vec(),
        Contents::HostPath(host) => fs::read(host).map_err(|error| cannot_make(host, &error))?,
        Contents::Directory | Contents::Link(_) | Contents::Pipe => Vec::new(),
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut sources = Sources::default();
    let source = sources.add(path, text.clone());
    let (node, mut diagnostics) = pumice_yaml::parse(&text, source);
    let (definition, found) = node.as_ref().map(definition::parse).unwrap_or_default();
    diagnostics.extend(found);
    Ok((checked(plan, definition, &diagnostics, &sources)?, text))
}

/// The definition, or the first mistake in it as a failure.
fn checked(
    plan: &DefinitionPlan,
    definition: Option<TestDefinition>,
    diagnostics: &Diagnostics,
    sources: &Sources,
) -> Result<TestDefinition, Failure> {
    let name = &plan.definition.name.value;
    let error = diagnostics.iter().find(|one| one.severity == pumice_types::Severity::Error);
    match (definition, error) {
        (Some(definition), None) => Ok(definition),
        (_, error) => {
            let what = error.map_or("it is empty", |error| error.message.as_str());
            let place = error.and_then(|error| error.span).and_then(|span| {
                let position = sources.position(span)?;
                Some(format!(" (line {}, column {})", position.line, position.column))
            });
            let message =
                format!("test definition `{name}` cannot be used: {what}{}", place.unwrap_or_default());
            Err(Failure::new(Cause::InvalidDefinition, message))
        }
    }
}

/// The job's parameters for the definition.
pub(crate) fn parameters(plan: &DefinitionPlan) -> Parameters {
    let mut parameters = Parameters::default();
    for variable in &plan.definition.parameters {
        parameters.set(variable.name.value.clone(), variable.value.value.clone());
    }
    parameters
}

/// The files of a tree, as the overlay takes them.
fn files(tree: &Tree) -> Result<Vec<OverlayFile>, Failure> {
    let mut files = Vec::new();
    for (path, entry) in tree.iter() {
        let contents = match &entry.node {
            Node::File(content) => {
                let bytes = content.to_vec();
                Contents::Bytes(
                    bytes.map_err(|error| Failure::new(Cause::HostRefused, error.to_string()))?.into(),
                )
            }
            Node::Symlink(target) => Contents::Link(String::from_utf8_lossy(target).into_owned()),
            _ => continue,
        };
        let path = String::from_utf8_lossy(path.as_bytes()).into_owned();
        files.push(OverlayFile { path, mode: entry.meta.mode, contents });
    }
    Ok(files)
}
