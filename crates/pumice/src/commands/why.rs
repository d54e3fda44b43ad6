//! `pumice why`: what a job waits for, or why it failed.

use pumice_types::{Failure, JobId};
use serde_json::json;

use crate::{
    cli::{Format, lab::JobArgs},
    exit::Exit,
    lab::{self, asked_of, connect},
    terminal::{self, print},
};

pub(crate) fn main(args: &JobArgs) -> Exit {
    lab::exit(why(args))
}

/// `1 device`, `3 devices`
pub(crate) fn devices(count: usize) -> String {
    format!("{count} device{}", if count == 1 { "" } else { "s" })
}

fn why(args: &JobArgs) -> Result<Exit, Failure> {
    let why = asked_of(JobId(args.id), connect(&args.lab)?.why(JobId(args.id)))?;
    if args.lab.format == Format::Json {
        print(&json!(why).to_string());
        return Ok(Exit::Success);
    }
    print(&format!("job {} is {}", why.job, why.state));
    if let Some(ahead) = why.ahead {
        print(&format!("jobs before it: {ahead}"));
    }
    for obstacle in &why.obstacles {
        print(&format!("{} ({})", obstacle.what, devices(obstacle.devices)));
        print(&format!("  {}", obstacle.remedy));
    }
    if let Some(failure) = &why.failure {
        terminal::show_failure(failure);
    }
    Ok(Exit::Success)
}
