//! What a model prints and does on the way to the first instruction (9.1.7, 9.1.8; section 4.3).

use crate::model::{Rig, quiet, words};

const BASE: &str = "FVP_Base_RevC-2xAEMvA";

#[test]
fn firmware_is_loaded_and_played_to_the_kernel() {
    let rig = Rig::new();
    rig.file("bl1.bin", vec![0; 30 * 1024]);
    rig.file("fip.bin", vec![0; 6 << 20]);
    rig.file("Image", "");
    rig.file("startup.nsh", "Image dtb=fvp.dtb console=ttyAMA0 root=/dev/vda\n");
    let base = quiet("bp");
    let line = [
        "-C",
        "bp.secureflashloader.fname=bl1.bin",
        "-C",
        "bp.flashloader0.fname=fip.bin",
        "-C",
        "bp.virtio_rng.enabled=1",
        "-C",
        "bp.virtio_rng.seed=0x5674bba8",
        "-C",
        "cluster0.cpu0.semihosting-cwd=.",
    ];
    let model = rig.script(BASE, "say 0 \"Linux version\"\n", "", &words(&base, &line));
    model.stdout.expect(
        "\nInfo: FVP_Base_RevC_2xAEMvA: FVP_Base_RevC_2xAEMvA.bp.secureflashloader: FlashLoader: Loaded 30 kB from \
         file 'bl1.bin'\n",
    );
    model.stdout.expect("bp.flashloader0: FlashLoader: Loaded 6 MB from file 'fip.bin'\n");
    model.stdout.expect("INFO: bp.virtio_rng: Using seed value: 0x5674bba8\n");
    let client = model.connect("terminal_0");
    client.expect("Linux version");
    let text = client.seen.text();
    assert!(text.contains("NOTICE:  BL1: Booting BL2"), "{text}");
    assert!(text.contains("FS0:\\> Image dtb=fvp.dtb console=ttyAMA0 root=/dev/vda"), "{text}");
}

#[test]
fn the_boot_wrapper_speaks_on_standard_output() {
    let rig = Rig::new();
    let axf = rig.axf();
    rig.file("zImage", "");
    let board = quiet("motherboard");
    let application = format!("cluster.cpu0={axf}");
    let command = "cluster.cpu0.semihosting-cmd_line=--kernel zImage -- console=ttyAMA0";
    let line = ["-a", &application, "-C", command];
    let model = rig.script("FVP_VE_Cortex-A15x1", "say 0 \"Linux version\"\n", "", &words(&board, &line));
    model.stdout.expect("INFO: mmc: no image file connected\n[bootwrapper] Starting...\n");
    model.connect("terminal_0").expect("Linux version");
}

#[test]
fn a_boot_wrapper_that_gives_up_ends_the_simulation_with_success() {
    let rig = Rig::new();
    let axf = rig.axf();
    let board = quiet("motherboard");
    let application = format!("cluster.cpu0={axf}");
    for (command, expected) in [
        (
            "--kernel nowhere -- console=ttyAMA0",
            "[bootwrapper] Couldn't open \"nowhere\"\n[bootwrapper] BOOT FAILED\n",
        ),
        ("--dtb only.dtb -- x", "Incorrect bootwrapper command-line.\n[bootwrapper] BOOT FAILED\n"),
    ] {
        let command = format!("cluster.cpu0.semihosting-cmd_line={command}");
        let line = ["-a", &application, "-C", &command];
        let ended = rig.run("FVP_VE_Cortex-A15x1", "", &words(&board, &line));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.contains(expected), "{ended:?}");
    }
}

#[test]
fn a_model_of_2012_says_that_it_started() {
    let rig = Rig::new();
    let board = quiet("motherboard");
    let model = rig.start("RTSM_VE_Cortex-A15x4-A7x4", "guest=none", &words(&board, &[]));
    model.stdout.expect("Simulation is started\n");
}

#[test]
fn messages_are_copied_to_a_log_file() {
    let rig = Rig::new();
    let base = quiet("bp");
    let model = rig.start(BASE, "guest=none", &words(&base, &["--log", "messages"]));
    model.ports(4);
    model.stdout.expect("INFO: mmc");
    let copy = std::fs::read_to_string(rig.path("messages")).unwrap();
    assert!(copy.starts_with("terminal_0: Listening"), "{copy}");
}

#[test]
fn foundation_counts_its_terminals_from_its_own_option() {
    let rig = Rig::new();
    let start = std::net::TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
    let model =
        rig.start("Foundation_Platform", "guest=none", &[&format!("--uart-start-port={start}"), "--cores=4"]);
    assert!(model.ports(4).iter().all(|(_, port)| *port >= start));
    model.stderr.settled();
}
