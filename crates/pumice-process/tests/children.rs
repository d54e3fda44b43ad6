//! One child under a guard: streams, ends, signals, and what it leaves.

use std::{
    ffi::OsString,
    fs,
    io::Read as _,
    time::{Duration, Instant},
};

use pumice_process::{Command, Containment, Signal, SpawnError, Status, Stdio};
use pumice_types::{Blame as _, Deadline};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

mod world;

use world::{World, in_runtime, shell};

fn soon() -> Deadline {
    Deadline::after(Instant::now(), Duration::from_secs(30), "the test")
}

#[test]
fn this_program_is_also_its_own_watcher() {
    world::body();
}

#[test]
fn pipes_carry_what_the_child_says_and_the_exit_is_seen_by_every_waiter() {
    in_runtime(async {
        let world = World::new(true);
        let command = shell("read line; echo \"got $line\"; echo oops >&2; exit 3")
            .stdin(Stdio::Piped)
            .stdout(Stdio::Piped)
            .stderr(Stdio::Piped);
        let mut child = world.guard.spawn(&command).unwrap();
        child.stdin.take().unwrap().write_all(b"it\n").await.unwrap();
        let (mut out, mut err) = (String::new(), String::new());
        child.stdout.take().unwrap().read_to_string(&mut out).await.unwrap();
        child.stderr.take().unwrap().read_to_string(&mut err).await.unwrap();
        assert_eq!((out.as_str(), err.as_str()), ("got it\n", "oops\n"));
        let (first, second) = tokio::join!(child.wait(), child.wait());
        assert_eq!((first, second.status), (second, Status::Code(3)));
        assert_eq!(child.kill_all(&soon()).await.unwrap().status, Status::Code(3));
        assert_eq!(child.wait().await.status, Status::Code(3));
        world.finish().await;
    });
}

/// As in a container entered from outside: the leader of our session is in the namespace above, and has no id here.
#[test]
fn a_session_led_from_outside_our_pid_namespace_is_no_obstacle() {
    let unshare = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"];
    let run = |argv: &[OsString]| std::process::Command::new("unshare").args(unshare).args(argv).output();
    if !run(&["true".into()]).is_ok_and(|output| output.status.success()) {
        println!("skipped: this host lets nobody make a PID namespace");
        return;
    }
    let test = "pipes_carry_what_the_child_says_and_the_exit_is_seen_by_every_waiter";
    let output = run(&world::one_test(test)).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn a_wait_that_is_dropped_loses_nothing() {
    in_runtime(async {
        let world = World::new(true);
        let command = shell("read line; exit 7").stdin(Stdio::Piped);
        let mut child = world.guard.spawn(&command).unwrap();
        for _ in 0..3 {
            assert!(tokio::time::timeout(Duration::ZERO, child.wait()).await.is_err());
        }
        drop(child.stdin.take());
        assert_eq!(child.wait().await.status, Status::Code(7));
        drop(child);
        world.finish().await;
    });
}

#[test]
fn a_terminal_is_the_childs_controlling_one_and_ends_when_it_does() {
    in_runtime(async {
        let world = World::new(true);
        let command = shell("stty size </dev/tty; read line; printf 'got %s' \"$line\"").on_terminal();
        let mut child = world.guard.spawn(&command).unwrap();
        let mut terminal = child.terminal.take().unwrap();
        terminal.write_all(b"it\n").await.unwrap();
        let mut said = String::new();
        terminal.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "24 80\ngot it");
        assert_eq!(child.wait().await.status, Status::Code(0));
        drop(child);
        world.finish().await;
    });
}

#[test]
fn the_environment_is_what_was_given_and_the_mark() {
    in_runtime(async {
        let world = World::new(true);
        let command = Command::new("/usr/bin/env").env("A", "b").stdout(Stdio::Piped);
        let output = world.guard.output(command, 4096, &soon()).await.unwrap();
        let mut lines: Vec<_> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
        lines.sort_unstable();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(lines[0], "A=b");
        assert!(lines[1].ends_with(&format!("{}.1", world.guard.token())), "{lines:?}");
        world.finish().await;
    });
}

#[test]
fn files_and_inherited_descriptors_reach_the_child() {
    in_runtime(async {
        let world = World::new(true);
        let log = world.path("log");
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = shell("").stdout(Stdio::File(log.clone())).stderr(Stdio::SameAsOutput);
        let number = command.inherit(writer.into());
        let command = command.arg(format!("echo out; echo err >&2; echo fd >/proc/self/fd/{number}"));
        let child = world.guard.spawn(&command).unwrap();
        assert_eq!(child.wait().await.status, Status::Code(0));
        drop((command, child));
        assert_eq!(fs::read_to_string(&log).unwrap(), "out\nerr\n");
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        assert_eq!(said, "fd\n");
        world.finish().await;
    });
}

#[test]
fn a_signal_reaches_the_whole_group() {
    in_runtime(async {
        let world = World::new(true);
        let script = "trap 'echo parent; exit 0' TERM; (trap 'echo child; exit 0' TERM; echo ready; \
                      while :; do sleep 0.01; done) & while :; do wait; done";
        let mut child = world.guard.spawn(&shell(script).stdout(Stdio::Piped)).unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut said = vec![0; 6];
        stdout.read_exact(&mut said).await.unwrap();
        assert_eq!(said, b"ready\n");
        child.signal(Signal::TERM).unwrap();
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).await.unwrap();
        let mut lines: Vec<_> = rest.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["child", "parent"]);
        child.kill_all(&soon()).await.unwrap();
        child.signal(Signal::TERM).unwrap();
        world.finish().await;
    });
}

