//! Facts about the database itself.

use crate::{DbError, Reader, Writer, row::params};

impl Reader {
    /// A fact by name.
    pub async fn setting(&mut self, name: &str) -> Result<Option<String>, DbError> {
        let row = self.row("SELECT value FROM settings WHERE name = $1", params![name]).await?;
        row.map(|row| row.text("value")).transpose()
    }

    /// How many may use each licence at once.
    pub async fn licences(&mut self) -> Result<Vec<(String, i64)>, DbError> {
        let rows = self.rows("SELECT name, seats FROM licences ORDER BY name", params![]).await?;
        rows.iter().map(|row| Ok((row.text("name")?, row.int("seats")?))).collect()
    }
}

impl Writer {
    /// Says how many may use a licence at once.
    pub async fn set_licence(&mut self, name: &str, seats: i64) -> Result<(), DbError> {
        self.execute(
            "INSERT INTO licences (name, seats) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET seats = excluded.seats",
            params![name, seats],
        )
        .await?;
        Ok(())
    }

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
