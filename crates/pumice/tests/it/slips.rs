//! Slips of people who write jobs by hand: `pumice check` finds each at its line, says it once, and says what was meant.

use std::{fs, process::Command};

use serde_json::Value as Json;

const JOB: &str = "\
job_name: q1
device_type: qemu
visibility: public
timeouts:
  job:
    minutes: 20
  action:
    minutes: 5
context:
  arch: arm64
actions:
- deploy:
    to: tmpfs
    os: oe
    images:
      kernel:
        url: file:///imgs/Image
        image_arg: '-kernel {kernel}'
- boot:
    method: qemu
    media: tmpfs
    prompts: ['root@.*# ']
    auto_login:
      login_prompt: 'login:'
      username: root
- test:
    timeout:
      minutes: 3
    definitions:
    - from: inline
      name: t
      path: inline/t.yaml
      repository:
        metadata:
          format: Lava-Test Test Definition 1.0
          name: t
          description: d
        run:
          steps:
          - lava-test-case a --result pass
    - from: git
      name: g
      path: g.yaml
      repository: https://example.com/g.git
";

/// A slip: what stands in the job, what is written instead, and the first error: its code, its line and what is
/// suggested, if anything.
type Slip = (&'static str, &'static str, &'static str, u64, Option<&'static str>);

const SLIPS: &[Slip] = &[
    // YAML.
    ("  job:\n    minutes: 20", "  job:\n\tminutes: 20", "yaml-syntax", 6, None),
    ("    media: tmpfs", "   media: tmpfs", "yaml-syntax", 21, None),
    ("device_type: qemu", "device_type qemu", "yaml-syntax", 2, None),
    ("job_name: q1", "job_name:q1", "yaml-syntax", 2, None),
    ("actions:\n- deploy:", "actions:\n  deploy:", "yaml-syntax", 19, None),
    ("['root@.*# ']", "['root@.*# '", "yaml-syntax", 23, None),
    ("description: d", "description: d: e", "yaml-syntax", 37, None),
    ("job_name: q1", "job_name: %q1", "yaml-syntax", 1, None),
    ("['root@.*# ']", "[*# ]", "yaml-syntax", 22, None),
    // Lists, mappings, kinds.
    ("timeouts:\n  job:", "timeouts:\n- job:", "wrong-type", 5, None),
    ("- boot:\n    method", "- boot:\n- boot:\n    method", "wrong-type", 19, None),
    ("username: root", "username: yes", "wrong-type", 25, None),
    ("job_name: q1", "job_name: 12", "wrong-type", 1, None),
    ("visibility: public", "visibility: public\ntags: fast", "wrong-type", 4, None),
    ("visibility: public", "visibility: public\npriority: '50'", "wrong-value", 4, Some("50")),
    ("visibility: public", "visibility: private", "wrong-value", 3, None),
    // Times.
    ("minutes: 3", "minute: 3", "unknown-key", 28, Some("minutes")),
    ("minutes: 3", "minutes: 3\n      seconds: 5", "timeout-units", 29, None),
    ("\n      minutes: 3", " 3m", "wrong-type", 27, Some("{minutes: 3}")),
    ("\n      minutes: 3", " 180", "wrong-type", 27, Some("{seconds: 180}")),
    ("minutes: 3", "minutes: three", "wrong-type", 28, None),
    ("  job:\n    minutes: 20\n", "", "missing-key", 4, None),
    // Words.
    ("to: tmpfs", "to: tmpf", "unknown-method", 13, Some("tmpfs")),
    ("to: tmpfs", "to: tftp", "needs-board", 13, None),
    ("method: qemu", "method: qemuu", "unknown-method", 20, Some("qemu")),
    ("method: qemu", "method: u-boot", "needs-board", 20, None),
    ("device_type: qemu", "devicetype: qemu", "unknown-key", 2, Some("device_type")),
    ("device_type: qemu", "device_type: qmu", "no-device", 2, Some("qemu")),
    ("arch: arm64", "arch: arm46", "architecture", 10, Some("arm64")),
    ("arch: arm64", "arch: arm64\n  memry: 512", "unknown-key", 11, Some("memory")),
    ("login_prompt:", "login_promt:", "unknown-key", 24, Some("login_prompt")),
    ("- boot:", "- boots:", "unknown-key", 19, Some("boot")),
    ("from: git", "from: gti", "unknown-method", 41, Some("git")),
    // Files.
    (
        "    images:\n      kernel:\n        url: file:///imgs/Image\n        image_arg: '-kernel {kernel}'\n",
        "",
        "missing-key",
        12,
        None,
    ),
    ("url: file", "ulr: file", "unknown-key", 17, Some("url")),
    ("file:///imgs/Image", "/imgs/Image", "url", 17, None),
    ("file:///imgs/Image", "htp://x/Image", "url", 17, Some("http://x/Image")),
    ("        image_arg", "        compression: gzip\n        image_arg", "wrong-value", 18, Some("gz")),
    ("        image_arg", "        overlays: {lava: true}\n        image_arg", "missing-key", 16, None),
    ("        image_arg", "        md5sum: abc\n        image_arg", "checksum", 18, None),
    // Blocks together.
    ("- boot:\n", "- test: {commands: [ls]}\n- boot:\n", "test-before-boot", 19, None),
    ("- test:\n", "- test:\n    connection-namespace: other\n", "test-before-boot", 26, None),
    ("name: g\n", "name: t\n", "duplicate-name", 42, None),
    (
        "    method: qemu",
        "    repeat: 2\n    failure_retry: 2\n    method: qemu",
        "repeat-and-retry",
        21,
        None,
    ),
    ("- boot:\n    method", "- boot:\n    namespace: b\n    method", "namespace", 12, None),
    // Patterns.
    ("root@.*# ", "root@(.*# ", "bad-pattern", 22, None),
];

#[test]
fn each_slip_is_found_at_its_line_and_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let paths = SLIPS.iter().enumerate().map(|(index, (from, to, ..))| {
        assert_eq!(JOB.matches(from).count().min(1), 1, "{from}");
        let path = directory.path().join(format!("{index:02}.yaml"));
        fs::write(&path, JOB.replacen(from, to, 1)).unwrap();
        path
    });
    let paths: Vec<_> = paths.collect();
    let checked = Command::new(env!("CARGO_BIN_EXE_pumice"))
        .args(["check", "--format", "json"])
        .args(&paths)
        .output()
        .unwrap();
    let found: Json = serde_json::from_slice(&checked.stdout).unwrap();
    let mut wrong = Vec::new();
    for ((from, to, code, line, meant), job) in SLIPS.iter().zip(found["jobs"].as_array().unwrap()) {
        let diagnostics = job["diagnostics"].as_array().unwrap();
        let errors: Vec<_> = diagnostics.iter().filter(|one| one["severity"] == "error").collect();
        let first = errors.first().map_or(&Json::Null, |one| one);
        let meets =
            first["code"] == *code && first["line"] == *line && first["suggestion"].as_str() == *meant;
        let mut places: Vec<_> =
            errors.iter().map(|one| (one["line"].as_u64(), one["column"].as_u64())).collect();
        places.dedup();
        if !meets || places.len() != errors.len() {
            wrong.push(format!("{from:?} -> {to:?}: wanted {code} at {line} ({meant:?}), found {errors:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
