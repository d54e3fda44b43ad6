//! The options of SystemC-based models and of Model Shell (reference, sections 2.1 and 2.2).

use super::grammar::{Item, Rule, split};
use super::{Application, CliError, Dump, Invocation, Listing, address, data, split_instance, unquoted};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Application,
    Data,
    Dump,
    Start,
    Parameter,
    ConfigFile,
    List(Listing),
    Output,
    Help,
    Version,
    Quiet,
    CadiServer,
    IrisServer,
    IrisAllowRemote,
    IrisPort,
    PrintPort,
    Run,
    Plugin,
    Prefix,
    Stat,
    TimeLimit,
    SimLimit,
    CpuLimit,
    CycleLimit,
    Number,
    Checkpoint,
    Log,
    Model,
    Accepted,
}

const fn rule(
    short: char,
    long: &'static str,
    value: &'static str,
    about: &'static str,
    key: Key,
) -> Rule<Key> {
    let short = if short == ' ' { None } else { Some(short) };
    Rule { short, long, value, about, key }
}

const RULES: &[Rule<Key>] = &[
    rule('a', "application", "[INST=]FILE", "application to load", Key::Application),
    rule('A', "iris-allow-remote", "", "allow remote connections to the Iris server", Key::IrisAllowRemote),
    rule('C', "parameter", "INST.PARAM=VALUE", "set a parameter", Key::Parameter),
    rule(' ', "cpulimit", "NUM", "maximum host CPU seconds", Key::CpuLimit),
    rule(' ', "cyclelimit", "NUM", "maximum number of cycles", Key::CycleLimit),
    rule('d', "data", "[INST=]FILE@[MEMSPACE:]ADDRESS", "raw data to load", Key::Data),
    rule('D', "allow-debug-plugin", "", "allow a plug-in to debug the simulation", Key::Accepted),
    rule(' ', "dump", "[INST=]FILE@[MEMSPACE:]ADDRESS,SIZE", "memory to write to a file at exit", Key::Dump),
    rule('f', "config-file", "FILE", "load parameters from a file", Key::ConfigFile),
    rule('h', "help", "", "print this help message and exit", Key::Help),
    rule('I', "iris-server", "", "start the Iris server", Key::IrisServer),
    rule(' ', "iris-port", "PORT", "port for the Iris server", Key::IrisPort),
    rule('K', "keep-console", "", "keep the console window open", Key::Accepted),
    rule('l', "list-params", "", "print the parameters and exit", Key::List(Listing::Params)),
    rule('L', "cadi-log", "", "log CADI calls", Key::Accepted),
    rule(' ', "list-instances", "", "print the instances and exit", Key::List(Listing::Instances)),
    rule(' ', "list-memory", "", "print the memory spaces and exit", Key::List(Listing::Memory)),
    rule(' ', "list-regs", "", "print the registers and exit", Key::List(Listing::Regs)),
    rule(' ', "log", "FILE", "copy messages to a file", Key::Log),
    rule('M', "min-sync-latency", "NUM", "minimum ticks before a synchronisation", Key::Number),
    rule('o', "output", "FILE", "redirect lists to a file", Key::Output),
    rule('p', "print-port-number", "", "print the port of the debug server", Key::PrintPort),
    rule('P', "prefix", "", "prefix semihosting output with the instance", Key::Prefix),
    rule(' ', "plugin", "[NAME=]FILE", "plug-in to load", Key::Plugin),
    rule('q', "quiet", "", "suppress informational output", Key::Quiet),
    rule('Q', "quantum", "NUM", "ticks to simulate per quantum", Key::Number),
    rule('r', "restore", "DIR", "restore a checkpoint", Key::Checkpoint),
    rule('R', "run", "", "run at once even with a debug server", Key::Run),
    rule('S', "cadi-server", "", "start the CADI server", Key::CadiServer),
    rule(' ', "simlimit", "NUM", "maximum simulated seconds", Key::SimLimit),
    rule(' ', "start", "[INST=]ADDRESS", "initial program counter", Key::Start),
    rule(' ', "stat", "", "print statistics at exit", Key::Stat),
    rule('T', "timelimit", "NUM", "maximum seconds to run", Key::TimeLimit),
    rule(' ', "trace-plugin", "FILE", "(deprecated) plug-in to load", Key::Plugin),
    rule('V', "v-path", "PATH", "directory of virtual interface scripts", Key::Accepted),
    rule(' ', "version", "", "print the version and exit", Key::Version),
];

/// `-s` is `--save` now and was `--stat` once (reference, section 12).
const NEWER: Rule<Key> = rule('s', "save", "DIR", "save a checkpoint", Key::Checkpoint);
const OLDER: [Rule<Key>; 2] = [
    rule('s', "stat", "", "print statistics at exit", Key::Stat),
    rule(' ', "save", "DIR", "save a checkpoint", Key::Checkpoint),
];
const SHELL: [Rule<Key>; 3] = [
    rule('m', "model", "FILE", "model to load", Key::Model),
    rule('v', "verbose", "", "print more", Key::Accepted),
    rule('b', "break", "[INST=]ADDRESS", "stop when reached", Key::Number),
];

fn rules(vintage: bool, shell: bool) -> Vec<Rule<Key>> {
    let mut rules = RULES.to_vec();
    if shell {
        rules.extend(SHELL);
    }
    if vintage {
        rules.retain(|rule| rule.long != "stat");
        rules.extend(OLDER);
    } else {
        rules.push(NEWER);
    }
    rules
}

