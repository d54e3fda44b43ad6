//! Waits on a console whose other end is a script.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use pumice_console::{
    Connection, Console, ConsoleOptions, ExpectError, Match, Pacing, Patterns, Recorder, SendError, Tapped,
    Unrecorded, WatchKind, kernel_watches, reset_watch,
};
use pumice_types::{Blame as _, Cause, Deadline};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

fn in_runtime<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(future)
}

fn within(seconds: u64) -> Deadline {
    Deadline::after(Instant::now(), Duration::from_secs(seconds), "boot")
}

/// A time that is over.
fn never() -> Deadline {
    Deadline::after(Instant::now(), Duration::ZERO, "boot")
}

fn console(options: ConsoleOptions) -> (Console, DuplexStream) {
    let (connection, peer) = Connection::duplex(1 << 16);
    (Console::start("main", connection, Unrecorded, options).expect("no watches are too large"), peer)
}

fn plain() -> (Console, DuplexStream) {
    console(ConsoleOptions::default())
}

fn watched() -> (Console, DuplexStream) {
    let watches = kernel_watches().into_iter().chain([reset_watch()]).collect();
    console(ConsoleOptions { watches, ..ConsoleOptions::default() })
}

fn patterns(texts: &[&str]) -> Patterns {
    Patterns::python(texts).expect("the patterns of the tests are good")
}

#[track_caller]
fn is(found: &Match, index: usize, before: &str, text: &str) {
    assert_eq!(
        (found.index(), &*String::from_utf8_lossy(found.before()), &*found.text()),
        (index, before, text)
    );
}

#[test]
fn a_login_is_led_through() {
    in_runtime(async {
        let (mut console, mut guest) = plain();
        let script = async {
            guest.write_all(b"Debian GNU/Linux 12 ttyS0\r\n\r\ndebian login: ").await.unwrap();
            let mut typed = [0; 5];
            guest.read_exact(&mut typed).await.unwrap();
            assert_eq!(&typed, b"root\n");
            guest.write_all(b"root\r\nLinux debian\r\nroot@debian:~# ").await.unwrap();
        };
        let lead = async {
            let found = console.expect(&patterns(&["login:", "# "]), &within(30)).await.unwrap();
            is(&found, 0, "Debian GNU/Linux 12 ttyS0\r\n\r\ndebian ", "login:");
            console.send_line("root", &within(30)).await.unwrap();
            let found =
                console.expect(&patterns(&["login:", r"(\w+)@(?P<host>\w+):.*# "]), &within(30)).await;
            let found = found.unwrap();
            is(&found, 1, " root\r\nLinux debian\r\n", "root@debian:~# ");
            assert_eq!(found.group(1), Some(&b"root"[..]));
            assert_eq!(found.named("host"), Some(&b"debian"[..]));
            assert_eq!((found.named("none"), found.group(7)), (None, None));
        };
        tokio::join!(script, lead);
    });
}

#[test]
fn a_number_at_the_end_is_read_whole_in_two_pieces_and_without_a_line_end() {
    in_runtime(async {
        let (mut console, mut guest) = plain();
        let port = patterns(&[r"port (?P<PORT>\d+)"]);
        guest.write_all(b"listening on port 50").await.unwrap();
        let deadline = within(30);
        let wait = console.expect(&port, &deadline);
        let (found, ()) = tokio::join!(wait, async { guest.write_all(b"00\r\nport 7").await.unwrap() });
        assert_eq!(found.unwrap().named("PORT"), Some(&b"5000"[..]));
        // Nothing more comes: the pause decides.
        assert_eq!(console.expect(&port, &within(30)).await.unwrap().named("PORT"), Some(&b"7"[..]));
    });
}

#[test]
fn what_a_wait_did_not_reach_is_there_for_the_next() {
    in_runtime(async {
        let (mut console, mut guest) = plain();
        guest.write_all(b"one two three").await.unwrap();
        is(&console.expect(&patterns(&["two"]), &within(30)).await.unwrap(), 0, "one ", "two");
        let timeout = console.expect(&patterns(&["one"]), &never()).await.unwrap_err();
        assert_eq!(timeout.to_string(), "boot timed out after 0 seconds, waiting for `one` on console main");
        assert_eq!(timeout.evidence().unwrap().text, "one two three");
        assert_eq!(timeout.root_cause(), Cause::NoPrompt);
        is(&console.expect(&patterns(&["three"]), &within(30)).await.unwrap(), 0, " ", "three");
    });
}

