//! The helpers beside results, and the scripts as files.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use pumice_guest::{
    overlay::{self, Node},
    session::Origin,
};

use crate::harness::{Guest, each_shell, overlay, session, tell};

fn scripts() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest")
}

#[test]
fn every_script_of_the_folder_is_in_the_overlay_and_begins_as_one() {
    each_shell(|guest| {
        let mut overlay = overlay(&guest);
        overlay.multi_node = Some(node());
        let laid: BTreeSet<Vec<u8>> = overlay::build(&overlay)
            .into_iter()
            .filter(|file| file.path.contains("/bin/"))
            .filter_map(|file| match file.contents {
                pumice_guest::Contents::Bytes(bytes) => Some(bytes.into_owned()),
                _ => None,
            })
            .collect();
        for entry in fs::read_dir(scripts()).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap().to_string_lossy().starts_with("lava-") {
                let text = fs::read(&path).unwrap();
                assert!(text.starts_with(b"#!/bin/sh\n# "), "{} does not say what it is for", path.display());
                assert!(laid.contains(&text), "{} is in no overlay", path.display());
            }
        }
    });
}

#[test]
fn shellcheck_finds_nothing() {
    let Ok(version) = Command::new("shellcheck").arg("--version").stdout(Stdio::null()).status() else {
        println!("skipped: shellcheck is not installed (apt-get install shellcheck)");
        return;
    };
    assert!(version.success());
    let files = fs::read_dir(scripts()).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("lava-"));
    let output = Command::new("shellcheck").args(files).current_dir(scripts()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_background_process_runs_until_it_is_stopped_with_all_it_started() {
    each_shell(|guest| {
        guest.lay(&overlay(&guest));
        // An ended process that nobody collects is no process any more, though `kill -0` finds it.
        let line = "runs() { grep -q '^State:.[^ZX]' /proc/$1/status 2>/dev/null; }
            lava-background-process-start job --cmd 'sleep 1000 & echo $! > tmp/child; echo $$ > tmp/parent; wait'
            until [ -s tmp/parent ]; do :; done
            read -r parent < tmp/parent; read -r child < tmp/child
            runs $parent && runs $child && echo both run
            lava-background-process-stop job
            runs $parent || runs $child || echo both ended
            lava-background-process-stop job || echo unknown";
        let ran = guest.run(line);
        assert_eq!(ran.output, "both run\nboth ended\nunknown\n");
    });
}

#[test]
fn facts_of_the_device_are_read_from_its_dictionary() {
    each_shell(|guest| {
        let mut overlay = overlay(&guest);
        let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        overlay.environment = vec![
            fact("LAVA_DEVICE_INFO_0_target_mac", "00:11:22:33:44:55"),
            fact("LAVA_STATIC_INFO_0_target_ip", "10.0.0.1"),
            fact("LAVA_STORAGE_INFO_0_SATA", "/dev/disk/by-id/a"),
            fact("LAVA_STORAGE_INFO_1_UMS", "/dev/disk/by-id/b"),
        ];
        guest.lay(&overlay);
        for (line, expected) in [
            ("lava-target-mac", "00:11:22:33:44:55\n"),
            ("lava-target-ip", "10.0.0.1\n"),
            ("lava-target-storage", "SATA\t/dev/disk/by-id/a\nUMS\t/dev/disk/by-id/b\n"),
            ("lava-target-storage UMS", "/dev/disk/by-id/b\n"),
        ] {
            assert_eq!(guest.run(line).output, expected, "{line}");
        }
        assert_eq!(guest.run("lava-target-storage USB").status, 1);
    });
}

#[test]
fn addresses_and_the_system_are_told() {
    each_shell(|guest| {
        guest.program("ip", "echo '    inet 10.1.2.3/24 brd 10.1.2.255 scope global x'");
        guest.write("etc/os-release", "PRETTY_NAME=\"Some Linux 1\"\n");
        guest.lay(&overlay(&guest));
        assert_eq!(guest.run("lava-os-build").output, "Some Linux 1\n");
        if guest.shell == "dash" {
            assert_eq!(guest.run("lava-echo-ipv4 x").output, "10.1.2.3\n");
        }
        assert_eq!(guest.run("lava-echo-ipv4 no-such-interface0").status, i32::from(guest.shell != "dash"));
        assert_eq!(guest.run("lava-echo-ipv4 2>/dev/null").status, 1);
    });
}

#[test]
fn helpers_called_wrongly_say_how() {
    each_shell(|guest| {
        guest.lay(&overlay(&guest));
        for line in [
            "lava-test-case",
            "lava-test-case a",
            "lava-test-case a --result",
            "lava-test-case a --shell",
            "lava-test-case a --units ms",
            "lava-test-case a --nonsense b",
            "lava-test-case '' --result pass",
            "lava-test-set begin x",
            "lava-test-reference a --result pass",
            "lava-test-event",
            "lava-test-feedback",
            "lava-background-process-start a --nonsense b",
            "lava-background-process-start ../a --cmd true",
            "lava-background-process-stop",
            "lava-test-runner",
            "lava-test-shell x",
            "lava-retry",
        ] {
            let ran = guest.run(line);
            assert_eq!((ran.status, ran.output.as_str()), (1, ""), "{line}");
            assert!(ran.errors.contains("usage"), "{line}: {}", ran.errors);
        }
    });
}

fn node() -> Node {
    let group = [("41", "server"), ("42", "client"), ("43", "client")];
    Node {
        id: "42".to_owned(),
        role: "client".to_owned(),
        group: group.map(|(id, role)| (id.to_owned(), role.to_owned())).into(),
    }
}

/// Runs a line whose standard input is what the host types; its output, and what the host understood of it.
fn ask(guest: &Guest, line: &str, answer: &str) -> (i32, Vec<String>) {
    let mut child = guest
        .command(line)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = tell(&mut session(&overlay(guest)), Origin::Console, &output.stdout);
    (output.status.code().unwrap(), told)
}

#[test]
fn nodes_of_a_job_find_each_other() {
    each_shell(|guest| {
        let mut overlay = overlay(&guest);
        overlay.multi_node = Some(node());
        guest.lay(&overlay);
        for (line, expected) in [
            ("lava-self", "42\n"),
            ("lava-role", "client\n"),
            ("lava-role list", "client\nserver\n"),
            ("lava-group", "41\tserver\n42\tclient\n43\tclient\n"),
            ("lava-group client", "42\n43\n"),
        ] {
            assert_eq!(guest.run(line).output, expected, "{line}");
        }
    });
}

#[test]
fn requests_to_other_nodes_are_sent_and_answers_kept() {
    each_shell(|mut guest| {
        guest.set("LAVA_MULTI_NODE_CACHE", &guest.path("cache").display().to_string());
        let mut overlay = overlay(&guest);
        overlay.multi_node = Some(node());
        guest.lay(&overlay);
        let (status, told) = ask(&guest, "lava-send ready ip=10.0.0.1 name=x", "");
        assert_eq!(status, 0);
        assert_eq!(told, [r#"Send { id: "ready", values: [("ip", "10.0.0.1"), ("name", "x")] }"#]);
        let answer = "noise\n<LAVA_WAIT_COMPLETE 41:ip=10.0.0.1 43:text=several words: 5 * x>\n";
        let (status, told) = ask(&guest, "lava-wait ready", answer);
        assert_eq!((status, told), (0, vec![r#"Wait { id: "ready" }"#.to_owned()]));
        assert_eq!(guest.read("cache"), "41:ip=10.0.0.1\n43:text=several words: 5 * x\n");
        let (status, told) = ask(&guest, "lava-wait-all ready server", "<LAVA_WAIT_ALL_COMPLETE nack>\n");
        assert_eq!((status, told), (1, vec![r#"WaitAll { id: "ready", role: Some("server") }"#.to_owned()]));
        assert_eq!(ask(&guest, "lava-sync here", "<LAVA_SYNC_COMPLETE>\n").0, 0);
        assert_eq!(ask(&guest, "lava-sync here", "").0, 1);
    });
}
