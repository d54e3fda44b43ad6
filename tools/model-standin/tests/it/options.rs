//! The command line: lists, versions, mistakes (9.1.1 to 9.1.3).

use crate::model::{Ended, Rig, quiet, wait_until, words};

const BASE: &str = "FVP_Base_RevC-2xAEMvA";

#[track_caller]
fn refused(name: &str, line: &[&str], expected: &str) -> Ended {
    let rig = Rig::new();
    let ended = rig.run(name, "", line);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(expected), "{ended:?}");
    assert!(!ended.stdout.contains("Listening"), "{ended:?}");
    ended
}

#[test]
fn the_version_is_followed_by_the_line_of_a_stopped_simulation() {
    let ended = Rig::new().run(BASE, "", &["--version"]);
    assert_eq!(ended.code, Some(0));
    assert_eq!(
        ended.stdout,
        "Fast Models [11.31.28 (Dec 10 2025)]\nCopyright 2000-2025 ARM Limited.\nAll Rights Reserved.\n\n\n\
         Info: /OSCI/SystemC: Simulation stopped by user.\n\n"
    );
}

#[test]
fn foundation_and_model_shell_have_versions_of_their_own() {
    let rig = Rig::new();
    let foundation = rig.run("Foundation_Platform", "", &["--version"]).stdout;
    assert!(foundation.starts_with("ARM V8 Foundation Platformr0p0 (platform build "), "{foundation}");
    let shell = rig.run("model_shell64", "", &["--version"]).stdout;
    assert!(shell.starts_with("Model Shell "), "{shell}");
    let versioned = rig.run(BASE, "version=11.20.15,built=Nov  4 2022,cp1252=1", &["--version"]).stdout;
    assert!(
        versioned.starts_with("Fast Models [11.20.15 (Nov  4 2022)]\nCopyright \u{fffd} 2000-2022"),
        "{versioned}"
    );
}

#[test]
fn help_and_lists_end_with_success() {
    let rig = Rig::new();
    for (line, expected) in [
        (&["--help"][..], "--parameter INST.PARAM=VALUE"),
        (&["-l"], "bp.terminal_0.start_port=0x1388"),
        (&["--list-params"], "# (bool  , init-time) default = '1'"),
        (&["--list-instances"], "  cluster1.cpu3 (Core)\n"),
        (&["--list-memory"], "cluster0.cpu0: Secure"),
        (&["--list-regs"], "cluster0.cpu0: X0"),
    ] {
        let ended = rig.run(BASE, "", line);
        assert_eq!(ended.code, Some(0), "{line:?}");
        assert!(ended.stdout.contains(expected), "{line:?}: {}", ended.stdout);
    }
}

