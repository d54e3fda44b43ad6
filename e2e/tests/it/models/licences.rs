//! Licences: what a server or a cache says, and seats that we count.

use std::{net::TcpListener, time::Duration};

use super::{
    rig::{self, Job, Rig},
    with,
};
use rustix::process::Signal;

#[test]
fn a_licence_that_is_refused_with_no_reason_is_tried_again() {
    let ended = Rig::new().run(&Job { boot_seconds: 30, ..with("licence=refused") });
    ended.failed("Infrastructure", "License check failed");
    assert!(ended.log.contains("trying again in 1 seconds"), "{}", ended.log);
}

#[test]
fn a_user_based_licence_of_somebody_else_or_of_the_past_is_not_tried_again() {
    let rig = Rig::new();
    let refused = |knobs: &str, text: &str| {
        let job = Job {
            boot: format!(
                "    license_variable: ARMLM_CACHED_LICENSES_LOCATION={}\n",
                rig.licence_cache().display()
            ),
            ..with(knobs)
        };
        let ended = rig.run(&job);
        ended.failed("Infrastructure", text);
        ended.says("armlm");
        assert!(!ended.log.contains("trying again"), "{}", ended.log);
    };
    rig.activate("somebody");
    refused("licence=require", "assigned to another user");
    rig.expire_licence();
    refused("licence=require,licence_user=somebody", "has expired");
}

#[test]
fn a_licence_server_whose_seats_are_all_taken_is_waited_for() {
    let rig = Rig::new();
    let server = rig.licence_server(1);
    let job = Job {
        boot: format!("    license_variable: ARMLMD_LICENSE_FILE={}\n", server.address),
        ..with("licence=require")
    };
    // Not counted by us: only the server knows.
    let stays = Job { script: "say 0 \"Linux version 6.1\\r\\n\"\n".to_owned(), ..job.clone() };
    let first = rig.start("first", &stays, &[]);
    Rig::wait_until("a seat that is taken", || rig.seats_used(&server) == 1);
    let mut second = rig.start("second", &job, &[]);
    second.wait_for("trying again in 1 seconds", rig::LIMIT);
    first.signal(Signal::TERM);
    drop(first.wait(rig::LIMIT));
    rig.left("second", second.wait(rig::LIMIT)).passed();
    drop(server);
    rig.sandbox.is_empty_within(Duration::from_secs(10));
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
fn two_seats_and_six_runs_never_have_more_than_two_models_and_a_killed_run_gives_its_seat_back() {
    let rig = Rig::new();
    let config = rig.sandbox.write("config.toml", "[licences.fm]\nseats = 2\n");
    let device =
        rig.sandbox.write("device.jinja2", "{% extends 'fvp.jinja2' %}\n{% set licences = ['fm'] %}\n");
    let (config, device) = (config.display().to_string(), device.display().to_string());
    let more = ["--config", &config, "--device", &device];
    let names = ["a", "b", "c", "d", "e", "f"];
    let victim = rig.start("victim", &Job { script: "say 0 \"x\"\n".to_owned(), ..Job::default() }, &more);
    Rig::wait_until("the first model", || rig.models_alive() == 1);
    let mut running: Vec<_> =
        names.iter().map(|name| (name, rig.start(name, &Job::default(), &more))).collect();
    Rig::wait_until("a second model", || rig.models_alive() == 2);
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

#[test]
fn a_model_that_its_licence_server_lets_wait_is_told_as_one_that_may_wait() {
    let job = Job {
        model: "FVP_Base_Cortex-A57x2-A53x4",
        knobs: "licence=hang,licence_order=first".to_owned(),
        boot: "    license_variable: ARMLMD_LICENSE_FILE=8224@127.0.0.1\n".to_owned(),
        boot_seconds: 3,
        ..Job::default()
    };
    let ended = Rig::new().run(&job);
    ended.failed("Infrastructure", "to announce console");
    ended.says("does it wait for a licence, whose server lets it queue?");
}