#[test]
fn a_wait_that_is_dropped_has_read_nothing() {
    in_runtime(async {
        let (mut console, mut guest) = plain();
        for _ in 0..3 {
            let prompts = patterns(&["prompt"]);
            let dropped = tokio::time::timeout(Duration::ZERO, console.expect(&prompts, &within(30))).await;
            assert!(dropped.is_err());
        }
        guest.write_all(b"a prompt").await.unwrap();
        is(&console.expect(&patterns(&["prompt"]), &within(30)).await.unwrap(), 0, "a ", "prompt");
    });
}

#[test]
fn the_end_ends_a_wait_after_what_came_before_it() {
    in_runtime(async {
        let (mut console, mut guest) = plain();
        guest.write_all(b"done: 12").await.unwrap();
        drop(guest);
        let found = console.expect(&patterns(&[r"done: \d+"]), &within(30)).await.unwrap();
        is(&found, 0, "", "done: 12");
        let closed = console.expect(&patterns(&["more"]), &within(30)).await.unwrap_err();
        assert_eq!(closed.to_string(), "console main was closed while waiting for `more`");
        assert!(matches!(closed, ExpectError::Closed { .. }));
        assert!(console.closed(&within(30)).await);
    });
}

#[test]
fn a_panic_ends_the_wait_with_its_line_and_earlier_matches_count_first() {
    in_runtime(async {
        let (mut console, mut guest) = watched();
        let log = "WARNING: CPU: 0 PID: 1 at mm/x.c:1 y\n/ # \n[    1.2] Kernel panic - not syncing: Attempted \
                   to kill init!\r\nafter # ";
        guest.write_all(log.as_bytes()).await.unwrap();
        let prompt = patterns(&["# "]);
        assert_eq!(console.expect(&prompt, &within(30)).await.unwrap().index(), 0);
        let panic = console.expect(&prompt, &within(30)).await.unwrap_err();
        assert_eq!(
            panic.to_string(),
            "the kernel panicked on console main: [    1.2] Kernel panic - not syncing: Attempted to kill init!"
        );
        assert_eq!(panic.root_cause(), Cause::GuestPanic);
        // It is told once.
        assert_eq!(console.expect(&prompt, &within(30)).await.unwrap().index(), 0);
        let (messages, dropped) = console.messages();
        let kinds: Vec<_> = messages.iter().map(|message| (message.kind, message.is_fatal)).collect();
        assert_eq!(kinds, [(WatchKind::Warning, false), (WatchKind::Panic, true)]);
        assert_eq!(dropped, 0);
    });
}

#[test]
fn a_panic_between_two_waits_ends_the_second_however_much_came_after() {
    in_runtime(async {
        let (mut console, mut guest) = watched();
        guest.write_all(b"Kernel panic - not syncing: x\n").await.unwrap();
        let noise = vec![b'.'; 60_000];
        for _ in 0..10 {
            guest.write_all(&noise).await.unwrap();
        }
        let panic = console.expect(&patterns(&["# "]), &within(30)).await.unwrap_err();
        assert!(matches!(panic, ExpectError::Watch { .. }), "{panic}");
    });
}

#[test]
fn fatal_watches_can_be_told_not_to_matter() {
    in_runtime(async {
        let (mut console, mut guest) = watched();
        console.mind_fatal_watches(false);
        guest.write_all(b"Kernel panic - not syncing: x\nU-Boot SPL 2023.01 (x)\n=> ").await.unwrap();
        console.expect(&patterns(&["=> "]), &within(30)).await.unwrap();
        let kinds: Vec<_> = console.messages().0.iter().map(|message| message.kind).collect();
        assert_eq!(kinds, [WatchKind::Panic, WatchKind::Reset]);
    });
}

