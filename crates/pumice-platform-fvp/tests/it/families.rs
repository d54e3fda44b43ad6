//! What each family of models would be started with, for each form of boot: one snapshot a case.
//!
//! `UPDATE_EXPECT=1` writes them anew. The forms: fastmodels 1.2, 2.2, 2.3, 3.3 to 3.5.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fmt::Write as _, fs, path::PathBuf};

use expect_test::expect_file;
use pumice_device::ModelLibrary;
use pumice_plan::{GuestDisk, ImageSpec, MachineSpec, NetworkSpec};
use pumice_platform::{Bound, Facts, Launch, Platform as _};
use pumice_platform_fvp::Fvp;
use pumice_types::{SourceId, Sources, Span, Spanned};

/// The models that ship.
fn library() -> ModelLibrary {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../library/models");
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    paths.sort();
    let texts: Vec<_> = paths
        .iter()
        .map(|path| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap())
        })
        .collect();
    let texts = texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let (library, mistakes) = ModelLibrary::read(texts, &mut Sources::default());
    assert!(!mistakes.has_errors());
    library
}

/// A model of the library with files of these labels; `boot` is more of the boot block.
fn spec(model: &str, images: &[&str], boot: &str, network: Option<NetworkSpec>) -> MachineSpec {
    let (boot, mistakes) = pumice_yaml::parse(&format!("model: {model}\n{boot}"), SourceId::default());
    assert!(!mistakes.has_errors(), "{mistakes:?}");
    MachineSpec {
        platform: "fvp".to_owned(),
        method: Spanned::new("fvp".to_owned(), Span::default()),
        namespace: "common".to_owned(),
        device: pumice_yaml::Node::default(),
        boot: boot.unwrap(),
        context: [].into(),
        images: images
            .iter()
            .map(|label| ImageSpec {
                label: (*label).to_owned(),
                span: Span::default(),
                image_arg: None,
                format: None,
            })
            .collect(),
        model: library().get(model).unwrap().node.clone(),
        network,
        joins_lan: false,
        wants_channel: false,
        overlay: None,
        guest_disk: GuestDisk::default(),
    }
}

/// Its launch.
fn launch(model: &str, images: &[&str], boot: &str, network: Option<NetworkSpec>) -> Launch {
    let spec = spec(model, images, boot, network);
    let mistakes = pumice_plan::MachinePlanner::check(&Fvp, &spec);
    assert!(!mistakes.has_errors(), "{model}: {mistakes:?}");
    let file = |label: &&str| ((*label).to_owned(), PathBuf::from(format!("/job/{label}/{label}.bin")));
    let bound = Bound {
        images: images.iter().map(file).collect(),
        work_dir: "/job/m".into(),
        instance: 7,
        facts: Facts::default(),
        ..Bound::default()
    };
    Fvp.launch(&spec, &bound).unwrap()
}

/// The command line with a word group a line, and the consoles.
fn shown(launch: &Launch) -> String {
    let mut out = launch.program.clone();
    let mut words = launch.args.iter().peekable();
    while let Some(word) = words.next() {
        // Writing to a string cannot fail.
        let _ = write!(out, "\n  {word}");
        if matches!(word.as_str(), "-C" | "-a" | "--data")
            && let Some(value) = words.next()
        {
            let _ = write!(out, " {value}");
        }
    }
    for console in &launch.consoles {
        let _ = write!(out, "\nconsole {} ({:?})", console.name, console.role);
    }
    if let Some(network) = &launch.network {
        let _ = write!(out, "\nnetwork {network:?}");
    }
    for note in &launch.notes {
        let _ = write!(out, "\nnote: {note}");
    }
    out.push('\n');
    out
}

/// The snapshot's name, the model, the labels of its files, more of the boot block, the network.
type Case = (&'static str, &'static str, &'static [&'static str], &'static str, Option<NetworkSpec>);

