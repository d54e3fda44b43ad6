//! MultiNode groups that run: what their nodes, on whatever worker, say to each other passes through here
//! (docs/protocol/worker.md section 9).
//!
//! A group is kept in memory as long as it runs and was asked for. Everything that happens in it is in the database before
//! anybody is told, so that a server that is started again goes on where the last one stopped, and no node notices.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use pumice_db::{DbError, GroupWord, GroupWordKind, Job};
use pumice_multinode::{Entry, Exchange, HearError, Member};
use pumice_sched::Event;
use pumice_types::{Cause, Failure, JobState, Verdict};
use tokio::{
    sync::{Mutex as AsyncMutex, Notify},
    time::Instant,
};

use crate::{
    app::Shared,
    refusal::{Refusal, with_sources},
    scheduler::job_ref,
};

/// How long to wait before the database is tried again.
const DATABASE_PAUSE: Duration = Duration::from_millis(500);

/// The groups that were asked for.
#[derive(Default)]
pub(crate) struct Groups(Mutex<HashMap<String, Arc<Live>>>);

/// A group.
#[derive(Default)]
struct Live {
    /// `None` when what the database has is to be read first. Whoever changes it takes it out until the change is written:
    /// one that is cut off in between leaves nothing that is not so.
    exchange: AsyncMutex<Option<Exchange>>,
    /// Rings when somebody was told something.
    changed: Notify,
}

/// Why a node was not heard.
#[derive(Debug)]
pub(crate) enum NotHeard {
    /// Its words mean nothing, or some are missing.
    Words(HearError),
    /// Something else.
    Refused(Refusal),
}

impl<T: Into<Refusal>> From<T> for NotHeard {
    fn from(refusal: T) -> Self {
        Self::Refused(refusal.into())
    }
}

impl Groups {
    fn live(&self, group: &str) -> Arc<Live> {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(groups.entry(group.to_owned()).or_default())
    }

    /// A node, which is `job`, says `bytes`, from number `offset` on. Answers how many bytes of it have come.
    pub(crate) async fn hear(
        &self,
        shared: &Shared,
        job: &Job,
        offset: u64,
        bytes: &[u8],
    ) -> Result<u64, NotHeard> {
        let (group, node) = (group_of(job)?, job.id.to_string());
        let live = self.live(group);
        let mut held = live.exchange.lock().await;
        let mut exchange = open(shared, group, held.take()).await?;
        let heard = match exchange.hear(&node, offset, bytes) {
            Ok(heard) => heard,
            Err(error) => {
                *held = Some(exchange);
                return Err(NotHeard::Words(error));
            }
        };
        let position = exchange.heard_bytes(&node);
        // One that somebody ended is no reason to end the others: whoever it was has done so, or did not mean to.
        let failed = heard.failed.as_ref().filter(|failure| failure.cause != Cause::Cancelled);
        keep(shared, group, job, &heard.entries, failed).await?;
        *held = Some(exchange);
        drop(held);
        live.changed.notify_waiters();
        if failed.is_some() {
            shared.scheduler.tell(Event::MemberFailed(job_ref(job))).await?;
        }
        Ok(position)
    }

    /// What a node, which is `job`, was told, from number `offset` on. Waits until there is something.
    pub(crate) async fn said(
        &self,
        shared: &Shared,
        job: &Job,
        offset: u64,
        wait: Duration,
    ) -> Result<Vec<u8>, Refusal> {
        let (group, node) = (group_of(job)?, job.id.to_string());
        let live = self.live(group);
        let deadline = Instant::now() + wait;
        loop {
            let changed = live.changed.notified();
            tokio::pin!(changed);
            // Listening begins before looking, so that nothing falls between.
            changed.as_mut().enable();
            let said = {
                let mut held = live.exchange.lock().await;
                let exchange = open(shared, group, held.take()).await?;
                let said = exchange.said(&node, offset).to_vec();
                *held = Some(exchange);
                said
            };
            if !said.is_empty() || Instant::now() >= deadline {
                return Ok(said);
            }
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(deadline) => {}
                () = shared.stopping() => return Ok(said),
            }
        }
    }

    /// A member of the group is over: the others learn of it; and the group is forgotten when it was the last.
    async fn look_again(&self, shared: &Shared, group: &str) -> Result<(), DbError> {
        let jobs = shared.database.read().await?.jobs_of_group(group).await?;
        if jobs.iter().all(Job::is_finished) {
            let mut writer = shared.database.write().await?;
            writer.remove_group_words(group).await?;
            writer.commit().await?;
            self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(group);
            return Ok(());
        }
        let live = self.live(group);
        let mut held = live.exchange.lock().await;
        let exchange = open(shared, group, held.take()).await?;
        *held = Some(told_who_is_gone(shared, group, exchange, &jobs).await?);
        drop(held);
        live.changed.notify_waiters();
        Ok(())
    }
}

fn group_of(job: &Job) -> Result<&str, Refusal> {
    let group = job.target_group.as_deref();
    group.ok_or_else(|| Refusal::Invalid(format!("job {} is no node of a MultiNode job", job.id)))
}

