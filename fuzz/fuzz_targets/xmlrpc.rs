//! Calls over XML-RPC: what is read is written and read again the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pumice_api::xmlrpc::{request, response};

fuzz_target!(|body: &[u8]| {
    let Ok(call) = request(body) else { return };
    for parameter in &call.params {
        let written = response(parameter).replace("methodResponse", "methodCall").replacen(
            "<params>",
            "<methodName>m</methodName><params>",
            1,
        );
        request(written.as_bytes()).expect("what we wrote ourselves");
    }
});
