//! `pumice lsp`: an editor's language server for jobs, test definitions and devices, over the standard streams (Language Server
//! Protocol 3.17).
//!
//! One request at a time, in the order they come: checking a long job takes milliseconds. What it says is what
//! `pumice check` says of a job, of a test definition, and of a device or its dictionary. A job is planned for its device
//! where it names a device type that ships with us or lies beside it; otherwise an editor does not know which it is for.

mod answers;
mod document;
mod framing;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{self, BufRead, Write},
    os::unix::ffi::OsStringExt as _,
    path::PathBuf,
};

use serde_json::{Value, json};

use self::{
    document::{Document, Encoding},
    framing::{read_message, write_message},
};
use crate::{exit::Exit, terminal::print_error};

/// The request is not one of ours (JSON-RPC 2.0, section 5.1).
const METHOD_NOT_FOUND: i64 = -32601;
/// A request before `initialize`.
const NOT_INITIALIZED: i64 = -32002;
/// A request after `shutdown`.
const INVALID_REQUEST: i64 = -32600;

pub(crate) fn main() -> Exit {
    match serve(&mut io::stdin().lock(), &mut io::stdout().lock()) {
        Ok(true) => Exit::Success,
        // The protocol wants exit code 1 when the client goes without `shutdown`.
        Ok(false) => Exit::Bug,
        Err(error) => {
            print_error(&format!("the editor's stream ended: {error}"));
            Exit::Infrastructure
        }
    }
}

/// Serves one client until it says `exit` or is gone. Whether it ended as the protocol wants.
///
/// # Errors
/// A stream that fails, or a header that cannot be read: then nobody knows where the next message begins.
fn serve(input: &mut impl BufRead, output: &mut impl Write) -> io::Result<bool> {
    let mut server = Server::default();
    while let Some(message) = read_message(input)? {
        let method = message.get("method").and_then(Value::as_str).unwrap_or_default();
        if method == "exit" {
            return Ok(server.state == State::ShutDown);
        }
        let parameters = message.get("params").unwrap_or(&Value::Null);
        match message.get("id") {
            Some(id) => {
                let mut answer = json!({ "jsonrpc": "2.0", "id": id });
                match server.request(method, parameters) {
                    Ok(result) => answer["result"] = result,
                    Err((code, text)) => answer["error"] = json!({ "code": code, "message": text }),
                }
                write_message(output, &answer)?;
            }
            None => {
                if let Some(told) = server.notification(method, parameters) {
                    write_message(output, &told)?;
                }
            }
        }
    }
    Ok(server.state == State::ShutDown)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    New,
    Running,
    ShutDown,
}

/// What is known of one client.
#[derive(Debug, Default)]
struct Server {
    state: State,
    encoding: Encoding,
    /// The open texts, by URI.
    documents: BTreeMap<String, Document>,
}

impl Server {
    /// Answers a request; an error is a JSON-RPC code and a message.
    fn request(&mut self, method: &str, parameters: &Value) -> Result<Value, (i64, String)> {
        match (self.state, method) {
            (State::New, "initialize") => {
                self.state = State::Running;
                self.encoding = Encoding::agreed(parameters);
                Ok(answers::capabilities(self.encoding))
            }
            (State::New, _) => Err((NOT_INITIALIZED, "`initialize` comes first".to_owned())),
            (State::ShutDown, _) => Err((INVALID_REQUEST, "the server was shut down".to_owned())),
            (State::Running, "shutdown") => {
                self.state = State::ShutDown;
                Ok(Value::Null)
            }
            (State::Running, "textDocument/completion") => Ok(self
                .at(parameters, |document, offset| Some(answers::completion(document, offset)))
                .unwrap_or_else(|| json!([]))),
            (State::Running, "textDocument/hover") => {
                Ok(self.at(parameters, answers::hover).unwrap_or_default())
            }
            (State::Running, "textDocument/codeAction") => Ok(self.document(parameters).map_or_else(
                || json!([]),
                |(uri, document)| answers::quick_fixes(uri, document, &parameters["range"]),
            )),
            (State::Running, _) => Err((METHOD_NOT_FOUND, format!("`{method}` is not served"))),
        }
    }

    /// Takes a notification; what comes back is told to the client.
    fn notification(&mut self, method: &str, parameters: &Value) -> Option<Value> {
        if self.state != State::Running {
            return None;
        }
        let document = parameters.get("textDocument")?;
        let uri = document.get("uri")?.as_str()?.to_owned();
        match method {
            "textDocument/didOpen" => {
                let text = document.get("text")?.as_str()?;
                self.documents.insert(uri.clone(), Document::new(&path_of(&uri), text, self.encoding));
            }
            "textDocument/didChange" => {
                // The whole text each time, as our capabilities ask; of several the last one counts.
                let text = parameters.get("contentChanges")?.as_array()?.last()?.get("text")?.as_str()?;
                self.documents.insert(uri.clone(), Document::new(&path_of(&uri), text, self.encoding));
            }
            "textDocument/didClose" => {
                self.documents.remove(&uri);
            }
            _ => return None,
        }
        let found = self.documents.get(&uri).map_or_else(|| json!([]), answers::diagnostics);
        let mut told = json!({ "uri": uri, "diagnostics": found });
        if let Some(version) = document.get("version") {
            told["version"] = version.clone();
        }
        Some(json!({
            "jsonrpc": "2.0",
            "method": "textDocument/publishDiagnostics",
            "params": told,
        }))
    }

    fn document<'a>(&'a self, parameters: &'a Value) -> Option<(&'a str, &'a Document)> {
        let uri = parameters.get("textDocument")?.get("uri")?.as_str()?;
        Some((uri, self.documents.get(uri)?))
    }

    /// The answer for the place that `parameters` name.
    fn at(&self, parameters: &Value, answer: impl Fn(&Document, usize) -> Option<Value>) -> Option<Value> {
        let (_, document) = self.document(parameters)?;
        let offset = document.offset(parameters.get("position")?)?;
        answer(document, offset)
    }
}

/// The path that a `file` URI names (RFC 8089); the URI itself for any other, such as a text that was not saved yet.
fn path_of(uri: &str) -> PathBuf {
    let Some(encoded) = uri.strip_prefix("file://") else { return PathBuf::from(uri) };
    let mut bytes = Vec::new();
    let mut rest = encoded.as_bytes();
    while let [first, behind @ ..] = rest {
        let hex = behind.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        if let (b'%', Some(byte)) = (first, hex) {
            bytes.push(byte);
            rest = &behind[2..];
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_a_path() {
        for (uri, path) in [
            ("file:///lab/job.yaml", "/lab/job.yaml"),
            ("file:///lab/my%20job%C3%A9.yaml", "/lab/my jobé.yaml"),
            ("file:///lab/100%", "/lab/100%"),
            ("untitled:Untitled-1", "untitled:Untitled-1"),
        ] {
            assert_eq!(path_of(uri), PathBuf::from(path), "{uri}");
        }
    }
}
