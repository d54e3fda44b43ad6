//! What a model is given: applications that fit its cores, files out of a disk's boot partition, root file systems
//! that are made, bytes at addresses.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use e2e::{Guest, Results, built, need, program};
use fs_err as fs;
use pumice_image::{
    Tree, ext4,
    ext4::{CreateOptions, FileSystem},
    fat,
};
use pumice_types::ByteSize;

use super::rig::{Ended, LIMIT, Rig, SHELL};

/// How long a kernel may take on a machine that is busy.
const BOOT: Duration = Duration::from_secs(280);

fn tree(files: &[(&str, &[u8])]) -> Tree {
    let mut tree = Tree::new();
    for (path, contents) in files {
        tree.file(path.as_bytes(), 0o644, contents.to_vec()).unwrap();
    }
    tree
}

/// A disk as linaro-media-create made it: a FAT partition that is booted from, and an ext4 one with the root.
fn disk(rig: &Rig, label: &str, boot: &Tree, root: &Tree) -> PathBuf {
    const START: u64 = 2048 * 512;
    let [boot_image, root_image] = ["boot.img", "root.img"].map(|name| rig.sandbox.path().join(name));
    fat::create(&boot_image, boot, "boot", ByteSize(4 << 20)).unwrap();
    ext4::create(&root_image, root, &CreateOptions { free: ByteSize(4 << 20), ..CreateOptions::default() })
        .unwrap();
    let length = |path: &Path| fs::metadata(path).unwrap().len().next_multiple_of(1 << 20);
    let (boot_length, root_length) = (length(&boot_image), length(&root_image));
    let path = rig.sandbox.write("disk.img", b"");
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(START + boot_length + root_length + (1 << 20)).unwrap();
    for (image, start) in [(boot_image, START), (root_image, START + boot_length)] {
        let bytes = fs::read(image).unwrap();
        std::os::unix::fs::FileExt::write_all_at(file.file(), &bytes, start).unwrap();
    }
    let kinds = if label == "gpt" { ["U", "L"] } else { ["c", "83"] };
    let script = format!(
        "label: {label}\nstart=2048, size={}, type={}, bootable\nstart={}, size={}, type={}\n",
        boot_length / 512,
        kinds[0],
        2048 + boot_length / 512,
        root_length / 512,
        kinds[1],
    );
    let mut sfdisk = Command::new(program("sfdisk").unwrap());
    sfdisk.arg("--quiet").arg(&path).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = sfdisk.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    path
}

/// An application of the stand-in's for these cores: `arm`, `arm64`.
fn axf(rig: &Rig, name: &str, isa: &str) -> PathBuf {
    let path = rig.sandbox.path().join(name);
    let made = Command::new(built("model-standin")).args(["axf"]).arg(&path).arg(isa).status().unwrap();
    assert!(made.success());
    path
}

/// A directory with an entry `own` that is the model `base` with a guest that a script plays.
fn entries(rig: &Rig, base: &str) -> String {
    let script = rig.sandbox.write("guest.script", SHELL);
    let entry = format!(
        "name = \"own\"\nextends = \"{base}\"\n[machine]\nenvironment = {{ MODEL_STANDIN = \"guest=script:{}\" }}\n",
        script.display()
    );
    rig.sandbox.write("entries/own.toml", entry).parent().unwrap().display().to_string()
}

/// Runs `pumice run --model own` with more arguments.
fn run(rig: &Rig, base: &str, words: &[&str]) -> Ended {
    let models = entries(rig, base);
    let mut all = vec!["run", "--output-dir", "job", "--models", &models, "--model", "own", "--minutes", "1"];
    all.extend(words);
    let running = rig.pumice(&all);
    rig.end("job", running)
}

#[test]
fn an_application_for_other_cores_is_refused_before_the_start() {
    let rig = Rig::new();
    let wide = axf(&rig, "wide.axf", "arm64");
    let ended = run(&rig, "A15x1", &["--axf", wide.to_str().unwrap()]);
    ended.failed(
        "Configuration",
        "the application `axf` is for 64-bit Arm cores (AArch64), and FVP_VE_Cortex-A15x1 cannot run it",
    );
    assert!(!ended.log.contains("Listening for serial connection"), "the model was started");
    let text = rig.sandbox.write("text.axf", "not an executable");
    run(&rig, "A15x1", &["--axf", text.to_str().unwrap()])
        .failed("Job", "cannot be run: it is not an ELF file");
}

