//! YAML as PyYAML reads it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pumice_types::SourceId;

fuzz_target!(|bytes: &[u8]| {
    let (_, diagnostics) = pumice_yaml::parse_bytes(bytes, SourceId::default());
    if let Ok(text) = std::str::from_utf8(bytes) {
        pumice_fuzz::check_spans(&diagnostics, text);
    }
});
