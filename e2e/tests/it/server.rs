//! `pumice server` with TLS, its clients' tokens, and a lab that is copied and made again from the copy.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use e2e::{Finished, Running, Sandbox, Signal, need, program};

const SHORT: Duration = Duration::from_secs(60);

/// A server with a certificate that only its own file vouches for.
struct Server {
    sandbox: Sandbox,
    running: Running,
    certificate: PathBuf,
    state: PathBuf,
}

/// A certificate for this host's loopback, and its key.
fn certificate(sandbox: &Sandbox, openssl: &Path) -> (PathBuf, PathBuf) {
    let [certificate, key] = ["tls.crt", "tls.key"].map(|name| sandbox.path().join(name));
    let arguments = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=lab",
        "-addext",
        "subjectAltName=IP:127.0.0.1,DNS:localhost",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ];
    let mut command = sandbox.foreign(openssl, arguments);
    command.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
    let made = sandbox.start(&mut command).wait(SHORT);
    assert!(made.status.success(), "{}", made.stderr);
    (certificate, key)
}

impl Server {
    fn start(sandbox: Sandbox, state: &str, (certificate, key): (PathBuf, PathBuf)) -> Self {
        let state = sandbox.path().join(state);
        let mut command = sandbox.command("pumice", ["server", "--listen", "127.0.0.1:0", "--state"]);
        command.arg(&state).arg("--tls-cert").arg(&certificate).arg("--tls-key").arg(key);
        let mut running = sandbox.start(&mut command);
        running.wait_for("the lab is at https://127.0.0.1:", SHORT);
        Self { sandbox, running, certificate, state }
    }

    fn ask(&self, words: &[&str]) -> Finished {
        let mut command = self.sandbox.command("pumice", words);
        command.env("PUMICE_LAB", &self.state).env("PUMICE_CA_CERT", &self.certificate);
        self.sandbox.start(&mut command).wait(SHORT)
    }

    fn told(&self, words: &[&str]) -> String {
        let finished = self.ask(words);
        assert_eq!(finished.status.code(), Some(0), "{words:?}: {}{}", finished.stdout, finished.stderr);
        finished.stdout
    }

    fn end(self) -> Sandbox {
        self.running.signal(Signal::TERM);
        let ended = self.running.wait(SHORT);
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        self.sandbox
    }
}

#[test]
fn a_lab_behind_tls_is_copied_while_it_runs_and_made_again() {
    let openssl = need!(program("openssl"));
    let sandbox = Sandbox::new();
    let files = certificate(&sandbox, &openssl);
    let server = Server::start(sandbox, "lab", files.clone());
    let secret = server.told(&["tokens", "create", "ci", "--scope", "submit", "--days", "3"]);
    let tokens = server.told(&["tokens"]);
    let line = tokens.lines().find(|line| line.contains("  ci  ")).unwrap_or_default();
    assert!(line.contains("  submit  ") && line.contains("  20"), "{tokens}");
    assert_eq!(server.told(&["jobs", "--where", "submitter=admin"]), "");
    let refused = server.ask(&["--help"]);
    assert!(refused.stdout.contains("completions"), "{}", refused.stdout);

    // Whoever does not know the certificate says nothing to it.
    let mut blind = server.sandbox.command("pumice", ["jobs"]);
    let blind = server.sandbox.start(blind.env("PUMICE_LAB", &server.state)).wait(SHORT);
    assert_eq!(blind.status.code(), Some(66), "{}", blind.stderr);
    assert!(blind.stderr.contains("give --ca-cert FILE"), "{}", blind.stderr);

    let file = server.sandbox.path().join("lab.tar");
    server.told(&["backup", file.to_str().unwrap()]);
    server.told(&["tokens", "end", "2"]);
    let sandbox = server.end();
    // One that is cut short leaves nothing, so that the whole one finds its place.
    let cut = sandbox.path().join("cut.tar");
    let whole = fs_err::read(&file).unwrap();
    fs_err::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let mut restore = sandbox.command("pumice", ["restore", cut.to_str().unwrap(), "--state"]);
    let refused = sandbox.start(restore.arg(sandbox.path().join("again"))).wait(SHORT);
    assert_eq!(refused.status.code(), Some(66), "{}", refused.stderr);
    let mut restore = sandbox.command("pumice", ["restore", file.to_str().unwrap(), "--state"]);
    let restored = sandbox.start(restore.arg(sandbox.path().join("again"))).wait(SHORT);
    assert_eq!(restored.status.code(), Some(0), "{}", restored.stderr);
    let again = Server::start(sandbox, "again", files);
    // In the copy the token still is.
    let listed = again.told(&["jobs", "--token", secret.trim(), "--format", "json"]);
    assert_eq!(listed.trim(), "[]");
    let over = again.ask(&["restore", file.to_str().unwrap()]);
    assert!(over.status.code() == Some(66) && over.stderr.contains("already"), "{}", over.stderr);
    again.end().is_empty_within(Duration::from_secs(2));
}
