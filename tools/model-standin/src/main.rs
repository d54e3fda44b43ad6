//! A program that behaves on the outside as the public record says an Arm Fast Model does, and runs QEMU inside.
//!
//! It is the model its name says: a symbolic link `FVP_Base_RevC-2xAEMvA` to it is that model, `armlm` is the licence
//! tool, `standin-lmgrd` a licence server. Under its own name it makes those links. What it is for, and every knob:
//! `docs/user/stand-in.md`. What it imitates: `reference/fastmodels.md`, cited by section.

mod axf;
mod boot;
mod cli;
mod debug;
mod environment;
mod event;
mod faults;
mod journal;
mod knobs;
mod licence;
mod limits;
mod listing;
mod machine;
mod media;
mod model;
mod network;
mod output;
mod process;
mod simulation;
mod startup;
mod statistics;
mod stop;
mod terminal;
mod tool;
mod trace;

use cli::Grammar;
use environment::Environment;
use knobs::Knobs;
use model::{Model, ModelName};
use simulation::{Simulation, complain};
use std::path::Path;
use std::process::ExitCode;

/// A mistake in the knobs or in the use of the tool: not an exit code of any model.
const USAGE: u8 = 64;
/// The dynamic loader's exit code for a library that is missing.
const LOADER: u8 = 127;

fn main() -> ExitCode {
    let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let program = words.next().unwrap_or_default();
    let words: Vec<String> = words.collect();
    ExitCode::from(dispatch(&program, &words))
}

/// Is whatever the name says.
fn dispatch(program: &str, words: &[String]) -> u8 {
    if let Some((first, rest)) = words.split_first()
        && first == faults::ORPHAN_WORD
    {
        faults::orphan_main(rest);
        return 0;
    }
    let environment = Environment::of_process();
    let knobs = match Knobs::read(environment.get(knobs::VARIABLE).unwrap_or_default()) {
        Ok(knobs) => knobs,
        Err(error) => {
            complain(&error.to_string());
            return USAGE;
        }
    };
    if let Some(path) = &knobs.log
        && let Err(error) = journal::open(path)
    {
        complain(&format!("{}: log={}: {error}", knobs::VARIABLE, path.display()));
        return USAGE;
    }
    journal::note(&format!("{program} {}", shell_words::join(words)));
    if knobs.die_with_parent
        && let Err(error) =
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
    {
        complain(&format!("{}: die_with_parent: {error}", knobs::VARIABLE));
        return USAGE;
    }
    let name =
        Path::new(program).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match name.as_str() {
        "armlm" | "standin-lmgrd" => tool::run(&name, words, &knobs, &environment),
        "model_shell" | "model_shell64" => model(program, words, None, knobs, environment),
        _ => match ModelName::parse(&name) {
            Some(found) => model(program, words, Some(found), knobs, environment),
            None => tool::run("model-standin", words, &knobs, &environment),
        },
    }
}

/// Is a model, or Model Shell when there is no `name` yet.
fn model(
    program: &str,
    words: &[String],
    name: Option<ModelName>,
    knobs: Knobs,
    environment: Environment,
) -> u8 {
    if let Some(library) = &knobs.missing_library {
        complain(&format!(
            "{program}: error while loading shared libraries: {library}: cannot open shared object file: No such file \
             or directory"
        ));
        return LOADER;
    }
    if knobs.refuse_root && rustix::process::geteuid().is_root() {
        complain(&format!("{program}: cannot be run as root"));
        return 1;
    }
    if let Some(code) = knobs.exit_early {
        return code;
    }
    if let Err(error) = process::block_stop_signals() {
        complain(&format!("{program}: {error}"));
        return 1;
    }
    let grammar = match &name {
        None => Grammar::ModelShell,
        Some(name) if name.family == "foundation" => Grammar::Foundation,
        Some(name) => Grammar::Standard { vintage: name.vintage },
    };
    let invocation = match grammar.parse(words) {
        Ok(invocation) => invocation,
        Err(error) => {
            complain(&format!("{program}: {error}"));
            return 1;
        }
    };
    if invocation.help {
        let output = output::Output::new(false, None);
        output.print(&grammar.help(program));
        output.flush();
        return 0;
    }
    let shell = name.is_none();
    let name = match name.map_or_else(|| shell_model(&invocation, &knobs), Ok) {
        Ok(name) => name,
        Err(reason) => {
            complain(&format!("{program}: {reason}"));
            return 1;
        }
    };
    match Model::new(name) {
        Ok(model) => {
            Simulation { program: program.to_owned(), model, invocation, knobs, environment, shell }.run()
        }
        Err(error) => {
            complain(&format!("{program}: {error}"));
            1
        }
    }
}

/// Which model is in the shared object: its file's name says, else the knob.
fn shell_model(invocation: &cli::Invocation, knobs: &Knobs) -> Result<ModelName, String> {
    const DEFAULT: &str = "RTSM_VE_Cortex-A15x4-A7x4";
    let Some(path) = &invocation.model else {
        let found = if invocation.version { ModelName::parse(DEFAULT) } else { None };
        return found.ok_or_else(|| "no model specified".to_owned());
    };
    if !path.is_file() {
        return Err(format!("cannot open model '{}'", path.display()));
    }
    let stem = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let fallback = knobs.model.as_deref().unwrap_or(DEFAULT);
    ModelName::parse(&stem)
        .or_else(|| ModelName::parse(fallback))
        .ok_or_else(|| format!("there is no model '{fallback}'"))
}
