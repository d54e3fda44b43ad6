//! A list of files that do not exist yet: what every archive and file system here is written from.

mod content;
mod directory;
mod entry;
mod list;
mod path;
mod unpack;

pub use content::Content;
pub use entry::{Device, Entry, Meta, Node};
pub use list::{Tree, TreeError};
pub use path::{TreePath, TreePathError};
