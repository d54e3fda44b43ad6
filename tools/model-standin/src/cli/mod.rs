//! What the command line asks for.

mod foundation;
mod grammar;
mod standard;

use std::path::PathBuf;
use std::time::Duration;

/// What to print instead of running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    Params,
    Instances,
    Memory,
    Regs,
}

/// `-a [INST=]FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Application {
    pub(crate) instance: Option<String>,
    pub(crate) file: PathBuf,
}

/// `-d [INST=]FILE@[MEMSPACE:]ADDR`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataLoad {
    pub(crate) instance: Option<String>,
    pub(crate) file: PathBuf,
    pub(crate) address: u64,
}

/// `--dump [INST=]FILE@[MEMSPACE:]ADDR,SIZE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dump {
    pub(crate) file: PathBuf,
    pub(crate) address: u64,
    pub(crate) size: u64,
}

/// When the simulation ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Limits {
    /// Wall-clock time.
    pub(crate) wall: Option<Duration>,
    /// Simulated time.
    pub(crate) simulated: Option<Duration>,
    /// Host processor time.
    pub(crate) cpu: Option<Duration>,
    /// Cycles of the clock.
    pub(crate) cycles: Option<u64>,
}

/// A network as the Foundation model's options name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum FoundationNetwork {
    #[default]
    None,
    Nat,
    Bridged(String),
}

/// A command line, understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Invocation {
    pub(crate) applications: Vec<Application>,
    pub(crate) data: Vec<DataLoad>,
    pub(crate) dumps: Vec<Dump>,
    pub(crate) start: Option<u64>,
    /// `-C` and the lines of `-f` files, in order.
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) listing: Option<Listing>,
    pub(crate) output: Option<PathBuf>,
    pub(crate) help: bool,
    pub(crate) version: bool,
    pub(crate) quiet: bool,
    pub(crate) cadi_server: bool,
    pub(crate) iris_server: bool,
    pub(crate) iris_allow_remote: bool,
    pub(crate) iris_port: Option<u16>,
    pub(crate) print_port: bool,
    pub(crate) run: bool,
    pub(crate) plugins: Vec<PathBuf>,
    pub(crate) prefix: bool,
    pub(crate) stat: bool,
    pub(crate) limits: Limits,
    pub(crate) checkpoint: bool,
    pub(crate) log: Option<PathBuf>,
    /// Model Shell: the shared object.
    pub(crate) model: Option<PathBuf>,
    /// Foundation: cores started.
    pub(crate) cores: Option<usize>,
    /// Foundation: the network.
    pub(crate) network: FoundationNetwork,
}

/// Why a command line was refused. The text of the first four is that of the C library's option parser, which one
/// public log shows (reference 4.7); the others' is ours.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum CliError {
    /// An option at the end that wants a value.
    #[error("option '{option}' requires an argument")]
    MissingArgument { option: String },
    /// A value for an option that takes none.
    #[error("option '{option}' doesn't allow an argument")]
    NoArgument { option: String },
    /// A long option that does not exist.
    #[error("unrecognized option '{option}'")]
    Unrecognized { option: String },
    /// A short option that does not exist.
    #[error("invalid option -- '{letter}'")]
    InvalidLetter { letter: char },
    /// Foundation's words for the same.
    #[error("unhandled argument '{argument}'")]
    Unhandled { argument: String },
    /// A value of the wrong form.
    #[error("invalid argument '{value}' for option '{option}'")]
    Value { option: &'static str, value: String },
    /// A `-f` file that cannot be read.
    #[error("cannot open configuration file '{path}': {reason}")]
    ConfigFile { path: String, reason: String },
}

/// Which of the three grammars a program has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grammar {
    /// SystemC-based models; `vintage` ones use `-s` for `--stat`.
    Standard { vintage: bool },
    /// Model Shell: the same, with `-m MODEL` and an operand that may be the model.
    ModelShell,
    /// The Foundation model's own options.
    Foundation,
}

