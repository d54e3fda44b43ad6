//! Who may do what.

use serde_json::{Value, json};

use crate::lab::{JOB, Lab};

#[test]
fn a_private_job_is_seen_by_those_who_may() {
    let lab = Lab::start();
    lab.with_device();
    let alice = lab.user("alice");
    let private = JOB.replace("visibility: public", "visibility: personal");
    let (status, said) = lab.rest_as(&alice, "POST", "/jobs/", &json!({"definition": private}));
    assert_eq!(status, 201, "{said}");
    let id = serde_json::from_str::<Value>(&said).unwrap()["job_ids"][0].clone();
    let bob = lab.user("bob");
    let seen_by = |token: &str| lab.rest_as(token, "GET", &format!("/jobs/{id}/"), &Value::Null).0;
    assert_eq!((seen_by(&alice), seen_by(&bob), seen_by(&lab.token)), (200, 403, 200));
    let count = |token: &str| {
        let (_, text) = lab.rest_as(token, "GET", "/jobs/", &Value::Null);
        serde_json::from_str::<Value>(&text).unwrap()["count"].as_i64()
    };
    assert_eq!((count(&alice), count(&bob)), (Some(1), Some(0)));
    assert_eq!(lab.rest_as(&bob, "GET", &format!("/jobs/{id}/cancel/"), &Value::Null).0, 403);
    assert_eq!(lab.send("GET", &format!("/scheduler/job/{id}"), &[], b"").0, 401);
    assert_eq!(lab.send("GET", &format!("/scheduler/job/{id}/log_file/plain"), &[], b"").0, 401);
}

#[test]
fn a_token_that_may_only_look_or_submit_leads_to_no_other_token() {
    let lab = Lab::start();
    lab.with_device();
    let job = lab.submit("");
    for scope in ["read", "submit", "manage"] {
        let asked = json!({"description": scope, "scopes": [scope]}).to_string();
        let authorization = format!("Token {}", lab.token);
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
        let (_, made) = lab.send("POST", "/api/pumice/v1/tokens", &headers, asked.as_bytes());
        let made: Value = serde_json::from_str(&made).unwrap();
        let token = made["secret"].as_str().unwrap();
        let shows_token = |path: &str| lab.rest_as(token, "GET", path, &Value::Null).1.contains("\"token\"");
        let call = "<methodCall><methodName>scheduler.workers.show</methodName><params><param><value>\
                    <string>worker1</string></value></param></params></methodCall>";
        let authorization = format!("Token {token}");
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", "text/xml")];
        let (_, told) = lab.send("POST", "/RPC2", &headers, call.as_bytes());
        assert!(told.contains("<name>hostname</name>"), "{told}");
        let shown = [
            shows_token("/workers/worker1/"),
            shows_token("/workers/"),
            shows_token(&format!("/jobs/{job}/")),
            told.contains("<name>token</name>"),
        ];
        assert_eq!(shown, [scope == "manage"; 4], "{scope}");
    }
}

#[test]
fn a_plain_user_changes_nothing_of_the_lab() {
    let lab = Lab::start();
    lab.with_device();
    let alice = lab.user("alice");
    for (method, path, body) in [
        ("POST", "/workers/", json!({"hostname": "w2"})),
        ("POST", "/devices/", json!({"hostname": "d2", "device_type": "virtual"})),
        ("POST", "/devices/virtual01/set_health/", json!({"health": "Bad"})),
        ("POST", "/devices/virtual01/dictionary/", json!({"dictionary": "x"})),
        ("POST", "/devicetypes/", json!({"name": "t"})),
        ("POST", "/devicetypes/virtual/template/", json!({"config": "x"})),
        ("POST", "/users/", json!({"username": "x"})),
        ("GET", "/users/", Value::Null),
        ("GET", "/audit/", Value::Null),
        ("DELETE", "/devices/virtual01/", Value::Null),
    ] {
        let (status, said) = lab.rest_as(&alice, method, path, &body);
        assert_eq!(status, 403, "{method} {path}: {said}");
        let (status, said) = lab.send(
            method,
            &format!("/api/v0.2{path}"),
            &[("Content-Type", "application/json")],
            body.to_string().as_bytes(),
        );
        assert_eq!(status, 401, "{method} {path}: {said}");
    }
    let (_, worker) = lab.rest_as(&alice, "GET", "/workers/worker1/", &Value::Null);
    assert!(!worker.contains("token"), "{worker}");
}

