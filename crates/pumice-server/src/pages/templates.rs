//! The templates, in the program.

use minijinja::{
    Environment,
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
}
