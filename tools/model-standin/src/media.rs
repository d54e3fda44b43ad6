//! Disks and flash: what the guest may write, and what becomes of it when the model stops.
//!
//! A virtio disk is written in place. NOR flash with `fnameWrite` is saved at a graceful exit only (reference 4.5).
//! QEMU takes SD cards only of sizes that are powers of two; other images are used through a copy, padded, and
//! written back at a graceful exit, where a real model writes in place.

use crate::boot::Node;
use crate::journal;
use crate::model::Model;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Each of the two NOR devices of Versatile Express and of QEMU's `virt` is this big.
pub(crate) const FLASH_BYTES: u64 = 64 << 20;

/// An SD card.
#[derive(Debug)]
pub(crate) enum Card {
    /// Used in place.
    InPlace(PathBuf),
    /// Used through a padded copy that has no name.
    Copied { original: PathBuf, bytes: u64, copy: File },
}

/// A NOR flash device, in a file that has no name.
#[derive(Debug)]
pub(crate) struct Flash {
    pub(crate) contents: File,
    save_as: Option<PathBuf>,
}

/// Everything that is written to.
#[derive(Debug, Default)]
pub(crate) struct Media {
    pub(crate) card: Option<Card>,
    pub(crate) flash0: Option<Flash>,
    pub(crate) flash1: Option<Flash>,
    pub(crate) disk: Option<PathBuf>,
    /// The guest cannot write to its disk.
    pub(crate) disk_read_only: bool,
}

/// A medium that is named and cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MediaError {
    #[error("{instance}: could not open file '{path}': {source}")]
    Open { instance: String, path: String, source: io::Error },
    #[error("no room for a copy of '{path}': {source}")]
    Copy { path: String, source: io::Error },
}

impl Media {
    /// Opens and copies what the model's parameters name.
    pub(crate) fn prepare(model: &Model) -> Result<Self, MediaError> {
        let roles = &model.roles;
        let mut media =
            Self { disk_read_only: model.role_flag(roles.block.as_ref(), "read_only"), ..Self::default() };
        if let Some(instance) = &roles.block {
            let path = model.role_text(Some(instance), "image_path");
            if !path.is_empty() {
                check(instance, path)?;
                media.disk = Some(path.into());
            }
        }
        let card = model.role_text(roles.mmc.as_ref(), "p_mmc_file");
        if !card.is_empty() && Path::new(card).is_file() {
            media.card = Some(card_from(Path::new(card))?);
        }
        media.flash0 = flash(model, roles.flash0.as_ref())?;
        media.flash1 = flash(model, roles.flash1.as_ref())?;
        Ok(media)
    }

    /// Saves what is saved at a graceful exit. Called once the guest is gone.
    pub(crate) fn save(&mut self) {
        for flash in [&mut self.flash0, &mut self.flash1].into_iter().flatten() {
            if let Some(path) = &flash.save_as
                && let Err(error) = save(&mut flash.contents, path, FLASH_BYTES)
            {
                journal::note(&format!("{}: {error}", path.display()));
            }
        }
        if let Some(Card::Copied { original, bytes, copy }) = &mut self.card
            && let Err(error) = save(copy, original, *bytes)
        {
            journal::note(&format!("{}: {error}", original.display()));
        }
    }
}

/// An unnamed file with these contents, for QEMU to read as `/proc/self/fd/N`.
pub(crate) fn scratch(contents: &[u8]) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(contents)?;
    file.rewind()?;
    Ok(file)
}

/// The tree in a file that QEMU wrote, if it did.
pub(crate) fn read_back(file: &mut File) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    io::Read::read_to_end(file, &mut bytes).ok()?;
    Node::parse(&bytes).map(|_| bytes)
}

fn check(instance: &str, path: &str) -> Result<File, MediaError> {
    File::open(path).map_err(|source| MediaError::Open {
        instance: instance.into(),
        path: path.into(),
        source,
    })
}

fn flash(model: &Model, role: Option<&String>) -> Result<Option<Flash>, MediaError> {
    let Some(instance) = role else { return Ok(None) };
    let (load, save) = (model.role_text(role, "fname"), model.role_text(role, "fnameWrite"));
    if load.is_empty() && save.is_empty() {
        return Ok(None);
    }
    let failed = |source| MediaError::Copy { path: load.into(), source };
    let mut contents = tempfile::tempfile().map_err(failed)?;
    if !load.is_empty() {
        io::copy(&mut check(instance, load)?, &mut contents).map_err(failed)?;
    }
    contents.set_len(FLASH_BYTES).map_err(failed)?;
    Ok(Some(Flash { contents, save_as: (!save.is_empty()).then(|| save.into()) }))
}

