//! The table of knobs: name, form of the value, meaning, and where it goes.

use super::value::{count, flag, list, number, seconds, size, span, word};
use super::{Activation, Announcement, Crash, Flood, Ignore, Inside, Knobs, Negotiation, Unconnected};
use crate::licence::LicenceKnob;

/// One knob.
pub(crate) struct Knob {
    /// The key in `MODEL_STANDIN`.
    pub(crate) name: &'static str,
    /// The form of its value.
    pub(crate) form: &'static str,
    /// What it does, in a line.
    pub(crate) about: &'static str,
    /// Stores the value, or says what is wanted instead.
    pub(super) set: fn(&mut Knobs, &str) -> Result<(), String>,
}

/// Shortens the rows below: `field = expression` for the value `v`.
macro_rules! knob {
    ($name:literal, $form:literal, $about:literal, |$knobs:ident, $value:ident| $set:expr) => {
        Knob {
            name: $name,
            form: $form,
            about: $about,
            set: |$knobs, $value| {
                $set;
                Ok(())
            },
        }
    };
}

/// Every knob there is.
pub(crate) const KNOBS: &[Knob] = &[
    knob!("guest", "qemu | none | script:FILE", "what runs inside", |k, v| k.inside = inside(v)?),
    knob!("qemu_dir", "DIR", "where qemu-system-arm and -aarch64 are (else: PATH)", |k, v| k.qemu_dir =
        Some(v.into())),
    knob!("qemu_args", "WORDS", "more arguments for QEMU, split as a POSIX shell would", |k, v| k
        .qemu_args =
        shell_words::split(v).map_err(|error| error.to_string())?),
    knob!("dtb", "FILE", "the device tree for QEMU when the one given describes what QEMU lacks", |k, v| k
        .dtb =
        Some(v.into())),
    knob!("dt_model", "TEXT", "the guest's /proc/device-tree/model", |k, v| k.dt_model = Some(v.into())),
    knob!("kernel", "FILE", "the kernel when the command line names none that QEMU can start", |k, v| k
        .kernel =
        Some(v.into())),
    knob!("initrd", "FILE", "the initramfs for `kernel`", |k, v| k.initrd = Some(v.into())),
    knob!("append", "TEXT", "the kernel command line for `kernel`", |k, v| k.append = Some(v.into())),
    knob!("ram_mib", "N", "memory of the guest in MiB", |k, v| k.ram_mib = Some(count(v)?)),
    knob!("max_cores", "N", "start no more cores than this", |k, v| k.max_cores = Some(count(v)?)),
    knob!(
        "mips",
        "N",
        "instructions per second of host CPU time that --stat assumes, in millions",
        |k, v| k.mips = number(v)?
    ),
    knob!("clock_mhz", "N", "the clock that --cyclelimit counts, in MHz", |k, v| k.clock_mhz = number(v)?),
    knob!(
        "log",
        "FILE",
        "our own log: what was put in place of what, QEMU's command line and errors",
        |k, v| k.log = Some(v.into())
    ),
    knob!("model", "NAME", "the model in a shared object that does not say (model_shell)", |k, v| k.model =
        Some(v.into())),
    knob!("version", "N.N.N", "the version printed", |k, v| k.version = Some(v.into())),
    knob!("built", "TEXT", "the build date printed, as in `Dec  4 2023`", |k, v| k.built = Some(v.into())),
    knob!("announce", "plain | info | info_blank | upper", "how a terminal is announced", |k, v| k
        .announce =
        Some(word(v, &ANNOUNCEMENTS)?)),
    knob!("banner", "0 | 1", "whether a run starts with the version banner", |k, v| k.banner =
        Some(flag(v)?)),
    knob!("shuffle", "SEED", "terminals are created and announced in another order", |k, v| k.shuffle =
        Some(count(v)?)),
    knob!("glue", "0 | 1", "announcements follow each other with no line break", |k, v| k.glue = flag(v)?),
    knob!("duplicate", "0 | 1", "all terminals are announced under the first one's name", |k, v| k
        .duplicate =
        flag(v)?),
    knob!("silent", "N[+N…]", "these terminals listen but are never announced", |k, v| k.silent = list(v)?),
    knob!("startup_delay", "S | S..S", "seconds before the first line", |k, v| k.startup_delay = span(v)?),
    knob!("line_buffered", "0 | 1", "standard output leaves line by line even into a pipe", |k, v| k
        .line_buffered =
        flag(v)?),
    knob!("cp1252", "0 | 1", "the banner holds a byte that is not UTF-8", |k, v| k.cp1252 = flag(v)?),
    knob!("extra_params", "FILE", "more parameters, one `NAME=DEFAULT` a line", |k, v| k.extra_params =
        Some(v.into())),
    knob!("uart_buffer", "BYTES", "output held for one terminal before its guest stalls", |k, v| k
        .uart_buffer =
        usize::try_from(size(v)?.max(1)).map_err(|error| error.to_string())?),
    knob!("unconnected", "keep | lose | block", "what becomes of output while no client is there", |k, v| {
        k.unconnected = word(v, &UNCONNECTED)?
    }),
    knob!("negotiation", "standard | qemu | none | chatty", "what a telnet terminal sends first", |k, v| k
        .negotiation =
        word(v, &NEGOTIATIONS)?),
    knob!("second_client", "queue | refuse", "a second client waits, or is turned away", |k, v| k
        .refuse_second_client =
        word(v, &[("queue", false), ("refuse", true)])?),
    knob!("reopen_shift", "0 | 1", "after a disconnect a terminal listens on the next free port", |k, v| k
        .reopen_shift =
        flag(v)?),
    knob!("overrun", "0 | 1", "input beyond 100 characters a second is lost", |k, v| k.overrun = flag(v)?),
    knob!("double_cr", "0 | 1", "lines end in CR CR LF", |k, v| k.double_cr = flag(v)?),
    knob!("drop_client", "N:BYTES", "the client of terminal N is disconnected once, after BYTES", |k, v| k
        .drop_client =
        Some(flood(v)?)),
    knob!("steal", "N[+N…]", "somebody else connects to these terminals first", |k, v| k.steal = list(v)?),
    knob!("steal_for", "S", "and leaves after this many seconds (else never)", |k, v| k.steal_for =
        Some(seconds(v)?)),
    knob!("slow", "FACTOR", "guest time runs this many times slower than the wall clock", |k, v| k.slow =
        number(v)?),
    knob!("hang_after", "S", "the guest stands still after this many seconds", |k, v| k.hang_after =
        Some(seconds(v)?)),
    knob!("crash_after", "S", "the model dies after this many seconds", |k, v| k.crash_after =
        Some(seconds(v)?)),
    knob!("crash", "segfault | abort | exception", "how it dies", |k, v| k.crash = word(v, &CRASHES)?),
    knob!("exit_early", "CODE", "the model ends at once with this exit code", |k, v| k.exit_early =
        Some(count(v)?)),
    knob!("missing_library", "NAME", "the loader does not find this library", |k, v| k.missing_library =
        Some(v.into())),
    knob!("refuse_root", "0 | 1", "the model does not run as root", |k, v| k.refuse_root = flag(v)?),
    knob!("ignore_int", "N | always", "so many SIGINTs are ignored", |k, v| k.ignore_int = ignore(v)?),
    knob!("ignore_term", "N | always", "so many SIGTERMs are ignored", |k, v| k.ignore_term = ignore(v)?),
    knob!("stop_delay", "S", "seconds between a stop signal and the stop", |k, v| k.stop_delay = seconds(v)?),
    knob!("hang_at_exit", "0 | 1", "the model prints its last line and does not go", |k, v| k.hang_at_exit =
        flag(v)?),
    knob!("flood", "N:BYTES", "terminal N writes a log of that size by itself", |k, v| k.flood =
        Some(flood(v)?)),
    knob!("stdout_flood", "BYTES", "so many bytes of warnings on standard output", |k, v| k.stdout_flood =
        size(v)?),
    knob!("orphan", "S", "a helper process outlives the model by up to S seconds", |k, v| k.orphan =
        Some(seconds(v)?)),
    knob!("orphan_session", "shared | own", "the session that helper is in", |k, v| k.orphan_own_session =
        word(v, &[("shared", false), ("own", true)])?),
    knob!("stats_delay", "S", "seconds before the statistics appear", |k, v| k.stats_delay = seconds(v)?),
    knob!("exit_code", "CODE", "the exit code of every stop", |k, v| k.exit_code = Some(count(v)?)),
    knob!("trace_rate", "BYTES", "bytes a second that TarmacTrace writes", |k, v| k.trace_rate = size(v)?),
    knob!("licence", "auto | off | require | refused | hang", "whether a licence is checked", |k, v| k
        .licence =
        word(v, &LICENCES)?),
    knob!("licence_order", "late | first", "the check comes after or before the announcements", |k, v| k
        .licence_first =
        word(v, &[("late", false), ("first", true)])?),
    knob!("licence_user", "NAME", "the user the licence check believes it runs as", |k, v| k.licence_user =
        Some(v.into())),
    knob!("armlm", "normal | unreachable | limit", "how `armlm activate` ends", |k, v| k.activation =
        word(v, &ACTIVATIONS)?),
    knob!("armlm_failures", "FILE", "a count in a file: so many more activations fail first", |k, v| k
        .activation_failures =
        Some(v.into())),
];

