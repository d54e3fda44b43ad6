//! Python's patterns on a console: what is found does not depend on how the stream was cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pumice_console::{Patterns, matches_in};

fuzz_target!(|input: &[u8]| {
    // Patterns, one a line, then an empty line, then the stream.
    let Some(end) = input.windows(2).position(|pair| pair == b"\n\n") else { return };
    let Ok(patterns) = std::str::from_utf8(&input[..end]) else { return };
    let stream = &input[end + 2..];
    let Ok(patterns) = Patterns::python(patterns.lines().take(4)) else { return };
    let whole = matches_in(&patterns, [stream]);
    let cut = matches_in(&patterns, pumice_fuzz::pieces(stream));
    // What a place in the stream is may be decided by the end of a piece, as it is for a person who watches.
    let asks_about_places =
        |pattern: &str| ["$", r"\b", r"\B", r"\Z"].iter().any(|place| pattern.contains(place));
    if patterns.list().iter().all(|pattern| !asks_about_places(pattern.as_str())) {
        assert_eq!(whole, cut);
    }
});
