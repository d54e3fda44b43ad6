//! Brings a git repository or an archive: what test definitions and services come in.
//!
//! Blame: a repository that is not there, or refuses, is the job's; one that cannot be reached is the infrastructure's.

use std::{fs, path::Path, sync::Arc};

use pumice_guest::definition::Parameters;
use pumice_image::{Entry, Limits, Node, Tree, TreePath, tar};
use pumice_job::DefinitionSource;
use pumice_plan::Scope;
use pumice_process::Command;
use pumice_store::{Request, Route};
use pumice_types::{Blame as _, Cause, Failure};

use super::{apply::on_thread, cannot_make, download};
use crate::{cx::StepCx, host::RunHost};

/// The most output of git that is kept.
const OUTPUT_BYTES: usize = 64 << 10;

/// The largest archive: it is held in memory.
const ARCHIVE: Limits = Limits { entries: 100_000, bytes: 256 << 20 };

/// What is brought.
pub(crate) struct Source<'a> {
    /// Where it is.
    pub(crate) from: &'a DefinitionSource,
    /// What messages call it.
    pub(crate) label: &'a str,
    /// For an archive: `download-retry` and the download inside it.
    pub(crate) archive: Option<&'a (Scope, Scope)>,
}

/// What was brought.
pub(crate) struct Repository {
    /// Its files.
    pub(crate) tree: Tree,
    /// The commit that was used; `None` for an archive.
    pub(crate) commit: Option<String>,
    /// Where it was, as anybody may see it.
    pub(crate) url: String,
}

/// Brings it. A repository is cloned into `directory`; of an archive nothing is unpacked.
pub(crate) async fn bring(
    source: &Source<'_>,
    directory: &Path,
    host: &RunHost,
    cx: &StepCx,
) -> Result<Repository, Failure> {
    match source.from {
        DefinitionSource::Inline(_) => {
            Err(Failure::new(Cause::Bug, "a definition in the job has no repository"))
        }
        DefinitionSource::Git { repository, branch, revision, history, shallow, recursive } => {
            let clone = Clone {
                url: expand(&repository.value, &host.secrets),
                branch: branch.as_ref().map(|text| text.value.as_str()),
                revision: revision.as_ref().map(|text| text.value.as_str()),
                history: *history,
                shallow: shallow.as_ref().is_none_or(|shallow| shallow.value),
                recursive: *recursive,
            };
            let commit = clone.run(directory, host, cx).await?;
            let tree = Tree::from_directory(directory).map_err(|error| error.failure())?;
            Ok(Repository { tree, commit: Some(commit), url: repository.value.clone() })
        }
        DefinitionSource::Url { repository, compression, strip_components, headers } => {
            let compression = compression.as_ref().map(|word| download::compression(word.value));
            let mut request = Request::new(repository.value.clone()).compression(compression);
            let headers = headers.iter();
            request.headers = headers.map(|one| (one.name.value.clone(), one.value.value.clone())).collect();
            let tree = stripped(archive(source, &request, host, cx).await?, *strip_components)?;
            // A query may be what opens the file, and results are there for everybody.
            Ok(Repository { tree, commit: None, url: pumice_store::shown_url(&repository.value) })
        }
    }
}

async fn archive(
    source: &Source<'_>,
    request: &Request,
    host: &RunHost,
    cx: &StepCx,
) -> Result<Tree, Failure> {
    let Some((retry, scope)) = source.archive else {
        return Err(Failure::new(Cause::Bug, "an archive without a download"));
    };
    let artifact = cx
        .step(retry, Cause::DownloadFailed, async |cx| {
            cx.step(scope, Cause::DownloadFailed, async |cx| {
                let artifact = download::fetch_request(request.clone(), source.label, host, cx).await?;
                cx.record(serde_json::json!({
                    "label": source.label,
                    "size": artifact.source_bytes(),
                    "sha256sum": artifact.source_sha256().to_string(),
                }));
                Ok(artifact)
            })
            .await
        })
        .await?;
    let file = fs::File::open(artifact.path()).map_err(|error| cannot_make(artifact.path(), &error))?;
    on_thread(move || {
        let tree = tar::read(std::io::BufReader::new(file), tar::LinkPolicy::Inside, ARCHIVE);
        tree.map_err(|error| error.failure())
    })
    .await
}

/// Without the first `count` directories; what has fewer is left out, as tar does.
fn stripped(tree: Tree, count: u32) -> Result<Tree, Failure> {
    if count == 0 {
        return Ok(tree);
    }
    let below = |path: &TreePath| {
        let rest = (0..count).try_fold(path.as_bytes(), |path, _| {
            let slash = path.iter().position(|byte| *byte == b'/')?;
            Some(&path[slash + 1..])
        });
        rest.and_then(|rest| TreePath::new(rest).ok())
    };
    let mut kept = Tree::new();
    // Another name of a file comes after the file, and becomes the file where that is left out.
    for wants_links in [false, true] {
        for (path, entry) in tree.iter() {
            let Some(path) = below(path) else { continue };
            let node = match &entry.node {
                Node::HardLink(target) if wants_links => match below(target) {
                    Some(target) => Node::HardLink(target),
                    None => tree.get(target).map_or(Node::HardLink(path.clone()), |file| file.node.clone()),
                },
                node if !wants_links && !matches!(node, Node::HardLink(_)) => node.clone(),
                _ => continue,
            };
            let entry = Entry { node, ..entry.clone() };
            kept.insert(&path, entry).map_err(|error| error.failure())?;
        }
    }
    Ok(kept)
}

