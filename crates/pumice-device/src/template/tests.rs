use pumice_types::{SourceId, Sources};
use pumice_yaml::{Node, Value};

use super::*;

const BASE: &str = "\
name: {{ scheduled_device_name }}
{% block body %}
memory: {{ memory|default(512) }}
{% endblock %}
";

const TYPE: &str = "\
{% extends 'base.jinja2' %}
{% set cpu = cpu|default('a15') %}
{% block body %}
{{ super() -}}
cpu: {{ cpu }}
{% for key, value in (extra or {}).items() %}
{{ key }}: {{ value }}
{% endfor %}
{% endblock %}
";

fn types() -> DeviceTypes {
    DeviceTypes::new(|name| match name {
        "base.jinja2" => Some(BASE.to_owned()),
        "type.jinja2" => Some(TYPE.to_owned()),
        "broken.jinja2" => Some("a: 1\nb: {{ 'x' + undefined_thing }}\n".to_owned()),
        "syntax.jinja2" => Some("{% if %}".to_owned()),
        "endless.jinja2" => {
            Some("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}".to_owned())
        }
        "itself.jinja2" => Some("{% include 'itself.jinja2' %}".to_owned()),
        _ => None,
    })
}

fn context(text: &str) -> Map {
    let (node, _) = pumice_yaml::parse(text, SourceId(0));
    match node.map(|node: Node| node.value) {
        Some(Value::Map(map)) => map,
        _ => Map::default(),
    }
}

fn render(dictionary: &str, variables: &str) -> Result<Rendered, RenderError> {
    let context = context(variables);
    types().render(&RenderRequest {
        source: "d1.jinja2",
        dictionary,
        device: "d1",
        device_type: "type",
        context: &context,
    })
}

#[test]
fn a_dictionary_locks_what_it_sets_and_the_context_fills_the_rest() {
    let plain = "{% extends 'type.jinja2' %}\n";
    let check = |dictionary: &str, variables: &str, expected: &str, read: &[&str]| {
        let rendered = render(dictionary, variables).unwrap();
        assert_eq!(rendered.text, expected);
        let given: BTreeSet<_> = context(variables).keys().map(str::to_owned).collect();
        let looked_at: Vec<_> = rendered.read.intersection(&given).collect();
        assert_eq!(looked_at, read);
    };
    check(plain, "", "name: d1\nmemory: 512\ncpu: a15\n", &[]);
    check(plain, "{cpu: a7, memory: 1024}", "name: d1\nmemory: 1024\ncpu: a7\n", &["cpu", "memory"]);
    let locked = "{% extends 'type.jinja2' %}\n{% set memory = 64 %}\n";
    check(locked, "{memory: 1024, other: x}", "name: d1\nmemory: 64\ncpu: a15\n", &[]);
    check(plain, "{extra: {a: 1}}", "name: d1\nmemory: 512\ncpu: a15\na: 1\n", &["extra"]);
}

#[test]
fn an_error_says_which_file_and_which_line() {
    let check = |dictionary: &str, expected: &str| {
        assert_eq!(render(dictionary, "").unwrap_err().to_string(), expected);
    };
    check(
        "\n{% extends 'broken.jinja2' %}",
        "broken.jinja2:2: tried to use + operator on unsupported types string and undefined (`undefined_thing` is undefined)",
    );
    check("{% extends 'syntax.jinja2' %}", "syntax.jinja2:1: unexpected end of block");
    let missing = render("{% extends 'nowhere.jinja2' %}", "").unwrap_err();
    assert!(missing.is_missing, "{missing:?}");
    assert!(missing.to_string().contains("nowhere.jinja2"), "{missing}");
}

#[test]
fn a_template_cannot_leave_its_directory_or_run_forever() {
    assert!(render("{% include '../../etc/passwd' %}", "").unwrap_err().is_missing);
    assert!(render("{% extends 'endless.jinja2' %}", "").unwrap_err().to_string().contains("fuel"));
    assert!(render("{% include 'itself.jinja2' %}", "").is_err());
}

#[test]
fn a_device_is_read_and_a_context_that_changes_nothing_is_warned_of() {
    let context = context("{memory: 5, no_such: 1}");
    let request = RenderRequest {
        source: "d1.jinja2",
        dictionary: "{% extends 'type.jinja2' %}\n{% block body %}{{ super() }}hostname: [1]\n{% endblock %}",
        device: "d1",
        device_type: "type",
        context: &context,
    };
    let mut sources = Sources::default();
    let (device, diagnostics) = types().device(&request, &mut sources).unwrap();
    assert_eq!(device.node.get("memory").and_then(Node::as_i64), Some(5));
    let said: Vec<_> = diagnostics.iter().map(|diagnostic| diagnostic.code.0).collect();
    assert_eq!(said, ["wrong-type", "unread-context"]);
    let shown = sources.get(diagnostics.iter().next().unwrap().span.unwrap().source).unwrap();
    assert_eq!(shown.name, "d1.jinja2 (rendered)");
}
