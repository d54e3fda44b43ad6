//! XML-RPC as text (<http://xmlrpc.com/spec.md>): calls are read, answers are written. Which methods there are, the server
//! knows.

mod read;
mod value;
mod write;

pub use read::{Malformed, Request, request};
pub use value::Value;
pub use write::{fault, response};