#[test]
fn files_are_taken_out_of_a_disks_boot_partition_by_path_and_pattern() {
    for label in ["dos", "gpt"] {
        let rig = Rig::new();
        let application = fs::read(axf(&rig, "boot.axf", "arm")).unwrap();
        let boot = tree(&[
            ("linux-system-semi.axf", &application),
            ("zImage", b"kernel"),
            ("rtsm/board.dtb", b"tree"),
        ]);
        let root = tree(&[("boot/initrd.img-3.2", b"ramdisk"), ("etc/hostname", b"board\n")]);
        let disk = disk(&rig, label, &boot, &root);
        let words =
            ["--rootfs", disk.to_str().unwrap(), "--extract", "axf=*.axf", "--extract", "kernel=/zImage"];
        let more = ["--extract", "dtb=/rtsm/*.dtb", "--extract", "initrd=/boot/initrd*"];
        let ended = run(&rig, "A15x1", &[words.as_slice(), &more].concat());
        ended.passed();
        for text in [
            "axf: ",
            "from /linux-system-semi.axf",
            "from /zImage",
            "from /boot/initrd.img-3.2",
            "/board.dtb --initrd",
        ] {
            assert!(ended.log.contains(text), "no `{text}` in {}", ended.log);
        }
    }
}

#[test]
fn a_file_that_is_not_in_the_image_is_named_with_what_is_there() {
    let rig = Rig::new();
    let disk = disk(&rig, "dos", &tree(&[("uImage", b"kernel")]), &tree(&[("etc/hostname", b"board\n")]));
    let words = ["--rootfs", disk.to_str().unwrap(), "--extract", "kernel=/zImage"];
    let ended = run(&rig, "A15x1", &words);
    ended.failed("Job", "no kernel is taken out of the image");
    ended.says("uImage");
}

#[test]
fn a_root_file_system_is_made_of_an_archive_or_a_directory() {
    let rig = Rig::new();
    // Keeps what the model is given as its card.
    let kept = rig.sandbox.path().join("card.img");
    let script = "for word in \"$@\"; do case $word in *p_mmc_file=*) cp \"${word#*p_mmc_file=}\" KEPT;; esac; done\nexec MODEL \"$@\"\n";
    rig.wrap("FVP_VE_Cortex-A15x1", &script.replace("KEPT", &kept.display().to_string()));
    let application = axf(&rig, "boot.axf", "arm").display().to_string();
    let root = rig.sandbox.path().join("root");
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::write(root.join("etc/hostname"), "made\n").unwrap();
    let archive = rig.sandbox.path().join("root.tar.gz");
    let packed =
        Command::new("tar").args(["-czf"]).arg(&archive).arg("-C").arg(&root).arg(".").status().unwrap();
    assert!(packed.success());
    for rootfs in [&root, &archive] {
        let data = rig.sandbox.write("data.bin", "bytes");
        let data = format!("{}@0x84000000", data.display());
        let ended = run(
            &rig,
            "A15x1",
            &["--axf", &application, "--rootfs", rootfs.to_str().unwrap(), "--data", &data],
        );
        ended.passed();
        assert!(ended.log.contains("data.bin@0x84000000"), "{}", ended.log);
        let region = pumice_image::disk::Disk::open(&kept).unwrap().region(None).unwrap();
        let mut contents = Vec::new();
        FileSystem::open(&region).unwrap().copy_out("/etc/hostname", &mut contents).unwrap();
        assert_eq!(contents, b"made\n", "{}", rootfs.display());
        fs::remove_file(&kept).unwrap();
        fs::remove_dir_all(rig.sandbox.path().join("job")).unwrap();
    }
}

/// The switcher's two files, in a place of our own: a regular file for the device.
const IMITATION: &[(&str, &[u8])] = &[
    ("imitation/sys/kernel/bL_switcher/active", b"0\n"),
    ("imitation/sys/devices/system/cpu/cpu0/online", b"1\n"),
    ("imitation/sys/devices/system/cpu/cpu1/online", b"1\n"),
    ("imitation/dev/b.L_switcher", b""),
];

