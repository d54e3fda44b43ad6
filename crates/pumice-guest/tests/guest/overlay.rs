//! The overlay as a list of files.

use std::borrow::Cow;

use expect_test::{Expect, expect};
use pumice_guest::{
    Contents, OverlayFile,
    definition::Parameters,
    overlay::{self, Environment, InstallPart, Node, Overlay},
};
use pumice_types::{JobId, SourceId};

use crate::harness::{channel, test};

fn file(path: &str, contents: Contents) -> OverlayFile {
    OverlayFile { path: path.to_owned(), mode: 0o640, contents }
}

fn bytes(text: &'static str) -> Contents {
    Contents::Bytes(Cow::Borrowed(text.as_bytes()))
}

/// An overlay with everything in it.
fn full() -> Overlay {
    let definition = "params: {A: default, B: \"it's\"}
install: {keys: [k], sources: [s], deps: [x, $A], deps-debian: [y], steps: ['make', 'make install']}
run: {steps: [echo hello, \"lava-test-case a --shell 'sed s/x/$1/'\"]}
";
    let mut first = test(0, "first", definition);
    first.parameters = [("A", "job")].into_iter().collect::<Parameters>();
    first.kernel_log = true;
    first.metadata = vec![("from".to_owned(), "git".to_owned()), ("path".to_owned(), "a \"b\"".to_owned())];
    first.files = vec![
        file("tool/run me.sh", bytes("#!/bin/sh\n")),
        file("uuid", bytes("the repository's own")),
        file("tool/link", Contents::Link("../data".to_owned())),
        file("data", Contents::HostPath("/srv/data".into())),
        file("../../../etc/passwd", bytes("no")),
        file("/etc/passwd", bytes("no")),
    ];
    let mut second = test(1, "second", "run: {steps: ['true']}");
    second.stage = 1;
    Overlay {
        job: JobId(42),
        root: "/lava-42".to_owned(),
        os: Some("debian".to_owned()),
        environment: vec![("A".to_owned(), "it's".to_owned())],
        secrets: vec![("TOKEN".to_owned(), "abc".to_owned()), ("PASS".to_owned(), "a b".to_owned())],
        channel: vec![channel("/dev/virtio-ports/x", false), channel("/dev/ttyAMA1", true)],
        multi_node: Some(Node {
            id: "42".to_owned(),
            role: "client".to_owned(),
            group: vec![("41".to_owned(), "server".to_owned()), ("42".to_owned(), "client".to_owned())],
        }),
        runs: vec![first, second],
    }
}

/// The text of a file of the overlay.
fn text(files: &[OverlayFile], path: &str) -> String {
    let file = files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("{path} is not there"));
    let Contents::Bytes(bytes) = &file.contents else { panic!("{path} has no text") };
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn check(path: &str, expected: &Expect) {
    expected.assert_eq(&text(&overlay::build(&full()), path));
}

#[test]
fn the_tree_is_whole_and_folders_come_first() {
    let files = overlay::build(&full());
    let shown = files.iter().filter(|file| !file.path.starts_with("lava-42/bin/")).map(|file| {
        let contents = match &file.contents {
            Contents::Directory => "/".to_owned(),
            Contents::Bytes(_) => String::new(),
            Contents::HostPath(path) => format!(" from {}", path.display()),
            Contents::Link(target) => format!(" -> {target}"),
            Contents::Pipe => " |".to_owned(),
        };
        format!("{:o} {}{contents}\n", file.mode, file.path)
    });
    expect![[r#"
        755 lava-42/
        755 lava-42/0/
        755 lava-42/0/results/
        755 lava-42/0/results/0_first-1/
        755 lava-42/0/results/0_first-1/results/
        755 lava-42/0/tests/
        755 lava-42/0/tests/0_first/
        755 lava-42/0/tests/0_first/tool/
        755 lava-42/1/
        755 lava-42/1/results/
        755 lava-42/1/results/1_second-1/
        755 lava-42/1/results/1_second-1/results/
        755 lava-42/1/tests/
        755 lava-42/1/tests/1_second/
        755 lava-42/bin/
        755 lava-42/results/
        644 lava-42/0/lava-test-runner.conf
        640 lava-42/0/tests/0_first/data from /srv/data
        755 lava-42/0/tests/0_first/install.sh
        755 lava-42/0/tests/0_first/run.sh
        644 lava-42/0/tests/0_first/testdef.yaml
        644 lava-42/0/tests/0_first/testdef_metadata
        640 lava-42/0/tests/0_first/tool/link -> ../data
        640 lava-42/0/tests/0_first/tool/run me.sh
        644 lava-42/0/tests/0_first/uuid
        644 lava-42/1/lava-test-runner.conf
        755 lava-42/1/tests/1_second/run.sh
        644 lava-42/1/tests/1_second/testdef.yaml
        644 lava-42/1/tests/1_second/testdef_metadata
        644 lava-42/1/tests/1_second/uuid
        644 lava-42/channel
        644 lava-42/environment
        666 lava-42/lava-channel |
        666 lava-42/lava-channel.status |
        644 lava-42/multinode
        600 lava-42/secrets
        644 lava-42/settings
    "#]]
    .assert_eq(&shown.collect::<Vec<_>>().concat());
    for (index, file) in files.iter().enumerate() {
        if let Some((folder, _)) = file.path.rsplit_once('/') {
            assert!(files[..index].iter().any(|before| before.path == folder), "{}", file.path);
        }
    }
}

#[test]
fn the_script_of_a_test_has_its_parameters_and_its_steps_as_they_are() {
    check(
        "lava-42/0/tests/0_first/run.sh",
        &expect![[r#"
        if [ -n "${LAVA_HOME:-}" ]; then
            . "$LAVA_HOME/bin/lava-common-functions"
            . "$LAVA_HOME/bin/lava-case-functions"
        fi
        A='job'
        B='it'\''s'
        export LAVA_SIGNAL=kmsg
        export TESTRUN_ID='0_first'
        UUID='7_1.0'
        set -e
        cd '/lava-42/0/tests/0_first'
        set -x
        echo hello
        lava-test-case a --shell 'sed s/x/\$1/'
        set +x
        [ -z "${LAVA_RESULT_DIR:-}" ] || : > "$LAVA_RESULT_DIR/ended"
    "#]],
    );
}

#[test]
fn install_steps_come_in_order_and_can_be_left_out() {
    check(
        "lava-42/0/tests/0_first/install.sh",
        &expect![[r#"
        A='job'
        B='it'\''s'
        lava-add-keys k || exit
        lava-add-sources s || exit
        lava-install-packages x $A --for debian y || exit
        cd '/lava-42/0/tests/0_first'
        make
        make install
    "#]],
    );
    let mut overlay = full();
    overlay.runs[0].skip_install = vec![InstallPart::All];
    let files = overlay::build(&overlay);
    assert!(!files.iter().any(|file| file.path.ends_with("install.sh")));
}

#[test]
fn the_small_files_say_what_the_helpers_read() {
    check(
        "lava-42/environment",
        &expect![[r#"
        export A='it'\''s'
    "#]],
    );
    check(
        "lava-42/secrets",
        &expect![[r#"
        TOKEN=abc
        PASS='a b'
    "#]],
    );
    check(
        "lava-42/channel",
        &expect![[r#"
        /dev/virtio-ports/x
        /dev/ttyAMA1 ready
    "#]],
    );
    check(
        "lava-42/settings",
        &expect![[r#"
        LAVA_STEP_SHELL='/bin/bash'
        LAVA_OS_HINT='debian'
    "#]],
    );
    check(
        "lava-42/multinode",
        &expect![[r#"
        self 42 client
        node 41 server
        node 42 client
    "#]],
    );
    check(
        "lava-42/0/lava-test-runner.conf",
        &expect![[r#"
        /lava-42/0/tests/0_first
    "#]],
    );
    check(
        "lava-42/0/tests/0_first/testdef_metadata",
        &expect![[r#"
        from: "git"
        path: "a \"b\""
    "#]],
    );
    check(
        "lava-42/0/tests/0_first/uuid",
        &expect![[r#"
        7_1.0
    "#]],
    );
}

#[test]
fn scripts_of_android_name_its_shell() {
    let mut overlay = full();
    overlay.os = Some("android".to_owned());
    overlay.multi_node = None;
    let files = overlay::build(&overlay);
    for file in files.iter().filter(|file| file.path.contains("/bin/")) {
        assert!(text(&files, &file.path).starts_with("#!/system/bin/sh\n"), "{}", file.path);
    }
    assert!(!files.iter().any(|file| file.path.ends_with("lava-sync")));
}

#[test]
fn variables_come_from_the_device_the_job_and_the_runner() {
    let node = |text: &str| pumice_yaml::parse(text, SourceId(0)).0.unwrap();
    let environment = Environment {
        device: Some(&node("{A: device, B: yes, bad-name: x}")),
        device_info: Some(&node("[{target_mac: '00:11'}]")),
        static_info: Some(&node("[{x: 1}, {x: 2}]")),
        storage_info: None,
        job: Some(&node("{A: job, N: 3, F: 1.0, L: [1]}")),
        facts: &[("LAVA_JOB_ID", "42".to_owned())],
    };
    let shown: Vec<_> =
        environment.variables().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        shown,
        [
            "B=1",
            "LAVA_DEVICE_INFO_0_target_mac=00:11",
            "LAVA_STATIC_INFO_0_x=1",
            "LAVA_STATIC_INFO_1_x=2",
            "A=job",
            "N=3",
            "F=1.0",
            "LAVA_JOB_ID=42",
        ]
    );
}
