//! Networks of mode `tap`: each machine in a network namespace of its own.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use e2e::{Guest, Running, Sandbox, Signal, built, need, program};

const LIMIT: Duration = Duration::from_secs(290);

/// A job on a Fast Model whose guest serves a page with this text on its port 8080, and then waits.
fn job(guest: &Guest, text: &str, port: u16) -> String {
    format!(
        "job_name: {text}\ndevice_type: fvp\nvisibility: public\n\
         timeouts: {{job: {{minutes: 12}}, action: {{minutes: 4}}, connection: {{minutes: 4}}}}\nactions:\n\
         - deploy:\n    to: fvp\n    images:\n      kernel: {{url: 'file://{}'}}\n      \
         initrd: {{url: 'file://{}'}}\n\
         - boot:\n    method: fvp\n    model: base-revc\n    timeout: {{minutes: 4}}\n    \
         network: {{mode: tap, forwards: [{{host_port: {port}, guest_port: 8080}}]}}\n    \
         prompts: ['root@guest:~#']\n    auto_login: {{login_prompt: 'guest login:', username: root}}\n\
         - test:\n    definitions:\n    - from: inline\n      name: page\n      path: inline/page.yaml\n      \
         repository:\n        metadata: {{format: Lava-Test Test Definition 1.0, name: page}}\n        \
         run:\n          steps:\n          \
         - lava-test-case gateway --shell ping -c 2 172.20.51.1\n          \
         - echo {text} > /tmp/index.html\n          \
         - lava-test-case {text} --shell httpd -p 8080 -h /tmp\n          - sleep 600\n",
        guest.kernel().display(),
        guest.initrd().display(),
    )
}

fn start(sandbox: &Sandbox, models: &Path, name: &str, text: &str) -> Running {
    let path = sandbox.write(&format!("{name}.yaml"), text);
    let mut command = sandbox.command("pumice", ["run", "--output-dir", name]);
    let search = std::env::var("PATH").unwrap_or_default();
    command.arg(path).env("PATH", format!("{}:{search}", models.display()));
    sandbox.start(&mut command)
}

/// What is served on a port of this host. A guest that was just told to listen may need a moment.
fn page(port: u16) -> String {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let fetch = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            stream.write_all(b"GET /index.html HTTP/1.0\r\n\r\n")?;
            let mut text = String::new();
            stream.read_to_string(&mut text)?;
            Ok(text)
        };
        match fetch() {
            Ok(text) if text.contains("200 OK") => {
                return text.lines().last().unwrap_or_default().to_owned();
            }
            other => assert!(Instant::now() < end, "{other:?}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn two_models_have_a_network_each_and_kill_9_leaves_nothing() {
    let guest = need!(Guest::find("arm64"));
    need!(program("ip"));
    let sandbox = Sandbox::new();
    let models = sandbox.path().join("models");
    std::fs::create_dir_all(&models).unwrap();
    let links = Command::new(built("model-standin")).arg("links").arg(&models).output().unwrap();
    assert!(links.status.success(), "{links:?}");
    // Both are free while both are held.
    let held = ["one", "two"].map(|name| (name, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()));
    let ports = held.map(|(name, listener)| (name, listener.local_addr().unwrap().port()));
    let mut running =
        ports.map(|(name, port)| (name, port, start(&sandbox, &models, name, &job(&guest, name, port))));
    for (name, _, one) in &mut running {
        one.wait_for(&format!("0_page/{name}"), LIMIT);
    }
    for (name, port, one) in &running {
        let log = std::fs::read_to_string(sandbox.path().join(name).join("logs.yaml")).unwrap();
        assert!(log.contains(r#""case": "gateway", "result": "pass""#), "{log}");
        // The addresses in both are the same: what answers is what the port leads to.
        assert_eq!(page(*port), *name);
        assert!(one.id() > 0);
    }
    for (_, _, one) in &running {
        one.signal(Signal::KILL);
    }
    drop(running);
    sandbox.is_empty_within(Duration::from_secs(20));
    for (_, port) in ports {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free again");
    }
    // The next start finds nothing more to do.
    let path = sandbox.write("none.yaml", job(&guest, "none", 0).replace("base-revc", "no-such-model"));
    let finished = sandbox.pumice(["run", path.to_str().unwrap()], LIMIT);
    assert_eq!(finished.status.code(), Some(64), "{}", finished.stderr);
}
