//! Files a job left behind.

use pumice_types::JobId;

use crate::{
    DbError, Reader, Timestamp, Writer,
    row::{Row, params},
};

/// A file of a job; its bytes are in the artifact store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The name, unique in the job.
    pub name: String,
    /// Its size.
    pub size_bytes: i64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// Its media type.
    pub content_type: String,
    /// When it was whole.
    pub created: Timestamp,
}

fn attachment(row: &Row) -> Result<Attachment, DbError> {
    Ok(Attachment {
        name: row.text("name")?,
        size_bytes: row.int("size_bytes")?,
        sha256: row.text("sha256")?,
        content_type: row.text("content_type")?,
        created: row.time("created")?,
    })
}

impl Reader {
    /// The files of a job, by name.
    pub async fn attachments(&mut self, id: JobId) -> Result<Vec<Attachment>, DbError> {
        let sql = "SELECT name, size_bytes, sha256, content_type, created FROM attachments WHERE job_id = $1 ORDER BY name";
        self.rows(sql, params![id]).await?.iter().map(attachment).collect()
    }
}

impl Writer {
    /// Adds a file, or replaces the one of its name.
    pub async fn put_attachment(&mut self, id: JobId, file: &Attachment) -> Result<(), DbError> {
        self.execute(
            "INSERT INTO attachments (job_id, name, size_bytes, sha256, content_type, created) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (job_id, name) DO UPDATE SET \
             size_bytes = excluded.size_bytes, sha256 = excluded.sha256, content_type = excluded.content_type, \
             created = excluded.created",
            params![id, &file.name, file.size_bytes, &file.sha256, &file.content_type, file.created],
        )
        .await?;
        Ok(())
    }
}
