//! People.

use crate::{
    Condition, DbError, Listing, Order, Page, Reader, Timestamp, UnknownField, Writer,
    query::{self, Field, Kind, Where, field, related},
    row::{Row, params},
};

/// Somebody who may log in.
#[derive(Clone, Debug)]
pub struct User {
    /// The key.
    pub id: i64,
    /// The name, unique.
    pub username: String,
    /// First name; may be empty.
    pub first_name: String,
    /// Last name; may be empty.
    pub last_name: String,
    /// Mail address; may be empty.
    pub email: String,
    /// Whether logging in is possible at all.
    pub is_active: bool,
    /// LAVA's "may use the admin pages".
    pub is_staff: bool,
    /// May do everything.
    pub is_superuser: bool,
    /// The password's PHC string; `None` when only tokens log in.
    pub password_hash: Option<String>,
    /// When the account was made.
    pub date_joined: Timestamp,
    /// The last log-in on a page.
    pub last_login: Option<Timestamp>,
}

/// Somebody to be added.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    /// The name.
    pub username: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Mail address.
    pub email: String,
    /// Whether logging in is possible.
    pub is_active: bool,
    /// May use the admin pages.
    pub is_staff: bool,
    /// May do everything.
    pub is_superuser: bool,
}

/// What to change; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Mail address.
    pub email: Option<String>,
    /// Whether logging in is possible.
    pub is_active: Option<bool>,
    /// May use the admin pages.
    pub is_staff: Option<bool>,
    /// May do everything.
    pub is_superuser: Option<bool>,
}

const COLUMNS: &str = "u.id, u.username, u.first_name, u.last_name, u.email, u.is_active, u.is_staff, \
                       u.is_superuser, u.password_hash, u.date_joined, u.last_login";

/// What may be asked; the key first.
pub(crate) const FIELDS: &[Field] = &[
    field("id", Kind::Int, "u.id"),
    field("username", Kind::Text, "u.username"),
    field("email", Kind::Text, "u.email"),
    related(
        "group__name",
        Kind::Text,
        "g.name",
        "EXISTS (SELECT 1 FROM group_members m JOIN groups g ON g.id = m.group_id WHERE m.user_id = u.id AND $)",
    ),
];

pub(crate) fn user(row: &Row) -> Result<User, DbError> {
    Ok(User {
        id: row.int("id")?,
        username: row.text("username")?,
        first_name: row.text("first_name")?,
        last_name: row.text("last_name")?,
        email: row.text("email")?,
        is_active: row.flag("is_active")?,
        is_staff: row.flag("is_staff")?,
        is_superuser: row.flag("is_superuser")?,
        password_hash: row.maybe_text("password_hash")?,
        date_joined: row.time("date_joined")?,
        last_login: row.maybe_time("last_login")?,
    })
}

impl Condition {
    /// A condition on users.
    pub fn on_users(name: &str, value: &str) -> Result<Self, UnknownField> {
        query::condition(FIELDS, name, value)
    }
}

impl Order {
    /// An order of users.
    pub fn of_users(name: &str) -> Option<Self> {
        query::order(FIELDS, name)
    }
}

impl Reader {
    /// The user of this name.
    pub async fn user(&mut self, username: &str) -> Result<Option<User>, DbError> {
        let sql = format!("SELECT {COLUMNS} FROM users u WHERE u.username = $1");
        self.row(sql, params![username]).await?.as_ref().map(user).transpose()
    }

    /// The user with this key.
    pub async fn user_by_id(&mut self, id: i64) -> Result<Option<User>, DbError> {
        let sql = format!("SELECT {COLUMNS} FROM users u WHERE u.id = $1");
        self.row(sql, params![id]).await?.as_ref().map(user).transpose()
    }

    /// Users that fit all conditions.
    pub async fn users(
        &mut self,
        conditions: &[Condition],
        orders: &[Order],
        page: Page,
    ) -> Result<Listing<User>, DbError> {
        let mut clause = Where::default();
        clause.all(conditions);
        let filter = clause.clause();
        let total =
            self.count(format!("SELECT COUNT(*) AS n FROM users u{filter}"), clause.params.clone()).await?;
        let sql = format!("SELECT {COLUMNS} FROM users u{filter}{}", query::tail(orders, "u.username", page));
        let rows = self.rows(sql, clause.params).await?.iter().map(user).collect::<Result<_, _>>()?;
        Ok(Listing { total, rows })
    }
}

impl Writer {
    /// Adds a user and answers the key.
    pub async fn insert_user(&mut self, new: &NewUser, now: Timestamp) -> Result<i64, DbError> {
        self.insert(
            "INSERT INTO users (username, first_name, last_name, email, is_active, is_staff, is_superuser, date_joined) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
            params![
                &new.username,
                &new.first_name,
                &new.last_name,
                &new.email,
                new.is_active,
                new.is_staff,
                new.is_superuser,
                now
            ],
        )
        .await
    }

    /// Changes what is given; `false` when there is no such user.
    pub async fn update_user(&mut self, username: &str, change: &UserChange) -> Result<bool, DbError> {
        let flag = |value: Option<bool>| value.map(i64::from);
        let touched = self
            .execute(
                "UPDATE users SET first_name = COALESCE($1, first_name), last_name = COALESCE($2, last_name), \
                 email = COALESCE($3, email), is_active = COALESCE($4, is_active), is_staff = COALESCE($5, is_staff), \
                 is_superuser = COALESCE($6, is_superuser) WHERE username = $7",
                params![
                    &change.first_name,
                    &change.last_name,
                    &change.email,
                    flag(change.is_active),
                    flag(change.is_staff),
                    flag(change.is_superuser),
                    username
                ],
            )
            .await?;
        Ok(touched > 0)
    }

    /// Sets or removes the password.
    pub async fn set_password_hash(&mut self, user_id: i64, hash: Option<&str>) -> Result<(), DbError> {
        self.execute("UPDATE users SET password_hash = $1 WHERE id = $2", params![hash, user_id]).await?;
        Ok(())
    }

    /// Notes a log-in.
    pub async fn set_last_login(&mut self, user_id: i64, now: Timestamp) -> Result<(), DbError> {
        self.execute("UPDATE users SET last_login = $1 WHERE id = $2", params![now, user_id]).await?;
        Ok(())
    }

    /// Removes a user; `false` when there is none. A user who submitted jobs stays: [`DbError::StillReferenced`].
    pub async fn delete_user(&mut self, username: &str) -> Result<bool, DbError> {
        Ok(self.execute("DELETE FROM users WHERE username = $1", params![username]).await? > 0)
    }
}
