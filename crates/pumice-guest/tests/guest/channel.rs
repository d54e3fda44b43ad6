//! Signals on a channel of ours.

use std::fs;

use pumice_guest::session::Origin;

use crate::harness::{Guest, channel, each_shell, overlay, session, tell, test};

/// Runs one test with a channel; what the console said, and what came over the channel.
fn run(guest: &Guest, definition: &str) -> (pumice_guest::TestSession, Vec<String>, Vec<String>) {
    run_on(guest, definition, false)
}

/// The same on a device that is ready from the start, or on one that has to be tried.
fn run_on(
    guest: &Guest,
    definition: &str,
    is_ready: bool,
) -> (pumice_guest::TestSession, Vec<String>, Vec<String>) {
    let device = guest.device("ttyS9");
    let mut overlay = overlay(guest);
    // The first is not there, the second is no device, the third is found by its pattern.
    overlay.channel = vec![
        channel("/dev/no-such", true),
        channel(&guest.root(), true),
        channel(&device.path.replace("S9", "S?"), is_ready),
    ];
    overlay.runs.push(test(0, "t", definition));
    guest.lay(&overlay);
    let ran = guest.run(&format!("lava-test-runner {}/0", guest.root()));
    let bytes = device.take();
    println!("{}", String::from_utf8_lossy(&bytes[..bytes.len().min(2000)]));
    let mut session = session(&overlay);
    let channel = tell(&mut session, Origin::Channel, &bytes);
    let console = tell(&mut session, Origin::Console, ran.output.as_bytes());
    (session, channel, console)
}

#[test]
fn results_come_over_the_channel_whole_and_in_order() {
    each_shell(|guest| {
        let steps = "run:
  steps:
  - lava-test-case a --shell echo hello
  - lava-test-case 'b>c' --result fail --units é --measurement 1e3
  - lava-test-case quiet --result pass > /dev/null
  - sh -c 'exec 9<&- 3<&-; lava-test-case closed --result pass'
";
        for is_ready in [false, true] {
            let guest = guest.anew();
            let (_, channel, console) = run_on(&guest, steps, is_ready);
            let told = [
                "0_t/a pass",
                "0_t/b>c fail 1000 é",
                "0_t/quiet pass",
                "0_t/closed pass",
                "lava/0_t pass",
                "over",
            ];
            assert_eq!(channel, told);
            assert_eq!(console, [""; 0]);
            // Later calls find no channel.
            assert_eq!(guest.read("lava-7/channel.open"), "");
        }
    });
}

#[test]
fn a_pipe_is_made_where_the_overlay_could_bring_none() {
    each_shell(|guest| {
        let device = guest.device("ttyS9");
        let mut overlay = overlay(&guest);
        overlay.channel = vec![channel(&device.path, true)];
        overlay.runs.push(test(0, "t", "run: {steps: [lava-test-case a --result pass]}"));
        guest.lay(&overlay);
        fs::remove_file(guest.path("lava-7/lava-channel")).unwrap();
        guest.run(&format!("lava-test-runner {}/0", guest.root()));
        let told = tell(&mut session(&overlay), Origin::Channel, &device.take());
        assert_eq!(told, ["0_t/a pass", "lava/0_t pass", "over"]);
    });
}

#[test]
fn cases_of_many_processes_at_once_are_all_counted() {
    const EACH: usize = 100;
    each_shell(|guest| {
        let steps = format!(
            "run:
  steps:
  - for who in x y z; do
  - (i=0; while [ $i -lt {EACH} ]; do lava-test-case $who$i --result pass; i=$((i + 1)); done) &
  - done
  - wait
"
        );
        let (_, channel, _) = run(&guest, &steps);
        assert_eq!(channel[channel.len() - 2..], ["lava/0_t pass", "over"]);
        let mut cases: Vec<_> = channel[..channel.len() - 2].to_vec();
        cases.sort();
        cases.dedup();
        assert_eq!(cases.len(), 3 * EACH);
    });
}

#[test]
fn every_byte_is_in_the_checksum() {
    each_shell(|guest| {
        // All bytes that can stand in a message: none of them may break a frame or its sum.
        let bytes = (1..=255_u8).filter(|byte| *byte != b'\n').map(|byte| format!("\\0{byte:03o}"));
        let text = bytes.collect::<Vec<_>>().concat();
        let steps = format!("run: {{steps: ['lava-test-event \"$(printf %b \"{text}\")\"']}}");
        let (_, channel, _) = run(&guest, &steps);
        assert_eq!(channel.len(), 3, "{channel:?}");
        assert!(channel[0].starts_with("event: "));
        assert_eq!(channel[1..], ["lava/0_t pass", "over"]);
    });
}

#[test]
fn a_relay_that_dies_is_an_infrastructure_failure() {
    each_shell(|guest| {
        let steps = "run:
  steps:
  - lava-test-case a --result pass
  - \"{ read -r pipe; read -r relay; } < $LAVA_HOME/channel.open\"
  - kill -9 $relay
  - lava-test-case b --result pass
";
        let (mut session, channel, console) = run(&guest, steps);
        // What came before the death may have arrived; nothing after it did.
        assert!(!channel.iter().any(|line| line.contains("/b ") || line.starts_with("over")), "{channel:?}");
        let last = console.last().unwrap();
        assert_eq!(
            last,
            "over: signal-lost: the program that sends the guest's signals over the channel ended early"
        );
        assert!(console.iter().any(|line| line.starts_with("lava/0_t fail")), "{console:?}");
        assert!(session.abort("x", pumice_guest::session::Moment::default()).is_empty());
    });
}

#[test]
fn without_a_usable_device_signals_stay_on_the_console() {
    for is_ready in [false, true] {
        each_shell(|guest| {
            let mut overlay = overlay(&guest);
            overlay.channel = vec![channel("/dev/no-such", true), channel("/dev/full", is_ready)];
            overlay.runs.push(test(0, "t", "run: {steps: [lava-test-case a --result pass]}"));
            let told = crate::harness::run_on_console(&guest, &overlay);
            assert_eq!(told, ["0_t/a pass", "lava/0_t pass", "over"]);
        });
    }
}
