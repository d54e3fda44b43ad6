//! Jobs for the guests of `cargo xtask guests`.

use std::fmt::Write as _;

use crate::Guest;

/// A job that boots a guest and runs steps in it, to be changed where a test wants it otherwise.
pub struct Job {
    /// The kernel's URL.
    pub kernel: String,
    /// Further lines of the kernel's resource, for example a checksum.
    pub kernel_lines: Vec<String>,
    /// The pattern of the shell's prompt.
    pub prompt: String,
    /// How long the boot may take, in seconds.
    pub boot_seconds: u32,
    /// How long the tests may take, in seconds.
    pub test_seconds: u32,
    /// The steps of the definition `cases`.
    pub steps: Vec<String>,
    /// More lines at the top level.
    pub top: String,
    initrd: String,
    device_tree: Option<String>,
    /// The job's `context`, as a flow mapping.
    pub context: String,
}

impl Job {
    /// For the guest `arm64` on `virt`.
    pub fn arm64(guest: &Guest) -> Self {
        Self::new(guest, None, "{arch: arm64, memory: 512M}")
    }

    /// For the guest `armhf` on `vexpress-a15`.
    pub fn armhf(guest: &Guest) -> Self {
        let device_tree = format!("file://{}", guest.device_tree().display());
        let context =
            "{arch: arm, machine: vexpress-a15, cpu: cortex-a15, memory: 512M, model: model=lan9118}";
        Self::new(guest, Some(device_tree), context)
    }

    fn new(guest: &Guest, device_tree: Option<String>, context: &'static str) -> Self {
        Self {
            kernel: format!("file://{}", guest.kernel().display()),
            kernel_lines: Vec::new(),
            prompt: "root@guest:~#".to_owned(),
            boot_seconds: 240,
            test_seconds: 240,
            steps: vec!["lava-test-case one --result pass".to_owned()],
            top: String::new(),
            initrd: format!("file://{}", guest.initrd().display()),
            device_tree,
            context: context.to_owned(),
        }
    }

    /// With these steps.
    #[must_use]
    pub fn steps(mut self, steps: &[&str]) -> Self {
        self.steps = steps.iter().map(|step| (*step).to_owned()).collect();
        self
    }

    /// The definition.
    pub fn text(&self) -> String {
        let mut images = String::new();
        let mut image = |label: &str, url: &str, argument: &str, lines: &[String]| {
            let _ = write!(images, "      {label}:\n        url: {url}\n        image_arg: {argument}\n");
            for line in lines {
                let _ = writeln!(images, "        {line}");
            }
        };
        let append = r#"'-kernel {kernel} -append "console=ttyAMA0"'"#;
        image("kernel", &self.kernel, append, &self.kernel_lines);
        image("ramdisk", &self.initrd, "-initrd {ramdisk}", &[]);
        if let Some(device_tree) = &self.device_tree {
            image("dtb", device_tree, "-dtb {dtb}", &[]);
        }
        let steps: String = self.steps.iter().fold(String::new(), |mut text, step| {
            let _ = writeln!(text, "          - '{}'", step.replace('\'', "''"));
            text
        });
        format!(
            "job_name: end to end\ndevice_type: qemu\nvisibility: public\n\
             timeouts: {{job: {{minutes: 12}}, action: {{minutes: 5}}, connection: {{minutes: 2}}}}\n\
             context: {}\n{}actions:\n\
             - deploy:\n    to: tmpfs\n    timeout: {{minutes: 2}}\n    images:\n{images}\
             - boot:\n    method: qemu\n    media: tmpfs\n    timeout: {{seconds: {}}}\n    \
             prompts: ['{}']\n    auto_login: {{login_prompt: 'guest login:', username: root}}\n\
             - test:\n    timeout: {{seconds: {}}}\n    definitions:\n    - from: inline\n      name: cases\n      \
             path: inline/cases.yaml\n      repository:\n        \
             metadata: {{format: Lava-Test Test Definition 1.0, name: cases, description: cases}}\n        \
             run:\n          steps:\n{steps}",
            self.context, self.top, self.boot_seconds, self.prompt, self.test_seconds,
        )
    }
}
