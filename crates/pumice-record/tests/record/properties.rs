//! What holds for every record and every line.

use proptest::prelude::*;
use pumice_record::{LogLevel, LogRecord, Message, Timestamp, read_line, read_log, write_line};
use pumice_types::Mask;
use serde_json::Value;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e300..1e300).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~]{0,200}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_record_is_one_line_of_ascii_and_is_read_back(
        micros in 0..4_000_000_000_000_000_i64,
        level in 0_usize..10,
        value in value(),
        namespace in proptest::option::of(any::<String>()),
    ) {
        let message = match value {
            Value::String(text) => Message::Text(text),
            other => Message::Structured(other),
        };
        let record = LogRecord { at: Timestamp(micros), level: LogLevel::ALL[level], message, namespace };
        let mut line = String::from("- ");
        write_line(&record, &Mask::default(), &mut line);
        prop_assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", line);
        prop_assert_eq!(read_line(&line), Ok(record));
    }

    #[test]
    fn a_secret_is_nowhere_in_the_line(secret in "[a-z]{4,8}", before in ".{0,20}", after in ".{0,20}", value in value()) {
        let text = format!("{before}{secret}{after}");
        let nested = serde_json::json!({ "known": [value, text.clone()], text.clone(): 1 });
        let record = LogRecord {
            at: Timestamp(0),
            level: LogLevel::Debug,
            message: Message::Structured(nested),
            namespace: Some(text),
        };
        // The line's own words may look like the secret; they are not masked.
        prop_assume!(!"dt lvl msg ns debug known true false null".contains(&secret));
        let mut line = String::new();
        write_line(&record, &Mask::new([secret.clone()]), &mut line);
        prop_assert!(!line.contains(&secret), "{} in {}", secret, line);
        prop_assert!(read_line(&line).is_ok());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>(), pieces in proptest::collection::vec(
        prop_oneof![
            Just("{"), Just("}"), Just("["), Just("]"), Just("\""), Just("'"), Just(": "), Just(", "), Just("\\u12"),
            Just("! "), Just("!!int "), Just("? "), Just("dt"), Just("é"), Just("\\"), Just("- "), Just("\n"),
        ], 0..30)
    ) {
        let _ = read_line(&text);
        let _ = read_log(&pieces.concat()).count();
    }
}
