//! Submitting a health check that the scheduler asked for.

use std::sync::Arc;

use pumice_types::DeviceName;

use crate::{app::Shared, lab::submission, refusal::Refusal};

/// Submits it in a task of its own: the scheduler must not wait for it.
pub(super) fn spawn(shared: Arc<Shared>, device: DeviceName) {
    tokio::spawn(async move {
        if let Err(refusal) = submit(&shared, &device).await {
            tracing::warn!(
                device = device.as_str(),
                reason = refusal.to_string(),
                "no health check was submitted"
            );
        }
    });
}

async fn submit(shared: &Arc<Shared>, device: &DeviceName) -> Result<(), Refusal> {
    let mut reader = shared.database.read().await?;
    let known = reader.device(device.as_str()).await?;
    let known = known.ok_or_else(|| Refusal::missing("Device", device.as_str()))?;
    let kind = reader.device_type(&known.device_type).await?;
    let check = kind.and_then(|kind| kind.health_check);
    let check = check.ok_or_else(|| Refusal::missing("Health check of", &known.device_type))?;
    drop(reader);
    submission::submit_health_check(shared, &known, &check).await.map(drop)
}
