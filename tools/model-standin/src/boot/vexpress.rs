//! A device tree for QEMU's `vexpress-a15`, written from the machine's memory map.
//!
//! Used when the tree on the command line describes hardware that QEMU lacks: an RTSM's names an SMSC 91C111 and
//! clusters of A7s, and QEMU has a LAN9118 and up to four A15s at the same addresses (reference 9.2). Addresses and
//! interrupts: Motherboard Express uATX technical reference (DUI0447), "RS1" map; QEMU `hw/arm/vexpress.c` adds the
//! virtio slots, the memory size and `/chosen` by itself.

use super::fdt::{Cell, Node};

const GIC: u32 = 1;
const CLOCK_24MHZ: u32 = 2;
const SUPPLY_3V3: u32 = 3;
const SYSREG: u32 = 4;

/// Level-high shared peripheral interrupt.
const fn spi(number: u32) -> [u32; 3] {
    [0, number, 4]
}

fn device(name: &str, compatible: &[&str], address: u32, size: u32) -> Node {
    Node::new(name)
        .with("compatible", &Cell::Strings(compatible))
        .with("reg", &Cell::Numbers(&[0, address, 0, size]))
}

/// An Arm PrimeCell on the 24 MHz clock.
fn primecell(name: &str, part: &str, address: u32, interrupts: &[u32], clocks: &[&str]) -> Node {
    device(name, &[part, "arm,primecell"], address, 0x1000)
        .with("interrupts", &Cell::Numbers(interrupts))
        .with("clocks", &Cell::Numbers(&vec![CLOCK_24MHZ; clocks.len()]))
        .with("clock-names", &Cell::Strings(clocks))
}

/// The tree, with that many cores.
pub(super) fn tree(model: &str, cores: usize) -> Node {
    let mut cpus = Node::new("cpus")
        .with("#address-cells", &Cell::Numbers(&[1]))
        .with("#size-cells", &Cell::Numbers(&[0]));
    for core in 0..u32::try_from(cores).unwrap_or(1) {
        cpus = cpus.child(
            Node::new(&format!("cpu@{core}"))
                .with("device_type", &Cell::Strings(&["cpu"]))
                .with("compatible", &Cell::Strings(&["arm,cortex-a15"]))
                .with("reg", &Cell::Numbers(&[core])),
        );
    }
    Node::new("")
        .with("model", &Cell::Strings(&[model]))
        .with(
            "compatible",
            &Cell::Strings(&["arm,vexpress,v2p-ca15,tc1", "arm,vexpress,v2p-ca15", "arm,vexpress"]),
        )
        .with("interrupt-parent", &Cell::Numbers(&[GIC]))
        .with("#address-cells", &Cell::Numbers(&[2]))
        .with("#size-cells", &Cell::Numbers(&[2]))
        .child(Node::new("chosen"))
        .child(aliases())
        .child(cpus)
        .child(
            Node::new("memory@80000000")
                .with("device_type", &Cell::Strings(&["memory"]))
                .with("reg", &Cell::Numbers(&[0, 0x8000_0000, 0, 0x4000_0000])),
        )
        .child(gic())
        .child(
            Node::new("timer").with("compatible", &Cell::Strings(&["arm,armv7-timer"])).with(
                "interrupts",
                &Cell::Numbers(&[1, 13, 0xf08, 1, 14, 0xf08, 1, 11, 0xf08, 1, 10, 0xf08]),
            ),
        )
        .child(
            Node::new("clock-24mhz")
                .with("compatible", &Cell::Strings(&["fixed-clock"]))
                .with("#clock-cells", &Cell::Numbers(&[0]))
                .with("clock-frequency", &Cell::Numbers(&[24_000_000]))
                .with("phandle", &Cell::Numbers(&[CLOCK_24MHZ])),
        )
        .child(
            Node::new("regulator-3v3")
                .with("compatible", &Cell::Strings(&["regulator-fixed"]))
                .with("regulator-name", &Cell::Strings(&["3V3"]))
                .with("regulator-min-microvolt", &Cell::Numbers(&[3_300_000]))
                .with("regulator-max-microvolt", &Cell::Numbers(&[3_300_000]))
                .with("regulator-always-on", &Cell::Empty)
                .with("phandle", &Cell::Numbers(&[SUPPLY_3V3])),
        )
        .child(system_control())
        .child(motherboard())
}

