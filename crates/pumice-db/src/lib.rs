//! The lab's database: SQL and migrations, one file a table, on SQLite and PostgreSQL.
