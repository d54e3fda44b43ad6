//! The page of the causes, held against the list.

use std::collections::BTreeSet;

use pumice_types::Cause;

#[test]
fn every_cause_has_its_section_with_its_type_and_no_section_is_left_over() {
    let page = include_str!("../../../../docs/user/causes.md");
    let sections: BTreeSet<(&str, &str)> = page
        .split("\n## ")
        .skip(1)
        .filter_map(|section| section.split_once("\n\nType: `"))
        .filter_map(|(code, rest)| Some((code, rest.split_once('`')?.0)))
        .collect();
    let causes = Cause::ALL.iter().map(|cause| (cause.code(), cause.fault().lava_name())).collect();
    assert_eq!(sections, causes, "docs/user/causes.md says another thing than Cause");
}
