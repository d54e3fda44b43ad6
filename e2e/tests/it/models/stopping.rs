//! How a model ends, by itself or because it is told to.

use std::path::Path;

use e2e::{need, program};

use super::{
    arguments,
    rig::{Job, Rig, SHELL},
    with,
};

#[test]
fn a_model_that_ignores_every_signal_is_killed_and_loses_statistics_and_flash() {
    let rig = Rig::new();
    let flash = rig.sandbox.write("variables.fd", vec![0xff_u8; 65536]);
    let ended =
        rig.run(&Job { knobs: "ignore_int=always,ignore_term=always".to_owned(), ..writes_flash(&flash) });
    ended.passed();
    // Said, so that nobody looks for the cause in the guest.
    assert!(ended.log.contains("ended by kill"), "{}", ended.log);
    assert!(!ended.log.contains(r#""case": "simulated-time""#), "a killed model has no statistics");
    assert_eq!(fs_err::read(&flash).unwrap()[0x100..0x104], [0xff; 4]);
}

/// A guest that writes a variable to the flash device whose image is `flash`.
fn writes_flash(flash: &Path) -> Job {
    Job {
        script: format!("nor 1 0x100 \"kept\"\n{SHELL}"),
        arguments: vec![
            format!("-C bp.flashloader1.fname={}", flash.display()),
            format!("-C bp.flashloader1.fnameWrite={}", flash.display()),
        ],
        ..Job::default()
    }
}

#[test]
fn flash_variables_survive_because_the_model_is_stopped_gracefully() {
    let rig = Rig::new();
    let flash = rig.sandbox.write("variables.fd", vec![0xff_u8; 65536]);
    rig.run(&writes_flash(&flash)).passed();
    assert_eq!(fs_err::read(&flash).unwrap()[0x100..0x104], *b"kept");
}

#[test]
fn a_guest_that_switches_off_is_seen_with_and_without_exit_on_shutdown() {
    for exits in ["0", "1"] {
        let job = Job {
            script: "say 0 \"Linux version 6.1\\r\\nreboot: Power down\\r\\n\"\nsleep 0.5\npoweroff\n"
                .to_owned(),
            ..arguments(&[&format!("-C bp.ve_sysregs.exit_on_shutdown={exits}")])
        };
        Rig::new().run(&job).failed("Job", "the guest powered off while it was needed");
    }
}

#[test]
fn a_limit_fails_the_job_although_the_model_exits_with_0() {
    let script = "say 0 \"Linux version 6.1\\r\\n\"\n".to_owned();
    let job = Job { script, ..arguments(&["--timelimit 1"]) };
    Rig::new().run(&job).failed("Job", "has been exceeded");
}

#[test]
fn a_guest_ten_times_slower_boots_within_a_time_that_allows_it_and_not_in_one_that_does_not() {
    let script = format!("sleep 0.4\n{SHELL}");
    let job = |boot_seconds| Job { script: script.clone(), boot_seconds, ..with("slow=10") };
    Rig::new().run(&job(60)).passed();
    Rig::new().run(&job(2)).failed("Job", "timed out after 2 seconds");
}

#[test]
fn a_model_under_a_shell_that_passes_no_signal_on_leaves_nothing() {
    let unshare = need!(program("unshare"));
    let rig = Rig::new();
    // As in a container that runs LAVA's script: `sh` is process 1 of a namespace and of a session of its own, so
    // that no signal of ours reaches the model (fastmodels 8, complaint 22).
    let line = "exec UNSHARE --fork --pid --mount-proc setsid sh -c '\"$0\" \"$@\"; true' MODEL \"$@\"\n";
    rig.wrap("FVP_Base_RevC-2xAEMvA", &line.replace("UNSHARE", &unshare.display().to_string()));
    let ended = rig.run(&Job::default());
    ended.passed();
    assert!(ended.log.contains("ended by kill"), "{}", ended.log);
}

#[test]
fn a_crash_and_an_early_end_are_the_infrastructures() {
    let script = "say 0 \"Linux version 6.1\\r\\n\"\n".to_owned();
    Rig::new()
        .run(&Job { script, ..with("crash_after=0.5,crash=segfault") })
        .failed("Infrastructure", "the simulator ended");
    Rig::new().run(&with("exit_early=3")).failed("Infrastructure", "exited with status 3");
    Rig::new().run(&with("missing_library=libatomic.so.1")).failed("Infrastructure", "libatomic.so.1");
}

#[test]
fn a_guest_that_hangs_ends_with_the_boots_time() {
    let script = "say 0 \"Linux version 6.1\\r\\n\"\n".to_owned();
    Rig::new()
        .run(&Job { script, boot_seconds: 4, ..Job::default() })
        .failed("Job", "timed out after 4 seconds");
}

#[test]
fn a_helper_that_the_model_leaves_behind_is_ended() {
    Rig::new().run(&with("orphan=600,orphan_session=own")).passed();
}
