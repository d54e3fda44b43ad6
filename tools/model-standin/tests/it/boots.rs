//! Real kernels. Each test says why it skips where QEMU or the guest is missing.

use crate::model::{Client, Ended, Model, Rig, group_runs, quiet, wait_until, words};
use rustix::process::Signal;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The guest's files, or nothing after saying why.
fn guest(architecture: &str, qemu: &str) -> Option<PathBuf> {
    let runs = Command::new(qemu).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !runs.is_ok_and(|status| status.success()) {
        eprintln!("skipped: {qemu} is not installed");
        return None;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let guest = root.join("target/guests").join(architecture);
    if !guest.join("kernel").is_file() || !guest.join("initrd.cpio.gz").is_file() {
        eprintln!("skipped: {} has no guest; `cargo xtask guests` makes it", guest.display());
        return None;
    }
    Some(guest)
}

/// Logs in as root.
fn log_in(client: &mut Client) {
    client.expect("login: ");
    client.send(b"root\r");
    client.expect("# ");
}

/// Runs a command in the guest and waits for a word that only its output holds.
fn ask(client: &mut Client, command: &str, expected: &str) {
    client.send(format!("{command}\r").as_bytes());
    client.expect(expected);
}

fn arm(rig: &Rig, guest: &Path, name: &str, core: &str, more: &[&str]) -> Model {
    let axf = rig.axf();
    let board = quiet("motherboard");
    let application = format!("{core}={axf}");
    let command = format!(
        "{core}.semihosting-cmd_line=--kernel {0}/kernel --initrd {0}/initrd.cpio.gz -- console=ttyAMA0,38400n8",
        guest.display()
    );
    let mut line = vec!["--stat", "-a", &application, "-C", &command];
    line.extend(more);
    rig.start(name, "", &words(&board, &line))
}

#[track_caller]
fn stopped_well(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("Info: /OSCI/SystemC: Simulation stopped by user."), "{ended:?}");
    assert!(ended.stdout.contains(" MIPS ("), "{ended:?}");
}

#[test]
fn armhf_boots_on_a_versatile_express_and_switches_itself_off() {
    let Some(guest) = guest("armhf", "qemu-system-arm") else { return };
    let rig = Rig::new();
    let exits =
        ["-C", "motherboard.ve_sysregs.exit_on_shutdown=1", "--dump", "cluster.cpu0=memory@0x80008000,4096"];
    let model = arm(&rig, &guest, "FVP_VE_Cortex-A15x1", "cluster.cpu0", &exits);
    let mut console = model.connect("terminal_0");
    let second = model.connect("terminal_1");
    log_in(&mut console);
    ask(&mut console, "echo cores $((0 + $(grep -c ^processor /proc/cpuinfo)))", "cores 1");
    ask(&mut console, "echo second line > /dev/ttyAMA1; echo sent", "sent");
    second.expect("second line");
    console.send(b"poweroff -f\r");
    stopped_well(&model.end());
    console.expect("reboot: Power down");
    assert_eq!(std::fs::metadata(rig.path("memory")).unwrap().len(), 4096);
}

#[test]
fn the_big_little_model_boots_four_cores_with_a_card_and_a_network() {
    let Some(guest) = guest("armhf", "qemu-system-arm") else { return };
    let rig = Rig::new();
    rig.file("sd.img", [&b"a card of an odd size"[..], &vec![0; 1_000_000]].concat());
    let busy = TcpListener::bind("0.0.0.0:0").unwrap();
    let free = TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
    let ports =
        format!("motherboard.hostbridge.userNetPorts={}=22,{free}=5555", busy.local_addr().unwrap().port());
    let more = [
        "-C",
        "motherboard.mmc.p_mmc_file=sd.img",
        "-C",
        "motherboard.smsc_91c111.enabled=1",
        "-C",
        "motherboard.hostbridge.userNetworking=1",
        "-C",
        &ports,
    ];
    let model = arm(&rig, &guest, "RTSM_VE_Cortex-A15x4-A7x4", "coretile.cluster0.cpu0", &more);
    let mut console = model.connect("terminal_0");
    log_in(&mut console);
    ask(&mut console, "echo cores $((0 + $(grep -c ^processor /proc/cpuinfo)))", "cores 4");
    // A busy port is passed over in silence; the others are forwarded.
    assert!(TcpStream::connect(("127.0.0.1", free)).is_ok());
    let ended = model.stop(Signal::TERM);
    stopped_well(&ended);
    assert!(
        ended.stdout.contains("Stopping simulation...") && !ended.stdout.contains("INFO: mmc"),
        "{ended:?}"
    );
    assert_eq!(std::fs::metadata(rig.path("sd.img")).unwrap().len(), 1_000_021);
}

