//! The clients against servers on loopback.

mod fake_server;
mod lab;
mod lava;
mod upload;
mod worker;

use std::sync::{Arc, Mutex};

use fake_server::{Answer, FakeServer, Request};
use pumice_client::{Address, Connection, Credentials, Options, PlainHttp};

fn connection(server: &FakeServer, credentials: Credentials) -> Connection {
    let address = Address::parse(&server.url(), PlainHttp::Loopback).expect("an address on loopback");
    Connection::new(Options::new(address, credentials)).expect("no certificates to read")
}

/// A server that always answers the same, and what it was asked.
fn answering(answer: Answer) -> (FakeServer, Arc<Mutex<Vec<Request>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let memory = Arc::clone(&asked);
    let server = FakeServer::start(move |request| {
        memory.lock().expect("no test panics while it holds this").push(request.clone());
        Some(answer.clone())
    });
    (server, asked)
}

fn only(asked: &Mutex<Vec<Request>>) -> Request {
    let asked = asked.lock().expect("no test panics while it holds this");
    assert_eq!(asked.len(), 1, "{asked:?}");
    asked[0].clone()
}
