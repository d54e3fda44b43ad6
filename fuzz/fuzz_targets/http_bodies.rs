//! Bodies of our worker protocol and of what the command line asks: what is read is written and read again the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pumice_api::{Problem, people, worker};
use serde::{Serialize, de::DeserializeOwned};

fn read<T: DeserializeOwned + Serialize>(body: &[u8]) {
    let Ok(first) = serde_json::from_slice::<T>(body) else { return };
    let written = serde_json::to_string(&first).expect("what was read can be written");
    let again: T = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(serde_json::to_string(&again).ok().as_deref(), Some(written.as_str()));
}

fuzz_target!(|body: &[u8]| {
    read::<worker::Hello>(body);
    read::<worker::Poll>(body);
    read::<worker::Orders>(body);
    read::<worker::JobPackage>(body);
    read::<worker::Finish>(body);
    read::<worker::Return>(body);
    read::<people::Reservation>(body);
    read::<people::NewToken>(body);
    read::<people::Why>(body);
    read::<Problem>(body);
});