#[test]
fn a_device_of_a_group_takes_jobs_of_its_members() {
    let lab = Lab::start();
    lab.with_device();
    let alice = lab.user("alice");
    lab.rest("POST", "/groups/", &json!({"name": "lab"}));
    let grant = json!({"group": "lab", "permission": "view_device", "device": "virtual01"});
    lab.rest("POST", "/permissions/devices/", &grant);
    assert_eq!(lab.rest_as(&alice, "GET", "/devices/virtual01/", &Value::Null).0, 404);
    let (_, said) = lab.rest_as(&alice, "POST", "/jobs/", &json!({"definition": JOB}));
    let id = serde_json::from_str::<Value>(&said).unwrap()["job_ids"][0].clone();
    let why = lab.rest("GET", &format!("/jobs/{id}/why/"), &Value::Null);
    assert_eq!(why["obstacles"][0]["what"], "the submitter may not use it");
}

#[test]
fn scopes_and_ends_of_tokens_hold() {
    let lab = Lab::start();
    lab.with_device();
    let made = lab.rest("POST", "/token/", &json!({"description": "ci", "scopes": "read submit"}));
    let token = made["token"].as_str().unwrap();
    assert_eq!(lab.rest_as(token, "POST", "/jobs/", &json!({"definition": JOB})).0, 201);
    assert_eq!(lab.rest_as(token, "POST", "/tags/", &json!({"name": "t"})).0, 403);
    let manage = lab.rest("POST", "/token/", &json!({"scopes": "manage"}))["token"].clone();
    let more =
        |scopes: &str| lab.rest_as(manage.as_str().unwrap(), "POST", "/token/", &json!({"scopes": scopes})).0;
    assert_eq!(
        (more("manage read"), more("submit"), more("")),
        (200, 403, 403),
        "nobody gives more than they have"
    );
    let made = lab.rest("POST", "/token/", &json!({"description": "over", "expires_in_days": 0}));
    assert_eq!(lab.rest_as(made["token"].as_str().unwrap(), "GET", "/jobs/", &Value::Null).0, 401);
    let (status, said) = lab.rest_as(&lab.token, "POST", "/token/", &json!({"scopes": "everything"}));
    assert_eq!(status, 400, "{said}");
}

#[test]
fn a_form_needs_a_page_of_ours() {
    let lab = Lab::start();
    lab.with_device();
    let id = lab.submit("");
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let login = format!("username=admin&password={}", lab.token);
    let agent: ureq::Agent =
        ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false).build().into();
    let answer = agent
        .post(format!("{}/login", lab.url))
        .content_type("application/x-www-form-urlencoded")
        .send(&login)
        .unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let session = cookie.split(';').next().unwrap();
    let with = [form[0], ("Cookie", session)];
    assert_eq!(lab.send("POST", &format!("/scheduler/job/{id}/cancel"), &with, b"csrf=guess").0, 403);
    let cookie_only = [("Cookie", session), ("Content-Type", "application/json")];
    let body = json!({"name": "t"}).to_string();
    assert_eq!(lab.send("POST", "/api/v0.2/tags/", &cookie_only, body.as_bytes()).0, 403);
    let (_, page) = lab.send("GET", &format!("/scheduler/job/{id}"), &[("Cookie", session)], b"");
    let csrf = page.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let (status, _) =
        lab.send("POST", &format!("/scheduler/job/{id}/cancel"), &with, format!("csrf={csrf}").as_bytes());
    assert_eq!(status, 303);
    assert_eq!(lab.rest("GET", &format!("/jobs/{id}/"), &Value::Null)["health"], "Canceled");
    assert_eq!(lab.send("POST", "/login", &form, b"username=admin&password=wrong").0, 401);
}

#[test]
fn guessing_is_slowed_down() {
    let lab = Lab::start_with(None, |config| config.failures_per_minute = 3);
    let guess = |token: &str| lab.rest_as(token, "GET", "/jobs/", &Value::Null).0;
    assert_eq!([guess("a"), guess("b"), guess("c"), guess("d")], [401, 401, 401, 429]);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(lab.send("POST", "/login", &form, b"username=admin&password=guess").0, 429, "nor on the page");
    assert_eq!(
        lab.send("GET", "/api/v0.2/system/version/", &[], b"").0,
        200,
        "whoever shows nothing is served"
    );
}
