//! Serves one file to a guest over HTTP, for as long as the guest needs it.
//!
//! It listens on the loopback address where the guest reaches that through its simulator's own network, else where the
//! guest sees this host. The path holds 128 random bits; whatever else is asked for is not there. GET and HEAD only, one request
//! a connection (RFC 9112).

use std::{
    fmt::Write as _,
    io::{self, Read as _},
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// The longest request that is read.
const REQUEST_BYTES: usize = 8 << 10;
/// How long a request may take to come.
const REQUEST_PATIENCE: Duration = Duration::from_secs(30);
/// How many connections there are at a time.
const CONNECTIONS: usize = 16;

/// A file that is served. Ends when it is dropped.
pub(crate) struct Served {
    /// The port.
    pub(crate) port: u16,
    /// What to ask for, beginning with `/`.
    pub(crate) target: String,
    task: JoinHandle<()>,
}

impl Served {
    /// Serves the file at `path` under its own name.
    pub(crate) async fn file(path: &Path, listen: IpAddr) -> io::Result<Self> {
        let mut random = [0; 16];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
        let mut target = "/".to_owned();
        for byte in random {
            // Writing to a string does not fail.
            let _ = write!(target, "{byte:02x}");
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        target = format!("{target}/{name}");
        let listener = TcpListener::bind((listen, 0)).await?;
        let port = listener.local_addr()?.port();
        let served: Arc<(PathBuf, String)> = Arc::new((path.to_owned(), target.clone()));
        let task = tokio::spawn(accept(listener, served));
        Ok(Self { port, target, task })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, served: Arc<(PathBuf, String)>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS {
            connections.join_next().await;
        }
        // A connection that fails is the guest's to try again.
        if let Ok((stream, _)) = listener.accept().await {
            let served = Arc::clone(&served);
            connections.spawn(async move { drop(answer(stream, &served.0, &served.1).await) });
        }
    }
}

async fn answer(mut stream: TcpStream, file: &Path, target: &str) -> io::Result<()> {
    let request = tokio::time::timeout(REQUEST_PATIENCE, read_request(&mut stream)).await??;
    let mut words = request.lines().next().unwrap_or_default().split(' ');
    let (method, asked) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let refuse =
        |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    if !matches!(method, "GET" | "HEAD") {
        stream.write_all(refuse("405 Method Not Allowed\r\nAllow: GET, HEAD").as_bytes()).await?;
    } else if asked != target {
        stream.write_all(refuse("404 Not Found").as_bytes()).await?;
    } else {
        let mut file = File::open(file).await?;
        let length = file.metadata().await?.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        if method == "GET" {
            tokio::io::copy(&mut file, &mut stream).await?;
        }
    }
    stream.shutdown().await
}

/// Everything up to the empty line that ends a request without a body.
async fn read_request(stream: &mut TcpStream) -> io::Result<String> {
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut buffer).await?;
        if count == 0 || request.len() + count > REQUEST_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        request.extend_from_slice(&buffer[..count]);
    }
    Ok(String::from_utf8_lossy(&request).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    async fn ask(port: u16, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn only_the_one_file_is_there() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("overlay-1.1.tar.gz");
        std::fs::write(&path, "packed").unwrap();
        let served = Served::file(&path, LOOPBACK).await.unwrap();
        assert!(served.target.ends_with("/overlay-1.1.tar.gz") && served.target.len() > 32);
        let target = &served.target;

        let answer = ask(served.port, &format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\npacked"), "{answer}");
        let answer = ask(served.port, &format!("HEAD {target} HTTP/1.0\r\n\r\n")).await;
        assert!(answer.contains("Content-Length: 6\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
        let answer = ask(served.port, "GET /overlay-1.1.tar.gz HTTP/1.1\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        let answer = ask(served.port, &format!("POST {target} HTTP/1.1\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    }

    #[tokio::test]
    async fn nobody_answers_once_it_is_dropped() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("x");
        std::fs::write(&path, "x").unwrap();
        let mut served = Served::file(&path, LOOPBACK).await.unwrap();
        let port = served.port;
        served.task.abort();
        assert!((&mut served.task).await.unwrap_err().is_cancelled());
        assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    }
}
