//! Patterns mean what they mean in Python.

use std::collections::BTreeSet;

use pumice_console::{Pattern, PatternError};
use serde_json::Value;

/// What Python 3.11 made of them; `data/python_re.py` wrote it.
const PYTHON: &str = include_str!("../data/python_re.jsonl");

/// What Python has and a linear-time search cannot have, or what needs Python's own tables.
const REFUSED: [&str; 10] = [r"(a)\1", "(?P=n)", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?(1)", r"\N{", "++"];

/// Where a console of bytes means something else on purpose: `\x80` and above in `\d`, `\w` and `\s`, word
/// boundaries, and `$` before any line feed.
fn differs_on_purpose(pattern: &str, text: &str) -> bool {
    let is_at_word = pattern.contains(r"\b") || pattern.contains(r"\B");
    (is_at_word && !text.is_ascii()) || (pattern.contains('$') && text.trim_end_matches('\n').contains('\n'))
}

#[test]
fn every_pattern_finds_what_python_finds() {
    let mut refused = BTreeSet::new();
    let mut compared = 0;
    for line in PYTHON.lines() {
        let case: Value = serde_json::from_str(line).expect("the file is JSON, line by line");
        let text_of = |key: &str| case[key].as_str().unwrap_or_default().to_owned();
        let (pattern, text) = (text_of("pattern"), text_of("text"));
        let ours = Pattern::python(&pattern);
        if case["error"] == true {
            // Python 3.14 has `\z`; so have we.
            assert!(ours.is_err() || pattern == r"\z", "Python refuses {pattern:?}");
            continue;
        }
        let ours = match ours {
            Ok(ours) => ours,
            Err(error) => {
                assert!(
                    REFUSED.iter().any(|part| pattern.contains(part)) || pattern == "a?+",
                    "{pattern:?}: {error}"
                );
                refused.insert(pattern);
                continue;
            }
        };
        if differs_on_purpose(&pattern, &text) {
            continue;
        }
        let piece = |span: &Value| {
            let place = |index: usize| span[index].as_u64().and_then(|at| usize::try_from(at).ok());
            text.as_bytes().get(place(0)?..place(1)?).map(<[u8]>::to_vec)
        };
        let expected: Option<Vec<_>> =
            case["found"].as_array().map(|spans| spans.iter().map(piece).collect());
        let found = ours.search(text.as_bytes());
        let count = ours.group_names().len();
        let groups = |found: &pumice_console::Match| {
            (0..count).map(|number| found.group(number).map(<[u8]>::to_vec)).collect::<Vec<_>>()
        };
        assert_eq!(found.as_ref().map(groups), expected, "{pattern:?} in {text:?}");
        assert_eq!(found.map(|found| found.start()), case["found"][0][0].as_u64(), "{pattern:?} in {text:?}");
        compared += 1;
    }
    assert!(compared > 1000, "only {compared} were compared");
    assert_eq!(refused.len(), 11, "{refused:?}");
}

#[track_caller]
fn check(pattern: &str, offset: usize, part: &str) {
    let PatternError { message, offset: at } = Pattern::python(pattern).expect_err(pattern);
    assert!(message.contains(part), "{pattern}: {message}");
    assert_eq!(at, offset, "{pattern}: {message}");
}

#[test]
fn a_refusal_says_where_and_what_to_write() {
    check(r"a(?=b)", 1, "`[^…]`");
    check(r"a(?<!b)c", 1, "put what you want of the match into a group");
    check(r"(a)\1", 3, "write out what it may be");
    check(r"ab(?P=n)", 2, "write out what it may be");
    check("(?>a)", 0, "write `(?:…)`");
    check("a*+", 1, "leave out the second `+`");
    check("a**", 2, "put the first into `(?:…)`");
    check("x*)", 2, "write `\\)`");
    check("x(a", 1, "write `\\(`");
    check("é[a", 2, "write `\\[`");
    check("*", 0, "write `\\*`");
    check(r"\y", 0, r"write `\\y` or `y`");
    check("a\\", 1, "write `\\\\`");
    check("[z-a]", 1, "`z-a` is not a range");
    check("a(?i)", 1, "stand at its start");
    check("a{3,2}", 1, "larger than the second");
    check("(?P<a>x)(?P<a>y)", 8, "two groups are named `a`");
    check("((a{500}){500}){500}", 0, "too large");
    check(&"(".repeat(5000), 100, "deeper than 100");
    check("a{99999999999}", 1, "more often");
}

#[test]
fn stray_bytes_are_matched_by_what_says_what_it_is_not() {
    let found = |pattern: &str, bytes: &[u8]| {
        Pattern::python(pattern).unwrap().search(bytes).map(|found| found.bytes().to_vec())
    };
    assert_eq!(found("a.b", b"a\xffb"), Some(b"a\xffb".to_vec()));
    assert_eq!(found("a[^x]b", b"a\xffb"), Some(b"a\xffb".to_vec()));
    assert_eq!(found("a.b", "a\u{20ac}b".as_bytes()), Some("a\u{20ac}b".as_bytes().to_vec()));
    // A stray byte is no character, so neither of these says anything about it.
    assert_eq!((found(r"a\Wb", b"a\xffb"), found(r"a\wb", b"a\xffb")), (None, None));
    assert_eq!(found("a.*b", b"a\xff\xc3\n\x00b"), Some(b"a\xff\xc3\n\x00b".to_vec()));
    assert_eq!(found("a[^x]+b", b"a\xff\xc3\n\x00b"), Some(b"a\xff\xc3\n\x00b".to_vec()));
}
