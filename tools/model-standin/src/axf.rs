//! A boot-wrapper AXF to give to the stand-in.
//!
//! The real `linux-system-semi.axf` is somebody else's. Ours is a small, true program for the bare machine that says
//! through semihosting what it is and ends; the stand-in starts the kernel that its command line names instead of
//! running it (reference 3.4).

/// The instruction set of an AXF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isa {
    Arm,
    Arm64,
}

/// Where it is linked: in the first bank of memory of every platform.
const LOAD_ADDRESS: u32 = 0x8000_8000;
const TEXT: &[u8] =
    b"[bootwrapper] this AXF loads a kernel on model-standin only\n[bootwrapper] BOOT FAILED\n\0";
/// `ADP_Stopped_ApplicationExit` (Arm semihosting specification, `SYS_EXIT`).
const APPLICATION_EXIT: u32 = 0x2_0026;

/// The whole file: an ELF header, one program header, code and text (System V ABI, gABI chapter 4).
pub(crate) fn build(isa: Isa) -> Vec<u8> {
    let code = match isa {
        Isa::Arm => arm(),
        Isa::Arm64 => arm64(),
    };
    let wide = isa == Isa::Arm64;
    let (header_bytes, program_bytes) = if wide { (64_u32, 56_u32) } else { (52, 32) };
    let offset = header_bytes + program_bytes;
    let length = u32::try_from(code.len()).unwrap_or(0);
    let mut file = vec![0x7f, b'E', b'L', b'F', if wide { 2 } else { 1 }, 1, 1];
    file.resize(16, 0);
    let half = |file: &mut Vec<u8>, value: u16| file.extend(value.to_le_bytes());
    let word = |file: &mut Vec<u8>, value: u32| file.extend(value.to_le_bytes());
    let address = |file: &mut Vec<u8>, value: u32| {
        if wide {
            file.extend(u64::from(value).to_le_bytes());
        } else {
            file.extend(value.to_le_bytes());
        }
    };
    half(&mut file, 2);
    half(&mut file, if wide { 183 } else { 40 });
    word(&mut file, 1);
    address(&mut file, LOAD_ADDRESS);
    address(&mut file, header_bytes);
    address(&mut file, 0);
    word(&mut file, if wide { 0 } else { 0x0500_0000 });
    for value in [header_bytes, program_bytes, 1, 0, 0, 0] {
        half(&mut file, u16::try_from(value).unwrap_or(0));
    }
    word(&mut file, 1);
    if wide {
        word(&mut file, 5);
    }
    for value in [offset, LOAD_ADDRESS, LOAD_ADDRESS, length, length] {
        address(&mut file, value);
    }
    if !wide {
        word(&mut file, 5);
    }
    address(&mut file, 4);
    file.extend(code);
    file
}

/// `SYS_WRITE0` of the text, then `SYS_EXIT`.
fn arm() -> Vec<u8> {
    let words = [
        0xe3a0_0004, // mov r0, #4
        0xe28f_1014, // adr r1, text
        0xef12_3456, // svc 0x123456
        0xe3a0_0018, // mov r0, #0x18
        0xe59f_1004, // ldr r1, reason
        0xef12_3456, // svc 0x123456
        0xeaff_fffe, // b .
        APPLICATION_EXIT,
    ];
    words.iter().flat_map(|word: &u32| word.to_le_bytes()).chain(TEXT.iter().copied()).collect()
}

/// The same; `SYS_EXIT` takes a block of reason and code.
fn arm64() -> Vec<u8> {
    let words = [
        0x5280_0080, // mov w0, #4
        adr_x1(0x2c),
        0xd45e_0000, // hlt #0xf000
        0x5280_0300, // mov w0, #0x18
        adr_x1(0x10),
        0xd45e_0000, // hlt #0xf000
        0x1400_0000, // b .
        0xd503_201f, // nop
        APPLICATION_EXIT,
        0,
        0,
        0,
    ];
    words.iter().flat_map(|word: &u32| word.to_le_bytes()).chain(TEXT.iter().copied()).collect()
}

/// `adr x1, .+offset`; the offset is a multiple of four.
const fn adr_x1(offset: u32) -> u32 {
    0x1000_0001 | (offset >> 2) << 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_lead_to_the_code() {
        for (isa, machine, header) in [(Isa::Arm, 40, 84), (Isa::Arm64, 183, 120)] {
            let file = build(isa);
            assert_eq!(u16::from_le_bytes([file[18], file[19]]), machine);
            assert!(file[header..].windows(TEXT.len()).any(|window| window == TEXT));
        }
    }
}
