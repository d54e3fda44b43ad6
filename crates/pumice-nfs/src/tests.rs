//! A client that speaks to the server byte by byte.

use std::{
    io::Write as _,
    net::{Ipv4Addr, TcpStream},
};

use pumice_image::Tree;

use crate::{
    Files, Server, mount, procedures,
    rpc::{read_message, write_message},
    xdr::{Reader, Writer},
};

struct Client {
    stream: TcpStream,
    calls: u32,
}

impl Client {
    fn of(server: &Server) -> Self {
        Self { stream: TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).unwrap(), calls: 0 }
    }

    /// The answer behind its header, which must say that the call was accepted with this status.
    fn call(&mut self, program: u32, procedure: u32, accepted: u32, arguments: Writer) -> Vec<u8> {
        self.calls += 1;
        let mut call = Writer::default();
        call.u32(self.calls).u32(0).u32(2).u32(program).u32(3).u32(procedure).u32(0).u32(0).u32(0).u32(0);
        call.fixed(&arguments.into_bytes());
        write_message(&mut self.stream, &call.into_bytes()).unwrap();
        let answer = read_message(&mut self.stream).unwrap().unwrap();
        let mut reader = Reader::new(&answer);
        let head: Vec<_> = (0..6).map(|_| reader.u32().unwrap()).collect();
        assert_eq!(head, [self.calls, 1, 0, 0, 0, accepted]);
        answer[24..].to_vec()
    }

    /// The status of a procedure of NFS, and what follows it.
    fn nfs(&mut self, procedure: u32, write: impl FnOnce(&mut Writer)) -> (u32, Vec<u8>) {
        let mut arguments = Writer::default();
        write(&mut arguments);
        let answer = self.call(procedures::PROGRAM, procedure, 0, arguments);
        (Reader::new(&answer).u32().unwrap(), answer[4..].to_vec())
    }

    /// The handle of a name in the root; the status where there is none.
    fn lookup(&mut self, name: &str) -> Result<Vec<u8>, u32> {
        let (status, answer) = self.nfs(3, |writer| {
            writer.opaque(&Files::ROOT.to_be_bytes()).opaque(name.as_bytes());
        });
        if status == 0 { Ok(Reader::new(&answer).opaque(64).unwrap().to_vec()) } else { Err(status) }
    }

    fn read(&mut self, handle: &[u8], offset: u64) -> Vec<u8> {
        let (status, answer) = self.nfs(6, |writer| {
            writer.opaque(handle).u64(offset).u32(100);
        });
        assert_eq!(status, 0);
        // Behind the attributes: count, whether it is the end, the bytes.
        let mut reader = Reader::new(&answer[4 + 84 + 8..]);
        reader.opaque(100).unwrap().to_vec()
    }

    fn write(&mut self, handle: &[u8], offset: u64, bytes: &[u8]) -> u32 {
        self.nfs(7, |writer| {
            writer.opaque(handle).u64(offset).u32(0).u32(0).opaque(bytes);
        })
        .0
    }

    fn names(&mut self, room: u32) -> Vec<String> {
        let (mut names, mut cookie) = (Vec::new(), 0);
        loop {
            let (status, answer) = self.nfs(16, |writer| {
                writer.opaque(&Files::ROOT.to_be_bytes()).u64(cookie).u64(0).u32(room);
            });
            assert_eq!(status, 0);
            let mut reader = Reader::new(&answer[4 + 84 + 8..]);
            while reader.bool().unwrap() {
                reader.u64().unwrap();
                names.push(String::from_utf8(reader.opaque(255).unwrap().to_vec()).unwrap());
                cookie = reader.u64().unwrap();
            }
            if reader.bool().unwrap() {
                return names;
            }
        }
    }
}

fn server(directory: &std::path::Path) -> Server {
    let mut tree = Tree::new();
    tree.file("etc/motd", 0o644, "welcome").unwrap();
    let archive = directory.join("archive");
    std::fs::write(&archive, "0123456789").unwrap();
    tree.host_file("data", 0o600, &archive).unwrap();
    tree.symlink("link", "data").unwrap();
    Server::start(Files::new(&tree, directory.join("written")).unwrap(), "/secret").unwrap()
}

