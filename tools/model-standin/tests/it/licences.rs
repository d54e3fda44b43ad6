//! Licences (9.1.10; section 5).

use crate::model::{Ended, Model, Rig, quiet, wait_until, words};
use rustix::process::Signal;
use std::net::TcpListener;

const VE: &str = "FVP_VE_Cortex-A15x1";

/// A counting licence server, and `port@host` of it.
fn server(rig: &Rig, words: &[&str]) -> (Model, String) {
    let server = Model::spawn(rig.command("standin-lmgrd", "", words));
    server.stdout.expect("seats\n");
    let text = server.stdout.text();
    let place = text.split_whitespace().nth(1).unwrap().trim_end_matches(',').to_owned();
    (server, place)
}

fn start(rig: &Rig, variables: &[(&str, &str)], knobs: &str) -> Model {
    let board = quiet("motherboard");
    rig.start_with(VE, &format!("guest=none,{knobs}"), &words(&board, &[]), variables)
}

#[track_caller]
fn refused(ended: &Ended, expected: &str) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains(expected), "{ended:?}");
    assert!(!ended.stdout.contains("[bootwrapper]"), "{ended:?}");
}

#[test]
fn seats_are_counted_and_freed_however_a_model_ends() {
    let rig = Rig::new();
    let (_server, place) = server(&rig, &["--seats", "2"]);
    let variables = [("ARMLMD_LICENSE_FILE", place.as_str())];
    let running = |model: &Model| model.stdout.expect("INFO: mmc");
    let (first, second) = (start(&rig, &variables, ""), start(&rig, &variables, ""));
    running(&first);
    running(&second);
    let third = start(&rig, &variables, "").end();
    refused(&third, "FlexNet Licensing error:-4,132\nERROR: License check failed!\n");
    assert_eq!(first.stop(Signal::KILL).signal, Some(9));
    wait_until("the seat of a killed model", || {
        rig.run("standin-lmgrd", "", &["stat", &place]).stdout.starts_with("USED 1 ")
    });
    let fourth = start(&rig, &variables, "");
    running(&fourth);
    assert_eq!(second.stop(Signal::INT).code, Some(0));
    let state = rig.run("standin-lmgrd", "", &["stat", &place]).stdout;
    assert!(state.contains(" PEAK 2 SEATS 2 GRANTED 3 REFUSED 1"), "{state}");
}

#[test]
fn each_failure_of_a_server_has_its_number() {
    let rig = Rig::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let unreachable = start(&rig, &[("ARMLMD_LICENSE_FILE", &format!("{closed}@127.0.0.1"))], "").end();
    refused(&unreachable, "Cannot connect to license server system.");
    refused(&unreachable, "FlexNet Licensing error:-15,570\n");
    for (fault, number) in
        [("busy", "-20,"), ("handshake", "-33,"), ("vendor_down", "-97,"), ("no_feature", "-5,")]
    {
        let (_server, place) = server(&rig, &["--fault", fault]);
        let ended = start(&rig, &[("LM_LICENSE_FILE", &place)], "").end();
        refused(&ended, &format!("FlexNet Licensing error:{number}"));
    }
}

#[test]
fn the_vendors_variable_comes_before_the_general_one() {
    let rig = Rig::new();
    let (_full, none_left) = server(&rig, &["--seats", "0"]);
    let (_free, some_left) = server(&rig, &["--seats", "1"]);
    let both = [("ARMLMD_LICENSE_FILE", none_left.as_str()), ("LM_LICENSE_FILE", some_left.as_str())];
    let model = start(&rig, &both, "");
    model.stdout.expect("INFO: mmc");
    let state = rig.run("standin-lmgrd", "", &["stat", &none_left]).stdout;
    assert!(state.contains("REFUSED 1"), "{state}");
}

#[test]
fn the_check_comes_late_or_first_and_can_be_demanded() {
    let rig = Rig::new();
    let late = start(&rig, &[], "licence=refused").end();
    refused(&late, "ERROR: License check failed!\n");
    assert!(late.stdout.contains("Listening"), "{late:?}");
    let first = start(&rig, &[], "licence=refused,licence_order=first").end();
    assert!(!first.stdout.contains("Listening"), "{first:?}");
    refused(&start(&rig, &[], "licence=require").end(), "Cannot find license file.");
}

#[test]
fn free_models_need_no_licence() {
    let rig = Rig::new();
    let base = quiet("bp");
    let closed = [("ARMLMD_LICENSE_FILE", "1@127.0.0.1")];
    let model = rig.start_with("FVP_Base_RevC-2xAEMvA", "guest=none", &words(&base, &[]), &closed);
    model.stdout.expect("INFO: mmc");
}

#[test]
fn a_user_based_licence_is_bound_to_its_user() {
    let rig = Rig::new();
    let cache = rig.path("cache").display().to_string();
    let variables = [("ARMLM_CACHED_LICENSES_LOCATION", cache.as_str())];
    let armlm = |knobs: &str, line: &[&str]| rig.start_with("armlm", knobs, line, &variables).end();
    assert_eq!(armlm("", &["inspect"]).stdout, "There are no cached licenses.\n");
    let activated = armlm("licence_user=lava", &["activate", "--code", "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"]);
    assert_eq!(activated.code, Some(0), "{activated:?}");
    assert!(armlm("", &["inspect"]).stdout.contains("User:    lava\n"));
    start(&rig, &variables, "licence_user=lava").stdout.expect("INFO: mmc");
    refused(
        &start(&rig, &variables, "licence_user=root").end(),
        "Fatal: license error: The license found is assigned to another user.\n",
    );
    assert_eq!(armlm("", &["deactivate"]).code, Some(0));
    assert_eq!(armlm("", &["deactivate"]).code, Some(1));
}

#[test]
fn activation_fails_in_every_public_way_and_a_file_can_be_imported() {
    let rig = Rig::new();
    let failed = |knobs: &str, line: &[&str], expected: &str| {
        let ended = rig.run("armlm", knobs, line);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(expected), "{ended:?}");
    };
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{closed}");
    let activate = ["activate", "--server", &url, "--product", "P"];
    failed("", &activate, &format!("License server '{url}' could not be reached"));
    failed("armlm=limit", &activate, "activation limit");
    let count = rig.file("count", "2");
    let flaky = format!("armlm_failures={count}");
    let code = ["activate", "--code=AAAAA"];
    failed(&flaky, &code, "could not be reached");
    failed(&flaky, &code, "could not be reached");
    assert_eq!(rig.run("armlm", &flaky, &code).code, Some(0));
    failed("", &["import", "--file", "nowhere"], "nowhere");
    let file = rig.file("licence.json", "bought");
    assert_eq!(rig.run("armlm", "", &["import", "-file", &file]).code, Some(0));
    failed("", &["fly"], "usage: armlm");
}
