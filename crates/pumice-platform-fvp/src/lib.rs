//! The platform `fvp`: Arm Fast Models, Fixed Virtual Platforms (FVPs) and their forebears, the RTSMs.
//!
//! A job says what to start in one of two forms. LAVA's own (lava-compat 10.2) gives the program and every
//! argument; they are passed on as they are, split into words as a POSIX shell would, without a shell. Ours names
//! an entry of the model library and gives the images; the entry says which parameter each of them belongs to.
//! Both end in one argument vector, held against the list of parameters that the model itself prints.
//!
//! What a model does from its start to its end is public only in parts; every text, option and rule here names
//! its place in the reference sheet "fastmodels".

mod application;
mod consoles;
mod entry;
pub mod examine;
mod format;
mod library_form;
mod network;
mod options;
mod output;
mod parameters;
mod platform;
mod probe;
mod request;

pub use parameters::list as parameter_list;
pub use platform::Fvp;
