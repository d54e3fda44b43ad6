//! What several fuzz targets need: how inputs are divided, and images that are damaged.

mod damage;
mod files;
mod pieces;
mod spans;

pub use damage::Image;
pub use files::{FILE_LIMITS, tree};
pub use pieces::pieces;
pub use spans::check_spans;
