//! How a model ends (9.1.9; sections 2.5 and 4.5).

use crate::model::{Model, Rig, quiet, words};
use rustix::process::Signal;

const BASE: &str = "FVP_Base_RevC-2xAEMvA";
const OSCI: &str = "Info: /OSCI/SystemC: Simulation stopped by user.\n";

fn base(rig: &Rig, script: &str, knobs: &str, more: &[&str]) -> Model {
    let base = quiet("bp");
    rig.script(BASE, script, knobs, &words(&base, more))
}

#[test]
fn both_signals_stop_in_good_order_with_statistics() {
    for signal in [Signal::INT, Signal::TERM] {
        let rig = Rig::new();
        let model = base(&rig, "say 0 \"up\"\n", "", &["--stat"]);
        model.connect("terminal_0").expect("up");
        let ended = model.stop(signal);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.contains(&format!("\nStopping simulation...\n\n\n{OSCI}")), "{ended:?}");
        let table = ended.stdout.split("statistics: ").nth(1).unwrap();
        assert!(table.contains("\nSimulated time                          : 0."), "{table}");
        assert!(table.contains("\ncluster0.cpu0                           : "), "{table}");
        assert!(table.ends_with(&format!("{}\n", "-".repeat(79))), "{table}");
    }
}

#[test]
fn a_kill_leaves_neither_statistics_nor_flash() {
    let rig = Rig::new();
    let line = ["--stat", "-C", "bp.flashloader1.fnameWrite=flash"];
    let script = "nor 1 16 \"variables\"\nsay 0 \"written\"\n";
    let model = base(&rig, script, "", &line);
    model.connect("terminal_0").expect("written");
    let killed = model.stop(Signal::KILL);
    assert_eq!(killed.signal, Some(9));
    assert!(!killed.stdout.contains("statistics") && !killed.stdout.contains("OSCI"), "{killed:?}");
    assert!(!rig.path("flash").exists());

    let model = base(&rig, script, "", &line);
    model.connect("terminal_0").expect("written");
    assert_eq!(model.stop(Signal::TERM).code, Some(0));
    assert_eq!(&std::fs::read(rig.path("flash")).unwrap()[16..25], b"variables");
    // And the next run reads them.
    let model = base(&rig, "say 0 \"up\"\n", "", &["-C", "bp.flashloader1.fname=flash"]);
    model.stdout.expect("bp.flashloader1: FlashLoader: Loaded 64 MB from file 'flash'");
}

#[test]
fn signals_may_be_ignored_some_times_or_always() {
    let rig = Rig::new();
    let model = base(&rig, "say 0 \"up\"\n", "ignore_term=2", &[]);
    model.connect("terminal_0").expect("up");
    for expected in 1..=2 {
        model.signal(Signal::TERM);
        rig.expect_log("Signal(Terminate)", expected);
    }
    let ended = model.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut model = base(&rig, "say 0 \"up\"\n", "ignore_term=always,ignore_int=always", &[]);
    model.connect("terminal_0").expect("up");
    model.signal_group(Signal::TERM);
    model.signal_group(Signal::INT);
    rig.expect_log("Signal(Interrupt)", 1);
    assert!(model.is_running());
    assert_eq!(model.stop(Signal::KILL).signal, Some(9));
}

#[test]
fn a_signal_before_the_simulation_runs_ends_the_process_as_any_other() {
    let rig = Rig::new();
    let model = base(&rig, "halt\n", "licence=hang", &[]);
    model.ports(4);
    let ended = model.stop(Signal::TERM);
    assert_eq!((ended.signal, ended.code), (Some(15), None), "{ended:?}");
}

#[test]
fn limits_stop_with_their_reason_and_success() {
    for (limit, reason) in [
        (&["--timelimit", "0.2"][..], "Time limit"),
        (&["-T", "0.2"], "Time limit"),
        (&["--simlimit", "0.2"], "Simulated time"),
        (&["--cyclelimit", "20000000"], "Cycle limit"),
        (&["--cpulimit=0.0"], "CPU time"),
    ] {
        let rig = Rig::new();
        let ended = base(&rig, "halt\n", "", limit).end();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let line = format!("Info: Simulation is stopping. Reason: {reason} has been exceeded.\n");
        let at = ended.stdout.find(&line).unwrap_or_else(|| panic!("{limit:?}: {ended:?}"));
        assert!(ended.stdout[at..].ends_with(OSCI), "{ended:?}");
    }
}

#[test]
fn simulated_time_runs_slower_on_a_slow_model() {
    let rig = Rig::new();
    let ended = base(&rig, "halt\n", "slow=10", &["--timelimit", "1", "--stat"]).end();
    let simulated = ended.stdout.split("Simulated time                          : ").nth(1).unwrap();
    let seconds: f64 = simulated.split('s').next().unwrap().parse().unwrap();
    let wall = ended.stdout.split("Wall time                               : ").nth(1).unwrap();
    let wall: f64 = wall.split('s').next().unwrap().parse().unwrap();
    assert!(seconds * 9.0 < wall && wall < seconds * 20.0, "{seconds} s simulated in {wall} s");
}

