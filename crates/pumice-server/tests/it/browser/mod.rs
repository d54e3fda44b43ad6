//! The pages in a real browser: what their scripts do, and that every page can be read.

mod chromium;

use serde_json::{Value, json};

use crate::{
    exchange::{LavaWorker, encoded},
    lab::Lab,
};
use chromium::Browser;

/// A job whose first action goes well and whose second does not.
const FAILED: [&str; 8] = [
    r#"- {"dt": "2026-11-22T10:35:44+00:00", "lvl": "info", "msg": "start: 1 deployimages (timeout 00:02:00) [common]"}"#,
    r#"- {"dt": "2026-11-22T10:35:45+00:00", "lvl": "debug", "msg": "needle: a copy was made"}"#,
    r#"- {"dt": "2026-11-22T10:35:46+00:00", "lvl": "info", "msg": "end: 1 deployimages (duration 00:00:02) [common]"}"#,
    r#"- {"dt": "2026-11-22T10:35:47+00:00", "lvl": "info", "msg": "start: 2 boot-image-retry (timeout 00:02:00) [common]"}"#,
    r#"- {"dt": "2026-11-22T10:35:48+00:00", "lvl": "target", "msg": "Kernel panic - not syncing: no init"}"#,
    r#"- {"dt": "2026-11-22T10:37:48+00:00", "lvl": "error", "msg": "login-action timed out after 120 seconds"}"#,
    r#"- {"dt": "2026-11-22T10:37:49+00:00", "lvl": "results", "msg": {"definition": "lava", "case": "login-action", "result": "fail", "duration": "120.00"}}"#,
    r#"- {"dt": "2026-11-22T10:37:50+00:00", "lvl": "results", "msg": {"definition": "lava", "case": "job", "result": "fail", "error_type": "Job", "error_msg": "login-action timed out after 120 seconds"}}"#,
];

/// A lab in which job 1 failed, and its worker.
fn lab() -> (Lab, String) {
    let lab = Lab::start();
    let token = lab.with_device();
    lab.submit("");
    LavaWorker { lab: &lab, token: token.clone() }.run(&FAILED, "result=fail&error_type=Job");
    (lab, token)
}

/// Logs the administrator in.
fn log_in(browser: &mut Browser, lab: &Lab) {
    browser.go(&format!("{}/login", lab.url));
    let fill = format!(
        "document.querySelector('#username').value = 'admin'; document.querySelector('#password').value = '{}'; \
         document.querySelector('main form').requestSubmit()",
        lab.token
    );
    browser.value(&fill);
    browser.wait_for(
        "document.readyState === 'complete' && document.querySelector('h1').textContent === 'The lab'",
    );
}

