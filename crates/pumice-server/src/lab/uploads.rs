//! Files that people send for their jobs.
//!
//! A row for a user and a digest says that this user has sent the file, or has begun to. Nobody gets at a file by its digest
//! alone: who names it in a job must have sent it. The bytes are kept once for all.

use std::{collections::BTreeSet, sync::Arc};

use axum::body::Bytes;
use pumice_api::upload::{Upload as Shown, UploadUrl, is_digest};
use pumice_db::{Job, Reader, Upload};
use pumice_types::{ByteSize, JobId};

use super::{deed, deed_of};
use crate::{
    access::{Identity, Scope},
    app::Shared,
    refusal::{Refusal, is_full},
    storage::{FileAim, FileSize, Storage, StoreError},
};

/// How old what is known of the last use may be. Noting every piece would be a write for each.
const USE_IS_NOTED_AFTER: std::time::Duration = std::time::Duration::from_secs(3600);

/// What a client says of a file before it sends it.
pub(crate) struct Announced {
    pub(crate) sha256: String,
    pub(crate) name: String,
    pub(crate) size: u64,
}

fn missing(sha256: &str) -> Refusal {
    Refusal::missing("Upload", sha256.chars().take(64).collect::<String>())
}

/// Does what may block with the store.
async fn with_store<T: Send + 'static>(
    shared: &Shared,
    what: impl FnOnce(&dyn Storage) -> T + Send + 'static,
) -> Result<T, Refusal> {
    let storage = Arc::clone(&shared.storage);
    let done = tokio::task::spawn_blocking(move || what(&*storage)).await;
    done.map_err(|error| Refusal::Internal(error.to_string()))
}

fn shown(shared: &Shared, upload: &Upload, size: FileSize) -> Shown {
    let whole = u64::try_from(upload.size_bytes).unwrap_or(0);
    Shown {
        sha256: upload.sha256.clone(),
        name: upload.name.clone(),
        size: whole,
        offset: if upload.is_complete { whole } else { size.bytes },
        complete: upload.is_complete,
        created: upload.created.rest(),
        expires: upload.used.after(shared.config.keep_uploads).rest(),
    }
}

async fn described(shared: &Shared, upload: &Upload) -> Result<Shown, Refusal> {
    let (owner, sha256) = (upload.user_id, upload.sha256.clone());
    let size = with_store(shared, move |store| store.upload_size(owner, &sha256)).await??;
    Ok(shown(shared, upload, size))
}

/// One of one's own files.
pub(crate) async fn find(shared: &Shared, who: &Identity, sha256: &str) -> Result<Shown, Refusal> {
    let user = who.logged_in()?.id;
    let found = shared.database.read().await?.upload(user, sha256).await?;
    described(shared, &found.ok_or_else(|| missing(sha256))?).await
}

/// One's own files, the newest first.
pub(crate) async fn all(shared: &Shared, who: &Identity) -> Result<Vec<Shown>, Refusal> {
    let user = who.logged_in()?.id;
    let mut listed = Vec::new();
    for upload in shared.database.read().await?.uploads_of_user(user).await? {
        listed.push(described(shared, &upload).await?);
    }
    Ok(listed)
}

/// Takes a piece of a file whose first byte is number `offset`.
pub(crate) async fn put(
    shared: &Shared,
    who: &Identity,
    announced: Announced,
    offset: u64,
    bytes: Bytes,
) -> Result<Shown, Refusal> {
    let user = who.using(Scope::Submit)?.id;
    if !is_digest(&announced.sha256) {
        let message = "a digest is 64 hexadecimal digits in lower case, the SHA-256 of the whole file";
        return Err(Refusal::Invalid(message.to_owned()));
    }
    let mut upload = begin(shared, user, &announced).await?;
    if upload.is_complete {
        return Ok(shown(shared, &upload, FileSize { bytes: announced.size, complete: true }));
    }
    let _nothing_is_removed = shared.uploads.read().await;
    let aim = FileAim { size: announced.size, sha256: announced.sha256 };
    let stored = with_store(shared, move |store| store.append_upload(user, &aim, offset, &bytes)).await?;
    let size = stored.map_err(|error| not_taken(&upload.name, &error))?;
    if size.complete {
        upload.is_complete = true;
        upload.used = shared.clock.now();
        let mut writer = shared.database.write().await?;
        writer.put_upload(&upload).await?;
        let words = format!("`{}`, {}", upload.name, ByteSize(size.bytes));
        writer.note(&deed(shared, who, "upload", "upload", &upload.sha256, words)).await?;
        writer.commit().await?;
    }
    Ok(shown(shared, &upload, size))
}

