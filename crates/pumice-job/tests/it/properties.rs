//! What holds for every text.

use proptest::prelude::*;
use pumice_job::Root;
use pumice_types::SourceId;

/// Words of the language put together at random, mostly in ways that make no sense.
fn texts() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "job_name",
        "device_type",
        "timeouts",
        "actions",
        "visibility",
        "priority",
        "context",
        "protocols",
        "notify",
        "secrets",
        "deploy",
        "boot",
        "test",
        "command",
        "to",
        "method",
        "images",
        "kernel",
        "url",
        "image_arg",
        "overlays",
        "lava",
        "prompts",
        "auto_login",
        "timeout",
        "minutes",
        "definitions",
        "from",
        "repository",
        "interactive",
        "monitors",
        "script",
        "docker",
        "lava-multinode",
        "roles",
        "role",
        "count",
        "job",
        "criteria",
        "recipients",
        "callbacks",
        "arguments",
        "iso",
        "postprocess",
    ]);
    let scalar = prop::sample::select(vec![
        "tmpfs",
        "fvp",
        "qemu",
        "docker",
        "git",
        "inline",
        "1",
        "-1",
        "99999999999999999999",
        "1.5",
        "~",
        "yes",
        "''",
        "[]",
        "{}",
        "'{x} {{y}} {'",
        "'{é}'",
        "é",
        "public",
        "2G",
    ]);
    let leaf = scalar.prop_map(str::to_owned);
    let tree = leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|entries| {
                let entries: Vec<_> =
                    entries.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
                format!("{{{}}}", entries.join(", "))
            }),
        ]
    });
    tree.prop_map(|tree| tree + "\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_a_problem(text in texts(), offset in 0_usize..200) {
        let (job, diagnostics) = pumice_job::parse(&text, SourceId(0));
        for span in diagnostics.iter().filter_map(|diagnostic| diagnostic.span) {
            prop_assert!(text.get(span.start..span.end).is_some(), "{span:?} in {text}");
        }
        if let Some(job) = job {
            for part in pumice_job::split(&job).into_iter().take(3) {
                prop_assert!(serde_json::to_string(&part).is_ok());
            }
            let _ = pumice_job::for_planning(&job, diagnostics);
        }
        if let Some(node) = pumice_yaml::parse(&text, SourceId(0)).0 {
            let _ = pumice_job::hover(Root::Job, &node, offset);
            let _ = pumice_job::complete(Root::Job, &node, &text, offset);
        }
    }
}