/// A member of `group` is over. Nobody waits for what follows from it; it is tried until the database takes it.
pub(crate) fn member_over(shared: Arc<Shared>, group: String) {
    tokio::spawn(async move {
        while let Err(error) = shared.groups.look_again(&shared, &group).await {
            tracing::error!(error = with_sources(&error), group, "the end of a node cannot be passed on yet");
            tokio::select! {
                () = tokio::time::sleep(DATABASE_PAUSE) => {}
                () = shared.stopping() => return,
            }
        }
    });
}

/// The group, read from the database where it is not at hand.
async fn open(shared: &Shared, group: &str, at_hand: Option<Exchange>) -> Result<Exchange, DbError> {
    if let Some(exchange) = at_hand {
        return Ok(exchange);
    }
    let mut reader = shared.database.read().await?;
    let jobs = reader.jobs_of_group(group).await?;
    let words = reader.group_words(group).await?;
    drop(reader);
    let exchange = Exchange::restore(members(&jobs), words.into_iter().map(entry));
    told_who_is_gone(shared, group, exchange, &jobs).await
}

/// Tells the others of those whose jobs are over.
async fn told_who_is_gone(
    shared: &Shared,
    group: &str,
    mut exchange: Exchange,
    jobs: &[Job],
) -> Result<Exchange, DbError> {
    let over = jobs.iter().filter(|job| job.is_finished());
    let entries: Vec<Entry> =
        over.flat_map(|job| exchange.gone(&job.id.to_string(), failure_of(job))).collect();
    if !entries.is_empty() {
        let mut writer = shared.database.write().await?;
        writer.add_group_words(group, &entries.iter().map(word).collect::<Vec<_>>()).await?;
        writer.commit().await?;
    }
    Ok(exchange)
}

async fn keep(
    shared: &Shared,
    group: &str,
    job: &Job,
    entries: &[Entry],
    failed: Option<&Failure>,
) -> Result<(), DbError> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut writer = shared.database.write().await?;
    writer.add_group_words(group, &entries.iter().map(word).collect::<Vec<_>>()).await?;
    if let Some(failure) = failed {
        // Who is ended because of it is told why; its own end says the same or more.
        writer.set_job_failure(job.id, &serde_json::to_string(failure).unwrap_or_default()).await?;
    }
    writer.commit().await
}

/// Why a job failed, as far as it is known; `None` for one that did not.
pub(crate) fn failure_of(job: &Job) -> Option<Failure> {
    let known = job.failure.as_deref().and_then(|text| serde_json::from_str(text).ok());
    match job.state {
        JobState::Finished(Verdict::Complete) => None,
        JobState::Finished(Verdict::Cancelled) => {
            known.or_else(|| Some(Failure::new(Cause::Cancelled, "its job was cancelled")))
        }
        JobState::Finished(Verdict::Incomplete) => {
            let said = || job.error_msg.clone().unwrap_or_else(|| "its job is incomplete".to_owned());
            known.or_else(|| Some(Failure::new(Cause::PeerFailed, said())))
        }
        _ => known,
    }
}

/// The nodes of a group: each is known by its job's number, and called after its role.
fn members(jobs: &[Job]) -> Vec<Member> {
    let role_of = |job: &Job| job.role.clone().unwrap_or_default();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let member = |job: &Job| {
        let role = role_of(job);
        let number = seen.entry(role.clone()).or_default();
        *number += 1;
        let is_alone = jobs.iter().filter(|other| role_of(other) == role).count() == 1;
        let name = if is_alone { role.clone() } else { format!("{role}-{number}") };
        Member { id: job.id.to_string(), name, role }
    };
    jobs.iter().map(member).collect()
}

fn word(entry: &Entry) -> GroupWord {
    let (node, kind, line) = match entry {
        Entry::Heard { node, line } => (node, GroupWordKind::Heard, line.clone()),
        Entry::Said { node, line } => (node, GroupWordKind::Said, line.clone()),
        Entry::Gone { node, failure } => {
            let line = failure.as_ref().map(|failure| serde_json::to_string(failure).unwrap_or_default());
            (node, GroupWordKind::Gone, line.unwrap_or_default())
        }
    };
    GroupWord { node: node.clone(), kind, line }
}

fn entry(word: GroupWord) -> Entry {
    let GroupWord { node, kind, line } = word;
    match kind {
        GroupWordKind::Heard => Entry::Heard { node, line },
        GroupWordKind::Said => Entry::Said { node, line },
        GroupWordKind::Gone => Entry::Gone { node, failure: serde_json::from_str(&line).ok() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_happened() {
        let node = || "12".to_owned();
        let entries = [
            Entry::Heard { node: node(), line: "{}\n".to_owned() },
            Entry::Said { node: node(), line: "[]\n".to_owned() },
            Entry::Gone { node: node(), failure: None },
            Entry::Gone { node: node(), failure: Some(Failure::new(Cause::GuestPanic, "it panicked")) },
        ];
        for one in entries {
            assert_eq!(entry(word(&one)), one);
        }
    }
}