/// The row of a file, made where there is none, if there is room for it.
async fn begin(shared: &Shared, user: i64, announced: &Announced) -> Result<Upload, Refusal> {
    let config = &shared.config;
    if announced.size > config.upload_limit.0 {
        let (size, limit) = (ByteSize(announced.size), config.upload_limit);
        return Err(Refusal::Invalid(format!(
            "`{}` has {size}, and this server takes files of at most {limit}",
            announced.name
        )));
    }
    // It has passed through, so it is right to name it by.
    let name = UploadUrl::new(&announced.sha256, &announced.name).map(|url| url.name().to_string());
    let size_bytes = i64::try_from(announced.size).unwrap_or(i64::MAX);
    let now = shared.clock.now();
    let known = shared.database.read().await?.upload(user, &announced.sha256).await?;
    if let Some(known) = known
        && (known.is_complete || known.size_bytes == size_bytes)
        && now.since(known.used) < USE_IS_NOTED_AFTER
    {
        return Ok(known);
    }
    let mut writer = shared.database.write().await?;
    let known = writer.upload(user, &announced.sha256).await?;
    let upload = match known {
        Some(known) if known.is_complete => Upload { used: now, ..known },
        known => {
            let before = known.as_ref().map_or(0, |known| known.size_bytes);
            let others = writer.upload_bytes_of_user(user).await?;
            let others = others.saturating_sub(u64::try_from(before).unwrap_or(0));
            if others.saturating_add(announced.size) > config.upload_quota.0 {
                return Err(Refusal::Forbidden(format!(
                    "your files take {} of the {} that you may have here, and `{}` has {}: remove some \
                     (`pumice uploads`), or wait until they expire",
                    ByteSize(others),
                    config.upload_quota,
                    announced.name,
                    ByteSize(announced.size)
                )));
            }
            Upload {
                user_id: user,
                sha256: announced.sha256.clone(),
                name: name.unwrap_or_default(),
                size_bytes,
                is_complete: false,
                created: known.map_or(now, |known| known.created),
                used: now,
            }
        }
    };
    writer.put_upload(&upload).await?;
    writer.commit().await?;
    Ok(upload)
}

fn not_taken(name: &str, error: &StoreError) -> Refusal {
    match error {
        StoreError::Gap { .. } | StoreError::Ended => Refusal::Conflict(error.to_string()),
        StoreError::WrongDigest => Refusal::WrongBytes(format!(
            "the bytes of `{name}` do not have the digest that was announced; they were thrown away"
        )),
        StoreError::Unavailable(why) => Refusal::Unavailable(why.clone()),
        StoreError::Io(cause) if is_full(cause) => {
            Refusal::NoRoom(format!("the server has no room left for `{name}`: ask its operator"))
        }
        StoreError::Io(cause) => Refusal::Internal(cause.to_string()),
    }
}

/// Forgets one of one's own files.
pub(crate) async fn remove(shared: &Shared, who: &Identity, sha256: &str) -> Result<(), Refusal> {
    let user = who.using(Scope::Submit)?.id;
    let mut reader = shared.database.read().await?;
    let upload = reader.upload(user, sha256).await?.ok_or_else(|| missing(sha256))?;
    if reader.upload_is_in_use(sha256).await? {
        let message = format!("a job that has not ended needs `{}`", upload.name);
        return Err(Refusal::Conflict(message));
    }
    drop(reader);
    forget(shared, who.name(), &upload, "removed").await
}

/// Removes the row, then the bytes where no row of anybody's is left. A crash between the two leaves bytes that nobody can name;
/// whoever sends the file again takes them over.
pub(crate) async fn forget(
    shared: &Shared,
    username: &str,
    upload: &Upload,
    why: &str,
) -> Result<(), Refusal> {
    let _nothing_comes_in = shared.uploads.write().await;
    let mut writer = shared.database.write().await?;
    writer.delete_upload(upload.user_id, &upload.sha256).await?;
    let is_needed = writer.knows_upload(&upload.sha256).await?;
    let words = format!("`{}` {why}", upload.name);
    writer.note(&deed_of(shared, username, "remove", "upload", &upload.sha256, words)).await?;
    writer.commit().await?;
    let (owner, sha256) = (upload.user_id, upload.sha256.clone());
    let removed = with_store(shared, move |store| {
        store.give_up_upload(owner, &sha256)?;
        if is_needed { Ok(()) } else { store.remove_upload(&sha256) }
    });
    Ok(removed.await??)
}

/// Refuses a definition that names a file which its submitter has not sent. `lent` are files that somebody else's job names,
/// which is submitted again as it was.
pub(crate) async fn check_named(
    reader: &mut Reader,
    user: i64,
    named: &BTreeSet<UploadUrl>,
    lent: &[String],
) -> Result<(), Refusal> {
    for url in named {
        let own = reader.upload(user, url.sha256()).await?.is_some_and(|upload| upload.is_complete);
        let is_lent = lent.iter().any(|sha256| sha256 == url.sha256());
        let is_there = own || is_lent && reader.has_upload(url.sha256()).await?;
        if !is_there {
            return Err(Refusal::Invalid(format!(
                "the file `{}` that the job names is not on the server, or no more: submit the job from its files again, \
                 with `pumice submit --upload`",
                url.name()
            )));
        }
    }
    Ok(())
}

/// The purpose of the server's key that capabilities come from.
const PURPOSE: &str = "upload";

fn claim(job: JobId, fence: i64, sha256: &str) -> String {
    format!("{job}\n{fence}\n{sha256}")
}

/// Where the worker that a job is lent to finds an upload, below the server's address.
pub(crate) fn path_for(shared: &Shared, job: &Job, url: &UploadUrl) -> String {
    let capability = shared.key.derive(PURPOSE, &claim(job.id, job.fence, url.sha256()));
    let (sha256, name) = (url.sha256(), url.name());
    format!("/uploads/{sha256}/{name}?job={}&fence={}&capability={capability}", job.id, job.fence)
}

/// Whether a capability opens an upload: it is for this giving of a job that names it and has not ended.
pub(crate) async fn is_open(
    shared: &Shared,
    job: JobId,
    fence: i64,
    sha256: &str,
    capability: &str,
) -> Result<bool, Refusal> {
    if !shared.key.verify(PURPOSE, &claim(job, fence, sha256), capability) {
        return Ok(false);
    }
    let mut reader = shared.database.read().await?;
    let Some(job) = reader.job(job).await? else { return Ok(false) };
    let is_lent = job.fence == fence && !job.is_finished();
    Ok(is_lent && reader.uploads_of_job(job.id).await?.iter().any(|named| named == sha256))
}