#[test]
fn a_disk_of_2012_boots_as_a_big_little_model_and_its_switcher_is_tried() {
    let guest = need!(Guest::find("armhf"));
    let rig = Rig::new();
    let application = fs::read(axf(&rig, "boot.axf", "arm")).unwrap();
    let read = |path: PathBuf| fs::read(path).unwrap();
    let (kernel, initrd, dtb) = (read(guest.kernel()), read(guest.initrd()), read(guest.device_tree()));
    let boot = tree(&[
        ("linux-system-ISW.axf", &application),
        ("zImage", &kernel),
        ("initrd.gz", &initrd),
        ("rtsm_ve-ca15x4-ca7x4.dtb", &dtb),
    ]);
    let disk = disk(&rig, "dos", &boot, &tree(IMITATION));
    let tests =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("library/tests/big-little-switcher");
    let archive = rig.sandbox.path().join("switcher.tar");
    let packed =
        Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(&tests).arg(".").status().unwrap();
    assert!(packed.success());
    let definition = |name: &str, parameters: &str| {
        format!(
            "    - {{repository: \"file://{}\", from: url, path: big-little-switcher.yaml, name: {name}{parameters}}}\n",
            archive.display()
        )
    };
    let job = format!(
        "job_name: switcher\ndevice_type: fvp\nvisibility: public\npriority: medium\ntimeouts:\n  job: {{minutes: 8}}\n  \
         action: {{minutes: 4}}\n  connection: {{minutes: 2}}\nactions:\n- deploy:\n    to: fvp\n    images:\n      disk:\n        \
         url: \"file://{disk}\"\n        extract: {{axf: '*-ISW.axf', kernel: /zImage, initrd: '/initrd*', dtb: '*.dtb'}}\n\
         - boot:\n    method: fvp\n    model: A15x4-A7x4\n    append: console=ttyAMA0\n    timeout: {{minutes: 4}}\n    \
         auto_login: {{login_prompt: 'guest login:', username: root}}\n    prompts: ['root@guest:~#']\n\
         - test:\n    timeout: {{minutes: 2}}\n    definitions:\n    - from: inline\n      name: mount\n      \
         path: mount.yaml\n      repository:\n        metadata: {{format: Lava-Test Test Definition 1.0, name: mount, description: mount}}\n        \
         run: {{steps: ['mkdir -p /mnt', 'modprobe -a virtio_blk ext4', 'lava-test-case mounted --shell mount -t ext4 /dev/vda2 /mnt']}}\n{real}{imitated}",
        disk = disk.display(),
        real = definition("real", ""),
        imitated = definition(
            "imitated",
            ", parameters: {ROUNDS: 3, SYSFS: /mnt/imitation/sys, DEVICES: /mnt/imitation/dev}"
        ),
    );
    let job = rig.sandbox.write("job.yaml", job);
    let running = rig.pumice(&["run", "--output-dir", "job", job.to_str().unwrap()]);
    let ended = rig.end_within("job", running, BOOT);
    let tests = Results::read(&rig.sandbox.path().join("job")).tests();
    let check = |suite: &str, expected: &[&str]| {
        let own: Vec<_> = tests.iter().filter_map(|test| test.strip_prefix(suite)).collect();
        assert_eq!(own, expected, "{suite}: {}{}", ended.finished.stdout, ended.finished.stderr);
    };
    check("0_mount/", &["mounted pass"]);
    // Four Cortex-A15 and no switcher: skipped, with the reason (fastmodels 7.4).
    check(
        "1_real/",
        &[
            "switcher-is-active skip",
            "disable-and-enable skip",
            "move-to-little skip",
            "move-to-big skip",
            "move-back-and-forth skip",
            "refuses-unknown-cluster skip",
        ],
    );
    check(
        "2_imitated/",
        &[
            "switcher-is-active pass",
            "disable-and-enable pass",
            "move-to-little pass",
            "move-to-big pass",
            "move-back-and-forth pass",
            "refuses-unknown-cluster skip",
        ],
    );
    assert!(ended.log.contains("the kernel has no in-kernel switcher"), "{}", ended.log);
}

