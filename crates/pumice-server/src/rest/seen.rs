//! The job, and the suite, that an address names.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use pumice_db::{Job, Suite};

use super::answer::{Refused, Who, no_job};
use crate::{app::Shared, lab::jobs, refusal::Refusal};

/// The job that `{id}` in the address names, if whoever asks may see it.
pub(crate) struct SeenJob {
    pub(crate) shared: Arc<Shared>,
    pub(crate) who: Who,
    pub(crate) job: Job,
}

/// A suite of that job: `{suite}`, its number or its name.
pub(super) struct SeenSuite {
    pub(super) shared: Arc<Shared>,
    pub(super) job: Job,
    pub(super) suite: Suite,
}

/// The number in the place of `{id}`; another word is the number of nothing.
pub(super) struct Key(pub(super) i64);

impl FromRequestParts<Arc<Shared>> for Key {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refused> {
        let id = parameter(parts, shared, "id").await?;
        id.parse().map(Self).map_err(|_| Refusal::Missing("Not found.".to_owned()).into())
    }
}

/// What stands in the address in the place of `{wanted}`.
async fn parameter(parts: &mut Parts, shared: &Arc<Shared>, wanted: &str) -> Result<String, Refused> {
    let parameters = RawPathParams::from_request_parts(parts, shared).await;
    let parameters = parameters.map_err(|error| Refusal::Invalid(error.to_string()))?;
    let found = parameters.iter().find(|(name, _)| *name == wanted);
    found
        .map(|(_, value)| value.to_owned())
        .ok_or_else(|| Refusal::Internal(format!("the route has no `{wanted}`")).into())
}

impl FromRequestParts<Arc<Shared>> for SeenJob {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refused> {
        let who = Who::from_request_parts(parts, shared).await?;
        let id = parameter(parts, shared, "id").await?;
        let mut reader = shared.database.read().await?;
        let job = jobs::find(&mut reader, &who, &id).await.map_err(no_job)?;
        Ok(Self { shared: Arc::clone(shared), who, job })
    }
}

impl FromRequestParts<Arc<Shared>> for SeenSuite {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refused> {
        let SeenJob { shared, job, .. } = SeenJob::from_request_parts(parts, shared).await?;
        let name = parameter(parts, &shared, "suite").await?;
        let suites = shared.database.read().await?.suites(job.id, &[]).await?;
        let found = suites.into_iter().find(|suite| suite.id.to_string() == name || suite.name == name);
        let missing = || Refusal::Missing("No TestSuite matches the given query.".to_owned());
        Ok(Self { suite: found.ok_or_else(missing)?, shared, job })
    }
}
