use std::time::Duration;

use super::*;

const BASE: &str = r#"
name = "board"
abstract = true
platform = "sim"
capabilities = ["restart"]
time_factor = 4

[parameters]
"bp.vis.disable" = true
bp.dram_size = 2
cache = "0"

[consoles]
main = "terminal_0"

[timeouts]
boot = { minutes = 10 }
"#;

const A15: &str = r#"
name = "A15x1"
aliases = ["a15"]
extends = "board"
description = "One core"
binaries = ["Sim_A15x1", "Old_A15x1"]

[parameters]
cache = 1
bp.dram_size = 4

[consoles.channel]
announced_as = "terminal_1"
guest_device = "ttyAMA1"

[licence]
feature = "fm"
"#;

fn read(texts: &[&str]) -> (ModelLibrary, Vec<String>) {
    let mut sources = Sources::default();
    let named = texts.iter().map(|text| ("model.toml", *text));
    let (library, diagnostics) = ModelLibrary::read(named, &mut sources);
    let said = diagnostics.iter().map(|diagnostic| {
        let span = diagnostic.span.unwrap();
        let line = sources.position(span).unwrap().line;
        format!("{}:{line}: {}", span.source.0, diagnostic.message)
    });
    let said = said.collect();
    (library, said)
}

#[test]
fn a_model_has_all_it_inherits_and_its_own_over_it() {
    let (library, said) = read(&[A15, BASE]);
    assert!(said.is_empty(), "{said:?}");
    let model = library.get("a15").unwrap();
    assert_eq!((model.name.as_str(), model.platform.as_str()), ("A15x1", "sim"));
    assert_eq!(model.ancestors, ["board".parse().unwrap()]);
    let parameters: Vec<_> = model.parameters.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(parameters, ["bp.vis.disable=1", "bp.dram_size=4", "cache=1"]);
    assert_eq!(model.consoles["main"].announced_as, "terminal_0");
    assert_eq!(model.consoles["channel"].guest_device.as_deref(), Some("ttyAMA1"));
    assert_eq!(model.timeouts["boot"], Duration::from_secs(600));
    assert_eq!((model.time_factor, model.capabilities.as_slice()), (4, ["restart".to_owned()].as_slice()));
    assert_eq!(model.licence.as_ref().unwrap().seats, 1);
    assert_eq!(library.by_binary("Old_A15x1").unwrap().name.as_str(), "A15x1");
}

#[test]
fn what_is_only_there_to_be_extended_cannot_be_named() {
    let (library, _) = read(&[BASE, A15]);
    let names: Vec<_> = library.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(names, ["A15x1"]);
    assert!(library.get("board").is_err());
    let unknown = library.get("A15x2").unwrap_err();
    assert_eq!(unknown.to_string(), "there is no model `A15x2`; did you mean `A15x1`?");
}

#[test]
fn an_operators_model_replaces_ours() {
    let (library, said) = read(&["name = \"m\"\nplatform = \"a\"", "name = \"m\"\nplatform = \"b\""]);
    assert!(said.is_empty(), "{said:?}");
    assert_eq!(library.get("m").unwrap().platform, "b");
}

#[test]
fn every_mistake_is_said_once_where_it_was_made() {
    let check = |texts: &[&str], expected: &[&str]| assert_eq!(read(texts).1, expected);
    check(&["x = "], &["0:1: string values must be quoted, expected literal string"]);
    check(&["platform = \"a\""], &["0:1: the model has no name"]);
    check(&["name = \"a\""], &["0:1: the model `a` does not say which platform starts it"]);
    check(&["name = \"m\"\nplatform = \"a\"\nextend = \"b\""], &["0:3: unknown key `extend`"]);
    check(
        &["name = \"a\"\nextends = \"b\"", "name = \"b\"\nextends = \"a\""],
        &["0:2: the model `b` ends up extending itself", "1:2: the model `a` ends up extending itself"],
    );
    check(&["name = \"m\"\nextends = \"none\""], &["0:2: there is no model `none` to extend"]);
    check(
        &["name = \"a\"\nabstract = true\ntimeouts = 5", "name = \"b\"\nplatform = \"p\"\nextends = \"a\""],
        &["0:3: expected a mapping of names to durations, found an integer"],
    );
    check(
        &["name = \"m\"\nplatform = \"p\"\n[licence]\nkind = \"flaoting\"\nfeature = \"f\""],
        &["0:4: `flaoting` is no kind of licence; there are `floating` and `user`"],
    );
    check(&["name = \"m\"\nplatform = \"p\"\naliases = [\"m\"]"], &["0:3: `m` is a name of `m` already"]);
    check(
        &["name = \"../m\"\nplatform = \"p\""],
        &[
            "0:1: `../m` is not a name: use 1 to 200 letters, digits, `-`, `_`, `.`, `+` or `@`, and begin with a letter, a digit or `_`",
        ],
    );
    check(
        &["name = \"m\"\nplatform = \"p\"\ntime_factor = 99999999999999999999"],
        &["0:3: this number needs more than 64 bits; write it as a string"],
    );
}
