//! What the emulated boards offer beyond their first UART.

use crate::arguments::option;

/// How the signals of the tests leave a board without sharing its console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpareUart {
    /// A UART the board has anyway: the second `-serial`.
    Second {
        /// Its device in a Linux guest.
        device: &'static str,
    },
    /// A UART on the PCI bus, driven by `8250_pci`, which stock arm64 kernels have built in.
    Pci {
        /// Its device in a Linux guest.
        device: &'static str,
    },
}

/// The board a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Board {
    /// The target: the part of the program's name behind `qemu-system-`.
    pub(crate) target: String,
    /// The machine's name, without its properties.
    pub(crate) machine: Option<String>,
}

impl Board {
    /// Reads it from the program and its words.
    pub(crate) fn read<'a>(program: &str, words: impl Iterator<Item = &'a str> + Clone) -> Self {
        let name = program.rsplit('/').next().unwrap_or(program);
        let target = name.strip_prefix("qemu-system-").unwrap_or(name).to_owned();
        let machine = option(words, &["M", "machine"]).map(|value| {
            let first = value.split(',').next().unwrap_or(value);
            first.strip_prefix("type=").unwrap_or(first).to_owned()
        });
        Self { target, machine }
    }

    /// Its spare UART. Tried with Debian 12's stock kernels (design, decision 1).
    pub(crate) fn spare_uart(&self) -> Option<SpareUart> {
        match (self.target.as_str(), self.machine.as_deref()) {
            ("aarch64" | "arm" | "riscv64" | "riscv32", Some(machine)) if machine.starts_with("virt") => {
                // On riscv the first UART is an 8250 already and takes ttyS0.
                let device = if self.target.starts_with("riscv") { "/dev/ttyS1" } else { "/dev/ttyS0" };
                Some(SpareUart::Pci { device })
            }
            (
                "arm",
                Some("vexpress-a15" | "vexpress-a9" | "versatilepb" | "versatileab" | "realview-pb-a8"),
            ) => Some(SpareUart::Second { device: "/dev/ttyAMA1" }),
            ("x86_64" | "i386", None) => Some(SpareUart::Second { device: "/dev/ttyS1" }),
            ("x86_64" | "i386", Some(machine)) if machine.starts_with("pc") || machine.starts_with("q35") => {
                Some(SpareUart::Second { device: "/dev/ttyS1" })
            }
            _ => None,
        }
    }

    /// Whether `if=virtio` works for a drive: boards without PCI need the virtio-mmio device by name.
    pub(crate) fn has_pci(&self) -> bool {
        !self.machine.as_deref().is_some_and(|machine| machine.starts_with("vexpress"))
    }

    /// The architecture as LAVA's results call it (`job_arch`).
    pub(crate) fn architecture(&self) -> &str {
        match self.target.as_str() {
            "aarch64" => "arm64",
            "x86_64" => "amd64",
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_known_board_has_its_spare_uart() {
        let check = |program, words: &[&str], expected| {
            assert_eq!(Board::read(program, words.iter().copied()).spare_uart(), expected, "{program}");
        };
        let pci = |device| Some(SpareUart::Pci { device });
        let second = |device| Some(SpareUart::Second { device });
        check("qemu-system-aarch64", &["-machine", "virt,gic-version=3"], pci("/dev/ttyS0"));
        check("/usr/bin/qemu-system-arm", &["-M", "vexpress-a15"], second("/dev/ttyAMA1"));
        check("qemu-system-arm", &["-machine", "type=virt"], pci("/dev/ttyS0"));
        check("qemu-system-x86_64", &[], second("/dev/ttyS1"));
        check("qemu-system-x86_64", &["-M", "microvm"], None);
        check("qemu-system-riscv64", &["-M", "virt"], pci("/dev/ttyS1"));
        check("qemu-system-m68k", &["-M", "mcf5208evb"], None);
    }
}
