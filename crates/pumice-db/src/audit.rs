//! The audit log: who did what, and when.

use crate::{
    DbError, Reader, Timestamp, Writer,
    row::{Row, params},
};

/// One deed.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who; the server itself is `lavaserver`, as in LAVA's events.
    pub username: String,
    /// What, for example `cancel`.
    pub action: String,
    /// To what kind of thing, for example `job`.
    pub kind: String,
    /// To which.
    pub object: String,
    /// In words.
    pub message: String,
}

fn entry(row: &Row) -> Result<AuditEntry, DbError> {
    Ok(AuditEntry {
        at: row.time("at")?,
        username: row.text("username")?,
        action: row.text("action")?,
        kind: row.text("kind")?,
        object: row.text("object")?,
        message: row.text("message")?,
    })
}

impl Reader {
    /// What was done to one thing, newest first.
    pub async fn audit_of(
        &mut self,
        kind: &str,
        object: &str,
        limit: u64,
    ) -> Result<Vec<AuditEntry>, DbError> {
        let sql =
            format!("SELECT * FROM audit WHERE kind = $1 AND object = $2 ORDER BY id DESC LIMIT {limit}");
        self.rows(sql, params![kind, object]).await?.iter().map(entry).collect()
    }

    /// What was done at all, newest first.
    pub async fn audit(&mut self, limit: u64) -> Result<Vec<AuditEntry>, DbError> {
        let sql = format!("SELECT * FROM audit ORDER BY id DESC LIMIT {limit}");
        self.rows(sql, params![]).await?.iter().map(entry).collect()
    }
}

impl Writer {
    /// Notes a deed.
    pub async fn note(&mut self, entry: &AuditEntry) -> Result<(), DbError> {
        self.execute(
            "INSERT INTO audit (at, username, action, kind, object, message) VALUES ($1, $2, $3, $4, $5, $6)",
            params![entry.at, &entry.username, &entry.action, &entry.kind, &entry.object, &entry.message],
        )
        .await?;
        Ok(())
    }
}
