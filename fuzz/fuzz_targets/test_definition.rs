//! Test definitions and the parameters a job gives them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pumice_guest::definition;
use pumice_types::SourceId;

fuzz_target!(|text: &str| {
    let (Some(node), _) = pumice_yaml::parse(text, SourceId::default()) else { return };
    let (definition, diagnostics) = definition::parse(&node);
    pumice_fuzz::check_spans(&diagnostics, text);
    let (parameters, _) = definition::parse_parameters(&node);
    if let Some(definition) = definition {
        definition.parameters.overridden_by(&parameters).expand(text);
    }
});
