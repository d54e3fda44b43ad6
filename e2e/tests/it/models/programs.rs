//! `pumice model add` and `check`: a model's own program, looked at.

use fs_err as fs;

use super::rig::{LIMIT, Rig, SHELL};

#[test]
fn an_entry_that_is_added_is_a_model_that_boots() {
    for (program, images) in [
        ("FVP_Base_RevC-2xAEMvA", "bl1, fip, uefi, disk"),
        ("FVP_VE_Cortex-A15x1", "axf"),
        ("FVP_RD_N2", "axf"),
        ("FVP_MPS2_Cortex-M3", "axf"),
    ] {
        let rig = Rig::new();
        let directory = rig.sandbox.path().join("entries").display().to_string();
        let added = rig.pumice(&["model", "add", program, "--name", "mine", "--to", &directory]).wait(LIMIT);
        assert!(added.status.success(), "{}{}", added.stdout, added.stderr);
        let shown = rig.pumice(&["model", "show", "mine", "--models", &directory]).wait(LIMIT);
        assert!(shown.status.success(), "{}{}", shown.stdout, shown.stderr);
        for image in images.split(", ") {
            let line = shown.stdout.lines().find(|line| line.starts_with("images")).unwrap_or_default();
            assert!(line.contains(image), "{}", shown.stdout);
        }
        // What it sets is what the model has, so it starts: the guest is played by a script.
        let script = rig.sandbox.write("guest.script", SHELL);
        let path = rig.sandbox.path().join("entries/mine.toml");
        let entry = fs::read_to_string(&path).unwrap();
        let variable =
            format!("[machine]\nenvironment = {{ MODEL_STANDIN = \"guest=script:{}\" }}", script.display());
        fs::write(&path, entry.replace("[machine]", &variable)).unwrap();
        let image = rig.sandbox.write("bytes", "x").display().to_string();
        let data = format!("{image}@0x84000000");
        let words = [
            "run",
            "--output-dir",
            "job",
            "--models",
            &directory,
            "--model",
            "mine",
            "--minutes",
            "1",
            "--data",
            &data,
        ];
        let ended = rig.end("job", rig.pumice(&words));
        ended.passed();
        let again = rig.pumice(&["model", "add", program, "--name", "mine", "--to", &directory]).wait(LIMIT);
        assert!(again.stderr.contains("is there already"), "{}", again.stderr);
    }
}

#[test]
fn what_is_no_model_is_not_added() {
    let rig = Rig::new();
    let added = rig.pumice(&["model", "add", "/bin/true", "--print"]).wait(LIMIT);
    assert!(!added.status.success());
    assert!(added.stderr.contains("so it may be no model"), "{}", added.stderr);
}

#[test]
fn beliefs_hold_on_the_stand_in_and_a_fault_is_found() {
    let check = |knobs: &str, code: i32, expected: &[&str]| {
        let rig = Rig::new();
        // It is looked at as it is run: of our own environment it gets what models read, and no knob.
        let script = format!("MODEL_STANDIN={knobs} exec MODEL \"$@\"\n");
        rig.wrap("FVP_Base_RevC-2xAEMvA", &script);
        let report = rig.sandbox.path().join("report.json").display().to_string();
        let words = ["model", "check", "FVP_Base_RevC-2xAEMvA", "--report", &report];
        let checked = rig.pumice(&words).wait(LIMIT);
        assert_eq!(checked.status.code(), Some(code), "{}{}", checked.stdout, checked.stderr);
        let squeezed = checked.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        for text in expected {
            assert!(squeezed.contains(text), "no `{text}` in {}", checked.stdout);
        }
        let report = fs::read_to_string(&report).unwrap();
        assert!(report.contains("\"model\": \"FVP_Base_RevC-2xAEMvA\"") && report.contains("\"learnt\""));
        rig.sandbox.is_empty_within(std::time::Duration::from_secs(10));
    };
    check(
        "guest=none",
        0,
        &[
            "agrees SIGINT exited with status 0",
            "learnt the first bytes of terminal_0, in telnet mode ff fb 01 ff fb 03",
            "learnt a second client at a console waits in silence",
            "agrees `--cyclelimit`: its reason Cycle limit has been exceeded",
            "agrees an unknown parameter exited with status 1",
            " 0 differ,",
        ],
    );
    check(
        "guest=none,exit_code=7,negotiation=none,second_client=refuse,announce=upper",
        100,
        &[
            "DIFFERS SIGINT exited with status 7 (expected: exited with status 0)",
            "learnt the first bytes of terminal_0, in telnet mode none",
            "learnt a second client at a console turned away",
            "| INFO: FVP_Base_RevC_2xAEMvA: terminal_0: Listening for serial connection on port",
        ],
    );
}
