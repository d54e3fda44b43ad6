//! What is left when a run is killed: nothing, and what the next start does about the rest.
//!
//! This program is its own run and its own watcher: it starts itself again to play those parts.

#![expect(clippy::unwrap_used, reason = "a test that cannot do its part fails")]

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use pumice_process::{Containment, Guard, Reclaim, Report, Thing, reconcile};

mod world;

use world::{in_runtime, marked, one_test, options, runs, shell};

/// Where a run that is to be killed keeps its state; set only for the program that plays it.
const STATE: &str = "PUMICE_TEST_STATE";

/// Whether that run may use cgroups.
const CGROUPS: &str = "PUMICE_TEST_CGROUPS";

#[test]
fn this_program_is_also_its_own_watcher() {
    world::body();
}

/// The run that is to be killed: starts a tree with a daemon in it, notes a directory, says what there is, and
/// waits for its end.
#[test]
fn this_program_is_also_its_own_run() {
    let Some(state) = env::var_os(STATE).map(PathBuf::from) else { return };
    let has_cgroups = env::var_os(CGROUPS).is_some();
    in_runtime(async {
        let guard = Guard::start(&options(&state, has_cgroups)).unwrap();
        let directory = state.with_file_name(format!("work-{}", guard.token()));
        guard.ledger().create_directory(&directory).unwrap();
        fs::write(directory.join("image"), "x").unwrap();
        guard.ledger().made(Thing::Tap { name: format!("tap-{}", guard.token()) }).unwrap();
        // A daemon with its child, and, where a cgroup holds it, one that clears its environment as well.
        let hidden = matches!(guard.containment(), Containment::Cgroup { .. });
        let hide = if hidden { "(env -i setsid sleep 1002 </dev/null >/dev/null 2>&1 &);" } else { "" };
        let script =
            format!("{hide} (setsid sh -c 'sleep 1000; :' </dev/null >/dev/null 2>&1 &); sleep 1001");
        let child = guard.spawn(&shell(&script)).unwrap();
        let count = if hidden { 5 } else { 4 };
        while child.processes().len() < count {
            tokio::task::yield_now().await;
        }
        let pids: Vec<_> = child.processes().iter().map(|process| process.pid.to_string()).collect();
        println!("READY {} {}", guard.token(), pids.join(" "));
        std::future::pending::<()>().await;
    });
}

/// A run in another process.
struct Run {
    program: Child,
    token: String,
    pids: Vec<i32>,
}

impl Run {
    fn start(state: &Path, has_cgroups: bool) -> Self {
        let argv = one_test("this_program_is_also_its_own_run");
        let mut command = Command::new(&argv[0]);
        command.args(&argv[1..]).env(STATE, state).env_remove(CGROUPS).stdout(Stdio::piped());
        if has_cgroups {
            command.env(CGROUPS, "yes");
        }
        let mut program = command.spawn().unwrap();
        let ready = BufReader::new(program.stdout.take().unwrap()).lines().find_map(|line| {
            // The test harness may have written before it on the same line.
            Some(line.unwrap().split_once("READY ")?.1.to_owned())
        });
        let ready = ready.expect("the run says what it has started");
        let mut words = ready.split(' ').map(str::to_owned);
        let token = words.next().unwrap();
        let pids = words.map(|pid| pid.parse().unwrap()).collect();
        Self { program, token, pids }
    }

    /// Kills it as hard as can be.
    fn kill(&mut self) {
        self.program.kill().unwrap();
        self.program.wait().unwrap();
    }

    fn is_gone(&self) -> bool {
        self.token.is_empty() || (marked(&self.token).is_empty() && !self.pids.iter().any(|&pid| runs(pid)))
    }

    fn watcher(&self) -> i32 {
        let pid = i32::try_from(self.program.id()).unwrap();
        let is_watcher = |pid: &i32| {
            let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&arguments).contains(".ledger")
        };
        world::children_of(pid).into_iter().find(is_watcher).expect("a run has a watcher")
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        drop(self.program.kill());
        drop(self.program.wait());
        if !thread::panicking() {
            eventually(|| self.is_gone(), "every process ends with its run");
        }
    }
}

