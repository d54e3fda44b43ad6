//! Jobs that LAVA ran, with what it recorded of each: ours records the same (`../shared/corpus/runs`).

use std::{path::Path, time::Duration};

use e2e::{Guest, Results, Sandbox, need};
use serde_json::Value;

/// Where LAVA is at fault and we do better: `docs/lava-differences.md`, "Runs".
const BETTER: [&str; 2] = ["ft-repeat", "ft-boot-retry"];

/// The jobs; the one whose boot method nobody knows is refused before anything starts.
const JOBS: [&str; 10] = [
    "ft-testcases",
    "ft-two-defs",
    "ft-expected",
    "ft-reference",
    "ft-namespaces",
    "ft-no-test",
    "ft-repeat",
    "ft-boot-timeout",
    "ft-boot-retry",
    "ft-context-extra",
];

#[test]
fn jobs_that_lava_ran_record_the_same_cases_and_results() {
    let runs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/runs");
    if !runs.exists() {
        println!("skipped: there is no {}", runs.display());
        return;
    }
    let guest = need!(Guest::find("arm64"));
    let sandbox = Sandbox::new();
    let folder = sandbox.path().join("guest");
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(guest.kernel(), folder.join("Image-arm64")).unwrap();
    std::os::unix::fs::symlink(guest.initrd(), folder.join("initrd-arm64.cpio.gz")).unwrap();
    for name in JOBS {
        let text = std::fs::read_to_string(runs.join(format!("{name}.job.yaml"))).unwrap();
        let path = sandbox.write(&format!("{name}.yaml"), text.replace("@GUEST@", folder.to_str().unwrap()));
        let output = format!("out-{name}");
        let arguments = ["run", "-q", "-o", &output, path.to_str().unwrap()];
        let finished = sandbox.pumice(arguments, Duration::from_secs(250));
        let ours = Results::read(&sandbox.path().join(&output));
        let expected = std::fs::read_to_string(runs.join(format!("{name}.expected.json"))).unwrap();
        let expected: Value = serde_json::from_str(&expected).unwrap();
        if BETTER.contains(&name) {
            continue;
        }
        let case = |entry: &Value| {
            let text = |key: &str| entry[key].as_str().unwrap_or("lava").to_owned();
            format!("{}/{} {}", text("definition"), text("case"), text("result"))
        };
        let mut theirs: Vec<String> = expected["results"].as_array().unwrap().iter().map(case).collect();
        let mut tests = ours.tests();
        theirs.sort();
        tests.sort();
        assert_eq!(tests, theirs, "{name}: {}", finished.stderr);
        let mut theirs: Vec<String> = expected["lava"].as_array().unwrap().iter().map(case).collect();
        theirs.push(case(&expected["job"]));
        let own = ours.cases().into_iter().filter(|case| case.starts_with("lava/"));
        assert_eq!(own.collect::<Vec<_>>(), theirs, "{name}");
    }
}
