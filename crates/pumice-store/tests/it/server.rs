//! A web server of a few lines: it answers what the test says, breaks off where the test says, and remembers
//! what it was asked.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

/// One request the server saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Seen {
    /// The value of a header, by its lower case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The first byte a `Range` header asks for.
    pub(crate) fn range_start(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// How the body is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Delivery {
    /// With its length.
    Whole,
    /// With its whole length, of which only so many bytes come.
    CutAfter(usize),
    /// In chunks.
    Chunked,
    /// In chunks, without the last one.
    ChunkedCut,
    /// So many bytes, and then nothing until the client goes away.
    StallAfter(usize),
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    delivery: Delivery,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), delivery: Delivery::Whole }
    }

    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::status(200) }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// The rest of `body` from `start`, as an answer to a `Range` request.
    pub(crate) fn part(body: &[u8], start: usize) -> Self {
        let range = format!("bytes {start}-{}/{}", body.len() - 1, body.len());
        Self { status: 206, ..Self::ok(&body[start..]) }.header("Content-Range", range)
    }
}

/// A running server; stops when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers each request with what `answer` makes of it.
    pub(crate) fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_counting(move |_, seen| answer(seen))
    }

    /// Answers each request with what `answer` makes of its number, from 0, and of it.
    pub(crate) fn start_counting(answer: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = {
            let (seen, is_over) = (Arc::clone(&seen), Arc::clone(&is_over));
            let answer = Arc::new(answer);
            thread::spawn(move || {
                for stream in listener.incoming() {
                    if is_over.load(Ordering::SeqCst) {
                        return;
                    }
                    let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                    thread::spawn(move || {
                        let _ = serve(&stream.unwrap(), &seen, &*answer);
                    });
                }
            })
        };
        Self { address, seen, is_over, thread: Some(thread) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        let _ = self.thread.take().unwrap().join();
    }
}

fn serve(
    stream: &TcpStream,
    seen: &Mutex<Vec<Seen>>,
    answer: &dyn Fn(usize, &Seen) -> Reply,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let mut request =
        Seen { path: first.split(' ').nth(1).unwrap_or_default().to_owned(), headers: Vec::new() };
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    let reply = answer(number, &request);
    send(stream, &reply)?;
    stream.shutdown(Shutdown::Both)
}

fn send(mut stream: &TcpStream, reply: &Reply) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.extend([name.as_str(), ": ", value, "\r\n"]);
    }
    let is_chunked = matches!(reply.delivery, Delivery::Chunked | Delivery::ChunkedCut);
    if is_chunked {
        head.push_str("Transfer-Encoding: chunked\r\n\r\n");
    } else if reply.status == 304 {
        head.push_str("\r\n");
    } else {
        head.extend(["Content-Length: ", &reply.body.len().to_string(), "\r\n\r\n"]);
    }
    stream.write_all(head.as_bytes())?;
    match reply.delivery {
        Delivery::Whole => stream.write_all(&reply.body),
        Delivery::CutAfter(count) => stream.write_all(&reply.body[..count]),
        Delivery::Chunked | Delivery::ChunkedCut => {
            for chunk in reply.body.chunks(1000) {
                stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes())?;
                stream.write_all(chunk)?;
                stream.write_all(b"\r\n")?;
            }
            let is_cut = matches!(reply.delivery, Delivery::ChunkedCut);
            stream.write_all(if is_cut { b"" } else { b"0\r\n\r\n" })
        }
        Delivery::StallAfter(count) => {
            stream.write_all(&reply.body[..count])?;
            // The client closes its end when it gives up.
            let _ = stream.read(&mut [0; 1]);
            Ok(())
        }
    }
}
