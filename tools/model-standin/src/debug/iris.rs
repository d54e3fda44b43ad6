//! The Iris protocol, as far as a third-party client shows it (reference 6.2): a handshake like HTTP's, then frames
//! `IrisJson:LENGTH:JSON\n` of JSON-RPC 2.0.

use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// No request of a client is longer.
const FRAME_LIMIT: usize = 1 << 20;
/// JSON-RPC 2.0, section 5.1.
const METHOD_NOT_FOUND: i64 = -32601;
/// Instances 0 and 1 are the registry's and the framework's.
const FIRST_CLIENT_INSTANCE: u64 = 16;

/// Serves one client until it goes.
pub(super) fn serve(mut stream: &TcpStream, client: u64, terminals: &[(String, u16)]) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line.trim().is_empty() {
            break;
        }
        request.push_str(&line);
    }
    if !request.starts_with("CONNECT / IrisRpc/1.0") {
        return stream.write_all(b"IrisRpc/1.0 400 Bad Request\r\n\r\n");
    }
    stream.write_all(b"IrisRpc/1.0 200 OK\r\nSupported-Formats: IrisJson\r\n\r\n")?;
    while let Some(call) = read_frame(&mut reader)? {
        let Some(id) = call.get("id") else { continue };
        let answer = match answer(&call, client, terminals) {
            Some(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            None => json!({
                "jsonrpc": "2.0", "id": id,
                "error": { "code": METHOD_NOT_FOUND, "message": "the stand-in does not know this function" },
            }),
        };
        let text = answer.to_string();
        stream.write_all(format!("IrisJson:{}:{text}\n", text.len()).as_bytes())?;
    }
    Ok(())
}

fn read_frame(reader: &mut impl BufRead) -> io::Result<Option<Value>> {
    let mut head = Vec::new();
    for _ in 0..2 {
        let mut part = Vec::new();
        if reader.by_ref().take(32).read_until(b':', &mut part)? == 0 {
            return Ok(None);
        }
        head.push(String::from_utf8_lossy(&part).trim().trim_end_matches(':').to_owned());
    }
    let bad = || io::Error::from(io::ErrorKind::InvalidData);
    let length: usize = head.get(1).and_then(|text| text.parse().ok()).ok_or_else(bad)?;
    if head.first().map(String::as_str) != Some("IrisJson") || length > FRAME_LIMIT {
        return Err(bad());
    }
    // The line break that ends the frame comes with it.
    let mut frame = vec![0; length + 1];
    reader.read_exact(&mut frame)?;
    serde_json::from_slice(&frame).map(Some).map_err(|_| bad())
}

/// The result of a call; `None` for a function we do not have.
fn answer(call: &Value, client: u64, terminals: &[(String, u16)]) -> Option<Value> {
    let parameter = |name: &str| call.pointer(&format!("/params/{name}"));
    match call.get("method")?.as_str()? {
        "instanceRegistry_registerInstance" => {
            let name = parameter("instName").and_then(Value::as_str).unwrap_or("client");
            Some(json!({ "instId": FIRST_CLIENT_INSTANCE + client, "instName": name }))
        }
        "instanceRegistry_unregisterInstance" | "instance_ping" => Some(Value::Null),
        "instanceRegistry_getList" => {
            let list: Vec<Value> = terminals
                .iter()
                .enumerate()
                .map(|(number, (name, _))| json!({ "instId": number + 2, "instName": format!("component.{name}") }))
                .collect();
            Some(Value::Array(list))
        }
        // With Iris a client can read a terminal's port without parsing output (mbed-fastmodel-agent).
        "resource_getList" => {
            Some(json!([{ "rscId": 0, "name": "Port", "groupName": "Default", "bitWidth": 16 }]))
        }
        "resource_read" => {
            let instance = parameter("instId").and_then(Value::as_u64)?;
            let at = usize::try_from(instance.checked_sub(2)?).ok()?;
            terminals.get(at).map(|(_, port)| json!({ "data": [port] }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_and_a_terminals_port_answered() {
        let call = json!({ "id": 1, "method": "resource_read", "params": { "instId": 3, "rscIds": [0] } })
            .to_string();
        let sent = format!("IrisJson:{}:{call}\n", call.len());
        let read = read_frame(&mut sent.as_bytes()).unwrap().unwrap();
        let terminals = [("terminal_0".to_owned(), 5000), ("terminal_1".to_owned(), 5003)];
        assert_eq!(answer(&read, 1, &terminals), Some(json!({ "data": [5003] })));
        assert!(read_frame(&mut &b"IrisJson:99999999:"[..]).is_err());
        assert!(read_frame(&mut &b""[..]).unwrap().is_none());
    }
}
