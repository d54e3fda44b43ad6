//! The definition at the head of `scanner.rs`, written down a second time in the most direct way, and held
//! against the engine on random patterns, streams and pieces.

use std::time::Instant;

use proptest::prelude::*;
use regex_automata::{Anchored, Input, meta};
use regex_syntax::hir::{Hir, Look};

use crate::{
    engine::{Engine, Event, matches_in},
    pattern::Pattern,
    patterns::Patterns,
    watch::kernel_watches,
};

/// What was found: which pattern, from where to where, and its first group.
type Seen = (usize, u64, u64, Option<Vec<u8>>);

/// Everything that is found in a stream that comes in these pieces.
fn seen(patterns: &Patterns, pieces: &[&[u8]]) -> Vec<Seen> {
    matches_in(patterns, pieces.iter().copied())
        .into_iter()
        .map(|found| (found.index(), found.start(), found.end(), found.group(1).map(<[u8]>::to_vec)))
        .collect()
}

/// The same by the definition.
fn expected(patterns: &Patterns, stream: &[u8]) -> Vec<Seen> {
    let enders: Vec<meta::Regex> = patterns.list().iter().map(ender).collect();
    let mut seen = Vec::new();
    let mut origin = 0;
    while let Some(found) = first(patterns.list(), &enders, &stream[origin..]) {
        let (index, start, end, group) = found;
        seen.push((index, (origin + start) as u64, (origin + end) as u64, group));
        // Of a pattern that is found in nothing, the next search begins a byte later.
        origin = (origin + end).max(origin + 1);
        if origin > stream.len() {
            break;
        }
    }
    seen
}

fn first(
    patterns: &[Pattern],
    enders: &[meta::Regex],
    stream: &[u8],
) -> Option<(usize, usize, usize, Option<Vec<u8>>)> {
    let (first, start, index) = (0..=stream.len()).find_map(|end| {
        let starts = patterns.iter().enumerate();
        let starts = starts.filter_map(|(index, pattern)| Some((pattern.find_start(&stream[..end])?, index)));
        starts.min().map(|(start, index)| (end, start, index))
    })?;
    let pattern = &patterns[index];
    let mut end = first;
    if ends_at(&enders[index], stream, start, end) {
        while end < stream.len()
            && !matches!(stream[end], b'\r' | b'\n')
            && ends_at(&enders[index], stream, start, end + 1)
        {
            end += 1;
        }
    }
    let groups = pattern.groups(&stream[..end]).unwrap();
    let (start, last) = groups[0].unwrap();
    let group = groups.get(1).copied().flatten().map(|(from, to)| stream[from..to].to_vec());
    Some((index, start, last, group))
}

/// The pattern, but only to the end of the data.
fn ender(pattern: &Pattern) -> meta::Regex {
    let tree = Hir::concat(vec![pattern.tree().clone(), Hir::look(Look::End)]);
    let config = meta::Config::new().utf8_empty(false);
    meta::Builder::new().configure(config).build_from_hir(&tree).unwrap()
}

/// Whether the pattern can match from `start` to just `end`, if the data ends there.
fn ends_at(ender: &meta::Regex, stream: &[u8], start: usize, end: usize) -> bool {
    ender.is_match(Input::new(&stream[..end]).span(start..end).anchored(Anchored::Yes))
}

fn pieces<'a>(stream: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|&cut| cut.min(stream.len())).collect();
    cuts.sort_unstable();
    cuts.push(stream.len());
    let mut from = 0;
    cuts.iter().map(|&to| &stream[std::mem::replace(&mut from, to)..to]).collect()
}

