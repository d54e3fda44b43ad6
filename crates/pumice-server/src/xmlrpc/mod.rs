//! XML-RPC at `/RPC2`, with LAVA's methods (lava-compat 7.2).

mod arguments;
mod call;
mod door;
mod help;
mod methods;
mod read;
mod table;
mod value;
mod write;

pub(crate) use door::answer;

use arguments::Arguments;
use call::{Answer, Call, Fault};
use value::Value;