#[test]
fn arm64_boots_on_the_base_platform() {
    let Some(guest) = guest("arm64", "qemu-system-aarch64") else { return };
    let rig = Rig::new();
    let base = quiet("bp");
    let kernel = format!("cluster0.cpu0={}/kernel@0x80080000", guest.display());
    let initrd = format!("cluster0.cpu0={}/initrd.cpio.gz@0x84000000", guest.display());
    let line = [
        "--stat",
        "--data",
        &kernel,
        "--data",
        &initrd,
        "-C",
        "cluster0.NUM_CORES=2",
        "-C",
        "cluster1.NUM_CORES=2",
    ];
    let model = rig.start("FVP_Base_RevC-2xAEMvA", "dt_model=FVP Base RevC", &words(&base, &line));
    let mut console = model.connect("terminal_0");
    log_in(&mut console);
    ask(&mut console, "echo it is $(cat /proc/device-tree/model | tr -d '\\0')", "it is FVP Base RevC");
    ask(&mut console, "echo cores $((0 + $(grep -c ^processor /proc/cpuinfo)))", "cores 4");
    // The second terminal is a PCI serial port.
    let second = model.connect("terminal_1");
    ask(&mut console, "echo second line > /dev/ttyS0; echo it was $?", "it was 0");
    second.expect("second line");
    stopped_well(&model.stop(Signal::INT));
}

#[test]
fn a_bare_metal_program_speaks_and_exits_by_semihosting() {
    let Some(_) = guest("armhf", "qemu-system-arm") else { return };
    let rig = Rig::new();
    let axf = rig.axf();
    let board = quiet("motherboard");
    let ended = rig.run("FVP_VE_Cortex-A15x1", "", &words(&board, &["-a", &axf]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("this AXF loads a kernel on model-standin only\n"), "{ended:?}");
    assert_eq!(rig.run("model-standin", "", &["axf", "wide.axf", "arm64"]).code, Some(0));
    let base = quiet("bp");
    let ended = rig.run("FVP_Base_RevC-2xAEMvA", "", &words(&base, &["-a", "wide.axf", "-P"]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("cluster0.cpu0: [bootwrapper] this AXF loads"), "{ended:?}");
    assert_eq!(rig.run("model-standin", "", &["axf", "thumb.axf", "thumb"]).code, Some(0));
    for name in ["FVP_MPS2_Cortex-M3", "FVP_Corstone_SSE-300"] {
        let ended = rig.run(name, "", &["-a", "thumb.axf", "--simlimit", "60", "--stat"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.contains("[bootwrapper] this AXF loads"), "{name}: {ended:?}");
        assert!(!ended.stdout.contains("Reason:"), "{name}: {ended:?}");
    }
}

#[test]
fn a_killed_model_takes_its_qemu_with_it() {
    let Some(guest) = guest("armhf", "qemu-system-arm") else { return };
    let rig = Rig::new();
    let model = arm(&rig, &guest, "FVP_VE_Cortex-A15x1", "cluster.cpu0", &[]);
    model.connect("terminal_0").seen.expect_bytes(100);
    let group = model.pid();
    assert_eq!(model.stop(Signal::KILL).signal, Some(9));
    wait_until("the end of the whole group", || !group_runs(group.as_raw_nonzero().get()));
}

#[test]
fn a_stop_signal_to_the_group_still_ends_in_good_order() {
    let Some(guest) = guest("armhf", "qemu-system-arm") else { return };
    let rig = Rig::new();
    let model = arm(&rig, &guest, "FVP_VE_Cortex-A15x1", "cluster.cpu0", &[]);
    // Nobody reads: QEMU blocks on its serial line, and must be got out of that.
    rig.expect_log("RESUME", 1);
    model.signal_group(Signal::INT);
    stopped_well(&model.end());
}
