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

/// A method, for people.
#[derive(serde::Serialize)]
pub(crate) struct Described {
    name: &'static str,
    parameters: &'static [&'static str],
    does: &'static str,
}

/// Every method.
pub(crate) fn described() -> impl Iterator<Item = Described> {
    let one = |method: &table::Method| Described {
        name: method.name,
        parameters: method.parameters,
        does: method.does,
    };
    table::all().iter().map(one)
}
