//! Test definitions that do not stand in the job: from git and from an archive, with what comes with them.

use std::{os::unix::fs::symlink, process::Command, time::Duration};

use e2e::{Guest, Job, Results, Sandbox, git_repository, need};
use fs_err as fs;

const LIMIT: Duration = Duration::from_secs(290);

/// A definition that wants two repositories beside it, one of which the job names.
const WITH_REPOSITORIES: &str = "metadata: {format: Lava-Test Test Definition 1.0, name: with-repositories}
params: {TOOLS: /nowhere}
install:
  git-repos: ['$TOOLS', {url: '${TOOLS}', branch: side, destination: lib/second}]
run:
  steps:
  - lava-test-case script --shell sh beside.sh
  - lava-test-case tool --shell sh tools/run.sh
  - lava-test-case second --shell test -f lib/second/run.sh -a -d lib/second/.git
";

const WITHOUT_THEM: &str = "metadata: {format: Lava-Test Test Definition 1.0, name: without-them}
install: {git-repos: [/nowhere]}
run: {steps: [lava-test-case skipped --shell test ! -e nowhere]}
";

/// It also has results that are found in its output, LAVA's old way; the last ones just before its end.
const IN_ARCHIVE: &str = r"metadata: {format: Lava-Test Test Definition 1.0, name: in-archive}
run:
  steps:
  - lava-test-case twin --shell cmp one two
  - lava-test-case empty --shell test -d void
  - for number in 1 2 3 4 5 6 7 8; do printf 'found-%s GOOD (%d.5 MB/s)\n' it $number; done
  - printf 'found-%s BAD\nlost-one GOOD\n' not
parse:
  pattern: '(?P<test_case_id>found-[a-z]+) (?P<result>[A-Z]+)(?: \((?P<measurement>[\d.]+) (?P<units>\S+)\))?'
  fixupdict: {GOOD: pass, BAD: fail}
";

#[test]
fn definitions_come_from_git_and_archives_with_all_that_belongs_to_them() {
    let guest = need!(Guest::find("arm64"));
    let sandbox = Sandbox::new();
    let (tests, tools) = (sandbox.path().join("tests"), sandbox.path().join("tools"));
    // The definition is found through a link, as collections of tests have them.
    fs::create_dir_all(tests.join("linux")).unwrap();
    symlink("../real/with.yaml", tests.join("linux/with.yaml")).unwrap();
    let beside = ("beside.sh", "exit 0\n");
    git_repository(&tests, &[("real/with.yaml", WITH_REPOSITORIES), ("without.yaml", WITHOUT_THEM), beside]);
    git_repository(&tools, &[("run.sh", "exit 0\n")]);
    let git = |words: &[&str]| Command::new("git").args(words).current_dir(&tools).status().unwrap();
    assert!(git(&["branch", "side"]).success());
    // Two names of one file, and a directory with nothing in it.
    let packed = sandbox.path().join("packed");
    fs::create_dir_all(packed.join("top/void")).unwrap();
    fs::write(packed.join("top/t.yaml"), IN_ARCHIVE).unwrap();
    fs::write(packed.join("top/one"), "same").unwrap();
    fs::hard_link(packed.join("top/one"), packed.join("top/two")).unwrap();
    let archive = sandbox.path().join("tests.tar.gz");
    let words = ["-C", packed.to_str().unwrap(), "top"];
    assert!(Command::new("tar").arg("-czf").arg(&archive).args(words).status().unwrap().success());

    let job = Job::arm64(&guest);
    let text = format!(
        "{}    - {{from: git, repository: '{tests}', name: cloned, path: linux/with.yaml, parameters: {{TOOLS: '{tools}'}}}}\n    \
         - {{from: git, repository: 'file://{tests}', name: skipping, path: without.yaml, skip_install: [git-repos]}}\n    \
         - {{from: url, repository: 'file://{archive}', compression: gz, strip-components: 1, name: unpacked, path: t.yaml}}\n",
        job.text(),
        tests = tests.display(),
        tools = tools.display(),
        archive = archive.display(),
    );
    let path = sandbox.write("job.yaml", text);
    let finished = sandbox.pumice(["run", "-q", "-o", "out", path.to_str().unwrap()], LIMIT);
    assert_eq!(finished.status.code(), Some(100), "{}{}", finished.stdout, finished.stderr);
    let expected = [
        "0_cases/one pass",
        "1_cloned/script pass",
        "1_cloned/tool pass",
        "1_cloned/second pass",
        "2_skipping/skipped pass",
        "3_unpacked/twin pass",
        "3_unpacked/empty pass",
    ];
    let found = ["3_unpacked/found-it pass"; 8].into_iter().chain(["3_unpacked/found-not fail"]);
    let expected: Vec<_> = expected.into_iter().chain(found).collect();
    assert_eq!(Results::read(&sandbox.path().join("out")).tests(), expected);
    sandbox.is_empty_within(Duration::from_secs(2));
}

/// Runs a job whose definition cannot be had, on a machine that is never started; says cause and message.
#[track_caller]
fn check_refused(source: &str, cause: &str, says: &str) {
    let guest = need!(Guest::find("arm64"));
    let sandbox = Sandbox::new();
    git_repository(&sandbox.path().join("tests"), &[("t.yaml", IN_ARCHIVE), ("secret.yaml", "x: 1\n")]);
    let tests = sandbox.path().join("tests");
    symlink("/etc/hostname", tests.join("outside.yaml")).unwrap();
    git_repository(&tests, &[]);
    let job = Job::arm64(&guest).text();
    let text =
        format!("{job}    - {{from: git, name: t, {}}}\n", source.replace('@', &tests.display().to_string()));
    let path = sandbox.write("job.yaml", text);
    let finished = sandbox.pumice(["run", "-q", "-o", "out", path.to_str().unwrap()], LIMIT);
    let failure = Results::read(&sandbox.path().join("out")).failure();
    let (found, _, message) = failure.unwrap_or_else(|| panic!("it must fail: {}", finished.stderr));
    assert_eq!(found, cause, "{message}");
    assert!(message.contains(says), "`{message}` does not say `{says}`");
}

#[test]
fn what_cannot_be_had_from_a_repository_is_told() {
    check_refused("repository: '@', path: nothing.yaml", "invalid-definition", "has no file `nothing.yaml`");
    check_refused("repository: '@', path: outside.yaml", "invalid-definition", "leads to no file in it");
    check_refused(
        "repository: '@', path: ../../x.yaml",
        "invalid-definition",
        "leaves its tree through `..`",
    );
    check_refused("repository: 'ext::sh -c id', path: t.yaml", "invalid-definition", "the scheme `ext::`");
    let option = "repository: '@', path: t.yaml, revision: --pathspec-from-file=/etc/hostname";
    check_refused(option, "invalid-definition", "begins with `-`");
}