impl Grammar {
    /// Reads the words after the program's name.
    pub(crate) fn parse(self, words: &[String]) -> Result<Invocation, CliError> {
        match self {
            Self::Standard { vintage } => standard::parse(words, vintage),
            Self::ModelShell => standard::parse_shell(words),
            Self::Foundation => foundation::parse(words),
        }
    }

    /// The text of `--help`.
    pub(crate) fn help(self, program: &str) -> String {
        match self {
            Self::Standard { .. } => standard::help(program, false),
            Self::ModelShell => standard::help(program, true),
            Self::Foundation => foundation::help(program),
        }
    }
}

/// The word after `INST=`, when there is one: an instance path holds no slash.
fn split_instance(text: &str) -> (Option<String>, &str) {
    match text.split_once('=') {
        Some((instance, file)) if !instance.contains('/') => (Some(instance.to_owned()), file),
        _ => (None, text),
    }
}

/// `[MEMSPACE:]ADDR`.
fn address(text: &str) -> Option<u64> {
    let number = text.rsplit(':').next()?;
    crate::model::read_int(number).map(i64::cast_unsigned)
}

fn data(option: &'static str, text: &str) -> Result<DataLoad, CliError> {
    let bad = || CliError::Value { option, value: text.to_owned() };
    let (place, at) = text.rsplit_once('@').ok_or_else(bad)?;
    let (instance, file) = split_instance(place);
    Ok(DataLoad { instance, file: unquoted(file), address: address(at).ok_or_else(bad)? })
}

/// A path; quotes that a job's author left around it are taken off, as a shell would have done.
fn unquoted(text: &str) -> PathBuf {
    text.trim_matches(['\'', '"']).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn parse(line: &str) -> Invocation {
        let words = shell_words::split(line).unwrap();
        Grammar::Standard { vintage: false }.parse(&words).unwrap()
    }

    #[test]
    fn a_public_command_line_is_understood() {
        let found = parse(
            "--stat -C bp.dram_size=4 -C bp.virtiop9device.root_path= --data cluster0.cpu0=Image@0x80080000 \
             --data=x.dtb@Secure:0x82000000 -a 'cluster*.cpu*=linux-system.axf' -IRp --simlimit 1.5 --quantum=400",
        );
        assert!(found.stat && found.iris_server && found.run && found.print_port);
        assert_eq!(found.parameters[1], ("bp.virtiop9device.root_path".into(), String::new()));
        assert_eq!(found.data[0].instance.as_deref(), Some("cluster0.cpu0"));
        assert_eq!((found.data[1].instance.as_deref(), found.data[1].address), (None, 0x8200_0000));
        assert_eq!(found.applications[0].instance.as_deref(), Some("cluster*.cpu*"));
        assert_eq!(found.limits.simulated, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn the_letter_s_changed_its_meaning() {
        let words = ["-s".to_owned(), "dir".to_owned()];
        let newer = Grammar::Standard { vintage: false }.parse(&words).unwrap();
        assert!(newer.checkpoint && !newer.stat && newer.applications.is_empty());
        let older = Grammar::Standard { vintage: true }.parse(&words).unwrap();
        assert!(older.stat && older.applications.len() == 1);
    }

    #[test]
    fn model_shell_finds_its_model_in_an_operand() {
        for line in ["-m X.so x.axf -C a.b=1", "X.so -C a.b=1 x.axf", "-a x.axf X.so -C a.b=1"] {
            let words = shell_words::split(line).unwrap();
            let found = Grammar::ModelShell.parse(&words).unwrap();
            assert_eq!(found.model, Some("X.so".into()), "{line}");
            assert_eq!(found.applications[0].file, PathBuf::from("x.axf"), "{line}");
        }
    }

    #[test]
    fn a_parameter_without_a_value_is_refused() {
        let words = ["-C".to_owned(), "a.b".to_owned()];
        let error = Grammar::Standard { vintage: false }.parse(&words).unwrap_err();
        assert_eq!(error.to_string(), "invalid argument 'a.b' for option '-C'");
    }
}
