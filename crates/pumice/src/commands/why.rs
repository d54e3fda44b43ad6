//! `pumice why`: what a job waits for, or why it failed.

use pumice_types::Failure;
use serde_json::json;

use crate::{
    cli::{Format, lab::JobArgs},
    exit::Exit,
    lab::{self, asked_of, connect, number_of},
    terminal::{self, print},
};

pub(crate) fn main(args: &JobArgs) -> Exit {
    lab::exit(why(args))
}

/// For how many devices an obstacle holds, where it is more than one: ` (3 devices)`.
pub(crate) fn devices(count: usize) -> String {
    if count > 1 { format!(" ({count} devices)") } else { String::new() }
}

fn why(args: &JobArgs) -> Result<Exit, Failure> {
    let client = connect(&args.lab)?;
    let id = number_of(&client, &args.id)?;
    let why = asked_of(id, client.why(id))?;
    if args.lab.format == Format::Json {
        print(&json!(why).to_string());
        return Ok(Exit::Success);
    }
    let job = asked_of(id, client.job(id))?;
    let health = if job.is_finished() { format!(": {}", job.health) } else { String::new() };
    print(&format!("job {id} is {}{health}", why.state));
    if let Some(ahead) = why.ahead {
        print(&format!("jobs before it: {ahead}"));
    }
    for obstacle in &why.obstacles {
        print(&format!("{}{}", obstacle.what, devices(obstacle.devices)));
        print(&format!("  {}", obstacle.remedy));
    }
    if let Some(failure) = &why.failure {
        terminal::show_failure(failure);
    }
    Ok(Exit::Success)
}
