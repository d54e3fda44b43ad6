//! Containers: another way to execute a launch.
//!
//! A platform says what would be started on this host. [`enclosed`] turns that, a plain value, into what starts the
//! same inside a container: the engine's client becomes the program, and the words that were to be started stand
//! behind the image. Neither knows the other: paths are the same inside and outside, because the directories that
//! matter are mounted where they are.
//!
//! What a client starts lives in its engine. So each container has a name with the run's token, is in the ledger
//! before it is made, and is removed by name ([`EngineCall`]).

mod compose;
mod enclose;
mod engine;

use std::path::PathBuf;

pub use compose::{Compose, ComposeError, find_compose};
pub use enclose::{Container, Mount, command, enclosed};
pub use engine::{Engine, EngineError, find_engine};
use pumice_process::EngineCall;
use serde::Serialize;

/// The container that a launch runs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Enclosure {
    /// How its engine is called.
    #[serde(skip)]
    pub engine: EngineCall,
    /// Its name, unique in the engine.
    pub name: String,
}

/// Where programs are looked for when they are those of a container's image.
#[derive(Clone, Debug)]
pub struct Inside {
    /// How its engine is called.
    pub engine: EngineCall,
    /// The container that each look makes; its name is the beginning of theirs.
    pub container: Container,
    /// The identity of the image, under which answers are kept; `None` keeps none.
    pub image_id: Option<String>,
}

impl Inside {
    /// The file that tells answers of one image from those of another.
    pub(crate) fn key(&self, program: &std::path::Path, arguments: &[&str]) -> Option<String> {
        let id = self.image_id.as_ref()?;
        Some(format!("{:?}", (id, PathBuf::from(program), arguments)))
    }
}
