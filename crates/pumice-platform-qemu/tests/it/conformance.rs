//! The conformance suite, on a firmware of nine words: no kernel is needed to say something and stay.

use std::{fs, path::PathBuf};

use pumice_platform_qemu::Qemu;
use pumice_testkit::{Refusal, Subject, device};

/// Writes the text behind it to the first UART of `virt` and waits for ever. A64 (Arm ARM DDI 0487, C6.2); the
/// data register of the PL011 is at `0x0900_0000` (QEMU, hw/arm/virt.c, `VIRT_UART0`).
const FIRMWARE: [u32; 8] = [
    0xd2a1_2000, // movz x0, #0x900, lsl #16
    0x1000_00e1, // adr  x1, text
    0x3840_1422, // next: ldrb w2, [x1], #1
    0x3400_0062, // cbz  w2, stay
    0xb900_0002, // str  w2, [x0]
    0x17ff_fffd, // b    next
    0xd503_207f, // stay: wfi
    0x17ff_ffff, // b    stay
];

const TEXT: &[u8] = b"firmware is ready\r\n\0";

/// The firmware as a file that all tests share: the name is what is in it.
fn firmware() -> Result<PathBuf, String> {
    let bytes: Vec<u8> =
        FIRMWARE.into_iter().flat_map(u32::to_le_bytes).chain(TEXT.iter().copied()).collect();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("conformance-firmware.bin");
    if fs::read(&path).is_ok_and(|there| there == bytes) {
        return Ok(path);
    }
    let fresh = path.with_extension(std::process::id().to_string());
    fs::write(&fresh, &bytes).and_then(|()| fs::rename(&fresh, &path)).map_err(|error| error.to_string())?;
    Ok(path)
}

fn subject() -> Result<Subject, String> {
    let spec = device(
        "qemu",
        "qemu",
        "parameters:\n  command: qemu-system-aarch64\n  options: [-machine virt, -cpu cortex-a57, -m 16, -nographic]\n",
    );
    let refused = device(
        "qemu",
        "qemu",
        "parameters:\n  command: qemu-system-aarch64\n  options: [-machine no-such-board, -nographic]\n",
    );
    let subject = Subject {
        platform: Box::new(Qemu),
        spec,
        images: [].into(),
        says: "firmware is ready\r\n",
        refusal: Refusal { spec: refused, words: "unsupported machine type" },
    };
    Ok(subject.image("firmware", firmware()?, "-bios {firmware}"))
}

pumice_testkit::conformance!(subject);
