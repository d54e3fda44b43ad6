//! Device types, device dictionaries, their templates, and the model library.

mod device;

pub use device::{CharacterDelays, Commands, Connection, Constants, Device, UserCommand};
