//! The rules of the scheduler, one fact a test, and 1,000 labs under simulated time.

mod floor;
mod groups;
mod health;
mod leases;
mod order;
mod places;
mod seeds;
#[path = "../../simulation/mod.rs"]
mod simulation;
mod why;
