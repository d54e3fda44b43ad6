//! Tags: what a device has and a job asks for.

use crate::{
    Condition, DbError, Reader, UnknownField, Writer,
    query::{self, Field, Kind, Where, field},
    row::{Row, params},
};

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The key.
    pub id: i64,
    /// The name, unique.
    pub name: String,
    /// What it means.
    pub description: Option<String>,
}

/// What may be asked; the key first.
pub(crate) const FIELDS: &[Field] = &[
    field("id", Kind::Int, "t.id"),
    field("name", Kind::Text, "t.name"),
    field("description", Kind::Text, "t.description"),
];

fn tag(row: &Row) -> Result<Tag, DbError> {
    Ok(Tag { id: row.int("id")?, name: row.text("name")?, description: row.maybe_text("description")? })
}

impl Condition {
    /// A condition on tags.
    pub fn on_tags(name: &str, value: &str) -> Result<Self, UnknownField> {
        query::condition(FIELDS, name, value)
    }
}

impl Reader {
    /// Tags that fit all conditions, by name.
    pub async fn tags(&mut self, conditions: &[Condition]) -> Result<Vec<Tag>, DbError> {
        let mut clause = Where::default();
        clause.all(conditions);
        let sql =
            format!("SELECT t.id, t.name, t.description FROM tags t{} ORDER BY t.name", clause.clause());
        self.rows(sql, clause.params).await?.iter().map(tag).collect()
    }

    /// The tag of this name.
    pub async fn tag(&mut self, name: &str) -> Result<Option<Tag>, DbError> {
        let row = self.row("SELECT id, name, description FROM tags WHERE name = $1", params![name]).await?;
        row.as_ref().map(tag).transpose()
    }

    /// The devices that have a tag, by name.
    pub async fn devices_with_tag(&mut self, tag_id: i64) -> Result<Vec<String>, DbError> {
        let sql = "SELECT device AS name FROM device_tags WHERE tag_id = $1 ORDER BY device";
        self.texts(sql, params![tag_id]).await
    }
}

impl Writer {
    /// Adds a tag and answers the key.
    pub async fn insert_tag(&mut self, name: &str, description: Option<&str>) -> Result<i64, DbError> {
        let sql = "INSERT INTO tags (name, description) VALUES ($1, $2) RETURNING id";
        self.insert(sql, params![name, description]).await
    }

    /// Changes a tag; `false` when there is none with this key.
    pub async fn update_tag(
        &mut self,
        id: i64,
        name: &str,
        description: Option<&str>,
    ) -> Result<bool, DbError> {
        let sql = "UPDATE tags SET name = $1, description = $2 WHERE id = $3";
        Ok(self.execute(sql, params![name, description, id]).await? > 0)
    }

    /// Removes a tag; `false` when there is none.
    pub async fn delete_tag(&mut self, name: &str) -> Result<bool, DbError> {
        Ok(self.execute("DELETE FROM tags WHERE name = $1", params![name]).await? > 0)
    }
}
