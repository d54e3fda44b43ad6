//! What a model may do to its driver (the reference sheet "fastmodels", 9.3), each through `pumice run`.

mod conformance;
mod consoles;
mod images;
mod licences;
mod programs;
mod rig;
mod starting;
mod stopping;

use rig::Job;

fn with(knobs: &str) -> Job {
    Job { knobs: knobs.to_owned(), ..Job::default() }
}

fn arguments(list: &[&str]) -> Job {
    Job { arguments: list.iter().map(|one| (*one).to_owned()).collect(), ..Job::default() }
}
