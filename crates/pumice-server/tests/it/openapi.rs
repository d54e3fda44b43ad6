//! `schemathesis` asks every described operation with what the description allows, and with what it does not
//! (<https://schemathesis.readthedocs.io>): nothing may fail, and answers must be as they are described.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use crate::lab::Lab;

/// Operations that would take away what the run itself stands on: the administrator and its token.
const KEPT: [&str; 4] = ["delete_token_id", "delete_users_id", "put_users_id", "patch_users_id"];

#[test]
fn no_described_operation_fails_or_answers_otherwise_than_described() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin/schemathesis");
    if !program.is_file() {
        println!("skipped: there is no schemathesis in target/python: run `cargo xtask setup`");
        return;
    }
    let lab = Lab::start();
    lab.with_device();
    lab.rest("POST", "/tags/", &json!({"name": "big"}));
    lab.rest("POST", "/groups/", &json!({"name": "lab"}));
    lab.submit("metadata: {branch: main}\n");
    let place = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command.current_dir(place.path()).args(["run", &format!("{}/api/v0.2/openapi.json", lab.url)]);
    command.args(["--header", &format!("Authorization: Token {}", lab.token)]);
    command.args(["--checks", "not_a_server_error,response_schema_conformance"]);
    command.args([
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        "5",
        "--seed",
        "1",
        "--no-color",
    ]);
    for operation in KEPT {
        command.args(["--exclude-operation-id", operation]);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        lab.rest("GET", "/system/whoami/", &Value::Null)["user"],
        "admin",
        "it asked as somebody to the end"
    );
}