const ANNOUNCEMENTS: [(&str, Announcement); 4] = [
    ("plain", Announcement::Plain),
    ("info", Announcement::Info),
    ("info_blank", Announcement::InfoBlank),
    ("upper", Announcement::Upper),
];

const UNCONNECTED: [(&str, Unconnected); 3] =
    [("keep", Unconnected::Keep), ("lose", Unconnected::Lose), ("block", Unconnected::Block)];

const NEGOTIATIONS: [(&str, Negotiation); 4] = [
    ("standard", Negotiation::Standard),
    ("qemu", Negotiation::Qemu),
    ("none", Negotiation::None),
    ("chatty", Negotiation::Chatty),
];

const CRASHES: [(&str, Crash); 3] =
    [("segfault", Crash::Segfault), ("abort", Crash::Abort), ("exception", Crash::Exception)];

const LICENCES: [(&str, LicenceKnob); 5] = [
    ("auto", LicenceKnob::Auto),
    ("off", LicenceKnob::Off),
    ("require", LicenceKnob::Require),
    ("refused", LicenceKnob::Refused),
    ("hang", LicenceKnob::Hang),
];

const ACTIVATIONS: [(&str, Activation); 3] =
    [("normal", Activation::Normal), ("unreachable", Activation::Unreachable), ("limit", Activation::Limit)];

fn inside(text: &str) -> Result<Inside, String> {
    match text {
        "qemu" => Ok(Inside::Qemu),
        "none" => Ok(Inside::Nothing),
        _ => match text.strip_prefix("script:") {
            Some(path) => Ok(Inside::Script(path.into())),
            None => Err("qemu, none or script:FILE is wanted".into()),
        },
    }
}

fn ignore(text: &str) -> Result<Ignore, String> {
    if text == "always" { Ok(Ignore::Always) } else { count(text).map(Ignore::Times) }
}

fn flood(text: &str) -> Result<Flood, String> {
    let (terminal, bytes) = text.split_once(':').ok_or("TERMINAL:BYTES is wanted, such as 1:1GiB")?;
    Ok(Flood { terminal: count(terminal)?, bytes: size(bytes)? })
}
