//! The little HTTP a measurement needs: it must cost less than what it measures.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// Longer than any answer takes, so that a lab that hangs is noticed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A lab's REST API, and a user's token for it.
#[derive(Clone, Debug)]
pub(super) struct Api {
    /// `ADDRESS:PORT`.
    pub(super) address: String,
    /// The user's.
    pub(super) token: String,
}

impl Api {
    /// Asks for `path` below `/api/v0.2/`.
    pub(super) fn get(&self, path: &str) -> Result<Value> {
        self.ask("GET", path, None)
    }

    /// Sends `body` to `path` below `/api/v0.2/`.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.ask("POST", path, Some(body))
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} /api/v0.2/{path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Token {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            self.token,
            body.len()
        );
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if !status.starts_with('2') {
            bail!("{method} {path}: {status}: {body}");
        }
        Ok(serde_json::from_str(body).unwrap_or_default())
    }
}
