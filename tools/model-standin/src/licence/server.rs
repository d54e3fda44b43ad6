//! `standin-lmgrd`: a licence server that counts.
//!
//! Two ports as a real one has, the manager's and the vendor daemon's; a seat is held by a connection and comes back
//! when that closes. The manager also answers `STAT` with what is in use and what the most was.

use crate::terminal::listen;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How the server misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    Busy,
    Handshake,
    VendorDown,
    NoFeature,
}

impl Fault {
    fn read(text: &str) -> Option<Self> {
        let words = [
            ("none", Self::None),
            ("busy", Self::Busy),
            ("handshake", Self::Handshake),
            ("vendor_down", Self::VendorDown),
            ("no_feature", Self::NoFeature),
        ];
        words.iter().find(|(word, _)| *word == text).map(|(_, fault)| *fault)
    }
}

#[derive(Debug, Default)]
struct Count {
    used: usize,
    peak: usize,
    granted: u64,
    refused: u64,
}

/// A server that listens and is not serving yet.
#[derive(Debug)]
pub(crate) struct Server {
    manager: TcpListener,
    vendor: Option<TcpListener>,
    desk: Arc<Desk>,
}

#[derive(Debug)]
struct Desk {
    port: u16,
    vendor_port: u16,
    seats: usize,
    feature: String,
    fault: Fault,
    count: Mutex<Count>,
}

impl Desk {
    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// Listens on both ports; 0 takes any free one.
    pub(crate) fn open(
        address: Ipv4Addr,
        port: u16,
        vendor_port: u16,
        seats: usize,
        feature: String,
        fault: Fault,
    ) -> io::Result<Self> {
        let manager = listen(address, port, 128)?;
        let vendor = listen(address, vendor_port, 128)?;
        let desk = Desk {
            port: manager.local_addr()?.port(),
            vendor_port: vendor.local_addr()?.port(),
            seats,
            feature,
            fault,
            count: Mutex::default(),
        };
        let vendor = (fault != Fault::VendorDown).then_some(vendor);
        Ok(Self { manager, vendor, desk: Arc::new(desk) })
    }

    /// The manager's port.
    #[cfg(test)]
    pub(crate) fn port(&self) -> u16 {
        self.desk.port
    }

    /// Serves for ever.
    pub(crate) fn serve(self) -> io::Result<()> {
        if let Some(vendor) = self.vendor {
            let desk = Arc::clone(&self.desk);
            std::thread::spawn(move || serve_on(&vendor, &desk, check_out));
        }
        serve_on(&self.manager, &self.desk, manage)
    }
}

fn serve_on(
    listener: &TcpListener,
    desk: &Arc<Desk>,
    serve: fn(&Desk, &TcpStream) -> io::Result<()>,
) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        let desk = Arc::clone(desk);
        // A client that breaks off is its own business.
        std::thread::spawn(move || drop(serve(&desk, &stream)));
    }
}

fn manage(desk: &Desk, mut stream: &TcpStream) -> io::Result<()> {
    let mut request = String::new();
    BufReader::new(stream).read_line(&mut request)?;
    let answer = match (request.split_whitespace().next(), desk.fault) {
        (Some("STAT"), _) => {
            let count = desk.count();
            format!(
                "USED {} PEAK {} SEATS {} GRANTED {} REFUSED {}\n",
                count.used, count.peak, desk.seats, count.granted, count.refused
            )
        }
        (_, Fault::Busy) => "BUSY\n".to_owned(),
        (_, Fault::Handshake) => "\u{7}?\n".to_owned(),
        _ => format!("PORT {}\n", desk.vendor_port),
    };
    stream.write_all(answer.as_bytes())
}

fn check_out(desk: &Desk, mut stream: &TcpStream) -> io::Result<()> {
    let mut request = String::new();
    BufReader::new(stream).read_line(&mut request)?;
    let feature = request.split_whitespace().nth(1).unwrap_or_default();
    if desk.fault == Fault::NoFeature || feature != desk.feature {
        return stream.write_all(b"NOFEATURE\n");
    }
    {
        let mut count = desk.count();
        if count.used >= desk.seats {
            count.refused += 1;
            return stream.write_all(b"FULL\n");
        }
        count.used += 1;
        count.granted += 1;
        count.peak = count.peak.max(count.used);
    }
    let held =
        stream.write_all(b"GRANTED\n").and_then(|()| io::copy(&mut stream.take(u64::MAX), &mut io::sink()));
    desk.count().used -= 1;
    held.map(drop)
}

/// The command line of `standin-lmgrd`; returns the exit code.
pub(crate) fn main(words: &[String], mut print: impl FnMut(&str)) -> Result<(), String> {
    let usage = "usage: standin-lmgrd [--address A] [--port N] [--vendor-port N] [--seats N] [--feature NAME] \
                 [--fault none|busy|handshake|vendor_down|no_feature]\n       standin-lmgrd stat PORT@HOST";
    if let [command, place] = words
        && command == "stat"
    {
        let (port, host) = place.split_once('@').ok_or(usage)?;
        let port: u16 = port.parse().map_err(|_| usage)?;
        return status(host, port).map(|line| print(&line)).map_err(|error| format!("{place}: {error}"));
    }
    let (mut address, mut port, mut vendor_port) = (Ipv4Addr::LOCALHOST, 0, 0);
    let (mut seats, mut feature, mut fault) = (4, super::flexnet::FEATURE.to_owned(), Fault::None);
    let mut rest = words.iter();
    while let Some(option) = rest.next() {
        let value = rest.next().ok_or(usage)?;
        match option.as_str() {
            "--address" => address = value.parse().map_err(|_| usage)?,
            "--port" => port = value.parse().map_err(|_| usage)?,
            "--vendor-port" => vendor_port = value.parse().map_err(|_| usage)?,
            "--seats" => seats = value.parse().map_err(|_| usage)?,
            "--feature" => feature.clone_from(value),
            "--fault" => fault = Fault::read(value).ok_or(usage)?,
            _ => return Err(usage.to_owned()),
        }
    }
    let server = Server::open(address, port, vendor_port, seats, feature, fault)
        .map_err(|error| format!("standin-lmgrd: cannot listen: {error}"))?;
    print(&format!(
        "standin-lmgrd: {}@{address}, vendor daemon on port {}, {seats} seats\n",
        server.desk.port, server.desk.vendor_port
    ));
    server.serve().map_err(|error| format!("standin-lmgrd: {error}"))
}

fn status(host: &str, port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect((host, port))?;
    stream.write_all(b"STAT\n")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}
