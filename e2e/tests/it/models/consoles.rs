//! Consoles: how they are announced, lost, taken, flooded, or never read.

use std::{fmt::Write as _, net::TcpListener, time::Duration};

use e2e::Results;

use super::{
    arguments,
    rig::{self, Job, Rig, SHELL},
    with,
};

/// How long a gibibyte may take on a machine that is busy with other tests.
const LONG: Duration = Duration::from_secs(280);

#[test]
fn every_form_and_order_of_the_announcements_is_understood() {
    for knobs in [
        "announce=info",
        "announce=info_blank",
        "announce=upper",
        "shuffle=7",
        "glue=1,shuffle=3",
        "announce=info,glue=1",
        "negotiation=none",
        "negotiation=chatty",
        "double_cr=1",
        "cp1252=1,banner=1",
        "silent=1",
        "duplicate=1",
        "duplicate=1,glue=1,announce=info",
        "startup_delay=1",
    ] {
        let ended = Rig::new().run(&with(knobs));
        assert!(
            ended.finished.status.success(),
            "{knobs}: {}{}",
            ended.finished.stdout,
            ended.finished.stderr
        );
    }
}

#[test]
fn a_busy_port_5000_does_not_matter() {
    // Taken already when somebody else has it: that is as good.
    let _busy = TcpListener::bind("0.0.0.0:5000");
    Rig::new().run(&Job::default()).passed();
}

#[test]
fn two_models_that_race_for_ports_both_boot() {
    let rig = Rig::new();
    let started = ["one", "two"].map(|name| (name, rig.start(name, &Job::default(), &[])));
    for (name, running) in started {
        rig.left(name, running.wait(rig::LIMIT)).passed();
    }
    rig.sandbox.is_empty_within(Duration::from_secs(10));
}

#[test]
fn a_console_that_is_never_announced_is_the_infrastructures() {
    let job = Job { boot_seconds: 5, ..with("silent=0") };
    Rig::new().run(&job).failed("Infrastructure", "the simulator to announce console");
}

#[test]
fn a_client_that_took_the_console_first_is_said_to_be_there() {
    let job = Job { boot_seconds: 6, ..with("steal=0") };
    let ended = Rig::new().run(&job);
    ended.failed("Job", "timed out after 6 seconds");
    ended.says("not one byte came from console");
    // One that leaves in time does not matter: what the guest said meanwhile was kept, or was taken.
    let script = format!("sleep 3\n{SHELL}");
    Rig::new().run(&Job { script, ..with("steal=0,steal_for=1") }).passed();
}

#[test]
fn a_console_that_is_broken_off_is_connected_again() {
    for knobs in ["drop_client=0:16", "drop_client=0:16,reopen_shift=1"] {
        let ended = Rig::new().run(&with(knobs));
        ended.passed();
        assert!(ended.log.contains("the connection to the simulator's console broke and was made again"));
    }
}

#[test]
fn a_run_whose_model_ended_holds_no_port_that_may_be_anothers_by_now() {
    // Ports are given back when a model ends, and the next one takes them; a client that came too late would have
    // the only seat at another's console for as long as its run goes on trying.
    let another = TcpListener::bind("127.0.0.1:0").unwrap();
    let rig = Rig::new();
    let script = "case $* in *--version*|*--list*) exec MODEL \"$@\";; esac\n\
                  echo 'terminal_0: Listening for serial connection on port PORT'\n\
                  echo 'ERROR: License check failed!'\nexit 1\n";
    let port = another.local_addr().unwrap().port().to_string();
    rig.wrap("FVP_Base_RevC-2xAEMvA", &script.replace("PORT", &port));
    let mut running = rig.start("job", &Job::default(), &[]);
    running.wait_for("trying again in 2 seconds", rig::LIMIT);
    another.set_nonblocking(true).unwrap();
    while let Ok((mut stream, _)) = another.accept() {
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(rig::LIMIT)).unwrap();
        // Its end, not the end of the run: that goes on for seconds.
        assert_eq!(std::io::Read::read(&mut stream, &mut [0; 16]).unwrap(), 0);
    }
    running.wait_for("trying again in 4 seconds", rig::LIMIT);
    running.signal(rustix::process::Signal::TERM);
    rig.end("job", running);
}

#[test]
fn a_console_that_is_not_announced_is_said_to_hold_up_the_guest() {
    // Nobody can read it, so a guest that writes more than its buffer there stands still.
    let job = Job {
        script: format!("flood 2 1MiB\n{SHELL}"),
        boot_seconds: 6,
        ..arguments(&["-C bp.terminal_2.quiet=1"])
    };
    let ended = Rig::new().run(&job);
    ended.failed("Job", "timed out after 6 seconds");
    assert!(ended.log.contains("that console is not announced, so nobody reads it"), "{}", ended.log);
}

#[test]
fn floods_on_an_unwatched_console_and_on_the_output_hold_nothing_up() {
    let rig = Rig::new();
    rig.run(&with("flood=2:32MiB,stdout_flood=4MiB")).passed();
}

#[test]
fn a_gibibyte_on_one_console_loses_no_result_of_another_and_fills_no_memory() {
    const RESULTS: [char; 10] = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
    let mut script = format!("{SHELL}expect 0 \"\\n\"\nsay 0 \"BEGIN\\r\\n\"\n");
    for series in RESULTS {
        // The results of a series come while the other console writes a tenth of the gibibyte.
        let _ = write!(script, "background repeat 0 100 \"case-{series}%: pass\\r\\n\"\nflood 2 103MiB\n");
    }
    script += "say 0 \"END\\r\\n\"\nsay 0 \"root@guest:~# \"\n";
    let job = Job {
        script,
        more: "- test:\n    timeout: {minutes: 4}\n    monitors:\n    - name: flooded\n      start: BEGIN\n      \
               end: END\n      pattern: '(?P<test_case_id>case-\\S+): (?P<result>pass|fail)'\n"
            .to_owned(),
        ..Job::default()
    };
    let rig = Rig::new();
    let running = rig.start("job", &job, &[]);
    let (finished, peak) = running.wait_measured(LONG);
    let ended = rig.left("job", finished);
    ended.passed();
    rig.sandbox.is_empty_within(Duration::from_secs(10));
    let names = RESULTS
        .iter()
        .flat_map(|series| (1..=100).map(move |number| format!("flooded/case_{series}{number} pass")));
    let found = Results::read(&rig.sandbox.path().join("job")).tests();
    let lost: Vec<_> = names.filter(|name| !found.contains(name)).collect();
    assert!(lost.is_empty(), "{} lost, the first is {}", lost.len(), lost[0]);
    assert!(ended.log.contains("what follows is in the transcript only"));
    assert!(ended.log.len() < 64 << 20, "the log has {} bytes", ended.log.len());
    assert!((1..64 << 20).contains(&peak), "the run took {peak} bytes of memory");
}
