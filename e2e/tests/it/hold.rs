//! A run that holds its machine when a test fails, and what a person does with it meanwhile.

use std::{fs, time::Duration};

use e2e::{Running, Sandbox, ShellMachine};

const LIMIT: Duration = Duration::from_secs(60);

/// A test that fails, so that the machine is kept.
const FAILS: &str = "- test:\n    interactive:\n    - name: check\n      prompts: ['root@guest:~#']\n      script:\n      \
                     - {name: bad, command: 'echo no', successes: [{message: yes-indeed}]}\n";

/// A run that holds.
struct Held<'a> {
    sandbox: &'a Sandbox,
    running: Running,
}

impl<'a> Held<'a> {
    fn start(sandbox: &'a Sandbox, machine: &ShellMachine, says: &str) -> Self {
        let [device, job] = machine.write(sandbox);
        let mut arguments = vec!["run", "--console", "-o", "out", "--device", device.to_str().unwrap()];
        arguments.push(job.to_str().unwrap());
        let mut running = sandbox.start(&mut sandbox.command("pumice", arguments));
        running.wait_for(says, LIMIT);
        Self { sandbox, running }
    }

    /// `pumice machine WORDS`: exit code and both outputs.
    fn machine<const N: usize>(&self, words: [&str; N]) -> (Option<i32>, String, String) {
        let finished = self.sandbox.pumice(["machine"].into_iter().chain(words), LIMIT);
        (finished.status.code(), finished.stdout, finished.stderr)
    }
}

fn holding() -> ShellMachine {
    ShellMachine {
        timeouts: "{job: {minutes: 2}, action: {minutes: 1}, connection: {minutes: 1}, hold: {minutes: 30}}"
            .to_owned(),
        blocks: FAILS.to_owned(),
        ..ShellMachine::default()
    }
}

