//! Reads the heads of the executables that a machine is about to run: a mistake in one is found here, and not by
//! a simulator that hangs.

use std::{collections::BTreeMap, path::Path};

use pumice_image::elf::{Class, Elf, ElfError, Machine};
use pumice_platform::{Executable, Processor};
use pumice_types::{Blame as _, Failure};

use crate::deploy::Deployed;

/// What the files with these labels say of themselves, as far as they were deployed.
pub(crate) fn read(labels: &[String], deployed: &Deployed) -> Result<BTreeMap<String, Executable>, Failure> {
    let files = labels.iter().filter_map(|label| Some((label, deployed.files.get(label)?)));
    let mut found = BTreeMap::new();
    for (label, path) in files {
        found.extend(executable(label, path)?.map(|executable| (label.clone(), executable)));
    }
    Ok(found)
}

/// `None` for the other forms that a simulator may load: Motorola S-records and Intel HEX are text.
fn executable(label: &str, path: &Path) -> Result<Option<Executable>, Failure> {
    let elf = match Elf::open(path) {
        Ok(elf) => elf,
        Err(ElfError::NotElf(begin)) if begin.starts_with("S0") || begin.starts_with(':') => return Ok(None),
        Err(error) => {
            let mut failure = error.failure();
            failure.message = format!("`{label}`, {}, cannot be run: {}", path.display(), failure.message);
            return Err(failure);
        }
    };
    Ok(Some(Executable {
        bits: match elf.class {
            Class::Bits32 => 32,
            Class::Bits64 => 64,
        },
        processor: match elf.machine {
            Machine::Arm => Processor::Arm,
            Machine::AArch64 => Processor::AArch64,
            Machine::X86 => Processor::Other(3),
            Machine::X86_64 => Processor::Other(62),
            Machine::RiscV => Processor::Other(243),
            Machine::Other(number) => Processor::Other(number),
        },
        entry: elf.entry,
        loads: elf.load_range(),
    }))
}
