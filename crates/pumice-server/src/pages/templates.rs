//! The templates, in the program.

use std::fmt::Write as _;

use minijinja::{
    Environment, HtmlEscape,
    value::{Serde, Value},
};
use serde::Serialize;

use crate::refusal::Refusal;

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        const TEMPLATES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../templates/", $name)))),*];
    };
}

templates! {
    "base.html", "parts.html", "home.html", "jobs.html", "job.html", "text.html", "results.html", "suite.html",
    "case.html", "devices.html", "device.html", "device_types.html", "device_type.html", "workers.html", "worker.html",
    "submit.html", "compare.html", "queue.html", "help.html", "login.html", "me.html", "refused.html",
}

/// The templates of the pages.
pub(crate) struct Templates(Environment<'static>);

impl Templates {
    pub(crate) fn new() -> Self {
        let mut environment = Environment::new();
        environment.add_filter("marked", marked);
        for (name, text) in TEMPLATES {
            // They are part of the program, and a test renders each.
            if let Err(error) = environment.add_template(name, text) {
                tracing::error!(%error, template = name, "a template is wrong");
            }
        }
        Self(environment)
    }

    pub(super) fn render(&self, name: &str, values: &impl Serialize) -> Result<String, Refusal> {
        let rendered =
            self.0.get_template(name).and_then(|template| template.render(Value::from(Serde(values))));
        rendered.map_err(|error| Refusal::Internal(format!("{error:#}")))
    }
}

/// A message for people as HTML: what stands between backticks is shown as code. What has no second one stays as it is.
fn marked(text: &str) -> Value {
    let mut html = String::new();
    let mut pieces = text.split('`').peekable();
    let mut is_code = false;
    while let Some(piece) = pieces.next() {
        let escaped = HtmlEscape(piece);
        // Appending to a string does not fail.
        let _ = match (is_code, pieces.peek().is_some()) {
            (true, true) => write!(html, "<code>{escaped}</code>"),
            (true, false) => write!(html, "`{escaped}"),
            (false, _) => write!(html, "{escaped}"),
        };
        is_code = !is_code;
    }
    Value::from_safe_string(html)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_whole_and_escapes_what_it_is_given() {
        let templates = Templates::new();
        for (name, _) in TEMPLATES {
            assert!(templates.0.get_template(name).is_ok(), "{name}");
        }
        let values = serde_json::json!({"title": "<script>", "message": "a & b", "places": []});
        let page = templates.render("refused.html", &values).unwrap();
        assert!(
            page.contains("&lt;script&gt;") && page.contains("a &amp; b") && !page.contains("<script>\n")
        );
    }

    #[test]
    fn what_stands_between_backticks_is_code_and_everything_is_escaped() {
        let check = |text: &str, expected: &str| assert_eq!(marked(text).to_string(), expected);
        check("no prompt", "no prompt");
        check("the login as `root` was refused", "the login as <code>root</code> was refused");
        check("`a` and `<b>` & c", "<code>a</code> and <code>&lt;b&gt;</code> &amp; c");
        check("it said `odd", "it said `odd");
        check("``", "<code></code>");
    }
}
