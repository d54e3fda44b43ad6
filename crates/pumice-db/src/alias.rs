//! Other names of device types.

use crate::{DbError, Reader, Writer, row::params};

impl Reader {
    /// Every alias with its device type, by name.
    pub async fn aliases(&mut self) -> Result<Vec<(String, String)>, DbError> {
        let rows = self.rows("SELECT name, device_type FROM aliases ORDER BY name", params![]).await?;
        rows.iter().map(|row| Ok((row.text("name")?, row.text("device_type")?))).collect()
    }

    /// The device type an alias stands for.
    pub async fn alias(&mut self, name: &str) -> Result<Option<String>, DbError> {
        let row = self.row("SELECT device_type FROM aliases WHERE name = $1", params![name]).await?;
        row.map(|row| row.text("device_type")).transpose()
    }

    /// The aliases of a device type, by name.
    pub async fn aliases_of(&mut self, device_type: &str) -> Result<Vec<String>, DbError> {
        self.texts("SELECT name FROM aliases WHERE device_type = $1 ORDER BY name", params![device_type])
            .await
    }
}

impl Writer {
    /// Adds an alias.
    pub async fn insert_alias(&mut self, name: &str, device_type: &str) -> Result<(), DbError> {
        self.execute("INSERT INTO aliases (name, device_type) VALUES ($1, $2)", params![name, device_type])
            .await?;
        Ok(())
    }

    /// Removes an alias; `false` when there is none.
    pub async fn delete_alias(&mut self, name: &str) -> Result<bool, DbError> {
        Ok(self.execute("DELETE FROM aliases WHERE name = $1", params![name]).await? > 0)
    }
}
