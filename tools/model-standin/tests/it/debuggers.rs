//! CADI and Iris servers (section 6.2).

use crate::model::{Model, Rig, quiet, words};
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

const BASE: &str = "FVP_Base_RevC-2xAEMvA";

fn base(rig: &Rig, more: &[&str]) -> Model {
    let base = quiet("bp");
    rig.script(BASE, "say 0 \"running\"\n", "", &words(&base, more))
}

/// The port behind `marker` on standard output.
fn port(model: &Model, marker: &str) -> u16 {
    model.stdout.expect(marker);
    model.stdout.settled();
    let text = model.stdout.text();
    text.split(marker).nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_model_waits_for_its_debugger_unless_told_to_run() {
    for (option, marker) in
        [("-Ip", "Iris server started listening to port "), ("-Sp", "CADI server started listening to port ")]
    {
        let rig = Rig::new();
        let model = base(&rig, &[option]);
        let port = port(&model, marker);
        let client = model.connect("terminal_0");
        assert_eq!(client.seen.settled(), 6, "{}", client.seen.text());
        let _debugger = TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.expect("running");
    }
    let rig = Rig::new();
    let model = base(&rig, &["-IRp"]);
    model.connect("terminal_0").expect("running");
}

#[test]
fn iris_answers_a_handshake_and_knows_the_terminals_ports() {
    let rig = Rig::new();
    let model = base(&rig, &["-IRp"]);
    let terminal = model.ports(4)[0].1;
    let port = port(&model, "Iris server started listening to port ");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"CONNECT / IrisRpc/1.0\r\nSupported-Formats: IrisJson\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    while line.trim() != "" || line.is_empty() {
        line.clear();
        reader.read_line(&mut line).unwrap();
    }
    let mut call = |request: &str| {
        stream.write_all(format!("IrisJson:{}:{request}\n", request.len()).as_bytes()).unwrap();
        let mut head = Vec::new();
        reader.read_until(b':', &mut head).unwrap();
        assert_eq!(head, b"IrisJson:");
        head.clear();
        reader.read_until(b':', &mut head).unwrap();
        let length: usize = String::from_utf8(head).unwrap().trim_end_matches(':').parse().unwrap();
        let mut body = vec![0; length + 1];
        reader.read_exact(&mut body).unwrap();
        serde_json::from_slice::<serde_json::Value>(&body).unwrap()
    };
    let registered = call(
        r#"{"jsonrpc":"2.0","id":1,"method":"instanceRegistry_registerInstance","params":{"instName":"client.me"}}"#,
    );
    assert_eq!(registered.pointer("/result/instName").unwrap(), "client.me");
    let read =
        call(r#"{"jsonrpc":"2.0","id":2,"method":"resource_read","params":{"instId":2,"rscIds":[0]}}"#);
    assert_eq!(read.pointer("/result/data/0").unwrap(), terminal);
    let unknown = call(r#"{"jsonrpc":"2.0","id":3,"method":"fly"}"#);
    assert_eq!(unknown.pointer("/error/code").unwrap(), -32601);
}

#[test]
fn a_cycle_limit_is_ignored_aloud_with_a_debug_server() {
    let rig = Rig::new();
    let model = base(&rig, &["-I", "-R", "--cyclelimit", "1"]);
    model.stderr.expect("command line option --cyclelimit ignored because --iris-server option specified");
    model.connect("terminal_0").expect("running");
}

#[test]
fn a_model_that_waits_for_its_debugger_can_be_stopped() {
    let rig = Rig::new();
    let model = base(&rig, &["-Sp"]);
    port(&model, "CADI server started listening to port ");
    let ended = model.stop(Signal::INT);
    assert_eq!(ended.code, Some(0));
    assert!(ended.stdout.contains("Simulation stopped by user."), "{ended:?}");
}
