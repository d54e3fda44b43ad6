//! What holds for every text.

use proptest::prelude::*;
use pumice_types::{SourceId, Span};
use pumice_yaml::{Node, Value};

/// Pieces that mean something in YAML, put together at random.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b",
        "12",
        "0x1F",
        "1:30",
        "'",
        "\"",
        "\\",
        "\n",
        "\n  ",
        "\n    ",
        " ",
        "\t",
        ": ",
        ":",
        "- ",
        "? ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "#",
        " # c",
        "&x ",
        "*x",
        "!",
        "!!int ",
        "!<",
        "|",
        ">",
        "|2-",
        "<<: ",
        "=",
        "~",
        "---",
        "...",
        "%YAML 1.1",
        "%TAG ",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "é",
        "😀",
        "2001-01-01",
        "@",
        "`",
        "yes",
        ".inf",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn spans(node: &Node, found: &mut Vec<Span>) {
    found.push(node.span);
    match &node.value {
        Value::Seq(items) => items.iter().for_each(|item| spans(item, found)),
        Value::Map(map) => {
            for entry in map {
                found.push(entry.key_span);
                spans(&entry.value, found);
            }
        }
        _ => {}
    }
}

/// No panic, every span within the text and between characters, and the same again the second time.
fn holds(text: &str) -> Result<(), TestCaseError> {
    let (node, diagnostics) = pumice_yaml::parse(text, SourceId(0));
    let mut found: Vec<_> = diagnostics.iter().filter_map(|diagnostic| diagnostic.span).collect();
    found.extend(
        diagnostics.iter().flat_map(|diagnostic| diagnostic.related.iter().map(|related| related.span)),
    );
    if let Some(node) = &node {
        spans(node, &mut found);
        let _ = node.text();
    } else {
        prop_assert!(diagnostics.has_errors(), "nothing and no reason: {text:?}");
    }
    for span in found {
        prop_assert!(text.get(span.start..span.end).is_some(), "{span:?} in {text:?}");
    }
    prop_assert_eq!(pumice_yaml::parse(text, SourceId(0)), (node, diagnostics));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_of_yaml_pieces_is_a_problem(text in pieces()) {
        holds(&text)?;
    }

    #[test]
    fn no_text_at_all_is_a_problem(text in any::<String>()) {
        holds(&text)?;
    }

    #[test]
    fn no_bytes_are_a_problem(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let (node, diagnostics) = pumice_yaml::parse_bytes(&bytes, SourceId(0));
        prop_assert!(node.is_some() || diagnostics.has_errors());
    }

    #[test]
    fn json_means_the_same(depth in json()) {
        let (node, diagnostics) = pumice_yaml::parse(&depth.to_string(), SourceId(0));
        prop_assert!(diagnostics.is_empty(), "{diagnostics:?}");
        prop_assert_eq!(node.unwrap().to_json(), depth);
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let text = "[a-zA-Z0-9 :#'\\\\\"\n-]{0,8}";
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        text.prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 30, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            prop::collection::btree_map(text, inner, 0..5)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}
