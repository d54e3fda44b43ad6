//! Brings one test definition: its text and the files around it.

use std::{fs, path::Path};

use pumice_guest::{
    definition::{self, Parameters, TestDefinition},
    overlay::{Contents, OverlayFile},
};
use pumice_image::{Limits, Node, Tree, tar};
use pumice_job::DefinitionSource;
use pumice_plan::deploy::DefinitionPlan;
use pumice_process::Command;
use pumice_store::Request;
use pumice_types::{Blame as _, Cause, Diagnostics, Failure, Sources};

use super::download::{self, cannot_make};
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

/// The most output of git that is kept.
const OUTPUT_BYTES: usize = 64 << 10;

/// Brings the definition.
pub(crate) async fn run(plan: &DefinitionPlan, host: &RunHost, cx: &StepCx) -> Result<Fetched, Failure> {
    cx.step(&plan.fetch, Cause::DownloadFailed, async |cx| match &plan.definition.from {
        DefinitionSource::Inline(node) => inline(plan, node),
        DefinitionSource::Git { repository, branch, revision, history, shallow, recursive } => {
            let directory = host.work_dir.join(format!("t{}", plan.number));
            let clone = Clone {
                url: expand(&repository.value, &host.secrets),
                branch: branch.as_ref().map(|text| text.value.as_str()),
                revision: revision.as_ref().map(|text| text.value.as_str()),
                history: *history,
                shallow: shallow.as_ref().is_none_or(|shallow| shallow.value),
                recursive: *recursive,
            };
            let commit = clone.run(&directory, host, cx).await?;
            let tree = Tree::from_directory(&directory).map_err(|error| error.failure())?;
            let files = files(&tree)?;
            let (definition, text) = read(plan, &files)?;
            let repository = serde_json::Value::from(repository.value.clone());
            Ok(Fetched { definition, text, files, commit: Some(commit), repository })
        }
        DefinitionSource::Url { repository, compression, strip_components, headers } => {
            let compression = compression.as_ref().map(|word| download::compression(word.value));
            let mut request = Request::new(repository.value.clone()).compression(compression);
            let headers = headers.iter();
            request.headers = headers.map(|one| (one.name.value.clone(), one.value.value.clone())).collect();
            let tree = archive(plan, &request, host, cx).await?;
            let files = stripped(files(&tree)?, *strip_components);
            let (definition, text) = read(plan, &files)?;
            // A query may be what opens the file, and results are there for everybody.
            let repository = serde_json::Value::from(pumice_store::shown_url(&repository.value));
            Ok(Fetched { definition, text, files, commit: None, repository })
        }
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
        Contents::Directory | Contents::Link(_) => Vec::new(),
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

struct Clone<'a> {
    url: String,
    branch: Option<&'a str>,
    revision: Option<&'a str>,
    history: bool,
    shallow: bool,
    recursive: bool,
}

impl Clone<'_> {
    /// Clones into `directory` and returns the commit. Depth one, unless a revision or the history is wanted.
    async fn run(&self, directory: &Path, host: &RunHost, cx: &StepCx) -> Result<String, Failure> {
        if directory.exists() {
            fs::remove_dir_all(directory).map_err(|error| cannot_make(directory, &error))?;
        }
        let target = directory.to_string_lossy();
        let mut arguments = vec!["clone", "--quiet"];
        if self.shallow && self.revision.is_none() {
            // A local path would ignore the depth and warn; as a URL it does not.
            arguments.push("--depth=1");
        }
        if let Some(branch) = self.branch {
            arguments.extend(["--branch", branch]);
        }
        if self.recursive {
            arguments.push("--recurse-submodules");
        }
        arguments.extend(["--", &self.url, &target]);
        let mut pause = std::time::Duration::from_millis(500);
        loop {
            match git(&arguments, None, host, cx).await {
                Ok(_) => break,
                Err(failure)
                    if failure.cause == Cause::DownloadFailed
                        && cx.deadline().remaining(std::time::Instant::now()) > pause * 2 =>
                {
                    cx.report().warning(format!("{failure}; trying again in {:.1} s", pause.as_secs_f64()));
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(std::time::Duration::from_secs(15));
                }
                Err(failure) => return Err(failure),
            }
        }
        if let Some(revision) = self.revision {
            git(&["checkout", "--quiet", revision, "--"], Some(directory), host, cx).await?;
        }
        let commit = git(&["rev-parse", "HEAD"], Some(directory), host, cx).await?;
        if !self.history {
            let hidden = directory.join(".git");
            fs::remove_dir_all(&hidden).map_err(|error| cannot_make(&hidden, &error))?;
        }
        Ok(commit.trim().to_owned())
    }
}

/// Runs git. A failure is the job's when git says that what was asked for is not there, else the network's.
async fn git(
    arguments: &[&str],
    directory: Option<&Path>,
    host: &RunHost,
    cx: &StepCx,
) -> Result<String, Failure> {
    let mut command = Command::new("git").args(arguments.iter().copied()).envs([
        ("PATH", host.search_path.as_str()),
        ("LC_ALL", "C"),
        ("HOME", host.work_dir.to_str().unwrap_or("/")),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        // The repository may belong to somebody else; it is only read.
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "safe.directory"),
        ("GIT_CONFIG_VALUE_0", "*"),
    ]);
    if let Some(directory) = directory {
        command = command.directory(directory);
    }
    let output =
        host.guard.output(command, OUTPUT_BYTES, cx.deadline()).await.map_err(|error| error.failure())?;
    if output.exit.status.is_success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = cx.report().masked(&String::from_utf8_lossy(&output.stderr));
    let refused = [
        "not found",
        "does not exist",
        "does not appear to be a git repository",
        "pathspec",
        "Authentication failed",
        "could not read Username",
        "unknown revision",
        "reference is not a tree",
    ];
    let cause = if refused.iter().any(|text| said.contains(text)) {
        Cause::DownloadRefused
    } else {
        Cause::DownloadFailed
    };
    let what = arguments.first().copied().unwrap_or("git");
    Err(Failure::new(cause, format!("`git {what}` failed")).evidence("git", said))
}

