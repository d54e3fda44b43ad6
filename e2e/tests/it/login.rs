//! Logins that guests refuse: whose mistake it was, in words that lead to it.

use e2e::{Sandbox, ShellMachine};

/// A guest that asks for a login and refuses each, whoever types what.
#[track_caller]
fn check(auto_login: &str, expected_message: &str, expected_hint: &str) {
    let machine = ShellMachine {
        before: "echo 'Linux version 6'; printf 'guest login: '; read -r name; printf 'Password: '; read -r word; \
                 echo; echo 'Login incorrect'; sleep 60"
            .to_owned(),
        boot: format!("    timeout: {{seconds: 6}}\n{auto_login}"),
        ..ShellMachine::default()
    };
    let (finished, results) = machine.run(&Sandbox::new());
    let (cause, fault, message) = results.failure().unwrap();
    assert_eq!((cause.as_str(), fault.as_str()), ("login-refused", "job"), "{message}");
    assert_eq!(message, expected_message);
    assert!(finished.stderr.contains(expected_hint), "{}", finished.stderr);
}

#[test]
fn a_wrong_password_is_blamed_on_the_login() {
    check(
        "    auto_login: {login_prompt: 'login:', username: me, password_prompt: 'Password:', password: wrong}\n",
        "the login as `me` was refused",
        "the user, the password and its prompt",
    );
}

#[test]
fn a_login_that_nobody_began_is_blamed_on_the_prompt_that_never_came() {
    check(
        "    auto_login: {login_prompt: 'board login:', username: me}\n",
        "the guest asks for a login, and not with `board login:`",
        "let `login_prompt` of `auto_login` match",
    );
}

#[test]
fn a_guest_that_wants_a_login_is_told_from_one_that_refuses_it() {
    check("", "the guest asks for a login, and the job has no `auto_login`", "add `auto_login:");
}
