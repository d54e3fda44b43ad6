//! `description.yaml` and `result.yaml` (lava-compat 3.2).

use std::{fmt::Write as _, time::Duration};

use pumice_types::{CaseResult, Mask};

use crate::line::quoted;

/// A step of the plan, as LAVA describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedStep {
    /// LAVA's name of the class that does it.
    pub class: String,
    /// The name that `timeouts` use.
    pub name: String,
    /// Its place in the plan: `2.1.3`.
    pub level: String,
    /// How often it is tried.
    pub max_retries: u32,
    /// What it does.
    pub description: String,
    /// What it does, shorter.
    pub summary: String,
    /// How much time it has; written in whole seconds.
    pub timeout: Duration,
    /// What it fetches.
    pub url: Option<String>,
    /// The steps inside it.
    pub children: Vec<DescribedStep>,
}

/// The text of `description.yaml`. A worker of LAVA reads the timeout of the last step, `finalize`.
pub fn write_description(steps: &[DescribedStep], mask: &Mask) -> String {
    let mut out = String::from("pipeline:\n");
    if steps.is_empty() {
        out = String::from("pipeline: []\n");
    }
    for step in steps {
        write_step(step, 0, mask, &mut out);
    }
    out
}

fn write_step(step: &DescribedStep, depth: usize, mask: &Mask, out: &mut String) {
    let indent = "  ".repeat(depth);
    let mut text = |begin: &str, key: &str, value: &str| {
        let _ = write!(out, "{indent}{begin}{key}: ");
        quoted(&mask.apply(value), out);
        out.push('\n');
    };
    text("- ", "class", &step.class);
    text("  ", "name", &step.name);
    text("  ", "level", &step.level);
    let _ = writeln!(out, "{indent}  max_retries: {}", step.max_retries);
    let mut text = |key: &str, value: &str| {
        let _ = write!(out, "{indent}  {key}: ");
        quoted(&mask.apply(value), out);
        out.push('\n');
    };
    text("description", &step.description);
    text("summary", &step.summary);
    let _ = writeln!(out, "{indent}  timeout: {}", step.timeout.as_secs());
    if let Some(url) = &step.url {
        let _ = write!(out, "{indent}  url: ");
        quoted(&mask.apply(url), out);
        out.push('\n');
    }
    if !step.children.is_empty() {
        let _ = writeln!(out, "{indent}  pipeline:");
    }
    for child in &step.children {
        write_step(child, depth + 1, mask, out);
    }
}

/// The end of a job, as `result.yaml` tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobResult {
    /// Whether the job is complete; failed cases do not matter (lava-compat 3.5).
    pub result: CaseResult,
    /// What went wrong.
    pub error_msg: Option<String>,
    /// Whose failure it was, in LAVA's words.
    pub error_type: Option<String>,
}

/// The text of `result.yaml`.
pub fn write_result(result: &JobResult, mask: &Mask) -> String {
    let mut out = format!("definition: \"lava\"\ncase: \"job\"\nresult: \"{}\"\n", result.result);
    for (key, value) in [("error_msg", &result.error_msg), ("error_type", &result.error_type)] {
        if let Some(value) = value {
            let _ = write!(out, "{key}: ");
            quoted(&mask.apply(value), &mut out);
            out.push('\n');
        }
    }
    out
}
