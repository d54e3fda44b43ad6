//! lava-test-runner and what steps call, with signals on the console.

use pumice_guest::definition::Parameters;

use crate::harness::{each_shell, overlay, run_on_console, test};

/// Runs the steps of one test and compares what is recorded.
#[track_caller]
fn check(definition: &str, expected: &[&str]) {
    each_shell(|guest| {
        let mut overlay = overlay(&guest);
        overlay.runs.push(test(0, "t", definition));
        assert_eq!(run_on_console(&guest, &overlay), expected, "under {}", guest.shell);
    });
}

#[test]
fn every_form_of_lava_test_case_is_recorded() {
    // The steps of corpus/runs/ft-testcases, with what LAVA recorded for them.
    check(
        "run:
  steps:
  - lava-test-case p --result pass
  - lava-test-case f --result fail
  - lava-test-case s --result skip
  - lava-test-case u --result unknown
  - lava-test-case bad --result maybe
  - lava-test-case sh-ok --shell true
  - lava-test-case sh-bad --shell false
  - lava-test-case m --result pass --measurement 3.25 --units s
  - lava-test-case m2 --result pass --measurement notanumber
  - \"lava-test-case spaces-in-cmd --shell echo \\\"a b\\\"\"
  - lava-test-case p --result fail
",
        &[
            "0_t/p pass",
            "0_t/f fail",
            "0_t/s skip",
            "0_t/u unknown",
            "complaint: the guest sent `TESTCASE TEST_CASE_ID=bad RESULT=maybe`, which is not a signal: the result \
             `maybe` is not one of pass, fail, skip, unknown",
            "0_t/sh-ok pass",
            "0_t/sh-bad fail",
            "0_t/m pass 3.25 s",
            "complaint: the guest sent `TESTCASE TEST_CASE_ID=m2 RESULT=pass MEASUREMENT=notanumber`, which is not a \
             signal: the measurement `notanumber` is not a number",
            "0_t/spaces-in-cmd pass",
            "0_t/p fail",
            "lava/0_t pass",
            "over",
        ],
    );
}

#[test]
fn a_command_of_a_case_cannot_end_the_helper_or_the_run() {
    check(
        "run:
  steps:
  - lava-test-case exit1 --shell exit 1
  - lava-test-case exit0 --shell 'exit 0'
  - lava-test-case words --shell test 'a  b' = 'a  b'
  - lava-test-case script --shell 'for i in 1 2; do test $i -lt 3 || exit 1; done'
  - lava-test-case 'two words' --result pass
",
        &[
            "0_t/exit1 fail",
            "0_t/exit0 pass",
            "0_t/words pass",
            "0_t/script pass",
            "0_t/two_words pass",
            "lava/0_t pass",
            "over",
        ],
    );
}

