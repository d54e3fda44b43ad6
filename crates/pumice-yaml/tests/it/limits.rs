//! Hostile texts end in a diagnostic.

use std::fmt::Write as _;

use pumice_types::SourceId;
use pumice_yaml::{Limits, codes};

fn check(text: &str, limits: Limits, expected: Option<&str>) {
    let (_, diagnostics) = pumice_yaml::parse_within(text, SourceId(0), limits);
    let found = diagnostics.iter().next().map(|diagnostic| diagnostic.message.as_str());
    assert_eq!(found, expected);
    assert!(diagnostics.iter().all(|diagnostic| diagnostic.code == codes::LIMIT));
}

const SMALL: Limits = Limits { bytes: 1000, depth: 4, nodes: 20 };

#[test]
fn length_is_bounded() {
    check(&"a".repeat(1000), SMALL, None);
    check(&"a".repeat(1001), SMALL, Some("the text has 1001 bytes and at most 1000 are read"));
}

#[test]
fn depth_is_bounded_in_every_form() {
    let deep = Some("lists and mappings are more than 4 levels deep");
    check("[[[[1]]]]", SMALL, None);
    check("[[[[[1]]]]]", SMALL, deep);
    check("- - - - - 1", SMALL, deep);
    check("{a: {a: {a: {a: {a: 1}}}}}", SMALL, deep);
    check("a: &x [[1]]\nb: [[*x]]", SMALL, deep);
    check("[[[[a: 1]]]]", SMALL, deep);
}

#[test]
fn nodes_are_counted_with_aliases_and_merges_expanded() {
    let many = Some("with its aliases the text has more than 20 nodes");
    check("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", SMALL, None);
    check("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", SMALL, many);
    check("a: &a [1,1,1,1]\nb: [*a, *a, *a]", SMALL, many);
    check("a: &a {b: 1, c: 1, d: 1}\nb: {<<: *a}\nc: {<<: *a}\nd: {<<: *a}", SMALL, many);
}

#[test]
fn a_bomb_of_aliases_is_small_at_the_end() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        writeln!(bomb, "a{level}: &a{level} [{}]", below.trim_end_matches(", ")).unwrap();
    }
    check(&bomb, Limits::JOB, Some("with its aliases the text has more than 200000 nodes"));
}

#[test]
fn a_thousand_brackets_do_not_overflow_the_stack() {
    for text in ["[", "{", "- ", "{a: ", "[a: ", "? ", "&a [", "!x ["] {
        let (_, diagnostics) = pumice_yaml::parse(&text.repeat(100_000), SourceId(0));
        assert!(diagnostics.has_errors(), "{text}");
    }
}