/// Reads the command line of a model.
pub(super) fn parse(words: &[String], vintage: bool) -> Result<Invocation, CliError> {
    let mut found = Invocation::default();
    for item in split(&rules(vintage, false), words)? {
        match item {
            Item::Operand(word) => found.applications.push(application(&word)),
            Item::Option(key, value) => apply(&mut found, key, &value)?,
        }
    }
    Ok(found)
}

/// Reads the command line of Model Shell, where the model is `-m`'s value or the operand that is a shared object.
pub(super) fn parse_shell(words: &[String]) -> Result<Invocation, CliError> {
    let mut found = Invocation::default();
    for item in split(&rules(true, true), words)? {
        match item {
            Item::Operand(word)
                if found.model.is_none()
                    && Path::new(&word).extension().is_some_and(|extension| extension == "so") =>
            {
                found.model = Some(word.into());
            }
            Item::Operand(word) => found.applications.push(application(&word)),
            Item::Option(key, value) => apply(&mut found, key, &value)?,
        }
    }
    Ok(found)
}

fn apply(found: &mut Invocation, key: Key, value: &str) -> Result<(), CliError> {
    match key {
        Key::Application => found.applications.push(application(value)),
        Key::Data => found.data.push(data("--data", value)?),
        Key::Dump => found.dumps.push(dump(value)?),
        Key::Start => {
            let number = split_instance(value).1;
            found.start = Some(address(number).ok_or_else(|| bad("--start", value))?);
        }
        Key::Parameter => found.parameters.push(assignment(value).ok_or_else(|| bad("-C", value))?),
        Key::ConfigFile => found.parameters.extend(config_file(value)?),
        Key::List(listing) => found.listing = Some(listing),
        Key::Output => found.output = Some(value.into()),
        Key::Help => found.help = true,
        Key::Version => found.version = true,
        Key::Quiet => found.quiet = true,
        Key::CadiServer => found.cadi_server = true,
        Key::IrisServer => found.iris_server = true,
        Key::IrisAllowRemote => found.iris_allow_remote = true,
        Key::IrisPort => found.iris_port = Some(value.parse().map_err(|_| bad("--iris-port", value))?),
        Key::PrintPort => found.print_port = true,
        Key::Run => found.run = true,
        Key::Plugin => found.plugins.push(unquoted(split_instance(value).1)),
        Key::Prefix => found.prefix = true,
        Key::Stat => found.stat = true,
        Key::TimeLimit => found.limits.wall = Some(seconds("--timelimit", value)?),
        Key::SimLimit => found.limits.simulated = Some(seconds("--simlimit", value)?),
        Key::CpuLimit => found.limits.cpu = Some(seconds("--cpulimit", value)?),
        Key::CycleLimit => {
            found.limits.cycles = Some(value.parse().map_err(|_| bad("--cyclelimit", value))?);
        }
        Key::Number => drop(address(split_instance(value).1).ok_or_else(|| bad("-Q", value))?),
        Key::Checkpoint => found.checkpoint = true,
        Key::Log => found.log = Some(value.into()),
        Key::Model => found.model = Some(value.into()),
        Key::Accepted => {}
    }
    Ok(())
}

fn bad(option: &'static str, value: &str) -> CliError {
    CliError::Value { option, value: value.to_owned() }
}

fn application(text: &str) -> Application {
    let (instance, file) = split_instance(text);
    Application { instance, file: unquoted(file) }
}

fn dump(text: &str) -> Result<Dump, CliError> {
    let (place, size) = text.rsplit_once(',').ok_or_else(|| bad("--dump", text))?;
    let load = data("--dump", place)?;
    let size = address(size).ok_or_else(|| bad("--dump", text))?;
    Ok(Dump { file: load.file, address: load.address, size })
}

fn seconds(option: &'static str, text: &str) -> Result<Duration, CliError> {
    text.parse()
        .ok()
        .and_then(|value| Duration::try_from_secs_f64(value).ok())
        .ok_or_else(|| bad(option, text))
}

/// `INST.PARAM=VALUE`.
fn assignment(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let name = name.trim();
    (!name.is_empty()).then(|| (name.to_owned(), value.trim().to_owned()))
}

/// A `-f` file: one assignment a line; `#` starts a comment at the start of a line or after a blank, so that what
/// `--list-params` printed can be given back.
fn config_file(path: &str) -> Result<Vec<(String, String)>, CliError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| CliError::ConfigFile { path: path.to_owned(), reason: error.to_string() })?;
    let mut found = Vec::new();
    for line in text.lines() {
        let line =
            line.split_once(" #").or_else(|| line.split_once("\t#")).map_or(line, |(head, _)| head).trim();
        if !line.is_empty() && !line.starts_with('#') {
            found.push(assignment(line).ok_or_else(|| bad("-f", line))?);
        }
    }
    Ok(found)
}

/// The text of `--help`; its layout is not public.
pub(super) fn help(program: &str, shell: bool) -> String {
    let mut text = format!("Usage: {program} [OPTIONS] [APPLICATION]...\n\nOptions:\n");
    let mut rules = rules(shell, shell);
    rules.sort_by_key(|rule| rule.long);
    for rule in rules {
        let short = rule.short.map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
        let value = if rule.value.is_empty() { String::new() } else { format!(" {}", rule.value) };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {short}--{:<44} {}", format!("{}{value}", rule.long), rule.about);
    }
    text
}