#[test]
fn every_family_and_form_of_boot_has_its_command_line() {
    const WRAPPER: &[&str] = &["axf", "kernel", "dtb", "initrd"];
    let user = || Some(NetworkSpec::User { forwards: Vec::new(), mac: None });
    let tap = |bridge: Option<&str>| {
        let bridge = bridge.map(str::to_owned);
        Some(NetworkSpec::Tap { bridge, forwards: Vec::new(), mac: None })
    };
    let cases: Vec<Case> = vec![
        ("ve-a15x1-tap-in-a-namespace", "A15x1", WRAPPER, "", tap(None)),
        ("foundation-tap-on-a-bridge", "foundation", &["bl1", "fip", "disk"], "", tap(Some("br0"))),
        ("ve-a15x1-boot-wrapper", "A15x1", WRAPPER, "append: console=ttyAMA0 root=/dev/ram0", user()),
        ("ve-a15x1-sd-card", "A15x1", &["axf", "kernel", "dtb", "sd"], "append: root=/dev/mmcblk0p2", None),
        ("ve-a15x4-a7x4-virtio-block", "A15x4-A7x4", &["axf", "kernel", "dtb", "initrd", "disk"], "", None),
        ("ve-a15x1-uefi", "A15x1", &["uefi", "uefi-variables", "disk"], "", None),
        ("ve-aemv8-model-shell", "ve-aemv8", &["axf", "sd"], "", None),
        (
            "base-revc-trusted-firmware-u-boot",
            "base-revc",
            &["bl1", "fip", "kernel", "dtb", "initrd", "disk"],
            "",
            user(),
        ),
        ("base-revc-edk2-startup-nsh", "base-revc", &["bl1", "fip", "nsh", "uefi", "disk"], "", None),
        ("base-revc-boot-wrapper-baked", "base-revc", &["axf", "sd"], "", None),
        (
            "base-revc-9p-share",
            "base-revc",
            &["bl1", "fip", "disk"],
            "model_parameters: {bp.virtiop9device.root_path: '{ARTIFACT_DIR}'}",
            None,
        ),
        ("base-revc-data-at-addresses", "base-revc", &["data@0x04020000", "data@Secure:0x0"], "", None),
        (
            "foundation-trusted-firmware",
            "foundation",
            &["bl1", "fip", "kernel", "dtb", "ramdisk", "rootfs"],
            "",
            user(),
        ),
        ("mps2-bare-metal", "mps2-m3", &["axf"], "", None),
        ("corstone-300-bare-metal", "corstone-300", &["axf"], "", None),
        ("rd-n2-disk", "rd-n2", &["scp_romfw", "mcp_romfw", "bl1", "fip", "disk"], "", None),
        ("morello-disk", "morello", &["scp_romfw", "mcp_romfw", "scp_fw", "mcp_fw", "disk"], "", None),
    ];
    for (name, model, images, boot, network) in cases {
        let launch = launch(model, images, boot, network);
        expect_file![format!("{}/tests/it/families/{name}.txt", env!("CARGO_MANIFEST_DIR"))]
            .assert_eq(&shown(&launch));
    }
}

#[test]
fn what_runs_beside_a_model_needs_its_container_and_its_file() {
    let check = |boot: &str, expected: &[&str]| {
        let mistakes = pumice_plan::MachinePlanner::check(&Fvp, &spec("A15x1", &["axf"], boot, None));
        let said: Vec<_> = mistakes.iter().map(|one| one.message.clone()).collect();
        assert_eq!(said, expected, "{boot}");
    };
    check("commands: [a]", &["`commands` runs in the model's container, and the job names none"]);
    check("commands: [a]\ndocker: {name: x}", &[]);
    check("erpc_app: axf", &["`erpc_app` runs in the model's container, and the job names none"]);
    check("erpc_app: axf\ndocker: {name: x}", &[]);
    check("erpc_app: '{AXF}'\ndocker: {name: x}", &[]);
    check(
        "erpc_app: host\ndocker: {name: x}",
        &["no deployed file has the label `host`, which `erpc_app` names"],
    );
}
