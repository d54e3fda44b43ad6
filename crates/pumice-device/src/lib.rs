//! Device types, device dictionaries, their templates, and the model library.
//!
//! A device is what a worker receives: YAML, read into a [`Device`]. It comes from a dictionary, a template
//! that extends a device type and is rendered with a job's context ([`DeviceTypes`]). A device may be a model of
//! the [`ModelLibrary`], so that its jobs need not carry a model's parameters. Texts come in as arguments.

mod device;
mod model;
mod reader;
mod schema;
mod share;
mod template;

pub use device::{CharacterDelays, Commands, Connection, Constants, Device, UserCommand};
pub use model::{Licence, LicenceKind, Model, ModelConsole, ModelLibrary, UnknownModel};
pub use schema::schema;
pub use share::HostShare;
pub use template::{
    DeviceTypes, ExtendsError, RenderError, RenderRequest, Rendered, base_template, plain_dictionary,
};
