//! XML-RPC at `/RPC2`, with LAVA's methods (lava-compat 7.2).

mod arguments;
mod call;
mod door;
mod help;
mod methods;
mod table;

pub(crate) use door::answer;

use pumice_api::xmlrpc::Value;

use arguments::Arguments;
use call::{Answer, Call, Fault};
