//! The store behind S3, against a server that speaks it: `moto_server`, which `cargo xtask s3` installs.

use std::{
    fmt::Write as _,
    io::Read as _,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use pumice_server::storage::{Bucket, Directory, FileAim, Place, Storage, open_s3};
use pumice_types::JobId;
use sha2::{Digest as _, Sha256};

/// How long the server may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that speaks S3, with a bucket `lab`; killed when dropped.
struct S3 {
    child: Child,
    url: String,
}

impl S3 {
    fn start() -> Option<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/s3/bin/moto_server");
        if !program.is_file() {
            println!("skipped: there is no moto_server in target/s3: run `cargo xtask s3`");
            return None;
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &free.port().to_string()]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { child, url: format!("http://{free}") };
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(free).is_err() {
            assert!(Instant::now() < end, "moto_server does not listen");
            std::thread::yield_now();
        }
        ureq::put(format!("{}/lab", server.url)).send_empty().unwrap();
        Some(server)
    }

    fn variables(&self) -> Vec<(String, String)> {
        let pairs = [
            ("AWS_ACCESS_KEY_ID", "any"),
            ("AWS_SECRET_ACCESS_KEY", "any"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT", &self.url),
            ("AWS_ALLOW_HTTP", "true"),
            ("PATH", "is left alone"),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

#[test]
fn logs_and_files_of_a_job_that_ended_come_from_s3_and_are_removed_there() {
    let Some(server) = S3::start() else { return };
    let state = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let (far, prefix) = open_s3("s3://lab/one/two", server.variables()).unwrap();
    let store = Bucket::new(Directory::open(state.path()).unwrap(), far, &prefix);
    let place = Place { job: JobId(12345), fence: 3 };
    // More than two parts, and no part like another.
    let large: Vec<u8> = (0..20_u32 << 18).flat_map(u32::to_le_bytes).collect();
    let aim = FileAim { size: large.len() as u64, sha256: hexadecimal(&large) };
    let name = "trace.bin".parse().unwrap();
    store.append_log(place, 0, b"- a\n- bc\n- d\n").unwrap();
    store.append_file(place, &name, &aim, 0, &large).unwrap();
    store.append_upload(7, &aim, 0, &large).unwrap();
    store.settle(&[place.job]).unwrap();
    assert!(!state.path().join("jobs/12/12345").exists());

    assert_eq!(store.log_size(place).unwrap().lines, 3);
    assert_eq!(store.read_log(place, 1, Some(2), usize::MAX).unwrap(), b"- bc\n");
    let read = |stored: Option<pumice_server::storage::Stored>| {
        let mut bytes = Vec::new();
        stored.unwrap().rest.read_to_end(&mut bytes).unwrap();
        bytes
    };
    assert!(read(store.read_file(place, &name, 0).unwrap()) == large);
    assert!(read(store.read_upload(&aim.sha256, 9_000_001).unwrap()) == large[9_000_001..]);

    store.remove(place.job).unwrap();
    store.remove_upload(&aim.sha256).unwrap();
    assert_eq!(store.log_size(place).unwrap().bytes, 0);
    assert!(store.read_file(place, &name, 0).unwrap().is_none());
    let listed = ureq::get(format!("{}/lab?list-type=2", server.url)).call().unwrap();
    let listed = listed.into_body().read_to_string().unwrap();
    assert!(!listed.contains("<Key>"), "something is left: {listed}");
}

#[test]
fn a_store_that_does_not_answer_loses_nothing() {
    let Some(mut server) = S3::start() else { return };
    let state = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let (far, prefix) = open_s3("s3://absent", server.variables()).unwrap();
    let store = Bucket::new(Directory::open(state.path()).unwrap(), far, &prefix);
    let place = Place { job: JobId(7), fence: 1 };
    store.append_log(place, 0, b"- a\n").unwrap();
    assert!(store.settle(&[place.job]).is_err(), "there is no such bucket");
    assert_eq!(store.read_log(place, 0, None, usize::MAX).unwrap(), b"- a\n");
    server.child.kill().unwrap();
    assert_eq!(store.unsettled().unwrap(), [place.job]);
    assert_eq!(store.read_log(place, 0, None, usize::MAX).unwrap(), b"- a\n", "what is here needs no store");
}

#[test]
fn an_address_that_names_no_bucket_is_refused() {
    for wrong in ["lab", "s3://", "s3:///prefix", "https://host/bucket"] {
        let refused = open_s3(wrong, Vec::new()).unwrap_err().to_string();
        assert!(refused.contains("s3://BUCKET/PREFIX"), "{refused}");
    }
}
