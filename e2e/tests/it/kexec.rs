//! A new kernel from the running one, on a real guest.

use std::time::Duration;

use e2e::{Guest, Results, Sandbox, need};

const LIMIT: Duration = Duration::from_secs(290);

#[test]
fn a_guest_starts_a_new_kernel_and_is_logged_in_to_again() {
    let guest = need!(Guest::find("arm64"));
    let kexec = need!(guest.kexec());
    let file = |name: &str, path: &std::path::Path| {
        format!("{name}: {{url: 'file://{}', format: file, path: /boot/{name}}}", path.display())
    };
    // `--no-checks`: the digest of the kernel, made without caches, takes an emulated processor most of a minute.
    let text = format!(
        "job_name: kexec\ndevice_type: qemu\nvisibility: public\n\
         timeouts: {{job: {{minutes: 12}}, action: {{minutes: 4}}, connection: {{minutes: 2}}}}\n\
         context: {{arch: arm64, memory: 512M}}\nactions:\n- deploy:\n    to: tmpfs\n    images:\n      \
         kernel: {{url: 'file://{kernel}', image_arg: '-kernel {{kernel}} -append \"console=ttyAMA0\"'}}\n      \
         ramdisk:\n        url: file://{initrd}\n        image_arg: '-initrd {{ramdisk}}'\n        format: cpio.newc\n        \
         overlays:\n          kexec: {{url: 'file://{kexec}', format: tar, path: /}}\n          {}\n          {}\n\
         - boot: &boot\n    method: qemu\n    media: tmpfs\n    prompts: ['root@guest:~#']\n    \
         auto_login: {{login_prompt: 'guest login:', username: root}}\n\
         - test: {{commands: ['! grep -q again /proc/cmdline']}}\n\
         - boot:\n    <<: *boot\n    method: kexec\n    boot_message: Linux version\n    \
         kernel: /boot/linux\n    initrd: /boot/initrd\n    \
         options: [--no-checks, '--command-line=\"console=ttyAMA0 again\"']\n\
         - test: {{commands: [grep -q again /proc/cmdline]}}\n",
        file("linux", &guest.kernel()),
        file("initrd", &guest.initrd()),
        kernel = guest.kernel().display(),
        initrd = guest.initrd().display(),
        kexec = kexec.display(),
    );
    let sandbox = Sandbox::new();
    let path = sandbox.write("job.yaml", text);
    let finished = sandbox.pumice(["run", "-q", "-o", "out", path.to_str().unwrap()], LIMIT);
    let results = Results::read(&sandbox.path().join("out"));
    assert_eq!(results.failure(), None, "{}", finished.stderr);
    let cases = results.cases();
    let count = |case: &str| cases.iter().filter(|one| *one == case).count();
    assert_eq!(count("lava/call-kexec pass"), 1, "{cases:?}");
    assert_eq!(count("lava/guest-commands pass"), 2, "{cases:?}");
    sandbox.is_empty_within(Duration::from_secs(2));
}
