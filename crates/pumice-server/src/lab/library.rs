//! The device types that ship with the server, known to the lab from its first start.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use pumice_db::{Database, DbError, DeviceType};
use pumice_types::Name;

/// The ending of a template's file.
const ENDING: &str = ".jinja2";

/// A template that others extend and that is no device type by itself.
const BASE: &str = "base";

/// The text of a device type of the library, by name without the ending.
pub(crate) fn template(library: &[PathBuf], name: &str) -> Option<String> {
    name.parse::<Name>().ok()?;
    library
        .iter()
        .find_map(|directory| fs_err::read_to_string(directory.join(format!("{name}{ENDING}"))).ok())
}

/// The names of the library's device types.
pub(crate) fn names(library: &[PathBuf]) -> BTreeSet<String> {
    library.iter().flat_map(|directory| in_directory(directory)).filter(|name| name != BASE).collect()
}

fn in_directory(directory: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(ENDING).map(str::to_owned)).collect()
}

/// Adds the library's device types that were never added before. One that an operator removed stays removed.
pub(crate) async fn fill(database: &Database, library: &[PathBuf]) -> Result<(), DbError> {
    let mut writer = database.write().await?;
    let known = writer.setting("library-device-types").await?.unwrap_or_default();
    let mut known: BTreeSet<String> = known.split_whitespace().map(str::to_owned).collect();
    for name in names(library) {
        if known.insert(name.clone()) && writer.device_type(&name).await?.is_none() {
            writer.insert_device_type(&DeviceType::named(&name)).await?;
        }
    }
    let known: Vec<_> = known.into_iter().collect();
    writer.set_setting("library-device-types", &known.join(" ")).await?;
    writer.commit().await
}
