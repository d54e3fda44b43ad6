//! What is said of a model before it runs.

use std::net::TcpListener;

use super::{
    arguments,
    rig::{Job, Rig},
};

#[test]
fn lavas_form_runs_as_it_is_and_the_statistics_are_results() {
    let ended = Rig::new().run(&Job::default());
    ended.passed();
    assert!(ended.log.contains(r#""case": "simulated-time""#), "{}", ended.log);
    assert!(ended.log.contains("Fast Models [11.31.28"), "{}", ended.log);
    assert!(ended.log.contains("ended by SIGINT: it exited with status 0"), "{}", ended.log);
}

#[test]
fn a_misspelt_parameter_is_refused_before_the_start_with_the_right_one() {
    let ended = Rig::new().run(&arguments(&["-C bp.terminal_0.start_telnets=0"]));
    ended.failed("Configuration", "has no parameter `bp.terminal_0.start_telnets`");
    assert!(format!("{}{}", ended.finished.stdout, ended.finished.stderr).contains("start_telnet`?"));
}

#[test]
fn an_application_that_is_not_there_is_named() {
    Rig::new().run(&arguments(&["-a /no/such.axf"])).failed("Job", "cannot open application '/no/such.axf'");
}

#[test]
fn a_forwarded_port_that_is_taken_is_said_before_the_start() {
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port();
    let ended = Rig::new().run(&arguments(&[&format!("-C bp.hostbridge.userNetPorts={port}=22")]));
    ended.failed("Infrastructure", &format!("port {port} of this host"));
    assert!(!ended.log.contains("Listening for serial connection"), "the model was started");
}

#[test]
fn a_model_finds_its_libraries_and_its_licence_where_whoever_runs_it_has_them() {
    let rig = Rig::new();
    // What a module environment sets: without it no word of this model is heard, neither now nor when it is looked at.
    let script = "test \"$LD_LIBRARY_PATH\" = '/opt/fast models/lib' || { echo 'error while loading shared libraries'; exit 127; }\n\
                  test \"$ARMLMD_LICENSE_FILE\" = 8224@licences.example && test -n \"$HOME\" && exec MODEL \"$@\"\n";
    rig.wrap("FVP_Base_RevC-2xAEMvA", script);
    let path = rig.job("job", &Job::default()).display().to_string();
    let words = ["run", "--output-dir", "job", &path];
    let variables = [
        ("LD_LIBRARY_PATH", "/opt/fast models/lib"),
        ("ARMLMD_LICENSE_FILE", "8224@licences.example"),
        ("NOT_A_MODELS", "1"),
    ];
    let ended = rig.end("job", rig.pumice_with(&words, &variables));
    ended.passed();
    let all = format!("{}{}{}", ended.log, ended.finished.stdout, ended.finished.stderr);
    assert!(!all.contains("licences.example"), "where the licence is was shown: {all}");
}
