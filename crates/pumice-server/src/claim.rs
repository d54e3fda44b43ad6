//! Looks now and then whether the database is still this server's alone.

use std::{sync::Arc, time::Duration};

use pumice_db::{Claim, ClaimError};
use tokio::task::JoinHandle;

use crate::{app::Shared, refusal::with_sources};

/// How often. Another server that starts waits for longer.
const LOOK: Duration = Duration::from_secs(3);

/// Holds the claim until the server goes down, and takes the server down when another has the database.
pub(crate) fn spawn(shared: Arc<Shared>, mut claim: Claim) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = shared.stopping() => return,
            }
            match claim.check().await {
                Ok(()) => {}
                Err(error @ ClaimError::Taken) => {
                    tracing::error!("this server goes down: {error}");
                    shared.stop();
                    return;
                }
                Err(error) => {
                    let error = with_sources(&error);
                    tracing::warn!(error, "it is not known whether the database is this server's alone");
                }
            }
        }
    })
}
