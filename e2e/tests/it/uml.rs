//! Another simulator, from one file of data: User-mode Linux through the platform `command`.

use std::time::Duration;

use e2e::{Guest, Results, Sandbox, need};

#[test]
fn user_mode_linux_runs_a_job_through_its_declaration() {
    let guest = need!(Guest::find("uml"));
    let sandbox = Sandbox::new();
    // The guest's kernel is the program; it goes by the name that the device type gives it.
    let programs = sandbox.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    std::os::unix::fs::symlink(guest.kernel(), programs.join("linux.uml")).unwrap();
    let job = format!(
        "job_name: uml\ndevice_type: uml\nvisibility: public\n\
         timeouts: {{job: {{minutes: 5}}, action: {{minutes: 3}}, connection: {{minutes: 2}}}}\nactions:\n\
         - deploy:\n    to: tmpfs\n    images:\n      ramdisk: {{url: 'file://{}', image_arg: 'initrd={{ramdisk}}'}}\n\
         - boot:\n    method: command\n    prompts: ['root@guest:~#']\n    \
         auto_login: {{login_prompt: 'guest login:', username: root}}\n\
         - test:\n    definitions:\n    - from: inline\n      name: cases\n      path: cases.yaml\n      repository:\n        \
         metadata: {{format: Lava-Test Test Definition 1.0, name: cases, description: x}}\n        \
         run: {{steps: ['lava-test-case model --shell grep -q UML /proc/cpuinfo', 'lava-test-case no --result fail']}}\n",
        guest.initrd().display()
    );
    let path = sandbox.write("job.yaml", job);
    let mut command = sandbox.command("pumice", ["run", "-q", "-o", "out", path.to_str().unwrap()]);
    command.env("PATH", format!("{}:{}", programs.display(), std::env::var("PATH").unwrap()));
    let finished = sandbox.start(&mut command).wait(Duration::from_secs(200));
    assert_eq!(finished.status.code(), Some(100), "{}", finished.stderr);
    let tests = Results::read(&sandbox.path().join("out")).tests();
    assert_eq!(tests, ["0_cases/model pass", "0_cases/no fail"]);
    sandbox.is_empty_within(Duration::from_secs(2));
}