#[test]
fn only_who_knows_the_name_gets_the_root() {
    let scratch = tempfile::tempdir().unwrap();
    let server = server(scratch.path());
    let mut client = Client::of(&server);
    let mut mount = |name: &str| {
        let mut arguments = Writer::default();
        arguments.opaque(name.as_bytes());
        let answer = client.call(mount::PROGRAM, 1, 0, arguments);
        Reader::new(&answer).u32().unwrap()
    };
    assert_eq!(mount("/"), 2);
    assert_eq!(mount("/secret"), 0);
    assert!(client.call(mount::PROGRAM, 5, 0, Writer::default()).iter().all(|byte| *byte == 0));
    client.call(100_227, 0, 1, Writer::default());
    client.call(procedures::PROGRAM, 99, 3, Writer::default());
    client.call(procedures::PROGRAM, 1, 4, Writer::default());
}

#[test]
fn what_is_written_is_read_and_the_archive_stays_as_it_is() {
    let scratch = tempfile::tempdir().unwrap();
    let server = server(scratch.path());
    let mut client = Client::of(&server);
    let data = client.lookup("data").unwrap();
    assert_eq!(client.read(&data, 7), b"789");
    assert_eq!(client.write(&data, 8, b"xyz"), 0);
    assert_eq!(client.read(&data, 0), b"01234567xyz");
    assert_eq!(client.read(&data, 500), b"");
    assert_eq!(std::fs::read(scratch.path().join("archive")).unwrap(), b"0123456789");
    assert_eq!(client.lookup("absent"), Err(2));
    let directory = client.lookup("etc").unwrap();
    assert_eq!(client.write(&directory, 0, b"x"), 22);
}

#[test]
fn a_file_that_is_gone_is_stale_and_takes_its_contents_along() {
    let scratch = tempfile::tempdir().unwrap();
    let server = server(scratch.path());
    let mut client = Client::of(&server);
    let data = client.lookup("data").unwrap();
    assert_eq!(client.write(&data, 0, b"x"), 0);
    assert_eq!(std::fs::read_dir(scratch.path().join("written")).unwrap().count(), 1);
    let remove = |client: &mut Client, procedure, name: &str| {
        let arguments = |writer: &mut Writer| {
            writer.opaque(&Files::ROOT.to_be_bytes()).opaque(name.as_bytes());
        };
        client.nfs(procedure, arguments).0
    };
    assert_eq!(remove(&mut client, 13, "data"), 20, "no directory");
    assert_eq!(remove(&mut client, 13, "etc"), 66, "not empty");
    assert_eq!(remove(&mut client, 12, "etc"), 21, "a directory");
    assert_eq!(remove(&mut client, 12, "data"), 0);
    assert_eq!(client.write(&data, 0, b"x"), 70);
    assert_eq!(std::fs::read_dir(scratch.path().join("written")).unwrap().count(), 0);
}

#[test]
fn a_listing_that_is_interrupted_goes_on_where_it_was() {
    let scratch = tempfile::tempdir().unwrap();
    let server = server(scratch.path());
    let mut client = Client::of(&server);
    let all = [".", "..", "data", "etc", "link"];
    let mut names = client.names(4096);
    names.sort();
    assert_eq!(names, all);
    // Room for a name at a time.
    let mut names = client.names(300);
    names.sort();
    assert_eq!(names, all);
}

#[test]
fn whoever_sends_what_is_no_call_is_hung_up_on() {
    let scratch = tempfile::tempdir().unwrap();
    let server = server(scratch.path());
    for bytes in [&[0xff; 64][..], &[0x80, 0, 0, 4, 1, 2, 3, 4][..]] {
        let mut client = Client::of(&server);
        client.stream.write_all(bytes).unwrap();
        assert!(read_message(&mut client.stream).map_or(true, |message| message.is_none()));
    }
    assert!(Client::of(&server).lookup("etc").is_ok());
    let port = server.port();
    drop(server);
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
}
