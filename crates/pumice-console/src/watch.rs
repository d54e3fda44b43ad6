//! Watches: lines that mean something whatever is being waited for, kernel messages first.
//!
//! The list of what Linux prints when it is unwell follows lava-compat 1.6; the texts are those of the kernel's
//! sources (`kernel/panic.c`, `lib/bug.c`, `mm/kasan/report.c`, `kernel/kcsan/report.c`, `mm/kfence/report.c`,
//! `arch/*/kernel/traps.c`).

use std::time::Instant;

use crate::{pattern::Pattern, patterns::Patterns, scanner::Scanner, window::Window};

/// What a watched line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WatchKind {
    /// `Unhandled fault`, arm and arm64.
    Fault,
    /// A data race found by KCSAN.
    Kcsan,
    /// A memory error found by KASAN.
    Kasan,
    /// A memory error found by KFENCE.
    Kfence,
    /// An oops.
    Oops,
    /// A warning.
    Warning,
    /// A bug.
    Bug,
    /// An invalid opcode in the kernel, x86.
    InvalidOpcode,
    /// A panic.
    Panic,
    /// The boot loader started again: the machine was reset.
    Reset,
    /// A boot loader's message that the device calls an error.
    Bootloader,
    /// A message that the job calls a failure.
    Custom,
}

impl WatchKind {
    /// The word in LAVA's result `kernel-messages` (lava-compat 1.6).
    pub fn lava_name(self) -> &'static str {
        match self {
            Self::Fault => "fault",
            Self::Kcsan => "kcsan",
            Self::Kasan => "kasan",
            Self::Kfence => "kfence",
            Self::Oops => "oops",
            Self::Warning => "warning",
            Self::Bug => "bug",
            Self::InvalidOpcode => "invalid opcode",
            Self::Panic => "panic",
            Self::Reset => "DUT_has_reset",
            Self::Bootloader => "unknown",
            Self::Custom => "custom-error",
        }
    }
}

/// A pattern that is looked for in every line.
#[derive(Clone, Debug)]
pub struct Watch {
    /// What the line says.
    pub kind: WatchKind,
    /// Whether it ends whatever is being waited for.
    pub is_fatal: bool,
    /// What is found in the line.
    pub pattern: Pattern,
}

/// What Linux says when it is unwell. A panic is fatal, the rest is noted. The first that fits a line names
/// it, so the special come before the general.
///
/// [`WatchKind::Reset`] is not among them: whether a boot loader may be seen again is for the caller to say.
pub fn kernel_watches() -> Vec<Watch> {
    use WatchKind as Kind;
    let table = [
        (Kind::Panic, "Kernel panic - not syncing"),
        (Kind::Kasan, "BUG: KASAN:"),
        (Kind::Kcsan, "BUG: KCSAN:"),
        (Kind::Kfence, "BUG: KFENCE:"),
        // With the number of the oops, arm says `Internal error: Oops - …` or `Internal error: Oops: …`, MIPS
        // `Oops[#1]:`, RISC-V `Oops [#1]`, the others `Oops: …`.
        (Kind::Oops, "Internal error: Oops"),
        (Kind::Oops, "Oops: "),
        (Kind::Oops, "Oops - "),
        (Kind::Oops, "Oops [#"),
        (Kind::Oops, "Oops[#"),
        (Kind::InvalidOpcode, "invalid opcode:"),
        (Kind::Fault, "Unhandled fault"),
        (Kind::Bug, "kernel BUG at "),
        (Kind::Bug, "BUG: "),
        (Kind::Warning, "WARNING: "),
    ];
    let watch = |(kind, text): (Kind, &str)| Watch {
        kind,
        is_fatal: kind == Kind::Panic,
        pattern: Pattern::literal(text),
    };
    table.into_iter().map(watch).collect()
}

/// U-Boot's first line, which means a reset once a kernel has run. Fatal.
pub fn reset_watch() -> Watch {
    Watch { kind: WatchKind::Reset, is_fatal: true, pattern: Pattern::literal("U-Boot SPL 20") }
}

/// A line that a watch was found in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub kind: WatchKind,
    /// Whether it ends a wait.
    pub is_fatal: bool,
    /// The line, without its end, bytes that are no UTF-8 replaced.
    pub line: String,
    /// Where in the stream it was recognised.
    pub offset: u64,
    /// When.
    pub at: Instant,
}

/// A line is cut off this far before what was found in it, and this far behind.
pub(crate) const LINE_LIMIT: u64 = 1024;

/// Messages beyond this many are counted, not kept: a guest may warn in a loop.
const MESSAGE_LIMIT: usize = 1000;

/// The watches of one console.
#[derive(Debug)]
pub(crate) struct Watcher {
    watches: Vec<Watch>,
    scanner: Option<Scanner>,
    /// Where something was found in a line that is not complete yet, and which watch.
    open: Option<(u64, usize)>,
    messages: Vec<Message>,
    dropped: u64,
}

impl Watcher {
    /// `patterns` are those of the watches, in the same order.
    pub(crate) fn new(watches: Vec<Watch>, patterns: Patterns) -> Self {
        let scanner = (!watches.is_empty()).then(|| Scanner::without_growth(patterns, 0));
        Self { watches, scanner, open: None, messages: Vec::new(), dropped: 0 }
    }

    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// How many messages were only counted.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Where something was found in a line that is not complete yet. It may turn out to be fatal, so nobody
    /// should look past it.
    pub(crate) fn open(&self) -> Option<u64> {
        self.open.map(|(at, _)| at)
    }

