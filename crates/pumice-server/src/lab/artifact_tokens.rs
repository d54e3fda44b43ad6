//! Secrets that jobs name (lava-compat 7.1): sealed in the database, open only here.

use pumice_db::{ArtifactToken, Reader, Writer};

use crate::{refusal::Refusal, secrets::ServerKey};

/// A user's secrets. One that was sealed with another server's key cannot be read, and is left out.
pub(crate) async fn of_user(
    reader: &mut Reader,
    key: &ServerKey,
    user_id: i64,
) -> Result<Vec<ArtifactToken>, pumice_db::DbError> {
    let kept = reader.artifact_tokens(user_id).await?;
    let opened = kept.into_iter().filter_map(|token| {
        let secret = key.unseal(&token.secret);
        if secret.is_none() {
            tracing::error!(name = token.name, "a secret was sealed with another server's key");
        }
        Some(ArtifactToken { secret: secret?, ..token })
    });
    Ok(opened.collect())
}

/// Keeps a secret; one of the same name is replaced. Answers its key.
pub(crate) async fn put(
    writer: &mut Writer,
    key: &ServerKey,
    user_id: i64,
    name: &str,
    secret: &str,
) -> Result<i64, Refusal> {
    Ok(writer.put_artifact_token(user_id, name, &key.seal(secret)?).await?)
}