#[test]
fn a_failed_job_shows_what_went_wrong_and_leads_to_the_line() {
    let Some(mut browser) = Browser::start() else { return };
    let (lab, _) = lab();
    browser.go(&format!("{}/scheduler/job/1", lab.url));
    browser.wait_for("document.querySelector('#where') && !document.querySelector('#where').hidden");
    let open = browser.value("[...document.querySelectorAll('details.step')].map(step => step.open)");
    assert_eq!(open, json!([false, true]), "what went well is folded away");
    browser.value("document.querySelector('#where').click()");
    browser.wait_for("document.querySelector('.marked')");
    assert_eq!(browser.value("document.querySelector('.marked').id"), "L5");

    browser.press("/");
    assert_eq!(browser.value("document.activeElement.id"), "find");
    for letter in ["n", "e", "e", "d"] {
        browser.press(letter);
    }
    browser.wait_for("document.querySelector('#found').textContent === '1 found'");
    browser.value(
        "document.querySelector('#find').dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true}))",
    );
    assert_eq!(browser.value("document.querySelector('.marked').id"), "L1");
    let open = browser.value("document.querySelector('details.step').open");
    assert_eq!(open, true, "the folded action with the match is opened");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_log_of_a_running_job_grows_and_its_end_is_shown() {
    let Some(mut browser) = Browser::start() else { return };
    let (lab, token) = lab();
    let worker = LavaWorker { lab: &lab, token };
    lab.rest("POST", "/devices/virtual01/set_health/", &json!({"health": "Good"}));
    lab.submit("");
    let (id, token) = worker.offered();
    let path = format!("/jobs/{id}/");
    worker.ask("GET", &path, &token, "");
    worker.ask("POST", &path, &token, "state=RUNNING");
    browser.go(&format!("{}/scheduler/job/{id}", lab.url));
    browser.wait_for("document.querySelector('#state').textContent === 'Running'");
    for (index, line) in FAILED.iter().enumerate().take(3) {
        let form = format!("lines={}&index={index}", encoded(line));
        worker.ask("POST", &format!("{path}logs/"), &token, &form);
        browser.wait_for(&format!("document.querySelector('#L{index}')"));
    }
    worker.ask("POST", &path, &token, "state=FINISHED&result=pass&error_type=&errors=&description=");
    // The page is loaded again, with what is known only now.
    browser.wait_for(
        "document.readyState === 'complete' && !('live' in document.querySelector('.log').dataset)",
    );
    assert_eq!(browser.value("document.querySelector('#state').textContent"), "Complete");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_file_that_is_chosen_is_sent_and_named_in_the_definition() {
    let Some(mut browser) = Browser::start() else { return };
    let (lab, _) = lab();
    log_in(&mut browser, &lab);
    browser.go(&format!("{}/scheduler/jobsubmit", lab.url));
    // One that ends at a block's end, and one of two pieces: what is sent is what the server finds to have that digest.
    for (name, size) in [("root.img", 64), ("a kernel", (4 << 20) + 57)] {
        let choose = format!(
            "(() => {{ const chosen = new DataTransfer(); \
             chosen.items.add(new File([new Uint8Array({size}).fill(7)], '{name}')); \
             const box = document.querySelector('#files'); box.files = chosen.files; \
             box.dispatchEvent(new Event('change')); }})()"
        );
        browser.value(&choose);
        browser.wait_for(&format!(
            "document.querySelector('#sent').textContent.startsWith('{name} was') && !document.querySelector('#files').disabled"
        ));
    }
    let uploads = lab.rest("GET", "/uploads/", &Value::Null);
    let files = uploads["results"].as_array().unwrap();
    assert!(files.iter().all(|file| file["complete"] == true), "{uploads}");
    let definition = browser.value("document.querySelector('textarea').value");
    let definition = definition.as_str().unwrap();
    for (name, size) in [("root.img", 64), ("a_kernel", (4 << 20) + 57)] {
        let file = files.iter().find(|file| file["name"] == name && file["size"] == size).unwrap();
        let address = format!("upload://{}/{name}", file["sha256"].as_str().unwrap());
        assert!(definition.contains(&address), "no {address} in {definition}");
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// What is wrong with a page that everybody should be able to read: text too pale for its ground (WCAG 2.2, 1.4.3), fields
/// without a name, a page wider than the screen, no main part, not one heading.
const FAULTS: &str = include_str!("faults.js");

#[test]
fn every_page_can_be_read_on_a_phone_and_on_a_desk_by_day_and_by_night() {
    let Some(mut browser) = Browser::start() else { return };
    let (lab, _) = lab();
    lab.submit("");
    log_in(&mut browser, &lab);
    let pages = [
        "/",
        "/scheduler/alljobs",
        "/scheduler/job/1",
        "/scheduler/job/2",
        "/scheduler/queue",
        "/results/",
        "/results/1",
        "/results/1/lava",
        "/results/testcase/1",
        "/results/compare?before=1&after=1",
        "/scheduler/alldevices",
        "/scheduler/device/virtual01",
        "/scheduler/device_types",
        "/scheduler/device_type/virtual",
        "/scheduler/allworkers",
        "/scheduler/worker/worker1",
        "/scheduler/jobsubmit?like=1",
        "/scheduler/job/1/definition",
        "/me/",
        "/api/help/",
    ];
    let mut wrong = Vec::new();
    for (width, scheme) in [(1280, "light"), (390, "dark")] {
        browser.look_like(width, scheme);
        for page in pages {
            browser.go(&format!("{}{page}", lab.url));
            let Value::Array(faults) = browser.value(FAULTS) else { panic!("no list of faults") };
            wrong.extend(faults.iter().map(|fault| format!("{page} ({width}, {scheme}): {fault}")));
            wrong.extend(browser.complaints().iter().map(|said| format!("{page}: {said}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