#[test]
fn a_machine_whose_test_failed_is_kept_until_it_is_released() {
    let sandbox = Sandbox::new();
    let held = Held::start(&sandbox, &holding(), "held for");
    let (code, listed, _) = held.machine(["list", "out"]);
    assert_eq!(code, Some(0));
    assert!(
        listed.contains("common") && listed.contains("running") && listed.contains("a test failed"),
        "{listed}"
    );

    // A command's lines and status, and what the guest's shell would trip over.
    let (code, said, _) = held.machine(["exec", "out", "echo one; echo \"it's two\"; exit 3"]);
    assert_eq!((code, said.as_str()), (Some(3), "one\nit's two\n"));
    let (code, said, _) = held.machine(["exec", "out", "printf", "%s|", "a b", "$HOME"]);
    assert_eq!((code, said.as_str()), (Some(0), "a b|$HOME|\n"));
    let (code, ..) = held.machine(["exec", "out", "if then"]);
    assert_eq!(code, Some(2), "a mistake of syntax is the command's own");

    // Every byte there is goes in and comes out, over several pieces.
    let blob: Vec<u8> =
        (0..40_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2..].to_vec()).collect();
    sandbox.write("blob", &blob);
    let place = sandbox.path().join("in-the-guest");
    let (code, _, said) = held.machine(["push", "out", "blob", place.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    assert!(fs::read(&place).unwrap() == blob);
    let (code, _, said) = held.machine(["pull", "out", place.to_str().unwrap(), "back"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(fs::read(sandbox.path().join("back")).unwrap() == blob);
    let (code, _, said) = held.machine(["pull", "out", "/no/such"]);
    assert_eq!(code, Some(101));
    assert!(said.contains("the guest cannot read `/no/such`"), "{said}");

    // Stopped, it is started again as the job says.
    assert_eq!(held.machine(["stop", "out"]).0, Some(0));
    let (_, listed, _) = held.machine(["list", "out"]);
    assert!(listed.contains("stopped"), "{listed}");
    let (_, _, said) = held.machine(["exec", "out", "true"]);
    assert!(said.contains("the machine `common` does not run") && said.contains("start it first"), "{said}");
    assert_eq!(held.machine(["start", "out"]).0, Some(0));
    assert_eq!(held.machine(["exec", "out", "echo again"]).1, "again\n");

    assert_eq!(held.machine(["release", "out"]).0, Some(0));
    let finished = held.running.wait(LIMIT);
    assert_eq!(finished.status.code(), Some(100), "the verdict is that of the tests: {}", finished.stderr);
    let (_, _, said) = {
        let done = sandbox.pumice(["machine", "list", "out"], LIMIT);
        (done.status.code(), done.stdout, done.stderr)
    };
    assert!(said.contains("no run can be reached in `out`"), "{said}");
    sandbox.is_empty_within(Duration::from_secs(2));
}

#[test]
fn while_the_job_uses_its_machine_people_read_and_type_and_no_more() {
    let sandbox = Sandbox::new();
    let machine = ShellMachine {
        blocks: "- test:\n    interactive:\n    - name: wait\n      prompts: ['never-comes']\n      script:\n      \
                 - {name: sent, command: echo now-waiting, successes: [{message: typed-by-hand}]}\n"
            .to_owned(),
        ..ShellMachine::default()
    };
    let held = Held::start(&sandbox, &machine, "now-waiting");
    let (_, _, said) = held.machine(["exec", "out", "true"]);
    assert!(said.contains("the job uses its machines itself now"), "{said}");
    // What is typed by hand is what the test waits for.
    let mut attach = sandbox.command("pumice", ["attach", "out"]);
    attach.stdin(fs::File::open(sandbox.write("keys", "echo typed-by-'hand' never-'comes'\n")).unwrap());
    let attached = sandbox.start(&mut attach);
    let finished = held.running.wait(LIMIT);
    assert!(finished.stderr.contains("0_wait/sent"), "{}", finished.stderr);
    let seen = attached.wait(LIMIT);
    assert!(seen.stdout.contains("typed-by-hand"), "{}", seen.stdout);
    sandbox.is_empty_within(Duration::from_secs(2));
}

#[test]
fn whoever_asks_nonsense_is_told_so_and_disturbs_nobody() {
    use std::io::{Read as _, Write as _};
    let sandbox = Sandbox::new();
    let held = Held::start(&sandbox, &holding(), "held for");
    let socket = sandbox.path().join("out/control.sock");
    for (sent, says) in [
        ("\n".to_owned(), "the request cannot be read"),
        ("{\"pumice-control\": 9, \"do\": \"list\"}\n".to_owned(), "version 9 of the control protocol"),
        ("{\"pumice-control\": 1, \"do\": \"fly\"}\n".to_owned(), "unknown variant `fly`"),
        ("{\"pumice-control\": 1, \"do\": \"stop\", \"machine\": \"other\"}\n".to_owned(), "there is no machine `other`"),
        ("{\"pumice-control\": 1, \"do\": \"console\", \"console\": \"x\"}\n".to_owned(), "has no console `x`"),
        (
            "{\"pumice-control\": 1, \"do\": \"push\", \"to\": {\"guest\": \"/x\"}, \"size\": 1, \"sha256\": \"../../x\"}\n".to_owned(),
            "is no SHA-256",
        ),
        ("x".repeat(100_000), "no line of at most"),
    ] {
        let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        // A run that has heard enough may hang up before all is sent.
        drop(stream.write_all(sent.as_bytes()));
        drop(stream.shutdown(std::net::Shutdown::Write));
        let mut answer = String::new();
        drop(stream.read_to_string(&mut answer));
        assert!(answer.contains(says), "`{answer}` does not say `{says}`");
    }
    assert_eq!(held.machine(["release", "out"]).0, Some(0));
    assert_eq!(held.running.wait(LIMIT).status.code(), Some(100));
    sandbox.is_empty_within(Duration::from_secs(2));
}