/// A daemon in the same sense as `daemon(7)`: own session, parent gone, streams closed.
const DAEMON: &str = "(setsid sh -c 'sleep 1000; :' </dev/null >/dev/null 2>&1 &); echo ready; sleep 1000";

#[test]
fn kill_all_finds_a_daemon_with_and_without_cgroups() {
    for cgroups in [true, false] {
        in_runtime(async {
            let world = World::new(cgroups);
            let mut child = world.guard.spawn(&shell(DAEMON).stdout(Stdio::Piped)).unwrap();
            child.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).await.unwrap();
            // sh, its sleep, the daemon's sh and its sleep.
            while child.processes().len() < 4 {
                tokio::task::yield_now().await;
            }
            let exit = child.kill_all(&soon()).await.unwrap();
            assert_eq!(exit.status, Status::Signal { number: 9, core_dumped: false });
            assert_eq!(child.processes(), []);
            assert_eq!(world.survivors(), [0; 0]);
            world.finish().await;
        });
    }
}

#[test]
fn dropping_a_child_kills_its_tree() {
    in_runtime(async {
        let world = World::new(true);
        let mut child = world.guard.spawn(&shell(DAEMON).stdout(Stdio::Piped)).unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).await.unwrap();
        drop(child);
        assert_eq!(world.survivors(), [0; 0]);
        world.finish().await;
    });
}

#[test]
fn usage_counts_the_cpu_and_memory_of_the_child() {
    in_runtime(async {
        let world = World::new(true);
        let script = "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done";
        let child = world.guard.spawn(&shell(script)).unwrap();
        let usage = child.wait().await.usage;
        assert!(usage.user + usage.system > Duration::ZERO);
        assert!(usage.max_resident_bytes > 100_000);
        drop(child);
        world.finish().await;
    });
}

#[test]
fn a_limit_is_enforced() {
    in_runtime(async {
        let world = World::new(true);
        let limits = pumice_process::Limits { file_bytes: Some(1000), ..Default::default() };
        let file = world.path("big");
        let command = Command::new("/bin/dd")
            .args(["if=/dev/zero", "bs=1000", "count=3"])
            .arg(format!("of={}", file.display()))
            .limits(limits);
        let child = world.guard.spawn(&command).unwrap();
        assert!(!child.wait().await.status.is_success());
        assert_eq!(fs::metadata(&file).unwrap().len(), 1000);
        drop(child);
        world.finish().await;
    });
}

#[test]
fn what_cannot_be_started_says_why() {
    in_runtime(async {
        let world = World::new(true);
        let missing = world.guard.spawn(&Command::new("pumice-no-such-program")).unwrap_err();
        assert_eq!(missing.to_string(), "cannot start `pumice-no-such-program`: no such program");
        let nowhere = world.guard.spawn(&shell(":").directory("/no/such/place")).unwrap_err();
        assert!(matches!(nowhere, SpawnError::Directory { .. }), "{nowhere}");
        let file = world.path("plain");
        fs::write(&file, "").unwrap();
        let refused = world.guard.spawn(&Command::new(&file)).unwrap_err();
        assert!(matches!(refused, SpawnError::Refused { .. }), "{refused}");
        assert!(refused.hint().is_some_and(|hint| hint.contains("executable")));
        let stream = shell(":").stdin(Stdio::File("/no/such/file".into()));
        let stream = world.guard.spawn(&stream).unwrap_err();
        assert!(stream.to_string().contains("standard input /no/such/file"), "{stream}");
        world.finish().await;
    });
}

#[test]
fn a_helper_past_its_time_is_killed_and_its_last_words_are_kept() {
    in_runtime(async {
        let world = World::new(true);
        let command = shell("echo stuck >&2; (setsid sleep 1000 &); sleep 1000");
        let deadline = Deadline::after(Instant::now(), Duration::from_millis(300), "fetch");
        let error = world.guard.output(command, 100, &deadline).await.unwrap_err();
        assert_eq!(error.to_string(), "`sh` did not end within the 0 seconds of fetch");
        assert_eq!(error.evidence().unwrap().text, "stuck\n");
        assert_eq!(world.survivors(), [0; 0]);
        world.finish().await;
    });
}

#[test]
fn output_beyond_the_limit_is_read_and_left_out() {
    in_runtime(async {
        let world = World::new(true);
        let script = "i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done; echo end >&2";
        let output = world.guard.output(shell(script), 25, &soon()).await.unwrap();
        assert_eq!(output.stdout, b"0123456789\n0123456789\n012");
        assert!(output.is_truncated);
        assert_eq!(output.stderr, b"end\n");
        assert!(output.exit.status.is_success());
        world.finish().await;
    });
}

#[test]
fn containment_says_what_it_is() {
    in_runtime(async {
        let world = World::new(false);
        let expected = Containment::Sessions { why: "cgroups are switched off".into() };
        assert_eq!(world.guard.containment(), expected);
        world.finish().await;
    });
}
