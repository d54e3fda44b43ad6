//! Files that people sent for their jobs.

use pumice_types::JobId;

use crate::{
    DbError, Reader, Timestamp, Writer,
    row::{Row, params},
};

/// A file of one user; its bytes are in the artifact store, once for all users who sent the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Who sent it.
    pub user_id: i64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// What it was called.
    pub name: String,
    /// Its size once it is whole.
    pub size_bytes: i64,
    /// Whether it is.
    pub is_complete: bool,
    /// When it was begun.
    pub created: Timestamp,
    /// When bytes came, or a job that names it was submitted or given, last.
    pub used: Timestamp,
}

const COLUMNS: &str = "u.user_id, u.sha256, u.name, u.size_bytes, u.is_complete, u.created, u.used";

/// Of `u.sha256`: some job that has not ended names it.
const IN_USE: &str = "EXISTS (SELECT 1 FROM job_uploads r JOIN jobs j ON j.id = r.job_id WHERE r.sha256 = u.sha256 \
                      AND j.state IN ('submitted', 'scheduled', 'running', 'cancelling'))";

fn upload(row: &Row) -> Result<Upload, DbError> {
    Ok(Upload {
        user_id: row.int("user_id")?,
        sha256: row.text("sha256")?,
        name: row.text("name")?,
        size_bytes: row.int("size_bytes")?,
        is_complete: row.flag("is_complete")?,
        created: row.time("created")?,
        used: row.time("used")?,
    })
}

impl Reader {
    /// A user's file.
    pub async fn upload(&mut self, user_id: i64, sha256: &str) -> Result<Option<Upload>, DbError> {
        let sql = format!("SELECT {COLUMNS} FROM uploads u WHERE u.user_id = $1 AND u.sha256 = $2");
        self.row(sql, params![user_id, sha256]).await?.as_ref().map(upload).transpose()
    }

    /// A user's files, the newest first.
    pub async fn uploads_of_user(&mut self, user_id: i64) -> Result<Vec<Upload>, DbError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM uploads u WHERE u.user_id = $1 ORDER BY u.created DESC, u.id DESC"
        );
        self.rows(sql, params![user_id]).await?.iter().map(upload).collect()
    }

    /// How many bytes a user's files have, or will have once they are whole.
    pub async fn upload_bytes_of_user(&mut self, user_id: i64) -> Result<u64, DbError> {
        let sql = "SELECT CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) AS n FROM uploads WHERE user_id = $1";
        self.count(sql, params![user_id]).await
    }

    /// Whether anybody has the whole file.
    pub async fn has_upload(&mut self, sha256: &str) -> Result<bool, DbError> {
        let sql = "SELECT COUNT(*) AS n FROM uploads WHERE sha256 = $1 AND is_complete = 1";
        Ok(self.count(sql, params![sha256]).await? > 0)
    }

    /// Whether anybody has it or has begun to send it.
    pub async fn knows_upload(&mut self, sha256: &str) -> Result<bool, DbError> {
        let sql = "SELECT COUNT(*) AS n FROM uploads WHERE sha256 = $1";
        Ok(self.count(sql, params![sha256]).await? > 0)
    }

    /// The digests of the files that a job names.
    pub async fn uploads_of_job(&mut self, id: JobId) -> Result<Vec<String>, DbError> {
        let sql = "SELECT sha256 AS name FROM job_uploads WHERE job_id = $1 ORDER BY sha256";
        self.texts(sql, params![id]).await
    }

    /// Whether a job that has not ended names the file.
    pub async fn upload_is_in_use(&mut self, sha256: &str) -> Result<bool, DbError> {
        let sql = format!("SELECT COUNT(*) AS n FROM uploads u WHERE u.sha256 = $1 AND {IN_USE}");
        Ok(self.count(sql, params![sha256]).await? > 0)
    }

    /// Files that were used last before `moment` and that no job names which has not ended, at most `limit`.
    pub async fn uploads_unused_since(
        &mut self,
        moment: Timestamp,
        limit: u64,
    ) -> Result<Vec<Upload>, DbError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM uploads u WHERE u.used < $1 AND NOT {IN_USE} ORDER BY u.used LIMIT {limit}"
        );
        self.rows(sql, params![moment]).await?.iter().map(upload).collect()
    }
}

impl Writer {
    /// Adds a user's file, or changes what is known of it.
    pub async fn put_upload(&mut self, file: &Upload) -> Result<(), DbError> {
        self.execute(
            "INSERT INTO uploads (user_id, sha256, name, size_bytes, is_complete, created, used) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (user_id, sha256) DO UPDATE SET name = excluded.name, \
             size_bytes = excluded.size_bytes, is_complete = excluded.is_complete, used = excluded.used",
            params![
                file.user_id,
                &file.sha256,
                &file.name,
                file.size_bytes,
                file.is_complete,
                file.created,
                file.used
            ],
        )
        .await?;
        Ok(())
    }

    /// Notes that a job names a file.
    pub async fn add_job_upload(&mut self, id: JobId, sha256: &str, now: Timestamp) -> Result<(), DbError> {
        let sql = "INSERT INTO job_uploads (job_id, sha256) VALUES ($1, $2) ON CONFLICT (job_id, sha256) DO NOTHING";
        self.execute(sql, params![id, sha256]).await?;
        self.execute("UPDATE uploads SET used = $1 WHERE sha256 = $2", params![now, sha256]).await?;
        Ok(())
    }

    /// Notes that the files that a job names were used.
    pub async fn use_uploads_of_job(&mut self, id: JobId, now: Timestamp) -> Result<(), DbError> {
        let sql =
            "UPDATE uploads SET used = $1 WHERE sha256 IN (SELECT sha256 FROM job_uploads WHERE job_id = $2)";
        self.execute(sql, params![now, id]).await?;
        Ok(())
    }

    /// Forgets a user's file; `false` when there is none. The bytes stay where they are.
    pub async fn delete_upload(&mut self, user_id: i64, sha256: &str) -> Result<bool, DbError> {
        let sql = "DELETE FROM uploads WHERE user_id = $1 AND sha256 = $2";
        Ok(self.execute(sql, params![user_id, sha256]).await? > 0)
    }
}