#[test]
fn a_list_goes_to_a_file_and_shows_what_was_set() {
    let rig = Rig::new();
    let ended = rig.run(BASE, "", &["-o", "list", "-C", "bp.dram_size=8", "-l"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    let list = std::fs::read_to_string(rig.path("list")).unwrap();
    assert!(list.lines().any(|line| line.starts_with("bp.dram_size=0x8 ")), "{list}");
}

#[test]
fn every_parameter_of_a_public_base_command_line_is_known() {
    let rig = Rig::new();
    let line = "-C bp.dram_size=4 -C bp.ls64_testing_fifo.op_type=1 -C bp.pl011_uart0.shutdown_tag=EXITTHESIM \
        -C bp.refcounter.non_arch_start_at_default=1 -C bp.secure_memory=1 -C cluster0.PA_SIZE=48 \
        -C cluster0.clear_reg_top_eret=2 -C cluster0.cpu0.etm-present=0 -C cluster0.ecv_support_level=2 \
        -C cluster0.enhanced_pac2_level=3 -C cluster0.gicv3.cpuintf-mmap-access-level=2 \
        -C cluster0.gicv3.without-DS-support=1 -C cluster0.gicv4.mask-virtual-interrupt=1 \
        -C cluster0.has_arm_v9-7=1 -C cluster0.max_32bit_el=0 -C cluster1.sve.sme2_version=3 \
        -C cluster1.stage12_tlb_size=1024 -C gic_distributor.has_nmi=1 \
        -C pci.pci_smmuv3.mmu.SMMU_IDR5=4294902901 -C pctl.startup=0.0.0.0 -C cache_state_modelled=0 \
        -C bp.virtio_net.hostbridge.userNetPorts=8022=22 -C bp.vis.rate_limit-enable=0 -l";
    let ended = rig.run(BASE, "", &line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn mistakes_end_with_one_before_anything_listens() {
    refused(BASE, &["-C", "bp.terminal_0.start_prot=5000"], "unknown parameter 'bp.terminal_0.start_prot'");
    refused(BASE, &["-C", "bp.dram.enable_atomic_ops=1"], "unknown parameter");
    refused(BASE, &["-C", "bp.dram_size=much"], "wants a value of type int");
    refused(BASE, &["-C", "cluster0.NUM_CORES=9"], "from 0 to 8");
    refused(BASE, &["-C", "bp.dram_size"], "invalid argument 'bp.dram_size' for option '-C'");
    refused(BASE, &["-f", "nowhere.cfg"], "cannot open configuration file 'nowhere.cfg'");
    refused(BASE, &["--turbo"], "unrecognized option '--turbo'");
    refused(BASE, &["-Q"], "option '-Q' requires an argument");
    refused(BASE, &["-a", "cluster0.cpu0=nowhere.axf"], "cannot open application 'nowhere.axf'");
    refused(BASE, &["--plugin", "nowhere/TarmacTrace.so"], "cannot open plug-in");
    refused(BASE, &["--data", "cluster0.cpu0=nowhere@0x80080000"], "cannot open data file 'nowhere'");
    refused(BASE, &["-C", "bp.secureflashloader.fname=nowhere.bin"], "cannot open image 'nowhere.bin'");
    refused(BASE, &["-C", "bp.virtioblockdevice.image_path=nowhere.img"], "nowhere.img");
    refused(BASE, &["--save", "checkpoint"], "checkpoints are not supported");
    refused("Foundation_Platform", &["-C", "a=b"], "unhandled argument");
    refused("model_shell64", &["x.axf"], "no model specified");
}

#[test]
fn an_application_must_be_an_executable_and_its_instance_must_exist() {
    let rig = Rig::new();
    let text = rig.file("text.axf", "not an executable");
    let ended = rig.run(BASE, "", &["-a", &text]);
    assert_eq!((ended.code, ended.stderr.contains("not an executable image")), (Some(1), true), "{ended:?}");
    let axf = rig.axf();
    let ended = rig.run(BASE, "", &["-a", &format!("cluster7.cpu0={axf}")]);
    assert!(ended.code == Some(1) && ended.stderr.contains("no instance 'cluster7.cpu0'"), "{ended:?}");
}

#[test]
fn parameters_come_from_files_and_later_ones_win() {
    let rig = Rig::new();
    let file =
        rig.file("model.cfg", "# a comment\nbp.dram_size=8   # inline\n\nbp.terminal_0.mode=\"raw\"\n");
    let ended = rig.run(BASE, "", &["-f", &file, "-C", "bp.dram_size=2", "-l"]);
    assert!(ended.stdout.contains("bp.dram_size=0x2 ") && ended.stdout.contains("bp.terminal_0.mode=raw "));
}

#[test]
fn model_shell_runs_the_model_in_a_shared_object() {
    let rig = Rig::new();
    let library = rig.file("RTSM_VE_AEMv8A.so", "");
    let ended = rig.run("model_shell64", "", &[&library, "-C", "cluster.NUM_CORES=4", "-l"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("motherboard.mmc.p_mmc_file="), "{}", ended.stdout);
    let generic = rig.file("cadi_system_Linux-Release.so", "");
    let ended = rig.run("model_shell", "model=RTSM_VE_Cortex-A15x1", &["-m", &generic, "--list-instances"]);
    assert!(ended.stdout.contains("  cluster.cpu0 ("), "{}", ended.stdout);
}

#[test]
fn a_plug_in_brings_its_parameters() {
    let rig = Rig::new();
    let plugin = rig.file("TarmacTrace.so", "");
    let line = ["--plugin", &plugin, "-C", "TRACE.TarmacTrace.trace-file=trace.log"];
    let base = quiet("bp");
    let model = rig.script(BASE, "halt\n", "", &words(&base, &line));
    model.ports(4);
    let size = || std::fs::metadata(rig.path("trace.log")).map_or(0, |file| file.len());
    wait_until("a trace that grows", || size() > 10_000);
    assert!(std::fs::read_to_string(rig.path("trace.log")).unwrap().contains("clk IT (0)"));
}

#[test]
fn a_fault_with_a_misspelt_name_is_loud() {
    let ended = Rig::new().run(BASE, "glew=1", &["--version"]);
    assert_eq!(ended.code, Some(64));
    assert!(ended.stderr.contains("there is no knob `glew`"), "{}", ended.stderr);
}

#[test]
fn a_loader_that_misses_a_library_and_a_model_that_refuses_root() {
    let rig = Rig::new();
    let ended = rig.run(BASE, "missing_library=libatomic.so.1", &["--version"]);
    assert_eq!(ended.code, Some(127));
    assert!(
        ended.stderr.contains("error while loading shared libraries: libatomic.so.1: cannot open"),
        "{ended:?}"
    );
    assert_eq!(rig.run(BASE, "exit_early=3", &["--version"]).code, Some(3));
    if rustix::process::geteuid().is_root() {
        assert_eq!(rig.run(BASE, "refuse_root=1", &["--version"]).code, Some(1));
    }
}

#[test]
fn links_are_made_for_every_family_and_each_says_what_it_is() {
    let rig = Rig::new();
    let tool = rig.run("model-standin", "", &["links", "bin"]);
    assert_eq!(tool.code, Some(0), "{tool:?}");
    let mut models = 0;
    for entry in std::fs::read_dir(rig.path("bin")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name == "armlm" || name.starts_with("standin") {
            continue;
        }
        let mut command = std::process::Command::new(&path);
        command.arg("--version").env_remove("MODEL_STANDIN");
        let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert!(
            ["Fast Models [", "ARM V8 Foundation", "Model Shell"].iter().any(|head| text.starts_with(head)),
            "{name}: {text}"
        );
        models += 1;
    }
    assert!(models > 15, "{models}");
}