#[test]
fn a_subscription_loses_nothing_to_noise_and_ends_with_the_console() {
    in_runtime(async {
        let (console, mut guest) = plain();
        let mut signals = console.subscribe(&patterns(&["<LAVA_SIGNAL_([A-Z]+) ([^>]+)>"]));
        let flood = tokio::spawn(async move {
            for number in 0..3000 {
                let text =
                    format!("{}<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=c{number}>\r\n", "noise ".repeat(100));
                guest.write_all(text.as_bytes()).await.unwrap();
            }
        });
        // The whole flood is through before the first is taken.
        flood.await.unwrap();
        assert!(console.closed(&within(30)).await);
        for number in 0..3000 {
            let found = signals.next(&within(30)).await.unwrap();
            assert_eq!(found.group(2), Some(format!("TEST_CASE_ID=c{number}").as_bytes()));
            assert_eq!(found.before(), b"");
        }
        let end = signals.next(&within(30)).await.unwrap_err();
        assert!(matches!(end, ExpectError::Closed { .. }), "{end}");
    });
}

#[test]
fn a_subscription_that_is_never_read_says_what_it_lost() {
    in_runtime(async {
        let (console, mut guest) = plain();
        let mut every = console.subscribe(&patterns(&["x"]));
        guest.write_all(&[b'x'; 10_000]).await.unwrap();
        drop(guest);
        assert!(console.closed(&within(30)).await);
        let mut taken = 0;
        let lost = loop {
            match every.next(&within(30)).await {
                Ok(_) => taken += 1,
                Err(ExpectError::Overrun { lost, .. }) => break lost,
                Err(other) => panic!("{other}"),
            }
        };
        assert_eq!(taken + lost, 10_000);
        assert!(lost > 0);
    });
}

#[test]
fn typing_goes_on_while_the_other_side_floods_and_does_not_read() {
    in_runtime(async {
        let (connection, mut guest) = Connection::duplex(100);
        let console = Console::start("main", connection, Unrecorded, ConsoleOptions::default()).unwrap();
        // More than fits: nobody reads it.
        let timeout = console.send(&[b'k'; 10_000], &never()).await.unwrap_err();
        assert!(matches!(timeout, SendError::Timeout { .. }), "{timeout}");
        guest.write_all(&[b'.'; 10_000]).await.unwrap();
        drop(guest);
        assert!(console.closed(&within(30)).await);
        assert_eq!(console.total_bytes(), 10_000);
    });
}

#[test]
fn paced_typing_arrives_whole_and_in_order() {
    in_runtime(async {
        let (mut console, mut guest) = plain();
        console.set_pacing(Pacing::per_character(Duration::from_millis(1)));
        let text = "a line that is typed slowly";
        let mut typed = vec![0; text.len() + 1];
        let deadline = within(30);
        let typing = console.send_line(text, &deadline);
        let (sent, read) = tokio::join!(typing, guest.read_exact(&mut typed));
        sent.unwrap();
        read.unwrap();
        assert_eq!(typed, format!("{text}\n").as_bytes());
    });
}

#[test]
fn what_nobody_waits_to_see_typed_is_not_typed() {
    in_runtime(async {
        let (mut console, mut guest) = plain();
        console.set_pacing(Pacing::per_character(Duration::from_secs(3600)));
        let given_up = console.send(b"abc", &never()).await.unwrap_err();
        assert!(matches!(given_up, SendError::Timeout { .. }), "{given_up}");
        console.set_pacing(Pacing::UNPACED);
        console.send(b"Z", &within(30)).await.unwrap();
        drop(console);
        // It was given up before its first byte or after it.
        let mut typed = String::new();
        while !typed.ends_with('Z') {
            typed.push(char::from(guest.read_u8().await.unwrap()));
        }
        assert!(matches!(&*typed, "Z" | "aZ"), "{typed}");
    });
}

#[test]
fn a_console_that_only_listens_takes_no_input() {
    in_runtime(async {
        let connection = Connection::read_only(&b"said"[..]);
        let mut console = Console::start("log", connection, Unrecorded, ConsoleOptions::default()).unwrap();
        console.expect(&patterns(&["said"]), &within(30)).await.unwrap();
        let refused = console.send(b"x", &within(30)).await.unwrap_err();
        assert!(refused.to_string().starts_with("console log takes no input"), "{refused}");
    });
}

