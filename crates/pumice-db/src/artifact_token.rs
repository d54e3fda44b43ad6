//! Remote artifact tokens: secrets a job names instead of holding them (lava-compat 7.1).

use crate::{DbError, Reader, Writer, row::params};

/// A named secret of one user.
#[derive(Clone, PartialEq, Eq)]
pub struct ArtifactToken {
    /// The key.
    pub id: i64,
    /// What jobs call it.
    pub name: String,
    /// What a worker sends instead.
    pub secret: String,
}

/// Never shows the secret.
impl std::fmt::Debug for ArtifactToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ArtifactToken({})", self.name)
    }
}

impl Reader {
    /// A user's artifact tokens by name.
    pub async fn artifact_tokens(&mut self, user_id: i64) -> Result<Vec<ArtifactToken>, DbError> {
        let sql = "SELECT id, name, secret FROM artifact_tokens WHERE user_id = $1 ORDER BY name";
        let rows = self.rows(sql, params![user_id]).await?;
        rows.iter()
            .map(|row| {
                Ok(ArtifactToken { id: row.int("id")?, name: row.text("name")?, secret: row.text("secret")? })
            })
            .collect()
    }
}

impl Writer {
    /// Adds a token or gives it another secret; answers the key.
    pub async fn put_artifact_token(
        &mut self,
        user_id: i64,
        name: &str,
        secret: &str,
    ) -> Result<i64, DbError> {
        self.insert(
            "INSERT INTO artifact_tokens (user_id, name, secret) VALUES ($1, $2, $3) \
             ON CONFLICT (user_id, name) DO UPDATE SET secret = excluded.secret RETURNING id",
            params![user_id, name, secret],
        )
        .await
    }

    /// Removes a token; `false` when there is none of that name.
    pub async fn delete_artifact_token(&mut self, user_id: i64, name: &str) -> Result<bool, DbError> {
        let sql = "DELETE FROM artifact_tokens WHERE user_id = $1 AND name = $2";
        Ok(self.execute(sql, params![user_id, name]).await? > 0)
    }
}
