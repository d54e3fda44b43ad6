//! The client's side of counted licences.
//!
//! Where to look, which variable comes first and the numbers of the errors are public (reference 5.1). The protocol
//! on the wire is not FlexNet's: it is ours, spoken with [`super::server`], with the same two ports, the same life of
//! a seat (it ends with the connection) and the same answers.

use crate::environment::Environment;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a model checks out; the real features' names are not public.
pub(super) const FEATURE: &str = "FM_Simulator";
/// How long a server may take to answer anything.
const PATIENCE: Duration = Duration::from_secs(10);
/// The port of a server named without one.
const DEFAULT_PORT: u16 = 27000;

/// A place to look for a licence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A server.
    Server { host: String, port: u16 },
    /// A file that names no server: it licenses this machine, uncounted.
    NodeLocked(PathBuf),
    /// Something that is neither.
    Nothing(PathBuf),
}

/// A seat that is held.
#[derive(Debug)]
pub(crate) struct Seat {
    /// The connection to the vendor daemon; a node-locked licence has none.
    _connection: Option<TcpStream>,
}

/// FlexNet's reasons, with their numbers (Flexera's public list; reference 5.1 names those worth a retry).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    CannotFindFile,
    AllSeatsUsed,
    NoSuchFeature,
    CannotConnect,
    Busy,
    BadHandshake,
    VendorDaemonDown,
}

impl Reason {
    fn number_and_text(self) -> (&'static str, &'static str) {
        match self {
            Self::CannotFindFile => ("-1,359", "Cannot find license file."),
            Self::AllSeatsUsed => ("-4,132", "Licensed number of users already reached."),
            Self::NoSuchFeature => ("-5,357", "No such feature exists."),
            Self::CannotConnect => (
                "-15,570",
                "Cannot connect to license server system.\n The license server manager (lmgrd) has not been started \
                 yet,\n the wrong port@host or license file is being used, or the\n port or hostname in the license \
                 file has been changed.",
            ),
            Self::Busy => ("-20,576", "License server busy."),
            Self::BadHandshake => ("-33,492", "Bad encryption handshake with vendor daemon."),
            Self::VendorDaemonDown => ("-97,121", "The desired vendor daemon is down."),
        }
    }
}

/// `ARMLMD_LICENSE_FILE`, then `LM_LICENSE_FILE`, then `~/.flexlmrc`.
pub(super) fn search_path(environment: &Environment) -> Vec<Place> {
    let mut texts: Vec<String> = ["ARMLMD_LICENSE_FILE", "LM_LICENSE_FILE"]
        .iter()
        .filter_map(|name| environment.get(name).map(str::to_owned))
        .collect();
    let settings = environment.home().and_then(|home| std::fs::read_to_string(home.join(".flexlmrc")).ok());
    for line in settings.unwrap_or_default().lines() {
        if let Some((_, value)) = line.split_once("_LICENSE_FILE=") {
            texts.push(value.trim().to_owned());
        }
    }
    texts
        .iter()
        .flat_map(|text| text.split(':'))
        .filter(|entry| !entry.is_empty())
        .flat_map(places_of)
        .collect()
}

fn places_of(entry: &str) -> Vec<Place> {
    if let Some((port, host)) = entry.split_once('@') {
        let port = if port.is_empty() { Some(DEFAULT_PORT) } else { port.parse().ok() };
        let server = port.map(|port| Place::Server { host: host.to_owned(), port });
        return vec![server.unwrap_or_else(|| Place::Nothing(entry.into()))];
    }
    let path = Path::new(entry);
    let Ok(files) = std::fs::read_dir(path) else { return vec![place_of_file(path)] };
    let mut licences: Vec<PathBuf> = files.filter_map(|file| file.ok().map(|file| file.path())).collect();
    licences.retain(|file| file.extension().is_some_and(|extension| extension == "lic"));
    licences.sort();
    licences.iter().map(|file| place_of_file(file)).collect()
}

/// A licence file says `SERVER host id port`, or has only features.
fn place_of_file(path: &Path) -> Place {
    let Ok(text) = std::fs::read_to_string(path) else { return Place::Nothing(path.into()) };
    let server = text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("SERVER")).then(|| {
            let host = words.next().unwrap_or("localhost").to_owned();
            let port = words.nth(1).and_then(|port| port.parse().ok()).unwrap_or(DEFAULT_PORT);
            Place::Server { host, port }
        })
    });
    server.unwrap_or_else(|| Place::NodeLocked(path.into()))
}

/// Takes a seat from the first place that has one; the error is FlexNet's explanation of the last refusal that says
/// the most.
pub(super) fn check_out(places: &[Place], user: &str) -> Result<Seat, String> {
    let mut worst: Option<(Reason, &Place)> = None;
    for place in places {
        let reason = match place {
            Place::Server { host, port } => match ask(host, *port, user) {
                Ok(seat) => return Ok(seat),
                Err(reason) => reason,
            },
            Place::NodeLocked(_) => return Ok(Seat { _connection: None }),
            Place::Nothing(_) => Reason::CannotFindFile,
        };
        if worst.is_none_or(|(before, _)| before != Reason::AllSeatsUsed) {
            worst = Some((reason, place));
        }
    }
    let path: Vec<_> = places.iter().map(shown).collect();
    match worst {
        Some((reason, place)) => Err(explain(reason, Some(place), &path.join(":"))),
        None => Err(no_licence_file()),
    }
}

