//! A database that is slow, held by somebody else, or gone for a while: requests are answered late or refused with 503, no job is
//! lost, none runs twice, and no worker loses its leases for it.

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use e2e::{Missing, Sandbox, need, program, skip_or_fail};
use fs_err as fs;

use super::rig::{LEASE, Lab, waits_for};

/// Another process that holds SQLite's one lock for writers.
struct Holder(Child);

impl Holder {
    fn hold(sqlite: &Path, database: &Path) -> Self {
        let mut command = Command::new(sqlite);
        command.arg(database).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let words = ".timeout 60000\nBEGIN IMMEDIATE;\nSELECT 'held';\n";
        child.stdin.as_mut().unwrap().write_all(words.as_bytes()).unwrap();
        let mut said = [0; 4];
        child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        assert_eq!(&said, b"held");
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_sqlite_database_that_another_process_holds_costs_nothing_but_time() {
    let sqlite = need!(program("sqlite3"));
    let mut lab = Lab::new(Sandbox::new());
    lab.start();
    let go = lab.sandbox.path().join("go");
    let job = lab.submit("runs", &waits_for(&go));
    lab.wait_until("its first case", || lab.cases(&job) == ["case_before"]);

    let database = fs::read_dir(lab.state()).unwrap().flatten().map(|entry| entry.path());
    let database = database.into_iter().find(|path| path.extension().is_some_and(|end| end == "db")).unwrap();
    let holder = Holder::hold(&sqlite, &database);
    let definition = lab.job("refused", &waits_for(&go));
    let body = serde_json::json!({"definition": fs::read_to_string(&definition).unwrap()}).to_string();
    let (status, said) = lab.curl("/api/v0.2/jobs/", &["-H", "Content-Type: application/json", "-d", &body]);
    assert_eq!(status, 503, "{said}");
    assert!(said.to_lowercase().contains("retry-after:") && said.contains("database"), "{said}");
    fs::write(&go, "").unwrap();
    thread::sleep(Duration::from_secs(u64::from(LEASE) * 3));
    assert_eq!(lab.ask(&["show", &job])["state"], "Running", "whoever looks is served");
    drop(holder);

    assert_eq!(lab.health(&job), "Complete", "{}", lab.said());
    assert_eq!(lab.cases(&job), ["case_before", "case_after"]);
    assert_eq!(lab.ask(&["jobs"]).as_array().unwrap().len(), 1, "what was refused is not there");
    assert_eq!(lab.health(&lab.submit("next", &waits_for(&go))), "Complete");
    lab.end();
}

/// Between the server and its PostgreSQL: delays what is said, or cuts the line.
struct Proxy {
    directory: PathBuf,
    delay_ms: Arc<AtomicU64>,
    is_cut: Arc<AtomicBool>,
    lines: Arc<Mutex<Vec<UnixStream>>>,
}

/// PostgreSQL's name for its socket (its manual, "Connections and Authentication").
const SOCKET: &str = ".s.PGSQL.5432";

impl Proxy {
    fn start(sandbox: &Sandbox, behind: &str) -> Self {
        let directory = sandbox.path().join("proxy");
        fs::create_dir_all(&directory).unwrap();
        let listener = UnixListener::bind(directory.join(SOCKET)).unwrap();
        let behind = Path::new(behind).join(SOCKET);
        let proxy =
            Self { directory, delay_ms: Arc::default(), is_cut: Arc::default(), lines: Arc::default() };
        let (delay, is_cut) = (Arc::clone(&proxy.delay_ms), Arc::clone(&proxy.is_cut));
        let lines = Arc::clone(&proxy.lines);
        thread::spawn(move || {
            for near in listener.incoming() {
                let Ok(near) = near else { return };
                if is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(far) = UnixStream::connect(&behind) else { continue };
                lines.lock().unwrap().extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                // One way is enough: every answer is late.
                pass(near.try_clone().unwrap(), far.try_clone().unwrap(), Arc::default());
                pass(far, near, Arc::clone(&delay));
            }
        });
        proxy
    }

    fn delay(&self, delay: Duration) {
        self.delay_ms.store(u64::try_from(delay.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::SeqCst);
        if is_cut {
            for line in self.lines.lock().unwrap().drain(..) {
                let _ = line.shutdown(Shutdown::Both);
            }
        }
    }

    /// `url`, by way of here.
    fn url(&self, url: &str, behind: &str) -> String {
        url.replace(behind, &self.directory.display().to_string())
    }
}

fn pass(mut from: UnixStream, mut to: UnixStream, delay_ms: Arc<AtomicU64>) {
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(count) = from.read(&mut buffer) {
            thread::sleep(Duration::from_millis(delay_ms.load(Ordering::SeqCst)));
            if count == 0 || to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
}

/// A lab on PostgreSQL behind a proxy.
fn behind_a_proxy(name: &str) -> Result<(pumice_testkit::Postgres, Proxy, Lab), Missing> {
    let postgres = pumice_testkit::Postgres::start()
        .map_err(|reason| Missing::set_up(format!("PostgreSQL: {reason}")))?;
    let url = postgres.fresh(name);
    let (_, behind) = url.split_once("?host=").ok_or_else(|| Missing::rare("PostgreSQL on a socket"))?;
    let sandbox = Sandbox::new();
    let proxy = Proxy::start(&sandbox, behind);
    let mut lab = Lab::new(sandbox);
    lab.server_words.extend(["--database".to_owned(), proxy.url(&url, behind)]);
    lab.start();
    Ok((postgres, proxy, lab))
}

#[test]
fn a_postgresql_that_answers_late_is_waited_for() {
    let (_postgres, proxy, lab) = match behind_a_proxy("slow") {
        Ok(found) => found,
        Err(missing) => return skip_or_fail(&missing),
    };
    let go = lab.sandbox.path().join("go");
    let runs = lab.submit("runs", &waits_for(&go));
    lab.wait_until("its first case", || lab.cases(&runs) == ["case_before"]);
    proxy.delay(Duration::from_millis(700));
    // Longer than its lease, with every answer of the database late.
    thread::sleep(Duration::from_secs(u64::from(LEASE) * 3));
    let late = lab.pumice(&["submit", lab.job("late", &waits_for(&go)).to_str().unwrap()]);
    assert!(late.status.success() || late.stderr.contains("503"), "{}{}", late.stdout, late.stderr);
    fs::write(&go, "").unwrap();
    proxy.delay(Duration::ZERO);
    let jobs = lab.ask(&["jobs"]);
    for job in jobs.as_array().unwrap() {
        let id = job["id"].to_string();
        assert_eq!(lab.health(&id), "Complete", "{}", lab.said());
        assert_eq!(lab.cases(&id), ["case_before", "case_after"]);
    }
    assert!(!lab.said().contains("not ours any more"), "{}", lab.said());
    lab.end();
}

#[test]
fn a_postgresql_that_is_gone_for_a_while_is_found_again() {
    let (_postgres, proxy, lab) = match behind_a_proxy("gone") {
        Ok(found) => found,
        Err(missing) => return skip_or_fail(&missing),
    };
    let go = lab.sandbox.path().join("go");
    let runs = lab.submit("runs", &waits_for(&go));
    lab.wait_until("its first case", || lab.cases(&runs) == ["case_before"]);
    proxy.cut(true);
    let (status, said) = lab.curl("/v1/healthz/", &[]);
    assert_eq!(status, 503, "{said}");
    fs::write(&go, "").unwrap();
    thread::sleep(Duration::from_secs(u64::from(LEASE) * 3));
    proxy.cut(false);
    assert_eq!(lab.health(&runs), "Complete", "{}", lab.said());
    assert_eq!(lab.cases(&runs), ["case_before", "case_after"]);
    assert!(!lab.said().contains("not ours any more"), "{}", lab.said());
    assert_eq!(lab.curl("/v1/healthz/", &[]).0, 200);
    lab.end();
}
