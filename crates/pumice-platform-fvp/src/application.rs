//! The applications that a model's cores execute (AXF, which is ELF), held against the cores.

use pumice_plan::MachineSpec;
use pumice_platform::{Bound, Executable, Processor};
use pumice_types::{Code, Diagnostic, Diagnostics};

use crate::{entry::Entry, format::fields, library_form, request::Request};

/// The application is for another processor than the model's.
const WRONG_PROCESSOR: Code = Code("wrong-processor");

/// The labels of applications: what `-a`, `--application` or Foundation's `--image` names.
pub(crate) fn labels(spec: &MachineSpec, request: &Request, entry: Option<&Entry>) -> Vec<String> {
    let mut words: Vec<String> = request.unbound();
    for image in spec
        .images
        .iter()
        .filter(|image| entry.is_some_and(|entry| !library_form::is_wrapped(&image.label, spec, entry)))
    {
        let own = entry.and_then(|entry| entry.image_words(&image.label)).unwrap_or_default();
        words.extend(
            own.iter().map(|word| word.replace("{file}", &format!("{{{}}}", image.label.to_uppercase()))),
        );
    }
    let mut named = Vec::new();
    let mut rest = words.iter().map(String::as_str);
    while let Some(word) = rest.next() {
        match word {
            "-a" | "--application" => named.extend(rest.next()),
            _ => named.extend(word.strip_prefix("--application=").or_else(|| word.strip_prefix("--image="))),
        }
    }
    let is_named =
        |label: &str| named.iter().any(|word| fields(word).any(|field| field == label.to_uppercase()));
    let labels = spec.images.iter().map(|image| image.label.clone());
    labels.filter(|label| is_named(label)).collect()
}

/// Every application that the model's cores cannot execute. `model` is the name of its program.
pub(crate) fn check(bound: &Bound, model: &str) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    for (label, executable) in &bound.executables {
        let what = match executable.processor {
            Processor::AArch64 if has_32_bit_cores(model) => "64-bit Arm cores (AArch64)",
            Processor::Other(62) => "x86-64, this host's own kind perhaps",
            Processor::Other(_) => "no Arm core",
            Processor::Arm | Processor::AArch64 => continue,
        };
        let message = format!("the application `{label}` is for {what}, and {model} cannot run it");
        let help = if executable.processor == Processor::AArch64 {
            "build it for 32 bits (arm-linux-gnueabihf, arm-none-eabi), or take a model with 64-bit cores such as \
             base-revc"
        } else {
            "build it with a cross compiler for Arm"
        };
        diagnostics.push(Diagnostic::error(WRONG_PROCESSOR, None, message).help(help));
    }
    diagnostics
}

/// An application in words, for the record of the run.
pub(crate) fn shown(executable: &Executable) -> String {
    let loads =
        executable.loads.map_or_else(String::new, |(first, last)| format!(", loads {first:#x} to {last:#x}"));
    format!("{} bits, entry {:#x}{loads}", executable.bits, executable.entry)
}

/// What is strange in an application without being a mistake.
pub(crate) fn notes(bound: &Bound) -> Vec<String> {
    let strange = |(label, executable): (&String, &Executable)| {
        let (first, last) = executable.loads?;
        let inside = (first..=last).contains(&(executable.entry & !1));
        let is_odd = !inside && executable.processor == Processor::Arm;
        is_odd.then(|| {
            format!(
                "`{label}` begins at {:#x}, outside of what it loads ({first:#x} to {last:#x})",
                executable.entry
            )
        })
    };
    bound.executables.iter().filter_map(strange).collect()
}

/// Cores of the A profile with `AArch32` only: Armv7's, and Cortex-A32 (Arm's core documents).
const CORES_A: [&str; 7] = ["A5", "A7", "A8", "A9", "A15", "A17", "A32"];

/// Whether all cores of the model have 32 bits only, by the names in its own (fastmodels 1.2).
fn has_32_bit_cores(model: &str) -> bool {
    let mut cores = model.split("Cortex-").skip(1).flat_map(|rest| rest.split("-A").enumerate()).peekable();
    if cores.peek().is_none() {
        return model.contains("SSE-3");
    }
    cores.all(|(index, text)| {
        let text = if index == 0 { text.to_owned() } else { format!("A{text}") };
        let core = text.split(['x', '_', '+', '-']).next().unwrap_or_default();
        core.starts_with('M') || core == "R52" || core.starts_with("R5") || CORES_A.contains(&core)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_with_32_bit_cores_are_told_by_their_names() {
        for (model, expected) in [
            ("FVP_VE_Cortex-A15x1", true),
            ("RTSM_VE_Cortex-A15x4-A7x4", true),
            ("RTSM_VE_Cortex-A9_MPx4", true),
            ("FVP_MPS2_Cortex-M3", true),
            ("FVP_Corstone_SSE-300_Ethos-U55", true),
            ("FVP_Base_Cortex-A57x4-A53x4", false),
            ("FVP_Base_Cortex-A55x4+Cortex-A76x2", false),
            ("FVP_Base_Cortex-A32x4", true),
            ("FVP_BaseR_Cortex-R52x4", true),
            ("FVP_BaseR_Cortex-R82x4", false),
            ("FVP_Base_RevC-2xAEMvA", false),
            ("FVP_RD_N2", false),
            ("Foundation_Platform", false),
        ] {
            assert_eq!(has_32_bit_cores(model), expected, "{model}");
        }
    }

    #[test]
    fn an_application_for_another_processor_is_refused_with_what_to_do() {
        let bound = |processor| {
            let executable = Executable { bits: 64, processor, entry: 0x8000_0000, loads: None };
            Bound { executables: [("axf".to_owned(), executable)].into(), ..Bound::default() }
        };
        let check = |processor, model, expected: Option<&str>| {
            let found = check(&bound(processor), model);
            assert_eq!(found.iter().next().map(|one| one.message.as_str()), expected, "{model}");
        };
        check(
            Processor::AArch64,
            "FVP_VE_Cortex-A15x1",
            Some(
                "the application `axf` is for 64-bit Arm cores (AArch64), and FVP_VE_Cortex-A15x1 cannot run it",
            ),
        );
        check(Processor::AArch64, "FVP_Base_RevC-2xAEMvA", None);
        check(Processor::Arm, "FVP_Base_RevC-2xAEMvA", None);
        check(
            Processor::Other(243),
            "FVP_Base_RevC-2xAEMvA",
            Some("the application `axf` is for no Arm core, and FVP_Base_RevC-2xAEMvA cannot run it"),
        );
    }
}