#[test]
fn a_case_in_the_shell_of_the_steps_is_as_one_in_a_shell_of_its_own() {
    check(
        "run:
  steps:
  - result=kept; status=kept
  - lava-test-case changes --shell 'result=changed; cd /; exit 0'
  - lava-test-case kept --shell test $result/$status/${PWD##*/} = kept/kept/0_t
  - NAME=value lava-test-case environment --shell sh -c 'test \"$NAME\" = value'
  - lava-test-case gone --shell test -z \"${NAME:-}\"
  - lava-test-case errexit --shell 'set -e; false; true'
  - lava-test-case no-errexit --shell 'false; true'
  - lava-test-case traps --shell 'trap \"exit 1\" EXIT; true'
  - if lava-test-case in-if --shell false; then lava-test-case then --result pass; fi
  - for name in a b; do lava-test-case loop-$name --result pass | cat; done
  - lava-test-case input --shell read -r line < testdef.yaml
  - sh -c 'lava-test-case program --shell true'
  - IFS=, && set -u
  - lava-test-case separator --shell 'test $(printf %s $(echo a b)) = ab'
  - lava-test-case ifs --result pass --measurement 1 --units ms && test \"$IFS\" = ,
  - unset IFS
  - command -v install finish signal_of_nobody > names || true
  - lava-test-case names --shell '! grep -qx -e install -e finish names'
",
        &[
            "0_t/changes pass",
            "0_t/kept pass",
            "0_t/environment pass",
            "0_t/gone pass",
            "0_t/errexit fail",
            "0_t/no-errexit pass",
            "0_t/traps fail",
            "0_t/in-if fail",
            "0_t/then pass",
            "0_t/loop-a pass",
            "0_t/loop-b pass",
            "0_t/input pass",
            "0_t/program pass",
            "0_t/separator pass",
            "0_t/ifs pass 1 ms",
            "0_t/names pass",
            "lava/0_t pass",
            "over",
        ],
    );
}

#[test]
fn steps_that_ask_for_their_process_have_one() {
    for step in ["kill -9 $$", "sh -c 'kill -9 $PPID'"] {
        check(
            &format!(
                "run: {{steps: [lava-test-case a --result pass, \"{step}\", lava-test-case b --result pass]}}"
            ),
            &["0_t/a pass", "lava/0_t fail: the script ended with status 137 before its end", "over"],
        );
    }
}

#[test]
fn sets_references_events_feedback_and_brackets_arrive() {
    check(
        "run:
  steps:
  - lava-test-set start first
  - lava-test-case a --result pass
  - lava-test-set stop
  - lava-test-reference r --result fail --reference http://example.org/r
  - lava-test-event 'a > b  c'
  - lava-test-feedback other
  - lava-test-case 'x>y' --result pass
",
        &[
            "0_t/a pass in first",
            "0_t/r fail see http://example.org/r",
            "event: a ) b  c",
            "feedback: other",
            "0_t/x)y pass",
            "lava/0_t pass",
            "over",
        ],
    );
}

#[test]
fn expected_cases_decide_and_a_raise_ends_the_job() {
    check(
        "expected: [a, b]
run:
  steps:
  - lava-test-case a --result pass
  - lava-test-case c --result pass
",
        &[
            "0_t/a pass",
            "0_t/c fail: this case was not expected",
            "lava/0_t pass",
            "0_t/b fail: this case was expected and not reported",
            "over",
        ],
    );
    check(
        "run: {steps: [lava-test-raise no disk at all, lava-test-case a --result pass]}",
        &["lava/0_t fail: a test asked to end the job", "over: test-raised: no disk at all"],
    );
}

#[test]
fn a_step_that_fails_ends_its_test_and_the_next_one_runs() {
    each_shell(|guest| {
        let mut overlay = overlay(&guest);
        overlay.runs.push(test(
            0,
            "broken",
            "run: {steps: [lava-test-case a --result pass, 'false', lava-test-case b --result pass]}",
        ));
        overlay.runs.push(test(1, "whole", "run: {steps: [lava-test-case c --result pass]}"));
        assert_eq!(
            run_on_console(&guest, &overlay),
            [
                "0_broken/a pass",
                "lava/0_broken fail: the script ended with status 1 before its end",
                "1_whole/c pass",
                "lava/1_whole pass",
                "over",
            ]
        );
        // The stage is taken: a guest that starts over does not begin again.
        let again = guest.run(&format!("lava-test-runner {}/0", guest.root()));
        assert!(again.output.ends_with("<LAVA_TEST_RUNNER EXIT>\n"));
        assert!(!again.output.contains("STARTRUN"));
    });
}

#[test]
fn a_stage_that_the_host_repeats_is_run_whole_with_results_of_its_own() {
    each_shell(|guest| {
        let mut overlay = overlay(&guest);
        overlay.runs.push(test(0, "t", "run: {steps: [lava-test-case a --result pass, 'test ! -e gone']}"));
        assert_eq!(run_on_console(&guest, &overlay), ["0_t/a pass", "lava/0_t pass", "over"]);
        let folder = format!("{}/0/tests/0_t", guest.root());
        for (number, expected) in [(2, "ENDRUN 0_t"), (3, "RUN_EXIT 0_t 1")] {
            let again = guest.run(&format!("lava-test-runner {}/0 60 {number}", guest.root())).output;
            assert!(again.contains("STARTRUN 0_t") && again.contains(expected), "{again}");
            // A try that does not come to its end is not taken for the one before.
            assert_eq!(guest.run(&format!(": > {folder}/gone")).status, 0);
        }
    });
}

#[test]
fn parameters_and_environment_reach_the_steps_whatever_is_in_them() {
    each_shell(|guest| {
        let mut overlay = overlay(&guest);
        overlay.environment = vec![("QUOTED".to_owned(), "it's $HOME `x` \"y\"".to_owned())];
        let steps = r#"params: {GREETING: default, OTHER: kept}
run:
  steps:
  - lava-test-case greeting --shell test "$GREETING" = "it's me"
  - lava-test-case other --shell test "$OTHER" = kept
  - lava-test-case number --shell test "$N" = 3
  - lava-test-case quoted --shell test "$QUOTED" = 'it'\''s $HOME `x` "y"'
  - lava-test-case folder --shell test -f testdef.yaml
  - lava-test-case positional --shell "echo a b | sed 's/a/$1x/' | grep -q x"
"#;
        let mut run = test(0, "t", steps);
        run.parameters = [("GREETING", "it's me"), ("N", "3")].into_iter().collect::<Parameters>();
        overlay.runs.push(run);
        let expected = ["greeting", "other", "number", "quoted", "folder", "positional"]
            .map(|case| format!("0_t/{case} pass"));
        let told = run_on_console(&guest, &overlay);
        assert_eq!(told[..6], expected);
    });
}

#[test]
fn results_are_also_stored_in_the_guest() {
    each_shell(|guest| {
        let mut overlay = overlay(&guest);
        let steps = "run: {steps: [lava-test-case m --result pass --measurement 4 --units ms, 'exit 3']}";
        overlay.runs.push(test(0, "t", steps));
        run_on_console(&guest, &overlay);
        let stored = guest.run("cd lava-7/0/results/0_t-*; cat return_code results/m/result results/m/units results/m/measurement");
        assert_eq!(stored.output, "3\npass\nms\n4\n");
    });
}