/// A git repository that is cloned.
#[derive(Default)]
pub(crate) struct Clone<'a> {
    /// Where it is, secrets and all.
    pub(crate) url: String,
    /// The branch; the repository's own choice without.
    pub(crate) branch: Option<&'a str>,
    /// The commit.
    pub(crate) revision: Option<&'a str>,
    /// Whether `.git` stays.
    pub(crate) history: bool,
    /// Whether one commit is enough.
    pub(crate) shallow: bool,
    /// Whether its submodules come with it.
    pub(crate) recursive: bool,
}

impl Clone<'_> {
    /// Clones into `directory` and returns the commit. Depth one, unless a revision or the history is wanted.
    pub(crate) async fn run(&self, directory: &Path, host: &RunHost, cx: &StepCx) -> Result<String, Failure> {
        let route = self.route(host).await?;
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
            match git(&arguments, None, &route, host, cx).await {
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
            git(&["checkout", "--quiet", revision, "--"], Some(directory), &route, host, cx).await?;
        }
        let commit = git(&["rev-parse", "HEAD"], Some(directory), &route, host, cx).await?;
        if !self.history {
            let hidden = directory.join(".git");
            fs::remove_dir_all(&hidden).map_err(|error| cannot_make(&hidden, &error))?;
        }
        Ok(commit.trim().to_owned())
    }

    /// How git may reach the repository. What could be taken for an option of git is refused: some of them read files
    /// of the host.
    async fn route(&self, host: &RunHost) -> Result<Route, Failure> {
        for word in [self.branch, self.revision].into_iter().flatten().chain([self.url.as_str()]) {
            if word.starts_with('-') {
                let message = format!("`{word}` names no repository, branch or commit: it begins with `-`");
                return Err(Failure::new(Cause::InvalidDefinition, message));
            }
        }
        let (store, url) = (Arc::clone(&host.store), self.url.clone());
        let route = on_thread(move || store.repository(&url).map_err(|error| error.failure())).await?;
        if self.recursive && route.is_limited {
            let message =
                "`recursive` follows submodules to wherever they are, and this host limits what jobs fetch";
            return Err(Failure::new(Cause::DownloadRefused, message)
                .hint("leave it out, or ask the operator of the lab for `[downloads]`"));
        }
        Ok(route)
    }
}

/// Runs git. A failure is the job's when git says that what was asked for is not there, else the network's.
async fn git(
    arguments: &[&str],
    directory: Option<&Path>,
    route: &Route,
    host: &RunHost,
    cx: &StepCx,
) -> Result<String, Failure> {
    // The repository may belong to somebody else; it is only read.
    let own = [("safe.directory".to_owned(), "*".to_owned())];
    let configuration = own.iter().chain(&route.configuration);
    let configuration = configuration.enumerate().flat_map(|(number, (name, value))| {
        [
            (format!("GIT_CONFIG_KEY_{number}"), name.clone()),
            (format!("GIT_CONFIG_VALUE_{number}"), value.clone()),
        ]
    });
    let mut command = Command::new("git")
        .args(arguments.iter().copied())
        .envs([
            ("PATH", host.search_path.as_str()),
            ("LC_ALL", "C"),
            ("HOME", host.work_dir.to_str().unwrap_or("/")),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_COUNT", (route.configuration.len() + own.len()).to_string().as_str()),
        ])
        .envs(configuration);
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
        "returned error: 3",
        "returned error: 401",
        "returned error: 403",
        "transport '",
    ];
    let cause = if refused.iter().any(|text| said.contains(text)) {
        Cause::DownloadRefused
    } else {
        Cause::DownloadFailed
    };
    let what = arguments.first().copied().unwrap_or("git");
    Err(Failure::new(cause, format!("`git {what}` failed")).evidence("git", said))
}

/// `$NAME` and `${NAME}` of secrets replaced (lava-compat 4.5).
pub(crate) fn expand(url: &str, secrets: &[(String, String)]) -> String {
    let mut parameters = Parameters::default();
    for (name, value) in secrets {
        parameters.set(name.clone(), value.clone());
    }
    parameters.expand(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_file_keep_it_when_directories_are_stripped() {
        let mut tree = Tree::new();
        tree.file("top/a", 0o644, "a").unwrap().file("outside", 0o644, "b").unwrap();
        for (path, target) in [("top/A", "top/a"), ("top/b", "outside")] {
            let link = Node::HardLink(TreePath::new(target).unwrap());
            let entry = Entry::new(pumice_image::Meta::new(0o644), link);
            tree.insert(&TreePath::new(path).unwrap(), entry).unwrap();
        }
        let kept = stripped(tree, 1).unwrap();
        let names: Vec<_> = kept.iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(names, ["/A", "/a", "/b"]);
        let text = |name: &str| match &kept.get(&TreePath::new(name).unwrap()).unwrap().node {
            Node::File(content) => String::from_utf8(content.to_vec().unwrap()).unwrap(),
            other => format!("{other:?}"),
        };
        assert_eq!((text("A").as_str(), text("b").as_str()), ("HardLink(\"/a\")", "b"));
    }
}
