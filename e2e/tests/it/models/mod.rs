//! What a model may do to its driver (the reference sheet "fastmodels", 9.3), each through `pumice run`.

mod rig;

use std::{net::TcpListener, time::Duration};

use rig::{Job, Rig};
use rustix::process::Signal;

fn with(knobs: &str) -> Job {
    Job { knobs: knobs.to_owned(), ..Job::default() }
}

fn arguments(list: &[&str]) -> Job {
    Job { arguments: list.iter().map(|one| (*one).to_owned()).collect(), ..Job::default() }
}

#[test]
fn lavas_form_runs_as_it_is_and_the_statistics_are_results() {
    let ended = Rig::new().run(&Job::default());
    ended.passed();
    assert!(ended.log.contains(r#""case": "simulated-time""#), "{}", ended.log);
    assert!(ended.log.contains("Fast Models [11.31.28"), "{}", ended.log);
    assert!(ended.log.contains("ended by SIGINT: it exited with status 0"), "{}", ended.log);
}

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
fn floods_on_an_unwatched_console_and_on_the_output_hold_nothing_up() {
    let rig = Rig::new();
    rig.run(&with("flood=2:32MiB,stdout_flood=4MiB")).passed();
}

#[test]
fn a_client_that_took_the_console_first_is_said_to_be_there() {
    let job = Job { boot_seconds: 6, ..with("steal=0") };
    let ended = Rig::new().run(&job);
    assert!(!ended.finished.status.success());
    assert!(ended.result.contains("error_type: \"Job\""), "{}", ended.result);
}

#[test]
fn sigterm_and_sigint_that_are_ignored_end_in_a_kill() {
    let job = Job::default();
    let rig = Rig::new();
    let ended = rig.run(&Job { knobs: "ignore_int=always,ignore_term=always".to_owned(), ..job });
    ended.passed();
    assert!(ended.log.contains("ended by kill"), "{}", ended.log);
    assert!(!ended.log.contains(r#""case": "simulated-time""#), "a killed model has no statistics");
}

#[test]
fn flash_variables_survive_because_the_model_is_stopped_gracefully() {
    let rig = Rig::new();
    let flash = rig.sandbox.write("variables.fd", vec![0xff_u8; 65536]);
    let job = Job {
        script: format!("nor 1 0x100 \"kept\"\n{}", rig::SHELL),
        arguments: vec![
            format!("-C bp.flashloader1.fname={}", flash.display()),
            format!("-C bp.flashloader1.fnameWrite={}", flash.display()),
        ],
        ..Job::default()
    };
    rig.run(&job).passed();
    assert_eq!(fs_err::read(&flash).unwrap()[0x100..0x104], *b"kept");
}

#[test]
fn a_guest_that_switches_off_is_seen_with_and_without_exit_on_shutdown() {
    for exits in ["0", "1"] {
        let job = Job {
            script: "say 0 \"Linux version 6.1\\r\\nreboot: Power down\\r\\n\"\nsleep 0.5\npoweroff\n"
                .to_owned(),
            ..arguments(&[&format!("-C bp.ve_sysregs.exit_on_shutdown={exits}")])
        };
        Rig::new().run(&job).failed("Job", "the guest powered off while it was needed");
    }
}

#[test]
fn a_limit_fails_the_job_although_the_model_exits_with_0() {
    let script = "say 0 \"Linux version 6.1\\r\\n\"\n".to_owned();
    let job = Job { script, ..arguments(&["--timelimit 1"]) };
    Rig::new().run(&job).failed("Job", "has been exceeded");
}

#[test]
fn licences_are_retried_or_given_up_by_their_text() {
    let rig = Rig::new();
    // Refused for this user: no second try.
    let ended = rig.run(&Job { model: "FVP_Base_RevC-2xAEMvA", boot_seconds: 30, ..with("licence=refused") });
    ended.failed("Infrastructure", "License check failed");
    assert!(ended.log.contains("trying again in 1 seconds"), "{}", ended.log);
}

#[test]
fn a_server_that_does_not_answer_is_tried_again() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let job = Job {
        boot: format!("    license_variable: ARMLMD_LICENSE_FILE={free}@127.0.0.1\n"),
        boot_seconds: 20,
        ..with("licence=require")
    };
    let ended = Rig::new().run(&job);
    ended.failed("Infrastructure", "-15,570");
    assert!(ended.log.contains("trying again in 2 seconds"), "{}", ended.log);
}

#[test]
fn a_misspelt_parameter_is_refused_before_the_start_with_the_right_one() {
    let ended = Rig::new().run(&arguments(&["-C bp.terminal_0.start_telnets=0"]));
    ended.failed("Configuration", "has no parameter `bp.terminal_0.start_telnets`");
    assert!(format!("{}{}", ended.finished.stdout, ended.finished.stderr).contains("start_telnet`?"));
}

#[test]
fn an_application_that_is_not_there_is_named() {
    let ended = Rig::new().run(&arguments(&["-a /no/such.axf"]));
    assert!(!ended.finished.status.success());
    assert!(ended.result.contains("/no/such.axf"), "{}", ended.result);
}

#[test]
fn a_crash_and_an_early_end_are_the_infrastructures() {
    let script = "say 0 \"Linux version 6.1\\r\\n\"\n".to_owned();
    Rig::new()
        .run(&Job { script, ..with("crash_after=0.5,crash=segfault") })
        .failed("Infrastructure", "the simulator ended");
    Rig::new().run(&with("exit_early=3")).failed("Infrastructure", "exited with status 3");
    Rig::new().run(&with("missing_library=libatomic.so.1")).failed("Infrastructure", "libatomic.so.1");
}

#[test]
fn a_guest_that_hangs_ends_with_the_boots_time() {
    let script = "say 0 \"Linux version 6.1\\r\\n\"\n".to_owned();
    Rig::new()
        .run(&Job { script, boot_seconds: 4, ..Job::default() })
        .failed("Job", "timed out after 4 seconds");
}

#[test]
fn a_helper_that_the_model_leaves_behind_is_ended() {
    Rig::new().run(&with("orphan=600,orphan_session=own")).passed();
}

#[test]
fn two_seats_and_six_runs_never_have_more_than_two_models_and_a_killed_run_gives_its_seat_back() {
    let rig = Rig::new();
    let config = rig.sandbox.write("config.toml", "[licences.fm]\nseats = 2\n");
    let device =
        rig.sandbox.write("device.jinja2", "{% extends 'fvp.jinja2' %}\n{% set licences = ['fm'] %}\n");
    let (config, device) = (config.display().to_string(), device.display().to_string());
    let more = ["--config", &config, "--device", &device];
    let names = ["a", "b", "c", "d", "e", "f"];
    let victim = rig.start("victim", &Job { script: "say 0 \"x\"\n".to_owned(), ..Job::default() }, &more);
    rig.wait_until("the first model", || rig.models_alive() == 1);
    let mut running: Vec<_> =
        names.iter().map(|name| (name, rig.start(name, &Job::default(), &more))).collect();
    rig.wait_until("a second model", || rig.models_alive() == 2);
    victim.signal(Signal::KILL);
    drop(victim);
    for (name, one) in running.drain(..) {
        assert!(rig.models_alive() <= 2, "more models than seats");
        rig.left(name, one.wait(rig::LIMIT)).passed();
    }
    rig.sandbox.is_empty_within(Duration::from_secs(10));
    let waited = names.iter().filter(|name| {
        let log = fs_err::read_to_string(rig.sandbox.path().join(name).join("logs.yaml")).unwrap();
        log.contains("waiting for a seat of the licence `fm`: all 2 are taken")
    });
    assert!(waited.count() >= 4);
}

#[test]
fn the_operators_licence_variable_reaches_the_model_and_no_log() {
    let rig = Rig::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let secret = format!("{free}@127.0.0.1");
    let config = rig.sandbox.write(
        "config.toml",
        format!("[licences.fm]\nenvironment = {{ ARMLMD_LICENSE_FILE = \"{secret}\" }}\n"),
    );
    let device =
        rig.sandbox.write("device.jinja2", "{% extends 'fvp.jinja2' %}\n{% set licences = ['fm'] %}\n");
    let job = Job { boot_seconds: 3, ..with("licence=require") };
    let more = ["--config", &config.display().to_string(), "--device", &device.display().to_string()];
    let running = rig.start("job", &job, &more);
    let ended = rig.end("job", running);
    ended.failed("Infrastructure", "-15,570");
    for text in [&ended.log, &ended.result, &ended.finished.stdout, &ended.finished.stderr] {
        assert!(!text.contains(&secret), "{text}");
    }
}
