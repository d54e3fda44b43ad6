//! Plans the overlay of a namespace.

use pumice_job::{Definition, DefinitionSource, TestKind};

use super::Builder;
use crate::{
    deploy::{DefinitionPlan, OverlayPlan},
    machine::Outline,
    scope::{BlockScopes, Scope},
};

impl Builder<'_> {
    /// The overlay of a namespace: the definitions of all its test blocks, numbered through; a stage is a test
    /// block (lava-compat 4.1).
    pub(crate) fn overlay(
        &mut self,
        namespace: &str,
        parent: &Scope,
        compress: bool,
        outline: Option<&Outline>,
        scopes: &mut BlockScopes<'_>,
    ) -> OverlayPlan {
        let scope = scopes.step(parent, "lava-overlay");
        let definitions_scope = scopes.step(&scope, "test-definition");
        let mut definitions = Vec::new();
        for (stage, number, definition) in self.numbered_definitions(namespace) {
            definitions.push(Self::definition(definition, stage, number, &definitions_scope, scopes));
        }
        let compress = compress.then(|| scopes.step(&scope, "compress-overlay"));
        let signal_delay_ms = self.device.character_delays.test_ms;
        let channel_devices = outline.map(|outline| outline.channel_devices.clone()).unwrap_or_default();
        let host = outline.map(|outline| outline.host.clone()).unwrap_or_default();
        OverlayPlan {
            scope,
            definitions_scope,
            definitions,
            compress,
            channel_devices,
            host,
            signal_delay_ms,
        }
    }

    /// Every definition of a namespace with its stage and its number.
    pub(crate) fn numbered_definitions(&self, namespace: &str) -> Vec<(u32, u32, &'_ Definition)> {
        let blocks = self.ahead.own_tests(namespace).filter_map(|(_, test)| match &test.kind {
            TestKind::Definitions { definitions, .. } => Some(definitions),
            _ => None,
        });
        let numbered =
            (0_u32..).zip(blocks).flat_map(|(stage, list)| list.iter().map(move |one| (stage, one)));
        (0_u32..).zip(numbered).map(|(number, (stage, definition))| (stage, number, definition)).collect()
    }

    fn definition(
        definition: &Definition,
        stage: u32,
        number: u32,
        parent: &Scope,
        scopes: &mut BlockScopes<'_>,
    ) -> DefinitionPlan {
        let (fetch, archive) = fetch_steps(&definition.from, parent, scopes);
        DefinitionPlan {
            stage,
            number,
            definition: definition.clone(),
            fetch,
            archive,
            overlay: scopes.step(parent, "test-overlay"),
            install: scopes.step(parent, "test-install-overlay"),
            runscript: scopes.step(parent, "test-runscript-overlay"),
        }
    }
}

/// The step that fetches a repository or an archive, and for an archive `download-retry` and the download inside it.
pub(super) fn fetch_steps(
    from: &DefinitionSource,
    parent: &Scope,
    scopes: &mut BlockScopes<'_>,
) -> (Scope, Option<(Scope, Scope)>) {
    let name = match from {
        DefinitionSource::Inline(_) => "inline-repo-action",
        DefinitionSource::Git { .. } => "git-repo-action",
        DefinitionSource::Url { .. } => "url-repo-action",
    };
    let fetch = scopes.step(parent, name);
    let DefinitionSource::Url { repository, .. } = from else { return (fetch, None) };
    let retry = scopes.step(&fetch, "download-retry");
    let is_file = repository.value.starts_with("file:");
    let scope = scopes.step(&retry, if is_file { "file-download" } else { "http-download" });
    (fetch, Some((retry, scope)))
}
