//! Fast Models work goes to the worker that has the model, when there is a seat.

use std::time::Duration;

use e2e::{Signal, need};

use super::rig::{Lab, PATIENCE};

/// A guest that logs in at once and waits.
const SHELL: &str =
    "say 0 \"Linux version 6.1\\r\\nguest login: \"\nexpect 0 \"root\"\nsay 0 \"root@guest:~# \"\n";

/// A job for a model of the library. It holds its seat for as long as `then` lasts.
pub(crate) fn job(lab: &Lab, name: &str, then: &str) -> String {
    let script = lab.sandbox.write("shell.script", SHELL);
    let disk = lab.sandbox.write("disk.img", vec![0_u8; 4096]);
    format!(
        "job_name: {name}\ndevice_type: fvp\nvisibility: public\n\
         timeouts: {{job: {{minutes: 5}}, action: {{minutes: 2}}, connection: {{minutes: 2}}}}\nactions:\n\
         - deploy:\n    to: fvp\n    images:\n      disk: {{url: 'file://{}'}}\n\
         - boot:\n    method: fvp\n    model: A15x1\n    environment: ['MODEL_STANDIN=guest=script:{}']\n    \
         auto_login: {{login_prompt: 'login:', username: root}}\n    prompts: ['root@guest:~#']\n{then}",
        disk.display(),
        script.display(),
    )
}

#[test]
fn a_models_job_goes_to_the_worker_that_has_the_model_and_waits_for_a_seat() {
    let mut lab = need!(Lab::new(2, &[]));
    // Counted by the lab from its start on.
    lab.configure("[licences.fast-models]\nseats = 1\n");
    restart_server(&mut lab);
    lab.install_models(2);
    for worker in [1, 2] {
        lab.start_worker(worker);
        lab.wait_for_worker(worker);
    }

    let hold = "- test:\n    timeout: {minutes: 3}\n    interactive:\n    - name: hold\n      prompts: ['never']\n      \
                script: [{command: 'x', failures: [{message: 'y'}]}]\n";
    let first = lab.submit("first", &job(&lab, "first", hold));
    lab.wait_until("the first job runs", || lab.ask(&["show", &first])["state"] == "Running");
    assert_eq!(lab.ask(&["show", &first])["actual_device"], "fvp-w2");

    // Workers tag what they offer with the versions of their models, so that a job may ask for one.
    let tags = lab.get("tags/");
    let names = tags["results"].as_array().unwrap().iter().filter_map(|tag| tag["name"].as_str());
    let versions: Vec<_> = names.filter(|name| name.starts_with("A15x1-")).collect();
    assert_eq!(versions.len(), 1, "{tags}");
    let of_version = format!("tags: [{}]\n", versions[0]);
    let second = lab.submit("second", &job(&lab, "second", &of_version));
    let why = lab.ask(&["why", &second]).to_string();
    assert!(why.contains("waits for 1 seats of licence fast-models"), "{why}");
    let licences = lab.ask(&["why", &first]);
    assert_eq!(licences["state"], "Running");

    assert!(lab.pumice(&["cancel", &first], PATIENCE).status.success());
    lab.wait_until("the second job ends", || lab.ask(&["show", &second])["state"] == "Finished");
    let shown = lab.ask(&["show", &second]);
    assert_eq!(
        (&shown["health"], &shown["actual_device"]),
        (&"Complete".into(), &"fvp-w2".into()),
        "{}",
        lab.said()
    );
    assert_eq!(lab.ask(&["show", &first])["health"], "Canceled");

    for running in lab.workers.iter_mut().filter_map(Option::take).chain(lab.server.take()) {
        running.signal(Signal::TERM);
        let ended = running.wait(PATIENCE);
        assert!(ended.status.success(), "{}", ended.stderr);
    }
    drop(lab.network);
    lab.sandbox.is_empty_within(Duration::from_secs(5));
}

fn restart_server(lab: &mut Lab) {
    let server = lab.server.take().unwrap();
    server.signal(Signal::TERM);
    assert!(server.wait(PATIENCE).status.success());
    lab.start_server();
}
