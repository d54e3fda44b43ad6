//! Tokens of the APIs. Only their hash is known.

use crate::{
    DbError, Reader, Timestamp, User, Writer,
    row::{Row, params},
    user::user,
};

/// A token, without the secret.
#[derive(Clone, Debug)]
pub struct Token {
    /// The key.
    pub id: i64,
    /// Whose it is.
    pub user_id: i64,
    /// What its owner calls it.
    pub description: String,
    /// What it may be used for, words with spaces between; empty for everything its owner may.
    pub scopes: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last used, to the minute.
    pub last_used: Option<Timestamp>,
    /// When it ends.
    pub expires: Option<Timestamp>,
}

/// A use is noted at most this often: a write for each request would be the dearest part of it.
const USE_NOTED_EVERY_MICROS: i64 = 60_000_000;

fn token(row: &Row) -> Result<Token, DbError> {
    Ok(Token {
        id: row.int("token_id")?,
        user_id: row.int("user_id")?,
        description: row.text("description")?,
        scopes: row.text("scopes")?,
        created: row.time("created")?,
        last_used: row.maybe_time("last_used")?,
        expires: row.maybe_time("expires")?,
    })
}

const COLUMNS: &str =
    "t.id AS token_id, t.user_id, t.description, t.scopes, t.created, t.last_used, t.expires";

impl Token {
    /// Whether it is over.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether its use at `now` is worth a write.
    pub fn use_is_news(&self, now: Timestamp) -> bool {
        self.last_used.is_none_or(|last| now.0 - last.0 >= USE_NOTED_EVERY_MICROS)
    }
}

impl Reader {
    /// The token with this hash, and its owner.
    pub async fn token_by_hash(&mut self, hash: &str) -> Result<Option<(Token, User)>, DbError> {
        let sql =
            format!("SELECT {COLUMNS}, u.* FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.hash = $1");
        let row = self.row(sql, params![hash]).await?;
        row.map(|row| Ok((token(&row)?, user(&row)?))).transpose()
    }

    /// A user's tokens, newest first.
    pub async fn tokens_of_user(&mut self, user_id: i64) -> Result<Vec<Token>, DbError> {
        let sql = format!("SELECT {COLUMNS} FROM tokens t WHERE t.user_id = $1 ORDER BY t.id DESC");
        self.rows(sql, params![user_id]).await?.iter().map(token).collect()
    }
}

impl Writer {
    /// Adds a token by its hash and answers the key.
    pub async fn insert_token(
        &mut self,
        user_id: i64,
        hash: &str,
        description: &str,
        scopes: &str,
        now: Timestamp,
        expires: Option<Timestamp>,
    ) -> Result<i64, DbError> {
        self.insert(
            "INSERT INTO tokens (user_id, hash, description, scopes, created, expires) \
             VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
            params![user_id, hash, description, scopes, now, expires],
        )
        .await
    }

    /// Removes one of a user's tokens; `false` when it is not one of them.
    pub async fn delete_token(&mut self, user_id: i64, token_id: i64) -> Result<bool, DbError> {
        let sql = "DELETE FROM tokens WHERE id = $1 AND user_id = $2";
        Ok(self.execute(sql, params![token_id, user_id]).await? > 0)
    }

    /// Notes that a token was used.
    pub async fn note_token_use(&mut self, token_id: i64, now: Timestamp) -> Result<(), DbError> {
        self.execute("UPDATE tokens SET last_used = $1 WHERE id = $2", params![now, token_id]).await?;
        Ok(())
    }
}
