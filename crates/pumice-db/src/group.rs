//! Groups of people.

use crate::{
    Condition, DbError, Reader, UnknownField, Writer,
    query::{self, Field, Kind, Where, field},
    row::params,
};

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The key.
    pub id: i64,
    /// The name, unique.
    pub name: String,
}

/// What may be asked; the key first.
pub(crate) const FIELDS: &[Field] = &[field("id", Kind::Int, "g.id"), field("name", Kind::Text, "g.name")];

impl Condition {
    /// A condition on groups.
    pub fn on_groups(name: &str, value: &str) -> Result<Self, UnknownField> {
        query::condition(FIELDS, name, value)
    }
}

impl Reader {
    /// Groups that fit all conditions, by name.
    pub async fn groups(&mut self, conditions: &[Condition]) -> Result<Vec<Group>, DbError> {
        let mut clause = Where::default();
        clause.all(conditions);
        let sql = format!("SELECT g.id, g.name FROM groups g{} ORDER BY g.name", clause.clause());
        let rows = self.rows(sql, clause.params).await?;
        rows.iter().map(|row| Ok(Group { id: row.int("id")?, name: row.text("name")? })).collect()
    }

    /// The group of this name.
    pub async fn group(&mut self, name: &str) -> Result<Option<Group>, DbError> {
        let row = self.row("SELECT id, name FROM groups WHERE name = $1", params![name]).await?;
        row.map(|row| Ok(Group { id: row.int("id")?, name: row.text("name")? })).transpose()
    }

    /// The group with this key.
    pub async fn group_by_id(&mut self, id: i64) -> Result<Option<Group>, DbError> {
        let row = self.row("SELECT id, name FROM groups WHERE id = $1", params![id]).await?;
        row.map(|row| Ok(Group { id: row.int("id")?, name: row.text("name")? })).transpose()
    }

    /// The groups a user is in, by name.
    pub async fn groups_of_user(&mut self, user_id: i64) -> Result<Vec<Group>, DbError> {
        let rows = self
            .rows(
                "SELECT g.id, g.name FROM groups g JOIN group_members m ON m.group_id = g.id \
                 WHERE m.user_id = $1 ORDER BY g.name",
                params![user_id],
            )
            .await?;
        rows.iter().map(|row| Ok(Group { id: row.int("id")?, name: row.text("name")? })).collect()
    }

    /// The names of a group's members.
    pub async fn members(&mut self, group_id: i64) -> Result<Vec<String>, DbError> {
        self.texts(
            "SELECT u.username AS name FROM users u JOIN group_members m ON m.user_id = u.id \
             WHERE m.group_id = $1 ORDER BY u.username",
            params![group_id],
        )
        .await
    }
}

impl Writer {
    /// Adds a group and answers the key.
    pub async fn insert_group(&mut self, name: &str) -> Result<i64, DbError> {
        self.insert("INSERT INTO groups (name) VALUES ($1) RETURNING id", params![name]).await
    }

    /// Gives a group another name; `false` when there is none with this key.
    pub async fn rename_group(&mut self, id: i64, name: &str) -> Result<bool, DbError> {
        Ok(self.execute("UPDATE groups SET name = $1 WHERE id = $2", params![name, id]).await? > 0)
    }

    /// Removes a group; `false` when there is none.
    pub async fn delete_group(&mut self, name: &str) -> Result<bool, DbError> {
        Ok(self.execute("DELETE FROM groups WHERE name = $1", params![name]).await? > 0)
    }

    /// Puts a user into a group; no harm when already in it.
    pub async fn join_group(&mut self, user_id: i64, group_id: i64) -> Result<(), DbError> {
        self.execute(
            "INSERT INTO group_members (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            params![group_id, user_id],
        )
        .await?;
        Ok(())
    }

    /// Takes a user out of a group; `false` when not in it.
    pub async fn leave_group(&mut self, user_id: i64, group_id: i64) -> Result<bool, DbError> {
        let sql = "DELETE FROM group_members WHERE group_id = $1 AND user_id = $2";
        Ok(self.execute(sql, params![group_id, user_id]).await? > 0)
    }
}