#[test]
fn the_first_job_of_the_documentation_passes_with_the_tests_that_ship() {
    // docs/fast-models.md, "A first job"; with two cores, so that it is soon over.
    let guest = need!(Guest::find("arm64"));
    let rig = Rig::new();
    let firmware = rig.sandbox.write("firmware.bin", "x").display().to_string();
    let images = ["bl1", "fip", "disk"].map(|label| format!("{label}={firmware}"));
    let (kernel, initrd) = (guest.kernel().display().to_string(), guest.initrd().display().to_string());
    let tests =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("library/tests").display().to_string();
    let mut words = vec!["run", "--output-dir", "job", "--model", "base-revc", "--tests", &tests];
    words.extend(images.iter().flat_map(|image| ["--image", image]));
    words.extend(["--kernel", &kernel, "--initrd", &initrd, "--prompt", "root@guest:~#", "--minutes", "4"]);
    words.extend(["--set", "cluster0.NUM_CORES=2", "--set", "cluster1.NUM_CORES=0"]);
    words.extend(["--test", "smoke", "--test", "cpu-hotplug"]);
    let ended = rig.end_within("job", rig.pumice(&words), BOOT);
    ended.passed();
    let tests = Results::read(&rig.sandbox.path().join("job")).tests();
    let smoke = tests.iter().filter(|test| test.starts_with("0_smoke/") && test.ends_with(" pass")).count();
    assert_eq!(smoke, 7, "{tests:?}");
    assert!(tests.contains(&"1_cpu-hotplug/hotplug-cpu1 pass".to_owned()), "{tests:?}");
}

#[test]
fn lavas_sample_form_of_a_job_with_eight_arguments_runs_unmodified() {
    // The shape of LAVA's own sample (its documentation, "fvp"): a container's model that this host has by name.
    let rig = Rig::new();
    let files: Vec<_> = ["bl1.bin", "fip.bin", "rootfs.ext4"].map(|name| rig.sandbox.write(name, "x")).into();
    let script = rig.sandbox.write("guest.script", SHELL);
    let [bl1, fip, disk] = [0, 1, 2].map(|at: usize| format!("file://{}", files[at].display()));
    let job = format!(
        "job_name: FVP sample\ndevice_type: fvp\nvisibility: public\npriority: medium\ntimeouts: {{job: {{minutes: 5}}, action: {{minutes: 2}}, connection: {{minutes: 2}}}}\n\
         actions:\n- deploy:\n    to: fvp\n    images:\n      bl1: {{url: \"{bl1}\"}}\n      fip: {{url: \"{fip}\"}}\n      rootfs: {{url: \"{disk}\"}}\n\
         - boot:\n    method: fvp\n    docker: {{name: \"fvp:11.31\", local: true}}\n    image: /opt/model/FVP_Base_RevC-2xAEMvA\n    timeout: {{minutes: 2}}\n    \
         version_string: 'Fast Models[^\\n]+'\n    console_string: 'terminal_0: Listening for serial connection on port (?P<PORT>\\d+)'\n    \
         feedbacks:\n    - '(?P<NAME>terminal_1): Listening for serial connection on port (?P<PORT>\\d+)'\n    - '(?P<NAME>terminal_2): Listening for serial connection on port (?P<PORT>\\d+)'\n    \
         license_variable: MODEL_STANDIN=guest=script:{script}\n    arguments:\n    - \"-C pctl.startup=0.0.0.0\"\n    - \"-C bp.secure_memory=1\"\n    - \"-C cluster0.NUM_CORES=4\"\n    - \"-C cluster1.NUM_CORES=4\"\n    \
         - \"-C cache_state_modelled=0\"\n    - \"-C bp.vis.disable_visualisation=1\"\n    - \"-C bp.secureflashloader.fname={{BL1}}\"\n    - \"-C bp.flashloader0.fname={{FIP}}\"\n    \
         - \"-C bp.virtioblockdevice.image_path={{ROOTFS}}\"\n    - \"-C bp.terminal_0.start_telnet=0 -C bp.terminal_1.start_telnet=0 -C bp.terminal_2.start_telnet=0 -C bp.terminal_3.start_telnet=0\"\n    \
         - \"-C bp.terminal_0.mode=telnet -C bp.terminal_1.mode=raw\"\n    auto_login: {{login_prompt: 'login:', username: root}}\n    prompts: ['root@guest:~#']\n",
        script = script.display(),
    );
    let job = rig.sandbox.write("job.yaml", job);
    let running = rig.pumice(&["run", "--output-dir", "job", job.to_str().unwrap()]);
    let ended = rig.end_within("job", running, LIMIT);
    ended.passed();
    assert!(ended.log.contains("bp.virtioblockdevice.image_path=/"), "{}", ended.log);
}