/// Waits for a fact that needs no more than a moment.
#[track_caller]
fn eventually(fact: impl Fn() -> bool, what: &str) {
    let end = Instant::now() + Duration::from_secs(30);
    while !fact() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// Removes every tap there is, by name.
#[derive(Default)]
struct Taps(Vec<String>);

impl Reclaim for Taps {
    fn reclaim(&mut self, thing: &Thing) -> std::io::Result<bool> {
        if let Thing::Tap { name } = thing {
            self.0.push(name.clone());
        }
        Ok(true)
    }
}

fn reclaim(state: &Path) -> (Report, Vec<String>) {
    let mut taps = Taps::default();
    (reconcile(state, &mut taps).unwrap(), taps.0)
}

#[test]
fn after_sigkill_the_watcher_leaves_no_process_and_no_directory() {
    for has_cgroups in [true, false] {
        let world = tempfile::tempdir().unwrap();
        let state = world.path().join("state");
        let mut run = Run::start(&state, has_cgroups);
        assert!(!run.is_gone());
        let watcher = run.watcher();
        run.kill();
        eventually(|| run.is_gone() && !runs(watcher), "every process ends with its run");
        let work = world.path().join(format!("work-{}", run.token));
        assert!(!work.exists(), "the directory is removed");
        // The tap needs somebody who knows how.
        let (report, taps) = reclaim(&state);
        assert_eq!((report.live, report.reclaimed.len(), report.unreadable.len()), (0, 1, 0));
        assert_eq!(taps, [format!("tap-{}", run.token)]);
        assert_eq!(reclaim(&state).0.reclaimed.len(), 0, "nothing is left to do");
    }
}

#[test]
fn when_the_watcher_was_killed_too_the_next_start_does_its_work() {
    for has_cgroups in [true, false] {
        let world = tempfile::tempdir().unwrap();
        let state = world.path().join("state");
        let mut run = Run::start(&state, has_cgroups);
        kill(run.watcher());
        run.kill();
        let (report, taps) = reclaim(&state);
        let [reclaimed] = &report.reclaimed[..] else { panic!("{report:?}") };
        assert_eq!(reclaimed.run, run.token);
        assert!(!reclaimed.killed.is_empty(), "the daemon was still there");
        assert_eq!((reclaimed.left.len(), taps.len()), (0, 1));
        assert!(!world.path().join(format!("work-{}", run.token)).exists());
        eventually(|| run.is_gone(), "every process is gone");
        let left: Vec<_> = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["lock"]);
    }
}

#[test]
fn a_live_run_is_not_touched_by_the_death_of_another_or_by_a_start() {
    let world = tempfile::tempdir().unwrap();
    let state = world.path().join("state");
    let mut first = Run::start(&state, true);
    let second = Run::start(&state, true);
    kill(first.watcher());
    first.kill();
    let (report, _) = reclaim(&state);
    assert_eq!((report.live, report.reclaimed.len()), (1, 1));
    assert!(second.pids.iter().all(|&pid| runs(pid)), "the other run goes on");
    assert!(world.path().join(format!("work-{}", second.token)).exists());
    eventually(|| first.is_gone(), "the first is gone");
}

#[test]
fn runs_killed_at_any_moment_leave_nothing() {
    let world = tempfile::tempdir().unwrap();
    let state = world.path().join("state");
    let mut kills: Vec<Run> = Vec::new();
    for moment in 0..20_u32 {
        // Before it is ready: during its start, its spawn, or its first processes.
        let argv = one_test("this_program_is_also_its_own_run");
        let mut command = Command::new(&argv[0]);
        command.args(&argv[1..]).env(STATE, &state).stdout(Stdio::null());
        if moment % 2 == 0 {
            command.env(CGROUPS, "yes");
        }
        let program = command.spawn().unwrap();
        let mut run = Run { program, token: String::new(), pids: Vec::new() };
        thread::sleep(Duration::from_micros(u64::from(moment) * 700));
        run.kill();
        kills.push(run);
    }
    eventually(
        || {
            drop(reclaim(&state));
            let left = fs::read_dir(&state).into_iter().flatten();
            left.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_name() != "lock")).count() == 0
        },
        "every ledger is worked off",
    );
    let left: Vec<_> = fs::read_dir(world.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    // A directory that was made and not yet known by its inode is removed too, because it is empty.
    assert_eq!(left, ["state"]);
    let parent = i32::try_from(std::process::id()).unwrap();
    assert_eq!(world::children_of(parent), [0; 0]);
}

#[test]
fn a_directory_that_took_the_place_of_ours_is_left_alone() {
    let world = tempfile::tempdir().unwrap();
    let state = world.path().join("state");
    let mut run = Run::start(&state, true);
    let work = world.path().join(format!("work-{}", run.token));
    fs::rename(&work, world.path().join("moved")).unwrap();
    fs::create_dir(&work).unwrap();
    run.kill();
    eventually(|| run.is_gone(), "every process is gone");
    eventually(|| reclaim(&state).0.reclaimed.is_empty(), "the ledger is worked off");
    assert!(work.exists());
    assert!(world.path().join("moved").join("image").exists());
}
