//! The model library of this host: the entries that ship, and the operator's own.

use std::{fs, path::PathBuf};

use pumice_device::ModelLibrary;
use pumice_types::{Code, Diagnostic, Diagnostics, Sources};

/// A file or directory of the operator's that cannot be read.
const UNREADABLE: Code = Code("unreadable-file");

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$((concat!($name, ".toml"), include_str!(concat!("../../../library/models/", $name, ".toml")))),*]
    };
}

/// The models that ship with pumice, by file name.
const MODELS: &[(&str, &str)] = shipped!(
    "A15x1-A7x1",
    "A15x1",
    "A15x2",
    "A15x4-A7x4",
    "A15x4",
    "base-fvp",
    "base-revc",
    "corstone-300",
    "foundation",
    "morello",
    "mps2-m3",
    "rd-n2",
    "ve-aemv8",
    "ve-base",
);

/// Reads all models: those that ship, then every `*.toml` of the directories, which replace them.
pub(crate) fn read(directories: &[PathBuf], sources: &mut Sources) -> (ModelLibrary, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let mut own = Vec::new();
    for directory in directories {
        match fs::read_dir(directory) {
            Ok(entries) => {
                let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
                paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
                paths.sort();
                for path in paths {
                    match fs::read_to_string(&path) {
                        Ok(text) => own.push((path.display().to_string(), text)),
                        Err(error) => {
                            let message = format!("cannot read `{}`: {error}", path.display());
                            diagnostics.push(Diagnostic::error(UNREADABLE, None, message));
                        }
                    }
                }
            }
            Err(error) => {
                let message = format!("cannot read the models in `{}`: {error}", directory.display());
                diagnostics.push(Diagnostic::error(UNREADABLE, None, message));
            }
        }
    }
    let texts = MODELS.iter().copied().chain(own.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    let (library, found) = ModelLibrary::read(texts, sources);
    diagnostics.extend(found);
    (library, diagnostics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_that_ships_is_sound_and_every_file_ships() {
        let (library, found) = read(&[], &mut Sources::default());
        let said: Vec<_> = found.iter().map(|one| one.message.clone()).collect();
        assert_eq!(said, Vec::<String>::new());
        assert!(library.get("A15x1").is_ok() && library.get("ve-base").is_err());
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../library/models");
        let files =
            fs::read_dir(directory).unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut files: Vec<_> = files.filter(|name| name.ends_with(".toml")).collect();
        files.sort();
        assert_eq!(files, MODELS.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
    }
}