#[test]
fn a_power_off_ends_the_process_only_when_asked_to() {
    let rig = Rig::new();
    let script = "say 0 \"reboot: Power down\\r\\n\"\npoweroff\n";
    let exits = base(&rig, script, "", &["--stat", "-C", "bp.ve_sysregs.exit_on_shutdown=1"]);
    let client = exits.connect("terminal_0");
    let ended = exits.end();
    client.expect("reboot: Power down");
    assert_eq!(ended.code, Some(0));
    assert!(ended.stdout.contains(OSCI) && ended.stdout.contains("statistics"), "{ended:?}");
    assert!(!ended.stdout.contains("Stopping simulation"), "{ended:?}");

    let mut stays = base(&rig, script, "", &[]);
    let client = stays.connect("terminal_0");
    client.expect("reboot: Power down");
    client.seen.settled();
    assert!(stays.is_running());
    // The ports are still there.
    drop(client);
    stays.connect("terminal_0").seen.expect_bytes(6);
    assert_eq!(stays.stop(Signal::INT).code, Some(0));
}

#[test]
fn a_reboot_keeps_ports_and_clients() {
    let rig = Rig::new();
    let model = base(&rig, "say 0 \"first\"\nreboot\nsay 0 \"second\"\n", "", &[]);
    let client = model.connect("terminal_0");
    client.expect("second");
    assert!(client.seen.text().contains("first"));
}

#[test]
fn a_word_on_a_uart_may_end_the_simulation() {
    for (parameter, said) in [
        ("bp.pl011_uart0.shutdown_tag=EXITTHESIM", "x EXITTHESIM y"),
        ("bp.pl011_uart0.shutdown_on_eot=1", "\\x04"),
    ] {
        let rig = Rig::new();
        let ended = base(&rig, &format!("say 0 \"{said}\"\n"), "", &["-C", parameter]).end();
        assert_eq!(ended.code, Some(0));
        assert!(ended.stdout.ends_with(OSCI), "{ended:?}");
    }
}

#[test]
fn a_semihosting_exit_has_a_code_only_with_the_features_file() {
    let rig = Rig::new();
    let ended = base(&rig, "print \"from the guest\\n\"\nexit 77\n", "", &[]).end();
    assert_eq!(ended.code, Some(0));
    assert!(ended.stdout.contains("from the guest\n"), "{ended:?}");
    rig.file(":semihosting-features", b"SHFB\x01");
    assert_eq!(base(&rig, "exit 77\n", "", &[]).end().code, Some(77));
}

#[test]
fn a_model_may_crash() {
    let rig = Rig::new();
    let ended = base(&rig, "halt\n", "crash_after=0.1", &["--stat"]).end();
    assert_eq!(ended.signal, Some(11), "{ended:?}");
    assert!(!ended.stdout.contains("statistics"));
    let ended = base(&rig, "halt\n", "crash_after=0,crash=exception", &[]).end();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("Error: (E549) uncaught exception: "), "{ended:?}");
    assert_eq!(base(&rig, "halt\n", "crash_after=0,crash=abort", &[]).end().signal, Some(6));
}

#[test]
fn a_guest_may_hang_while_the_model_lives() {
    let rig = Rig::new();
    let model = base(&rig, "repeat 0 100000000 \"tick %\\r\\n\"\n", "hang_after=0.3", &[]);
    let client = model.connect("terminal_0");
    client.expect("tick 10");
    rig.expect_log("Hang", 1);
    client.seen.settled();
    assert_eq!(model.stop(Signal::INT).code, Some(0));
}

#[test]
fn a_model_may_hang_at_its_exit() {
    let rig = Rig::new();
    let mut model = base(&rig, "halt\n", "hang_at_exit=1", &["--stat"]);
    model.ports(4);
    rig.expect_log("FirmwareDone", 1);
    model.signal(Signal::INT);
    model.stdout.expect("Memory highwater mark");
    model.signal(Signal::TERM);
    assert!(model.is_running());
    assert_eq!(model.stop(Signal::KILL).signal, Some(9));
}

#[test]
fn the_exit_code_may_be_wrong() {
    let rig = Rig::new();
    assert_eq!(base(&rig, "exit 0\n", "exit_code=9", &[]).end().code, Some(9));
}

#[test]
fn a_helper_may_outlive_the_model() {
    let rig = Rig::new();
    let model = base(&rig, "halt\n", "orphan=60", &[]);
    model.ports(4);
    let group = model.pid();
    rig.expect_log("orphan is ", 1);
    let text = rig.log();
    let pid: i32 =
        text.split("orphan is ").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    let orphan = rustix::process::Pid::from_raw(pid).unwrap();
    assert_eq!(model.stop(Signal::KILL).signal, Some(9));
    assert!(rustix::process::test_kill_process(orphan).is_ok(), "the orphan went with its parent");
    assert_eq!(rustix::process::getpgid(Some(orphan)).unwrap(), group);
    rustix::process::kill_process(orphan, Signal::KILL).unwrap();
}
