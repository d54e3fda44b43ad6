//! ELF executables, which Arm's tools call AXF: what a model is about to load.
//!
//! Source: System V ABI, chapter 4; the numbers of machines and the reading itself are the `object` crate's.

use std::{io, path::Path};

use object::{
    Endianness,
    elf::{self, EM_386, EM_AARCH64, EM_ARM, EM_RISCV, EM_X86_64, ET_DYN, ET_EXEC, PF_W, PF_X, PT_LOAD},
    read::elf::{ElfFile32, ElfFile64, FileHeader, ProgramHeader},
};
use pumice_types::{Blame, Cause};

use crate::cause;

/// How wide addresses are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// 32 bits.
    Bits32,
    /// 64 bits.
    Bits64,
}

/// The processor it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// Arm, 32 bits (`AArch32`).
    Arm,
    /// Arm, 64 bits (`AArch64`).
    AArch64,
    /// x86, 32 bits.
    X86,
    /// x86, 64 bits.
    X86_64,
    /// RISC-V.
    RiscV,
    /// Another one, by its number (`e_machine`).
    Other(u16),
}

/// A part that is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it is loaded, as a physical address.
    pub address: u64,
    /// Where the program believes it to be.
    pub virtual_address: u64,
    /// Bytes in the file.
    pub file_bytes: u64,
    /// Bytes in memory; what is more than in the file is zero.
    pub memory_bytes: u64,
    /// Whether it may be written.
    pub is_writable: bool,
    /// Whether it may be executed.
    pub is_executable: bool,
}

/// What an executable says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elf {
    /// How wide addresses are.
    pub class: Class,
    /// Whether the low byte of a number comes first.
    pub is_little_endian: bool,
    /// The processor it is for.
    pub machine: Machine,
    /// Whether it may be loaded anywhere.
    pub is_relocatable: bool,
    /// Where it begins.
    pub entry: u64,
    /// What is loaded, in the order of the file.
    pub segments: Vec<Segment>,
}

/// A file is no executable.
#[derive(Debug, thiserror::Error)]
pub enum ElfError {
    /// It begins like something else.
    #[error("it is not an ELF file: it begins with `{0}`")]
    NotElf(String),
    /// It contradicts itself.
    #[error("the ELF file is damaged: {0}")]
    Damaged(String),
    /// It is a library, an object file or a core dump.
    #[error("the ELF file is not an executable")]
    NotExecutable,
    /// There is nothing in it that could be loaded.
    #[error("the ELF file holds nothing to load")]
    Empty,
    /// It cannot be read.
    #[error("failed to read the ELF file")]
    Io(#[from] io::Error),
}

impl Blame for ElfError {
    fn root_cause(&self) -> Cause {
        match self {
            Self::Io(error) => cause::of_io(error),
            _ => Cause::ImageUnusable,
        }
    }
}

/// The largest file read: an AXF that holds a whole root file system is smaller.
const LARGEST: u64 = 4 << 30;

impl Elf {
    /// Reads the file at `path`.
    pub fn open(path: &Path) -> Result<Self, ElfError> {
        let length = std::fs::metadata(path)?.len();
        if length > LARGEST {
            return Err(ElfError::Damaged(format!("it has {length} bytes")));
        }
        Self::parse(&std::fs::read(path)?)
    }

    /// Reads an executable from memory.
    pub fn parse(bytes: &[u8]) -> Result<Self, ElfError> {
        if !bytes.starts_with(&elf::ELFMAG) {
            return Err(ElfError::NotElf(bytes[..bytes.len().min(8)].escape_ascii().to_string()));
        }
        let damaged = |error: object::Error| ElfError::Damaged(error.to_string());
        match bytes.get(4).map(|class| elf::FileClass(*class)) {
            Some(elf::ELFCLASS32) => {
                let file = ElfFile32::<Endianness>::parse(bytes).map_err(damaged)?;
                Self::read(file.elf_header(), bytes, Class::Bits32)
            }
            Some(elf::ELFCLASS64) => {
                let file = ElfFile64::<Endianness>::parse(bytes).map_err(damaged)?;
                Self::read(file.elf_header(), bytes, Class::Bits64)
            }
            _ => Err(ElfError::Damaged("it is neither of 32 nor of 64 bits".to_owned())),
        }
    }

