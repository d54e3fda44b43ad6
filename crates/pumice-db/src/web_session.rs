//! Log-ins on a page. The browser holds the secret, we its hash.

use crate::{DbError, Reader, Timestamp, User, Writer, row::params, user::user};

impl Reader {
    /// Who holds the session with this hash, if it lasts at `now`.
    pub async fn web_session(&mut self, hash: &str, now: Timestamp) -> Result<Option<User>, DbError> {
        let sql = "SELECT u.* FROM users u JOIN web_sessions s ON s.user_id = u.id \
                   WHERE s.hash = $1 AND s.expires > $2";
        self.row(sql, params![hash, now]).await?.as_ref().map(user).transpose()
    }
}

impl Writer {
    /// Begins a session, and forgets those that are over.
    pub async fn insert_web_session(
        &mut self,
        hash: &str,
        user_id: i64,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<(), DbError> {
        self.execute("DELETE FROM web_sessions WHERE expires <= $1", params![now]).await?;
        self.execute(
            "INSERT INTO web_sessions (hash, user_id, created, expires) VALUES ($1, $2, $3, $4)",
            params![hash, user_id, now, expires],
        )
        .await?;
        Ok(())
    }

    /// Ends a session.
    pub async fn delete_web_session(&mut self, hash: &str) -> Result<(), DbError> {
        self.execute("DELETE FROM web_sessions WHERE hash = $1", params![hash]).await?;
        Ok(())
    }
}
