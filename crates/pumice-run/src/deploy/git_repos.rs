//! The repositories that a definition wants beside its steps (`install: git-repos`): cloned here and packed with the
//! tests, so that the guest needs no network for them (lava-compat 4.5).
//!
//! Blame: as for the repositories that definitions come in.

use std::collections::BTreeSet;

use pumice_guest::{
    definition::{GitRepo, TestDefinition},
    overlay::OverlayFile,
};
use pumice_image::{Tree, TreePath};
use pumice_job::Install;
use pumice_plan::deploy::DefinitionPlan;
use pumice_types::{Blame as _, Cause, Failure};

use super::{definitions, repository};
use crate::{cx::StepCx, host::RunHost};

/// Clones them; their files, with paths from the test's folder.
pub(crate) async fn run(
    plan: &DefinitionPlan,
    definition: &TestDefinition,
    host: &RunHost,
    cx: &StepCx,
) -> Result<Vec<OverlayFile>, Failure> {
    let mut skipped = plan.definition.skip_install.iter().map(|part| part.value);
    if skipped.any(|part| matches!(part, Install::GitRepos | Install::All)) {
        return Ok(Vec::new());
    }
    let parameters = definition.parameters.overridden_by(&definitions::parameters(plan));
    let mut files = Vec::new();
    let mut folders = BTreeSet::new();
    for (number, repository) in definition.install.git_repos.iter().enumerate() {
        let shown = parameters.expand(&repository.url);
        let folder = folder(repository, &shown)?;
        if !folders.insert(folder.clone()) {
            let message = format!("two of the `git-repos` go to the folder `{folder}`");
            let failure = Failure::new(Cause::InvalidDefinition, message);
            return Err(failure.hint("give one of them a `destination`"));
        }
        let clone = repository::Clone {
            url: repository::expand(&shown, &host.secrets),
            branch: repository.branch.as_deref(),
            history: true,
            shallow: true,
            ..repository::Clone::default()
        };
        let directory = host.work_dir.join(format!("git-{}-{number}", plan.fetch.level));
        let commit = clone.run(&directory, host, cx).await?;
        let tree = Tree::from_directory(&directory).map_err(|error| error.failure())?;
        cx.report()
            .info(format!("{} at {commit} goes to the folder {folder}", pumice_store::shown_url(&shown)));
        let here = definitions::files(&tree)?.into_iter();
        files.extend(here.map(|file| OverlayFile { path: format!("{folder}/{}", file.path), ..file }));
    }
    Ok(files)
}

/// The folder in the test's folder: the one that the definition names, else git's own choice, the last word of the URL.
fn folder(repository: &GitRepo, url: &str) -> Result<String, Failure> {
    let folder = repository.destination.clone().unwrap_or_else(|| {
        let url = url.trim_end_matches('/').trim_end_matches("/.git").trim_end_matches('/');
        let last = url.rsplit(['/', ':']).next().unwrap_or_default();
        last.strip_suffix(".git").unwrap_or(last).to_owned()
    });
    let place = TreePath::new(&folder).map_err(|error| {
        let failure = Failure::new(Cause::InvalidDefinition, format!("a repository of `git-repos`: {error}"));
        failure.hint("give it a `destination`")
    })?;
    Ok(String::from_utf8_lossy(place.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_goes_where_git_would_put_it() {
        let check = |url: &str, destination: Option<&str>, expected: Option<&str>| {
            let repository =
                GitRepo { url: url.to_owned(), branch: None, destination: destination.map(str::to_owned) };
            assert_eq!(folder(&repository, url).ok().as_deref(), expected, "{url}");
        };
        check("https://example.org/a/tool.git", None, Some("tool"));
        check("https://example.org/a/tool/", None, Some("tool"));
        check("git@example.org:tool.git", None, Some("tool"));
        check("/srv/tool/.git", None, Some("tool"));
        check("https://example.org/tool.v2", None, Some("tool.v2"));
        check("https://example.org/tool", Some("./lib/x/"), Some("lib/x"));
        check("https://example.org/tool", Some("a/../../x"), None);
        check("https://example.org/..", None, None);
    }
}
