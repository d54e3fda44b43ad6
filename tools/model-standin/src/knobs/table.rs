//! The table of knobs: name, form of the value, meaning, and where it goes.

use super::value::{count, flag, list, number, seconds, size, spread, word};
use super::{Activation, Announcement, Crash, Flood, Ignore, Inside, Knobs, Negotiation, Unconnected};
use crate::licence::LicenceKnob;
use std::path::PathBuf;

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

/// Every knob there is.
pub(crate) const KNOBS: &[Knob] = &[
    knob("guest", "qemu | none | script:FILE", "what runs inside", |k, v| put(&mut k.inside, inside(v))),
    knob("qemu_dir", "DIR", "where qemu-system-arm and -aarch64 are (else: PATH)", |k, v| {
        put(&mut k.qemu_dir, path(v))
    }),
    knob("qemu_args", "WORDS", "more arguments for QEMU, split as a POSIX shell would", |k, v| {
        put(&mut k.qemu_args, shell_words::split(v).map_err(|error| error.to_string()))
    }),
    knob("dtb", "FILE", "the device tree for QEMU when the one given describes what QEMU lacks", |k, v| {
        put(&mut k.dtb, path(v))
    }),
    knob("dt_model", "TEXT", "the guest's /proc/device-tree/model", |k, v| put(&mut k.dt_model, text(v))),
    knob("kernel", "FILE", "the kernel when the command line names none that QEMU can start", |k, v| {
        put(&mut k.kernel, path(v))
    }),
    knob("initrd", "FILE", "the initramfs for `kernel`", |k, v| put(&mut k.initrd, path(v))),
    knob("append", "TEXT", "the kernel command line for `kernel`", |k, v| put(&mut k.append, text(v))),
    knob("ram_mib", "N", "memory of the guest in MiB", |k, v| put(&mut k.ram_mib, some(count(v)))),
    knob("max_cores", "N", "start no more cores than this", |k, v| put(&mut k.max_cores, some(count(v)))),
    knob("mips", "N", "instructions per second of host CPU time that --stat assumes, in millions", |k, v| {
        put(&mut k.mips, number(v))
    }),
    knob("clock_mhz", "N", "the clock that --cyclelimit counts, in MHz", |k, v| {
        put(&mut k.clock_mhz, number(v))
    }),
    knob(
        "log",
        "FILE",
        "our own log: what was put in place of what, QEMU's command line and errors",
        |k, v| put(&mut k.log, path(v)),
    ),
    knob("model", "NAME", "the model in a shared object that does not say (model_shell)", |k, v| {
        put(&mut k.model, text(v))
    }),
    knob("version", "N.N.N", "the version printed", |k, v| put(&mut k.version, text(v))),
    knob("built", "TEXT", "the build date printed, as in `Dec  4 2023`", |k, v| put(&mut k.built, text(v))),
    knob("announce", "plain | info | info_blank | upper", "how a terminal is announced", |k, v| {
        put(&mut k.announce, some(word(v, &ANNOUNCEMENTS)))
    }),
    knob("banner", "0 | 1", "whether a run starts with the version banner", |k, v| {
        put(&mut k.banner, some(flag(v)))
    }),
    knob("shuffle", "SEED", "terminals are created and announced in another order", |k, v| {
        put(&mut k.shuffle, some(count(v)))
    }),
    knob("glue", "0 | 1", "announcements follow each other with no line break", |k, v| {
        put(&mut k.glue, flag(v))
    }),
    knob("duplicate", "0 | 1", "all terminals are announced under the first one's name", |k, v| {
        put(&mut k.duplicate, flag(v))
    }),
    knob("silent", "N[+N…]", "these terminals listen but are never announced", |k, v| {
        put(&mut k.silent, list(v))
    }),
    knob("startup_delay", "S | S..S", "seconds before the first line", |k, v| {
        put(&mut k.startup_delay, spread(v))
    }),
    knob("line_buffered", "0 | 1", "standard output leaves line by line even into a pipe", |k, v| {
        put(&mut k.line_buffered, flag(v))
    }),
    knob("cp1252", "0 | 1", "the banner holds a byte that is not UTF-8", |k, v| put(&mut k.cp1252, flag(v))),
    knob("extra_params", "FILE", "more parameters, one `NAME=DEFAULT` a line", |k, v| {
        put(&mut k.extra_params, path(v))
    }),
    knob("uart_buffer", "BYTES", "output held for one terminal before its guest stalls", |k, v| {
        put(&mut k.uart_buffer, buffer(v))
    }),
    knob("unconnected", "keep | lose | block", "what becomes of output while no client is there", |k, v| {
        put(&mut k.unconnected, word(v, &UNCONNECTED))
    }),
    knob("negotiation", "standard | qemu | none | chatty", "what a telnet terminal sends first", |k, v| {
        put(&mut k.negotiation, word(v, &NEGOTIATIONS))
    }),
    knob("second_client", "queue | refuse", "a second client waits, or is turned away", |k, v| {
        put(&mut k.refuse_second_client, word(v, &[("queue", false), ("refuse", true)]))
    }),
    knob("reopen_shift", "0 | 1", "after a disconnect a terminal listens on the next free port", |k, v| {
        put(&mut k.reopen_shift, flag(v))
    }),
    knob("overrun", "0 | 1", "input beyond 100 characters a second is lost", |k, v| {
        put(&mut k.overrun, flag(v))
    }),
    knob("double_cr", "0 | 1", "lines end in CR CR LF", |k, v| put(&mut k.double_cr, flag(v))),
    knob("drop_client", "N:BYTES", "the client of terminal N is disconnected once, after BYTES", |k, v| {
        put(&mut k.drop_client, some(amount(v)))
    }),
    knob("steal", "N[+N…]", "somebody else connects to these terminals first", |k, v| {
        put(&mut k.steal, list(v))
    }),
    knob("steal_for", "S", "and leaves after this many seconds (else never)", |k, v| {
        put(&mut k.steal_for, some(seconds(v)))
    }),
    knob("slow", "FACTOR", "guest time runs this many times slower than the wall clock", |k, v| {
        put(&mut k.slow, number(v))
    }),
    knob("hang_after", "S", "the guest stands still after this many seconds", |k, v| {
        put(&mut k.hang_after, some(seconds(v)))
    }),
    knob("crash_after", "S", "the model dies after this many seconds", |k, v| {
        put(&mut k.crash_after, some(seconds(v)))
    }),
    knob("crash", "segfault | abort | exception", "how it dies", |k, v| put(&mut k.crash, word(v, &CRASHES))),
    knob("exit_early", "CODE", "the model ends at once with this exit code", |k, v| {
        put(&mut k.exit_early, some(count(v)))
    }),
    knob("missing_library", "NAME", "the loader does not find this library", |k, v| {
        put(&mut k.missing_library, text(v))
    }),
    knob("refuse_root", "0 | 1", "the model does not run as root", |k, v| put(&mut k.refuse_root, flag(v))),
    knob("ignore_int", "N | always", "so many SIGINTs are ignored", |k, v| put(&mut k.ignore_int, ignore(v))),
    knob("ignore_term", "N | always", "so many SIGTERMs are ignored", |k, v| {
        put(&mut k.ignore_term, ignore(v))
    }),
    knob("stop_delay", "S", "seconds between a stop signal and the stop", |k, v| {
        put(&mut k.stop_delay, seconds(v))
    }),
    knob("hang_at_exit", "0 | 1", "the model prints its last line and does not go", |k, v| {
        put(&mut k.hang_at_exit, flag(v))
    }),
    knob("die_with_parent", "0 | 1", "the program is killed when the thread that started it ends", |k, v| {
        put(&mut k.die_with_parent, flag(v))
    }),
    knob("flood", "N:BYTES", "terminal N writes a log of that size by itself", |k, v| {
        put(&mut k.flood, some(amount(v)))
    }),
    knob("stdout_flood", "BYTES", "so many bytes of warnings on standard output", |k, v| {
        put(&mut k.stdout_flood, size(v))
    }),
    knob("orphan", "S", "a helper process outlives the model by up to S seconds", |k, v| {
        put(&mut k.orphan, some(seconds(v)))
    }),
    knob("orphan_session", "shared | own", "the session that helper is in", |k, v| {
        put(&mut k.orphan_own_session, word(v, &[("shared", false), ("own", true)]))
    }),
    knob("stats_delay", "S", "seconds before the statistics appear", |k, v| {
        put(&mut k.stats_delay, seconds(v))
    }),
    knob("exit_code", "CODE", "the exit code of every stop", |k, v| put(&mut k.exit_code, some(count(v)))),
    knob("trace_rate", "BYTES", "bytes a second that TarmacTrace writes", |k, v| {
        put(&mut k.trace_rate, size(v))
    }),
    knob("licence", "auto | off | require | refused | hang", "whether a licence is checked", |k, v| {
        put(&mut k.licence, word(v, &LICENCES))
    }),
    knob("licence_order", "late | first", "the check comes after or before the announcements", |k, v| {
        put(&mut k.licence_first, word(v, &[("late", false), ("first", true)]))
    }),
    knob("licence_user", "NAME", "the user the licence check believes it runs as", |k, v| {
        put(&mut k.licence_user, text(v))
    }),
    knob("armlm", "normal | unreachable | limit", "how `armlm activate` ends", |k, v| {
        put(&mut k.activation, word(v, &ACTIVATIONS))
    }),
    knob("armlm_failures", "FILE", "a count in a file: so many more activations fail first", |k, v| {
        put(&mut k.activation_failures, path(v))
    }),
];

/// A row.
const fn knob(
    name: &'static str,
    form: &'static str,
    about: &'static str,
    set: fn(&mut Knobs, &str) -> Result<(), String>,
) -> Knob {
    Knob { name, form, about, set }
}

/// Stores a value that could be read.
fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

fn some<T>(value: Result<T, String>) -> Result<Option<T>, String> {
    value.map(Some)
}

#[expect(clippy::unnecessary_wraps, reason = "the form of every reader in the table")]
fn path(value: &str) -> Result<Option<PathBuf>, String> {
    Ok(Some(value.into()))
}

#[expect(clippy::unnecessary_wraps, reason = "the form of every reader in the table")]
fn text(value: &str) -> Result<Option<String>, String> {
    Ok(Some(value.into()))
}

fn buffer(value: &str) -> Result<usize, String> {
    usize::try_from(size(value)?.max(1)).map_err(|error| error.to_string())
}

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

fn amount(text: &str) -> Result<Flood, String> {
    let (terminal, bytes) = text.split_once(':').ok_or("TERMINAL:BYTES is wanted, such as 1:1GiB")?;
    Ok(Flood { terminal: count(terminal)?, bytes: size(bytes)? })
}
