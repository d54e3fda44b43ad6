//! What the nodes of MultiNode groups have said and were told: one row a word, in order.

use std::str::FromStr;

use crate::{
    DbError, Reader, Writer,
    row::{Row, params},
};

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupWordKind {
    /// A line that a node said.
    Heard,
    /// A node ended.
    Gone,
    /// A line that a node is told.
    Said,
}

impl GroupWordKind {
    fn column(self) -> &'static str {
        match self {
            Self::Heard => "heard",
            Self::Gone => "gone",
            Self::Said => "said",
        }
    }
}

impl FromStr for GroupWordKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Heard, Self::Gone, Self::Said].into_iter().find(|kind| kind.column() == text).ok_or(())
    }
}

/// A word of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupWord {
    /// Whose: the job's number.
    pub node: String,
    /// What it is.
    pub kind: GroupWordKind,
    /// The line, or why the node is gone, as JSON; empty where its job is complete.
    pub line: String,
}

fn word(row: &Row) -> Result<GroupWord, DbError> {
    let kind = row.text("kind")?;
    let unreadable = |()| DbError::Unreadable { column: "kind".to_owned(), value: kind.clone() };
    Ok(GroupWord {
        node: row.text("node")?,
        kind: kind.parse().map_err(unreadable)?,
        line: row.text("line")?,
    })
}

impl Reader {
    /// All words of a group, oldest first.
    pub async fn group_words(&mut self, target_group: &str) -> Result<Vec<GroupWord>, DbError> {
        let sql = "SELECT node, kind, line FROM group_words WHERE target_group = $1 ORDER BY id";
        self.rows(sql, params![target_group]).await?.iter().map(word).collect()
    }
}

impl Writer {
    /// Adds words to a group, in this order.
    pub async fn add_group_words(&mut self, target_group: &str, words: &[GroupWord]) -> Result<(), DbError> {
        let sql = "INSERT INTO group_words (target_group, node, kind, line) VALUES ($1, $2, $3, $4)";
        for GroupWord { node, kind, line } in words {
            self.execute(sql, params![target_group, node, kind.column(), line]).await?;
        }
        Ok(())
    }

    /// Forgets what groups have said of which no job goes on: a server was killed before it could.
    pub async fn remove_words_of_ended_groups(&mut self) -> Result<(), DbError> {
        let sql = "DELETE FROM group_words WHERE NOT EXISTS (SELECT 1 FROM jobs j \
                   WHERE j.target_group = group_words.target_group AND j.end_time IS NULL)";
        self.execute(sql, params![]).await?;
        Ok(())
    }

    /// Forgets what a group has said: it is over.
    pub async fn remove_group_words(&mut self, target_group: &str) -> Result<(), DbError> {
        self.execute("DELETE FROM group_words WHERE target_group = $1", params![target_group]).await?;
        Ok(())
    }
}
