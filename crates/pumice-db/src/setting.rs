//! Facts about the database itself.

use crate::{DbError, Reader, Writer, row::params};

impl Reader {
    /// A fact by name.
    pub async fn setting(&mut self, name: &str) -> Result<Option<String>, DbError> {
        let row = self.row("SELECT value FROM settings WHERE name = $1", params![name]).await?;
        row.map(|row| row.text("value")).transpose()
    }
}

impl Writer {
    /// States a fact.
    pub async fn set_setting(&mut self, name: &str, value: &str) -> Result<(), DbError> {
        self.execute(
            "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            params![name, value],
        )
        .await?;
        Ok(())
    }
}
