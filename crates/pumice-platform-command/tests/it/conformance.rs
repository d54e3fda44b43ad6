//! The conformance suite, on two simulators that a declaration describes.

use std::path::Path;

use pumice_platform_command::CommandPlatform;
use pumice_testkit::{Refusal, Subject, device};

fn declared(says: &'static str, declaration: &str, refused: &str, words: &'static str) -> Subject {
    Subject {
        platform: Box::new(CommandPlatform),
        spec: device("command", "command", declaration),
        images: [].into(),
        says,
        refusal: Refusal { spec: device("command", "command", refused), words },
    }
}

/// A script with a console on its standard streams and a second one that it announces.
mod script {
    use super::{Subject, declared};

    const DECLARATION: &str = r#"
parameters:
  program: /bin/sh
  arguments:
  - -c
  - |
    mkfifo uart1
    echo "uart1 is at $PWD/uart1"
    exec 3<>uart1
    echo "script is ready"
    while read -r line; do echo "$line" >&3; done
  consoles:
  - {name: uart0, role: main, by: stdio}
  - {name: uart1, role: channel, by: announced-path, pattern: 'uart1 is at (?P<PATH>\S+)', device: /dev/ttyS1}
  stop:
  - {how: terminate, grace_seconds: 5}
"#;

    const REFUSED: &str = "
parameters:
  program: /bin/sh
  arguments: [-c, 'echo cannot find the model >&2; exit 3']
";

    #[expect(clippy::unnecessary_wraps, reason = "a subject may not be there; a shell always is")]
    fn subject() -> Result<Subject, String> {
        Ok(declared("script is ready\n", DECLARATION, REFUSED, "cannot find the model"))
    }

    pumice_testkit::conformance!(subject);
}

/// User-mode Linux: a real kernel in a program.
mod user_mode_linux {
    use super::{Path, Subject, declared};

    fn subject() -> Result<Subject, String> {
        let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests/uml");
        let (kernel, initramfs) = (guest.join("kernel"), guest.join("initrd.cpio.gz"));
        if !kernel.exists() || !initramfs.exists() {
            return Err("there is no guest; `cargo xtask guests` makes it".to_owned());
        }
        let declaration = format!(
            "parameters:\n  program: {}\n  arguments: [mem=96M, 'con0=fd:0,fd:1', con=null, ssl=null, \
             'uml_dir={{WORK_DIR}}']\n  overlay_initramfs: ramdisk\n",
            kernel.display()
        );
        // The refused machine has no initramfs, so that its kernel finds no root file system.
        let subject = declared("Linux version [0-9]", &declaration, &declaration, "Unable to mount root fs");
        Ok(subject.image("ramdisk", initramfs, "initrd={ramdisk}"))
    }

    pumice_testkit::conformance!(subject);
}
