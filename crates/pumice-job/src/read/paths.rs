//! Paths in the place of URLs.

use std::collections::BTreeMap;

use pumice_types::Spanned;

use crate::{Action, DefinitionSource, Job, TestKind};

/// Puts in the place of each address of `files` its URL, wherever the job names a file to deploy or an archive with a test.
pub(crate) fn resolve_paths(job: &mut Job, files: &BTreeMap<String, String>) {
    let resolve = |address: &mut Spanned<String>| {
        if let Some(url) = files.get(&address.value) {
            address.value.clone_from(url);
        }
    };
    for action in &mut job.actions {
        match action {
            Action::Deploy(deploy) => {
                let images = deploy.images.iter_mut().chain(&mut deploy.files);
                images.for_each(|image| resolve(&mut image.resource.url));
            }
            Action::Test(test) => {
                if let TestKind::Definitions { definitions, .. } = &mut test.kind {
                    for definition in definitions {
                        if let DefinitionSource::Url { repository, .. } = &mut definition.from {
                            resolve(repository);
                        }
                    }
                }
            }
            Action::Boot(_) | Action::Command(_) => {}
        }
    }
}
