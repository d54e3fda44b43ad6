//! What is said about a text that is not as it should be.

use pumice_types::{Severity, SourceId, Sources};

/// Every mistake as `line:column CODE text-under-the-caret`, in order, and the tree as JSON.
fn check(text: &str, expected: &[&str], tree: &str) {
    let mut sources = Sources::default();
    let id = sources.add("test.yaml", text);
    let (node, diagnostics) = pumice_yaml::parse(text, id);
    let found: Vec<_> = diagnostics
        .sorted()
        .into_iter()
        .map(|diagnostic| {
            let span = diagnostic.span.unwrap();
            let at = sources.position(span).unwrap();
            let level = if diagnostic.severity == Severity::Error { "" } else { "(warning) " };
            let under = text[span.start..span.end].replace('\n', "\\n");
            format!("{}:{} {}{} {under}", at.line, at.column, level, diagnostic.code)
        })
        .collect();
    assert_eq!(found, expected, "{text}");
    let json = node.map_or_else(|| "none".to_owned(), |node| node.to_json().to_string());
    assert_eq!(json, tree, "{text}");
}

#[test]
fn what_can_be_read_in_spite_of_a_mistake_is_read() {
    check(r#"a: "\d+ \x4""#, &[r"1:5 yaml-syntax \d", r"1:9 yaml-syntax \x"], r#"{"a":"\\d+ \\x4"}"#);
    check(
        "a: @b\nc: `d\ne: %f",
        &["1:4 yaml-syntax @", "2:4 yaml-syntax `", "3:4 yaml-syntax %"],
        r#"{"a":"@b","c":"`d","e":"%f"}"#,
    );
    check("a: 1\nb\nc: 2", &["2:1 yaml-syntax b"], r#"{"a":1,"b":null,"c":2}"#);
    check("a: b: c\nd: 1", &["1:5 yaml-syntax :"], r#"{"a":"b","d":1}"#);
    check("a: 1\n\t\nb: 2", &["2:1 yaml-syntax \t"], r#"{"a":1,"b":2}"#);
    check("a: *b\nc: 1", &["1:4 yaml-alias *b"], r#"{"a":null,"c":1}"#);
    check("a: &x [*x]", &["1:8 yaml-alias *x"], r#"{"a":[null]}"#);
    check(
        "a: 2001-13-01\nb: !!int x",
        &["1:4 yaml-value 2001-13-01", "2:10 yaml-value x"],
        r#"{"a":null,"b":null}"#,
    );
    check("a: =\nb: <<", &["1:4 yaml-value =", "2:4 yaml-value <<"], r#"{"a":"=","b":"<<"}"#);
    check("a: !x 1", &["1:4 yaml-tag !x"], r#"{"a":"1"}"#);
    check("{{ x }}: 1\na: 2", &["1:1 yaml-key {{ x }}", "1:2 yaml-key { x }"], r#"{"a":2}"#);
    check("<<: 3\na: 1", &["1:5 yaml-merge 3"], r#"{"a":1}"#);
    check("a:\t1", &["1:3 (warning) yaml-tab \t"], r#"{"a":1}"#);
}

#[test]
fn one_mistake_is_told_once() {
    check("a: 1\n  b: 2\n  c: 3\n  d: 4\ne: 5", &["2:4 yaml-syntax :"], r#"{"a":"1 b"}"#);
}

#[test]
fn what_comes_before_a_fatal_mistake_is_kept() {
    check("a: 1\nb: 'x\nc: 2", &["2:4 yaml-syntax '"], r#"{"a":1,"b":null}"#);
    check("a: [1, {b: 2\nc: 3", &["2:2 yaml-syntax :"], r#"{"a":[1,{"b":"2 c"}]}"#);
    check("a:\n  - b\n c: d", &["3:2 yaml-syntax "], r#"{"a":["b"]}"#);
    check("a:\n\tb: 1", &["2:1 yaml-syntax \t"], r#"{"a":null}"#);
    check("a: 1\n---\nb: 2", &["2:1 yaml-documents ---"], r#"{"a":1}"#);
}

#[test]
fn the_second_of_two_keys_is_pointed_at_and_the_first_is_named() {
    let text = "a: 1\nb:\n  c: 2\n  c: 3\na: 4";
    check(
        text,
        &["4:3 (warning) yaml-duplicate-key c", "5:1 (warning) yaml-duplicate-key a"],
        r#"{"a":4,"b":{"c":3}}"#,
    );
    let (_, diagnostics) = pumice_yaml::parse(text, SourceId(0));
    let related: Vec<_> = diagnostics.iter().map(|diagnostic| diagnostic.related[0].span.start).collect();
    assert_eq!(related, [10, 0]);
    // A merge is there to be replaced.
    check("a: &x {b: 1}\nc: {<<: *x, b: 2}", &[], r#"{"a":{"b":1},"c":{"b":2}}"#);
}

#[test]
fn an_alias_that_is_misspelt_gets_a_suggestion() {
    let (_, diagnostics) = pumice_yaml::parse("a: &images 1\nb: *image", SourceId(0));
    let suggestion = diagnostics.iter().next().unwrap().suggestion.clone().unwrap();
    assert_eq!(suggestion.replacement, "*images");
    assert_eq!((suggestion.span.start, suggestion.span.end), (16, 22));
}

#[test]
fn bytes_must_be_utf_8_with_or_without_a_mark() {
    let codes = |bytes: &[u8]| {
        let (node, diagnostics) = pumice_yaml::parse_bytes(bytes, SourceId(0));
        let codes: Vec<_> = diagnostics
            .iter()
            .map(|diagnostic| (diagnostic.code.0, diagnostic.span.unwrap().start))
            .collect();
        (node.map(|node| node.to_json().to_string()), codes)
    };
    assert_eq!(codes("\u{feff}é: 1".as_bytes()), (Some(r#"{"é":1}"#.to_owned()), vec![]));
    assert_eq!(codes(b"a: \xff"), (None, vec![("yaml-encoding", 3)]));
    assert_eq!(codes(b"\xff\xfea\0"), (None, vec![("yaml-encoding", 0)]));
    assert_eq!(codes(b"a: \x07"), (None, vec![("yaml-encoding", 3)]));
}

#[test]
fn spans_are_the_bytes_of_each_node() {
    let text = "é: [1, {a: 'b c'}]\nx: &y\n  - |\n    t\n\nz: *y # c\n";
    let (node, diagnostics) = pumice_yaml::parse(text, SourceId(0));
    assert!(diagnostics.is_empty());
    let node = node.unwrap();
    let under = |node: &pumice_yaml::Node| &text[node.span.start..node.span.end];
    let entry = |key: &str| node.as_map().unwrap().entry(key).unwrap();
    assert_eq!(under(&entry("é").value), "[1, {a: 'b c'}]");
    assert_eq!(&text[entry("é").key_span.start..entry("é").key_span.end], "é");
    let list = entry("é").value.as_seq().unwrap();
    assert_eq!(under(&list[1]), "{a: 'b c'}");
    assert_eq!(under(list[1].get("a").unwrap()), "'b c'");
    assert_eq!(under(&entry("x").value), "- |\n    t");
    // Through an alias: where it was written.
    assert_eq!(entry("z").value.span, entry("x").value.span);
    assert_eq!(under(&node), text[..text.len() - 5].trim_end());
}
