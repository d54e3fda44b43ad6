//! What the program is under its own name, and the two licence programs.

use crate::axf::{self, Isa};
use crate::environment::Environment;
use crate::knobs::{KNOBS, Knobs};
use crate::licence::{armlm, server};
use crate::model::families;
use crate::simulation::complain;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

/// The names that `links` makes, one or more of each family.
const NAMES: [&str; 24] = [
    "FVP_VE_Cortex-A15x1",
    "FVP_VE_Cortex-A15x2",
    "FVP_VE_Cortex-A15x4",
    "FVP_VE_Cortex-A15x4-A7x4",
    "RTSM_VE_Cortex-A15x1",
    "RTSM_VE_Cortex-A15x2",
    "RTSM_VE_Cortex-A15x4",
    "RTSM_VE_Cortex-A15x4-A7x4",
    "FVP_Base_RevC-2xAEMvA",
    "FVP_Base_AEMvA",
    "FVP_Base_Cortex-A57x2-A53x4",
    "FVP_BaseR_AEMv8R",
    "Foundation_Platform",
    "Foundation_v8",
    "FVP_MPS2_Cortex-M3",
    "FVP_Corstone_SSE-300",
    "FVP_Corstone_SSE-320",
    "FVP_RD_N2",
    "FVP_RD_V3_R1",
    "FVP_Morello",
    "model_shell",
    "model_shell64",
    "armlm",
    "standin-lmgrd",
];

const USAGE: &str = "\
usage: model-standin links DIR        make a symbolic link in DIR for every model, armlm and standin-lmgrd
       model-standin models           what the links stand for
       model-standin knobs            the keys of MODEL_STANDIN
       model-standin axf FILE [arm64] a boot-wrapper AXF (arm if not said otherwise)
       model-standin armlm ...        the licence tool
       model-standin lmgrd ...        the licence server
";

/// Runs a command; the exit code.
pub(crate) fn run(name: &str, words: &[String], knobs: &Knobs, environment: &Environment) -> u8 {
    let outcome = match (name, words) {
        ("armlm", words) => armlm::run(words, knobs, environment),
        ("standin-lmgrd", words) => server::main(words, print).map(|()| String::new()),
        (_, [command, rest @ ..]) => match (command.as_str(), rest) {
            ("armlm", rest) => armlm::run(rest, knobs, environment),
            ("lmgrd", rest) => server::main(rest, print).map(|()| String::new()),
            ("links", [directory]) => links(Path::new(directory)),
            ("axf", [file]) => write_axf(Path::new(file), Isa::Arm),
            ("axf", [file, isa]) if isa == "arm64" => write_axf(Path::new(file), Isa::Arm64),
            ("knobs", []) => Ok(knob_list()),
            ("models", []) => model_list(),
            ("help" | "--help" | "-h", []) => Ok(USAGE.to_owned()),
            _ => Err(USAGE.trim_end().to_owned()),
        },
        _ => Err(USAGE.trim_end().to_owned()),
    };
    match outcome {
        Ok(text) => {
            print(&text);
            0
        }
        Err(reason) => {
            complain(&reason);
            1
        }
    }
}

fn print(text: &str) {
    // Nobody reads: nothing to be done about it.
    drop(std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush()));
}

fn links(directory: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("model-standin: {}: {error}", directory.display());
    let target = std::env::current_exe().map_err(failed)?;
    std::fs::create_dir_all(directory).map_err(failed)?;
    for name in NAMES {
        let link = directory.join(name);
        if link.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) {
            std::fs::remove_file(&link).map_err(failed)?;
        }
        std::os::unix::fs::symlink(&target, &link).map_err(failed)?;
    }
    Ok(format!("{} links in {}\n", NAMES.len(), directory.display()))
}

fn write_axf(path: &Path, isa: Isa) -> Result<String, String> {
    std::fs::write(path, axf::build(isa))
        .map_err(|error| format!("model-standin: {}: {error}", path.display()))?;
    Ok(String::new())
}

fn knob_list() -> String {
    let mut text = String::new();
    for knob in KNOBS {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<16} {:<40} {}", knob.name, knob.form, knob.about);
    }
    text
}

fn model_list() -> Result<String, String> {
    let mut text = String::new();
    for (key, title) in families().map_err(|error| error.to_string())? {
        let _ = writeln!(text, "{key:<20} {title}");
    }
    text.push('\n');
    for name in NAMES {
        let _ = writeln!(text, "{name}");
    }
    Ok(text)
}