/// Remembers what it was told, in order.
#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<String>>>);

impl Recorder for Tape {
    fn bytes(&mut self, console: &str, _: Instant, bytes: &[u8]) {
        self.0.lock().unwrap().push(format!("{console} < {}", String::from_utf8_lossy(bytes)));
    }

    fn sent(&mut self, console: &str, _: Instant, bytes: &[u8]) {
        self.0.lock().unwrap().push(format!("{console} > {}", String::from_utf8_lossy(bytes)));
    }

    fn closed(&mut self, console: &str, _: Instant, reason: Option<&str>) {
        self.0.lock().unwrap().push(format!("{console} ! {reason:?}"));
    }
}

#[test]
fn everything_is_recorded_in_order_before_it_is_matched() {
    in_runtime(async {
        let tape = Tape::default();
        let (connection, mut guest) = Connection::duplex(1000);
        let mut console =
            Console::start("main", connection, tape.clone(), ConsoleOptions::default()).unwrap();
        guest.write_all(b"# ").await.unwrap();
        console.expect(&patterns(&["# "]), &within(30)).await.unwrap();
        assert_eq!(*tape.0.lock().unwrap(), ["main < # "]);
        console.send(b"ls", &within(30)).await.unwrap();
        drop(guest);
        console.closed(&within(30)).await;
        assert_eq!(*tape.0.lock().unwrap(), ["main < # ", "main > ls", "main ! None"]);
    });
}

#[test]
fn a_console_without_a_handle_is_still_drained() {
    in_runtime(async {
        let tape = Tape::default();
        let (connection, mut guest) = Connection::duplex(10);
        drop(Console::start("main", connection, tape.clone(), ConsoleOptions::default()).unwrap());
        guest.write_all(&[b'.'; 1000]).await.unwrap();
        drop(guest);
        while tape.0.lock().unwrap().last().is_none_or(|last| last != "main ! None") {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_tap_follows_and_a_slow_one_is_told_what_it_missed() {
    in_runtime(async {
        let (console, mut guest) = plain();
        let (mut quick, mut slow) = (console.tap(), console.tap());
        let mut missed = 0;
        for number in 0..1000_u32 {
            guest.write_all(format!("{number:04}").as_bytes()).await.unwrap();
            let Some(Tapped::Bytes(bytes)) = quick.next().await else { panic!("missed something") };
            assert_eq!(&*bytes, format!("{number:04}").as_bytes());
        }
        if let Some(Tapped::Missed(count)) = slow.next().await {
            missed = count;
        }
        assert!(missed > 0);
        assert!(matches!(slow.next().await, Some(Tapped::Bytes(_))));
    });
}

#[test]
fn skip_leaves_unread_and_settle_waits_for_silence() {
    in_runtime(async {
        let (mut console, mut guest) = plain();
        guest.write_all(b"old # ").await.unwrap();
        assert!(console.settle(Duration::from_millis(20), &within(30)).await);
        console.skip();
        guest.write_all(b"new # ").await.unwrap();
        is(&console.expect(&patterns(&["# "]), &within(30)).await.unwrap(), 0, "new ", "# ");
        assert!(!console.settle(Duration::from_secs(3600), &never()).await);
    });
}

#[test]
fn memory_is_bounded_and_a_match_longer_than_the_look_back_is_found_without_its_beginning() {
    in_runtime(async {
        let (mut console, mut guest) =
            console(ConsoleOptions { look_back_bytes: 8192, ..ConsoleOptions::default() });
        let pattern = patterns(&["(BEGIN).*END"]);
        let deadline = within(30);
        let wait = console.expect(&pattern, &deadline);
        let (found, ()) = tokio::join!(wait, async {
            guest.write_all(b"BEGIN").await.unwrap();
            for _ in 0..100 {
                guest.write_all(&[b'.'; 1000]).await.unwrap();
            }
            guest.write_all(b"END").await.unwrap();
        });
        let found = found.unwrap();
        assert_eq!((found.bytes().len(), found.end()), (8192, 100_008));
        assert_eq!(found.group(1), None);
    });
}