    fn read<Header>(header: &Header, bytes: &[u8], class: Class) -> Result<Self, ElfError>
    where
        Header: FileHeader<Endian = Endianness>,
    {
        let damaged = |error: object::Error| ElfError::Damaged(error.to_string());
        let endian = header.endian().map_err(damaged)?;
        let kind = header.e_type(endian);
        if !matches!(kind, ET_EXEC | ET_DYN) {
            return Err(ElfError::NotExecutable);
        }
        let mut segments = Vec::new();
        for segment in header.program_headers(endian, bytes).map_err(damaged)? {
            if segment.p_type(endian) != PT_LOAD {
                continue;
            }
            let file_bytes: u64 = segment.p_filesz(endian).into();
            let offset: u64 = segment.p_offset(endian).into();
            if offset.checked_add(file_bytes).is_none_or(|end| end > bytes.len() as u64) {
                return Err(ElfError::Damaged("a segment reaches past the end of the file".to_owned()));
            }
            let flags = segment.p_flags(endian);
            segments.push(Segment {
                address: segment.p_paddr(endian).into(),
                virtual_address: segment.p_vaddr(endian).into(),
                file_bytes,
                memory_bytes: segment.p_memsz(endian).into(),
                is_writable: flags & PF_W == PF_W,
                is_executable: flags & PF_X == PF_X,
            });
        }
        if segments.is_empty() {
            return Err(ElfError::Empty);
        }
        Ok(Self {
            class,
            is_little_endian: header.is_little_endian(),
            machine: match header.e_machine(endian) {
                EM_ARM => Machine::Arm,
                EM_AARCH64 => Machine::AArch64,
                EM_386 => Machine::X86,
                EM_X86_64 => Machine::X86_64,
                EM_RISCV => Machine::RiscV,
                other => Machine::Other(other.0),
            },
            is_relocatable: kind == ET_DYN,
            entry: header.e_entry(endian).into(),
            segments,
        })
    }

    /// The first and the last address that is loaded to, physical.
    pub fn load_range(&self) -> Option<(u64, u64)> {
        let first = self.segments.iter().map(|segment| segment.address).min()?;
        let last = self
            .segments
            .iter()
            .map(|segment| segment.address.saturating_add(segment.memory_bytes.saturating_sub(1)));
        Some((first, last.max()?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An AXF of one segment, written by hand from the ABI: 32 bits, little-endian, Arm.
    fn axf() -> Vec<u8> {
        let mut bytes = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        let half = |bytes: &mut Vec<u8>, value: u16| bytes.extend(value.to_le_bytes());
        let word = |bytes: &mut Vec<u8>, value: u32| bytes.extend(value.to_le_bytes());
        half(&mut bytes, 2); // executable
        half(&mut bytes, 40); // Arm
        for value in [1, 0x8000_8000, 52, 0, 0x0500_0200] {
            word(&mut bytes, value); // version, entry, program headers, sections, flags
        }
        for value in [52, 32, 1, 40, 0, 0] {
            half(&mut bytes, value);
        }
        // PT_LOAD, offset, virtual and physical address, sizes, R+X, alignment
        for value in [1, 84, 0xc000_8000, 0x8000_8000, 4, 0x1000, 5, 4] {
            word(&mut bytes, value);
        }
        bytes.extend(b"code");
        bytes
    }

    #[test]
    fn an_axf_says_where_it_is_loaded_and_begins() {
        let elf = Elf::parse(&axf()).unwrap();
        let expected = Elf {
            class: Class::Bits32,
            is_little_endian: true,
            machine: Machine::Arm,
            is_relocatable: false,
            entry: 0x8000_8000,
            segments: vec![Segment {
                address: 0x8000_8000,
                virtual_address: 0xc000_8000,
                file_bytes: 4,
                memory_bytes: 0x1000,
                is_writable: false,
                is_executable: true,
            }],
        };
        assert_eq!(elf, expected);
        assert_eq!(elf.load_range(), Some((0x8000_8000, 0x8000_8fff)));
    }

    #[test]
    fn a_program_of_this_host_is_read() {
        let elf = Elf::open(&std::env::current_exe().unwrap()).unwrap();
        assert_eq!(elf.class, if cfg!(target_pointer_width = "64") { Class::Bits64 } else { Class::Bits32 });
        assert!(elf.segments.iter().any(|segment| segment.is_executable));
    }

    #[test]
    fn what_is_no_executable_is_said_to_be_none() {
        let message = |bytes: &[u8]| Elf::parse(bytes).unwrap_err().to_string();
        assert_eq!(message(b"MZ\x90\0"), "it is not an ELF file: it begins with `MZ\\x90\\x00`");
        let mut object = axf();
        object[16] = 1;
        assert_eq!(message(&object), "the ELF file is not an executable");
        let mut cut = axf();
        cut.truncate(86);
        assert_eq!(message(&cut), "the ELF file is damaged: a segment reaches past the end of the file");
        let mut empty = axf();
        empty[52] = 0;
        assert_eq!(message(&empty), "the ELF file holds nothing to load");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = axf();
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            bytes.truncate(cut.index(bytes.len()) + 1);
            if let Ok(elf) = Elf::parse(&bytes) {
                let _ = elf.load_range();
            }
        }
    }
}
