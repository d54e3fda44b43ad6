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

/// Every method for people: its name, its arguments, and what it does.
pub(crate) fn described() -> impl Iterator<Item = (&'static str, &'static [&'static str], &'static str)> {
    table::all().iter().map(|method| (method.name, method.parameters, method.does))
}