fn card_from(path: &Path) -> Result<Card, MediaError> {
    let failed = |source| MediaError::Copy { path: path.display().to_string(), source };
    let mut original = File::open(path).map_err(failed)?;
    let bytes = original.metadata().map_err(failed)?.len();
    if bytes.is_power_of_two() {
        return Ok(Card::InPlace(path.into()));
    }
    let mut copy = tempfile::tempfile().map_err(failed)?;
    io::copy(&mut original, &mut copy).map_err(failed)?;
    copy.set_len(bytes.max(1 << 20).next_power_of_two()).map_err(failed)?;
    journal::note(&format!("{}: {bytes} bytes, used through a padded copy", path.display()));
    Ok(Card::Copied { original: path.into(), bytes, copy })
}

/// Writes the first `bytes` of `from` to `path`, as holes where there is nothing.
fn save(from: &mut File, path: &Path, bytes: u64) -> io::Result<()> {
    let mut to = OpenOptions::new().create(true).write(true).truncate(true).open(path)?;
    from.seek(SeekFrom::Start(0))?;
    let mut chunk = vec![0; 1 << 16];
    let mut from = io::Read::take(from, bytes);
    loop {
        let count = io::Read::read(&mut from, &mut chunk)?;
        let piece = chunk.get(..count).unwrap_or_default();
        if piece.is_empty() {
            break;
        }
        if piece.iter().all(|&byte| byte == 0) {
            to.seek_relative(i64::try_from(count).unwrap_or(0))?;
        } else {
            to.write_all(piece)?;
        }
    }
    to.set_len(bytes)
}

/// `100 kB` below a megabyte, `6 MB` from there, cut off (reference 4.3).
pub(crate) fn loaded_size(bytes: u64) -> String {
    if bytes < 1 << 20 { format!("{} kB", bytes >> 10) } else { format!("{} MB", bytes >> 20) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelName;

    fn model(name: &str, parameters: &[(&str, &Path)]) -> Model {
        let mut model = Model::new(ModelName::parse(name).unwrap()).unwrap();
        for (name, value) in parameters {
            model.parameters.set(name, &value.display().to_string()).unwrap();
        }
        model
    }

    #[test]
    fn flash_is_loaded_padded_and_saved() {
        let directory = tempfile::tempdir().unwrap();
        let (load, saved) = (directory.path().join("in"), directory.path().join("out"));
        std::fs::write(&load, b"variables").unwrap();
        let model = model(
            "FVP_Base_RevC-2xAEMvA",
            &[("bp.flashloader1.fname", &load), ("bp.flashloader1.fnameWrite", &saved)],
        );
        let mut media = Media::prepare(&model).unwrap();
        let flash = media.flash1.as_mut().unwrap();
        flash.contents.seek(SeekFrom::Start(1 << 20)).unwrap();
        flash.contents.write_all(b"written").unwrap();
        assert!(!saved.exists());
        media.save();
        let bytes = std::fs::read(&saved).unwrap();
        assert_eq!(bytes.len(), 64 << 20);
        assert!(bytes.starts_with(b"variables") && bytes[1 << 20..].starts_with(b"written"));
    }

    #[test]
    fn a_card_of_an_odd_size_is_copied_and_written_back_at_its_size() {
        let directory = tempfile::tempdir().unwrap();
        let card = directory.path().join("sd.img");
        std::fs::write(&card, vec![7; 3000]).unwrap();
        let model = model("FVP_VE_Cortex-A15x1", &[("motherboard.mmc.p_mmc_file", &card)]);
        let mut media = Media::prepare(&model).unwrap();
        let Some(Card::Copied { copy, .. }) = &mut media.card else { panic!("{media:?}") };
        assert_eq!(copy.metadata().unwrap().len(), 1 << 20);
        copy.seek(SeekFrom::Start(0)).unwrap();
        copy.write_all(b"guest").unwrap();
        media.save();
        let bytes = std::fs::read(&card).unwrap();
        assert_eq!((bytes.len(), &bytes[..6]), (3000, &b"guest\x07"[..]));
    }

    #[test]
    fn a_missing_disk_is_an_error_and_a_missing_card_is_not() {
        let nowhere = Path::new("/no/such/image");
        let base = model("FVP_Base_RevC-2xAEMvA", &[("bp.virtioblockdevice.image_path", nowhere)]);
        assert!(
            Media::prepare(&base)
                .unwrap_err()
                .to_string()
                .starts_with("bp.virtioblockdevice: could not open")
        );
        let ve = model("FVP_VE_Cortex-A15x1", &[("motherboard.mmc.p_mmc_file", nowhere)]);
        assert!(Media::prepare(&ve).unwrap().card.is_none());
    }

    #[test]
    fn sizes_are_told_in_whole_units() {
        assert_eq!(loaded_size(102_999), "100 kB");
        assert_eq!(loaded_size((6 << 20) + 900_000), "6 MB");
    }
}