async fn archive(
    plan: &DefinitionPlan,
    request: &Request,
    host: &RunHost,
    cx: &StepCx,
) -> Result<Tree, Failure> {
    let Some((retry, scope)) = &plan.archive else {
        return Err(Failure::new(Cause::Bug, "an archive without a download"));
    };
    let label = &plan.definition.name.value;
    let artifact = cx
        .step(retry, Cause::DownloadFailed, async |cx| {
            cx.step(scope, Cause::DownloadFailed, async |cx| {
                let artifact = download::fetch_request(request.clone(), label, host, cx).await?;
                cx.record(serde_json::json!({
                    "label": label,
                    "size": artifact.source_bytes(),
                    "sha256sum": artifact.source_sha256().to_string(),
                }));
                Ok(artifact)
            })
            .await
        })
        .await?;
    let file = fs::File::open(artifact.path()).map_err(|error| cannot_make(artifact.path(), &error))?;
    let tree = tar::read(std::io::BufReader::new(file), tar::LinkPolicy::Inside, Limits::default());
    tree.map_err(|error| error.failure())
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

/// Without their first `count` directories; what has fewer is left out, as tar does.
fn stripped(files: Vec<OverlayFile>, count: u32) -> Vec<OverlayFile> {
    let strip = |mut file: OverlayFile| {
        let rest =
            (0..count).try_fold(file.path.as_str(), |path, _| path.split_once('/').map(|(_, rest)| rest));
        file.path = rest?.to_owned();
        Some(file)
    };
    files.into_iter().filter_map(strip).collect()
}

/// `$NAME` and `${NAME}` of secrets replaced (lava-compat 4.5).
fn expand(url: &str, secrets: &[(String, String)]) -> String {
    let mut parameters = Parameters::default();
    for (name, value) in secrets {
        parameters.set(name.clone(), value.clone());
    }
    parameters.expand(url)
}