fn aliases() -> Node {
    (0..4_u32).fold(Node::new("aliases"), |aliases, uart| {
        let path = format!("/motherboard/serial@1c{:02x}0000", 9 + uart);
        aliases.with(&format!("serial{uart}"), &Cell::Strings(&[&path]))
    })
}

fn gic() -> Node {
    // QEMU looks for the second of these words before it adds virtio slots.
    Node::new("interrupt-controller@2c001000")
        .with("compatible", &Cell::Strings(&["arm,cortex-a15-gic", "arm,cortex-a9-gic"]))
        .with("#interrupt-cells", &Cell::Numbers(&[3]))
        .with("#address-cells", &Cell::Numbers(&[0]))
        .with("interrupt-controller", &Cell::Empty)
        .with(
            "reg",
            &Cell::Numbers(&[
                0,
                0x2c00_1000,
                0,
                0x1000,
                0,
                0x2c00_2000,
                0,
                0x2000,
                0,
                0x2c00_4000,
                0,
                0x2000,
                0,
                0x2c00_6000,
                0,
                0x2000,
            ]),
        )
        .with("interrupts", &Cell::Numbers(&[1, 9, 0xf04]))
        .with("phandle", &Cell::Numbers(&[GIC]))
}

/// Power-off and reset go through the motherboard's configuration registers (functions 8 and 9, DUI0447 4.3).
fn system_control() -> Node {
    let function = |name: &str, compatible: &str, number: u32| {
        Node::new(name)
            .with("compatible", &Cell::Strings(&[compatible]))
            .with("arm,vexpress-sysreg,func", &Cell::Numbers(&[number, 0]))
    };
    Node::new("mcc")
        .with("compatible", &Cell::Strings(&["arm,vexpress,config-bus"]))
        .with("arm,vexpress,config-bridge", &Cell::Numbers(&[SYSREG]))
        .child(function("reset", "arm,vexpress-reset", 5))
        .child(function("shutdown", "arm,vexpress-shutdown", 8))
        .child(function("reboot", "arm,vexpress-reboot", 9))
}

fn motherboard() -> Node {
    let mut board = Node::new("motherboard")
        .with("compatible", &Cell::Strings(&["simple-bus"]))
        .with("#address-cells", &Cell::Numbers(&[2]))
        .with("#size-cells", &Cell::Numbers(&[2]))
        .with("ranges", &Cell::Empty)
        .child(
            device("sysreg@1c010000", &["arm,vexpress-sysreg"], 0x1c01_0000, 0x1000)
                .with("phandle", &Cell::Numbers(&[SYSREG])),
        )
        .child(
            device("flash@8000000", &["arm,vexpress-flash", "cfi-flash"], 0x0800_0000, 0x0400_0000)
                .with("bank-width", &Cell::Numbers(&[4])),
        )
        .child(
            device("flash@c000000", &["arm,vexpress-flash", "cfi-flash"], 0x0c00_0000, 0x0400_0000)
                .with("bank-width", &Cell::Numbers(&[4])),
        )
        .child(ethernet())
        .child(
            primecell(
                "mmc@1c050000",
                "arm,pl180",
                0x1c05_0000,
                &[spi(9), spi(10)].concat(),
                &["mclk", "apb_pclk"],
            )
            .with("max-frequency", &Cell::Numbers(&[12_000_000]))
            .with("vmmc-supply", &Cell::Numbers(&[SUPPLY_3V3])),
        )
        .child(primecell("rtc@1c170000", "arm,pl031", 0x1c17_0000, &spi(4), &["apb_pclk"]));
    for uart in 0..4 {
        let name = format!("serial@1c{:02x}0000", 9 + uart);
        let address = 0x1c09_0000 + uart * 0x1_0000;
        board = board.child(primecell(&name, "arm,pl011", address, &spi(5 + uart), &["uartclk", "apb_pclk"]));
    }
    board
}

fn ethernet() -> Node {
    device("ethernet@1a000000", &["smsc,lan9118", "smsc,lan9115"], 0x1a00_0000, 0x1_0000)
        .with("interrupts", &Cell::Numbers(&spi(15)))
        .with("phy-mode", &Cell::Strings(&["mii"]))
        .with("reg-io-width", &Cell::Numbers(&[4]))
        .with("smsc,irq-active-high", &Cell::Empty)
        .with("smsc,irq-push-pull", &Cell::Empty)
        .with("vdd33a-supply", &Cell::Numbers(&[SUPPLY_3V3]))
        .with("vddvario-supply", &Cell::Numbers(&[SUPPLY_3V3]))
}
