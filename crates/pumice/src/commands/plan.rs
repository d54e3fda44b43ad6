//! `pumice plan`: what a job would do.

use std::fmt::Write as _;

use pumice_plan::{Plan, TimeoutSource, TreeStep};
use pumice_types::{JobId, clock};
use serde_json::json;

use crate::{
    cli::{Format, PlanArgs},
    diagnostics,
    exit::Exit,
    input::Input,
    terminal::print,
};

pub(crate) fn main(args: &PlanArgs) -> Exit {
    let input = Input::read(&args.job, &args.device, JobId(args.job_id), &pumice_platforms::all());
    diagnostics::show(&input.diagnostics, &input.sources);
    let Some(plan) = &input.plan else { return Exit::BadDefinition };
    if args.format == Format::Json {
        print(&json!({ "version": 1, "steps": plan.tree(), "plan": plan }).to_string());
    } else {
        print(as_text(plan).trim_end());
    }
    Exit::Success
}

fn as_text(plan: &Plan) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} on {} ({}), {} in all",
        plan.job_name,
        plan.device,
        plan.device_type,
        clock(plan.timeout)
    );
    for step in plan.tree() {
        write_step(&step, 0, &mut out);
    }
    out
}

fn write_step(step: &TreeStep<'_>, depth: usize, out: &mut String) {
    let scope = step.scope;
    let name = format!("{}{} {}", "  ".repeat(depth), scope.level, scope.name);
    let tries = scope.tries.map(|tries| format!(", {} tries", tries.count)).unwrap_or_default();
    let from = match scope.timeout_from {
        TimeoutSource::Default => "default",
        TimeoutSource::JobAction => "timeouts.action",
        TimeoutSource::Model => "model",
        TimeoutSource::DeviceNamed => "device",
        TimeoutSource::Block => "block",
        TimeoutSource::Share => "share of a try",
        TimeoutSource::JobNamed => "timeouts.actions",
        TimeoutSource::BlockNamed => "block timeouts",
    };
    let _ = writeln!(out, "{name:<44} {} ({from}{tries})  {}", clock(scope.timeout), step.summary);
    for child in &step.steps {
        write_step(child, depth + 1, out);
    }
}