    /// Reads what is new. Gives each message to `fatal` that ends waits.
    pub(crate) fn advance(&mut self, window: &Window, now: Instant, fatal: &mut Vec<Message>) {
        loop {
            if let Some((at, index)) = self.open {
                let seen = window.slice(at, at + LINE_LIMIT);
                let end = match memchr::memchr(b'\n', seen) {
                    Some(length) => at + length as u64,
                    None if seen.len() as u64 == LINE_LIMIT => at + LINE_LIMIT,
                    None => return,
                };
                self.complete(window, at, index, end, now, fatal);
            }
            let Some(scanner) = &mut self.scanner else { return };
            let Some(found) = scanner.advance(window, window.end()) else { return };
            self.open = Some((found.end, found.pattern));
        }
    }

    /// Nothing has come for a while: a line that is open is taken as it is.
    pub(crate) fn pause(&mut self, window: &Window, now: Instant, fatal: &mut Vec<Message>) {
        if let Some((at, index)) = self.open {
            self.complete(window, at, index, window.end(), now, fatal);
        }
    }

    fn complete(
        &mut self,
        window: &Window,
        at: u64,
        index: usize,
        end: u64,
        now: Instant,
        fatal: &mut Vec<Message>,
    ) {
        self.open = None;
        let Some(scanner) = &mut self.scanner else { return };
        let from = scanner.origin().max(at.saturating_sub(LINE_LIMIT));
        let before = window.slice(from, at);
        let start = memchr::memrchr(b'\n', before).map_or(from, |place| from + place as u64 + 1);
        let line = window.slice(start, end);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let found = self.watches.iter().find(|watch| watch.pattern.is_match(line));
        if let Some(watch) = found.or(self.watches.get(index)) {
            let message = Message {
                kind: watch.kind,
                is_fatal: watch.is_fatal,
                line: String::from_utf8_lossy(line).into_owned(),
                offset: at,
                at: now,
            };
            if message.is_fatal {
                fatal.push(message.clone());
            }
            if self.messages.len() < MESSAGE_LIMIT {
                self.messages.push(message);
            } else {
                self.dropped += 1;
            }
        }
        scanner.restart(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kinds found in a log that comes byte by byte.
    fn kinds(log: &str) -> Vec<(WatchKind, String)> {
        let now = Instant::now();
        let watches: Vec<Watch> = kernel_watches().into_iter().chain([reset_watch()]).collect();
        let patterns = Patterns::new(watches.iter().map(|watch| watch.pattern.clone())).unwrap();
        let mut watcher = Watcher::new(watches, patterns);
        let mut window = Window::new(8192);
        let mut fatal = Vec::new();
        for byte in log.bytes() {
            window.push(&[byte]);
            watcher.advance(&window, now, &mut fatal);
        }
        watcher.pause(&window, now, &mut fatal);
        watcher.messages().iter().map(|message| (message.kind, message.line.clone())).collect()
    }

    #[track_caller]
    fn check(line: &str, kind: WatchKind) {
        assert_eq!(kinds(&format!("before\r\n{line}\r\nafter")), [(kind, line.to_owned())]);
        assert_eq!(kinds(line), [(kind, line.to_owned())], "without a line end");
    }

    #[test]
    fn what_the_kernel_says_is_known_by_its_kind() {
        use WatchKind as Kind;
        check("[    1.23] Kernel panic - not syncing: VFS: Unable to mount root fs", Kind::Panic);
        check("[ 12.3] ---[ end Kernel panic - not syncing: x ]---", Kind::Panic);
        check("BUG: KASAN: use-after-free in f+0x1/0x2", Kind::Kasan);
        check("BUG: KCSAN: data-race in a / b", Kind::Kcsan);
        check("BUG: KFENCE: out-of-bounds read in f", Kind::Kfence);
        check("[  2.0] Internal error: Oops: 0000000096000004 [#1] PREEMPT SMP", Kind::Oops);
        check("Oops: 0002 [#1] SMP PTI", Kind::Oops);
        check("Oops [#1]", Kind::Oops);
        check("invalid opcode: 0000 [#1] SMP", Kind::InvalidOpcode);
        check("Unhandled fault: external abort on non-linefetch (0x1008) at 0x1", Kind::Fault);
        check("kernel BUG at mm/slub.c:4000!", Kind::Bug);
        check("watchdog: BUG: soft lockup - CPU#0 stuck for 22s!", Kind::Bug);
        check("WARNING: CPU: 0 PID: 1 at kernel/x.c:1 f+0x1", Kind::Warning);
        check("U-Boot SPL 2023.01 (Jan 09 2023)", Kind::Reset);
    }

    #[test]
    fn what_only_looks_like_it_is_not() {
        for line in ["DEBUG:x", "warning: low battery", "Kernel panic", "Oopsie", "U-Boot 2023.01"] {
            assert_eq!(kinds(line), [], "{line}");
        }
    }

    #[test]
    fn a_line_without_end_is_cut_off_and_a_flood_is_counted() {
        let long = format!("BUG: {}", "x".repeat(5000));
        let (kind, line) = kinds(&long).remove(0);
        assert_eq!((kind, line.len()), (WatchKind::Bug, 5 + 1024));
        let now = Instant::now();
        let watches = kernel_watches();
        let patterns = Patterns::new(watches.iter().map(|watch| watch.pattern.clone())).unwrap();
        let mut watcher = Watcher::new(watches, patterns);
        let mut window = Window::new(8192);
        for _ in 0..3000 {
            window.push(b"WARNING: again\n");
            watcher.advance(&window, now, &mut Vec::new());
        }
        assert_eq!((watcher.messages().len(), watcher.dropped()), (MESSAGE_LIMIT, 2000));
    }
}