/// What is said when nothing names a licence.
pub(super) fn no_licence_file() -> String {
    explain(Reason::CannotFindFile, None, "")
}

fn shown(place: &Place) -> String {
    match place {
        Place::Server { host, port } => format!("{port}@{host}"),
        Place::NodeLocked(path) | Place::Nothing(path) => path.display().to_string(),
    }
}

/// FlexNet's usual paragraph.
fn explain(reason: Reason, place: Option<&Place>, path: &str) -> String {
    let (number, text) = reason.number_and_text();
    let server = match place {
        Some(Place::Server { host, .. }) => format!("Server name:   {host}\n"),
        _ => String::new(),
    };
    format!(
        "{text}\nFeature:       {FEATURE}\n{server}License path:  {path}\nFlexNet Licensing error:{number}\n"
    )
}

fn ask(host: &str, port: u16, user: &str) -> Result<Seat, Reason> {
    let mut manager = connect(host, port).ok_or(Reason::CannotConnect)?;
    let answer = exchange(&mut manager, &format!("VENDOR armlmd {FEATURE}\n")).ok_or(Reason::BadHandshake)?;
    let vendor_port = match answer.split_once(' ') {
        Some(("PORT", port)) => port.parse().map_err(|_| Reason::BadHandshake)?,
        _ if answer == "BUSY" => return Err(Reason::Busy),
        _ => return Err(Reason::BadHandshake),
    };
    let mut vendor = connect(host, vendor_port).ok_or(Reason::VendorDaemonDown)?;
    let request = format!("CHECKOUT {FEATURE} {user} {}\n", std::process::id());
    match exchange(&mut vendor, &request).as_deref() {
        Some("GRANTED") => Ok(Seat { _connection: Some(vendor) }),
        Some("FULL") => Err(Reason::AllSeatsUsed),
        Some("NOFEATURE") => Err(Reason::NoSuchFeature),
        _ => Err(Reason::BadHandshake),
    }
}

fn connect(host: &str, port: u16) -> Option<TcpStream> {
    let address = (host, port).to_socket_addrs().ok()?.find(std::net::SocketAddr::is_ipv4)?;
    let stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    Some(stream)
}

fn exchange(stream: &mut TcpStream, request: &str) -> Option<String> {
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).ok()?;
    Some(answer.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::licence::server::{Fault, Server};

    fn server(seats: usize, fault: Fault) -> u16 {
        let server = Server::open("127.0.0.1".parse().unwrap(), 0, 0, seats, FEATURE.into(), fault).unwrap();
        let port = server.port();
        std::thread::spawn(move || server.serve());
        port
    }

    fn place(port: u16) -> Vec<Place> {
        vec![Place::Server { host: "127.0.0.1".into(), port }]
    }

    #[track_caller]
    fn refused(places: &[Place], expected: &str) {
        let text = check_out(places, "user").unwrap_err();
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn seats_are_counted_and_come_back_when_the_connection_closes() {
        let places = place(server(2, Fault::None));
        let first = check_out(&places, "a").unwrap();
        let _second = check_out(&places, "b").unwrap();
        refused(&places, "error:-4,132");
        drop(first);
        // The server sees the end of the connection in its own time.
        let taken = (0..1000).find_map(|_| {
            check_out(&places, "c").ok().or_else(|| {
                std::thread::yield_now();
                None
            })
        });
        assert!(taken.is_some(), "the seat did not come back");
    }

    #[test]
    fn each_way_to_fail_has_its_number() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        refused(&place(closed), "error:-15,570");
        refused(&place(server(1, Fault::Busy)), "error:-20,576");
        refused(&place(server(1, Fault::Handshake)), "error:-33,492");
        refused(&place(server(1, Fault::VendorDown)), "error:-97,121");
        refused(&place(server(1, Fault::NoFeature)), "error:-5,357");
        refused(&[Place::Nothing("/no/such.lic".into())], "error:-1,359");
    }

    #[test]
    fn the_vendors_variable_is_searched_first_and_directories_hold_licence_files() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("b.lic"), "SERVER hostb any 7010\nVENDOR armlmd\n").unwrap();
        std::fs::write(directory.path().join("a.lic"), "FEATURE x armlmd 1.0 permanent uncounted\n").unwrap();
        std::fs::write(directory.path().join("note.txt"), "").unwrap();
        let here = directory.path().display().to_string();
        let environment = Environment::of(&[
            ("LM_LICENSE_FILE", "@later"),
            ("ARMLMD_LICENSE_FILE", &format!("8224@first:{here}")),
        ]);
        let server = |host: &str, port| Place::Server { host: host.into(), port };
        assert_eq!(
            search_path(&environment),
            [
                server("first", 8224),
                Place::NodeLocked(directory.path().join("a.lic")),
                server("hostb", 7010),
                server("later", 27000),
            ]
        );
    }
}