/// Patterns over a small alphabet, so that streams over it meet them often.
fn pattern() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        6 => prop_oneof![Just("a"), Just("b"), Just("#"), Just(" "), Just("\\n"), Just("\u{e9}")],
        2 => prop_oneof![Just("."), Just("[ab]"), Just("[^a]"), Just("\\w"), Just("\\S"), Just("\\s")],
        1 => prop_oneof![Just("$"), Just("^"), Just("\\b"), Just("\\B"), Just("\\Z"), Just("(?m:^)")],
    ]
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            4 => proptest::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(?:{a}|{b})")),
            1 => inner.clone().prop_map(|part| format!("({part})")),
            2 => (inner, prop_oneof![Just("*"), Just("+"), Just("?"), Just("*?"), Just("+?"), Just("{1,2}")])
                .prop_map(|(part, times)| format!("(?:{part}){times}")),
        ]
    })
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => Just(b'a'), 3 => Just(b'b'), 2 => Just(b'#'), 2 => Just(b' '), 2 => Just(b'\n'),
        1 => Just(b'\r'), 1 => Just(0xc3), 1 => Just(0xa9), 1 => Just(0xff),
    ];
    proptest::collection::vec(byte, 0..40)
}

#[test]
fn cases_that_were_once_wrong() {
    for (text, stream) in [(r"(?:\wa|\b)", "aa"), ("(?:[^a])*", "b"), (r"a\B|b\b", "aab b")] {
        let patterns = Patterns::python([text]).unwrap();
        let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        let expected = expected(&patterns, stream.as_bytes());
        assert_eq!(
            (seen(&patterns, &[stream.as_bytes()]), seen(&patterns, &bytes)),
            (expected.clone(), expected)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn matches_are_those_of_the_definition_in_any_pieces(
        texts in proptest::collection::vec(pattern(), 1..4),
        stream in stream(),
        cuts in proptest::collection::vec(0..40_usize, 0..6),
    ) {
        let patterns = Patterns::python(&texts).unwrap();
        let expected = expected(&patterns, &stream);
        prop_assert_eq!(&seen(&patterns, &[&stream]), &expected, "whole");
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&seen(&patterns, &bytes), &expected, "byte by byte");
        prop_assert_eq!(&seen(&patterns, &pieces(&stream, &cuts)), &expected, "in pieces");
    }

    #[test]
    fn fatal_lines_and_matches_come_in_the_order_of_the_stream(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("# "), Just("Kernel panic - not syncing: x"), Just("\n"), Just("noise"), Just("WARNING: y"),
                Just("BUG: KASAN: z"), Just("Kernel pan"),
            ], 0..12),
        cuts in proptest::collection::vec(0..100_usize, 0..6),
    ) {
        let stream = parts.concat().into_bytes();
        let whole = events(&[&stream]);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&events(&bytes), &whole, "byte by byte");
        prop_assert_eq!(&events(&pieces(&stream, &cuts)), &whole, "in pieces");
        let panics = stream.split(|&byte| byte == b'\n').filter(|line| {
            String::from_utf8_lossy(line).contains("Kernel panic - not syncing")
        });
        prop_assert_eq!(whole.iter().filter(|event| event.starts_with("fatal")).count(), panics.count());
    }
}

/// What one wait after another meets.
fn events(pieces: &[&[u8]]) -> Vec<String> {
    let now = Instant::now();
    let mut engine = Engine::new(1 << 16, kernel_watches(), now).unwrap();
    let prompts = Patterns::python(["# $"]).unwrap();
    let mut events = Vec::new();
    let mut take = |engine: &mut Engine| {
        loop {
            let reader = engine.begin(prompts.clone(), false, true);
            let event = engine.take(reader);
            engine.end(reader);
            let Some(event) = event else { return };
            engine.consume(&event);
            events.push(match event {
                Event::Match(found) => format!("match {}", found.end()),
                Event::Fatal(message) => format!("fatal {} {}", message.offset, message.line),
            });
        }
    };
    for piece in pieces {
        engine.feed(piece, now);
        take(&mut engine);
    }
    engine.close(now);
    take(&mut engine);
    let (messages, _) = engine.messages();
    events.extend(messages.iter().map(|message| format!("{:?} {}", message.kind, message.line)));
    events
}
