use pumice_db::{Database, DbError, NewUser, migrations};

use crate::NOW;

pub(crate) async fn each_step_keeps_what_was_there(url: String) {
    for migration in migrations() {
        let database = Database::open_at_version(&url, migration.version).await.unwrap();
        let mut writer = database.write().await.unwrap();
        let user = NewUser { username: format!("from-{}", migration.version), ..NewUser::default() };
        writer.insert_user(&user, NOW).await.unwrap();
        for earlier in migrations().iter().filter(|earlier| earlier.version <= migration.version) {
            assert!(
                writer.user(&format!("from-{}", earlier.version)).await.unwrap().is_some(),
                "{}",
                migration.name
            );
        }
        writer.commit().await.unwrap();
        database.close().await;
    }
}

pub(crate) async fn opening_again_changes_nothing(url: String) {
    let database = crate::small_lab(&url).await;
    database.close().await;
    let database = Database::open(&url).await.unwrap();
    assert!(database.read().await.unwrap().user("alice").await.unwrap().is_some());
    database.close().await;
}

pub(crate) async fn a_database_of_the_future_is_refused(url: String) {
    Database::open(&url).await.unwrap().close().await;
    let address = if url.starts_with("sqlite") { format!("{url}?mode=rw") } else { url.clone() };
    let mut connection = <sqlx::AnyConnection as sqlx::Connection>::connect(&address).await.unwrap();
    sqlx::query("INSERT INTO schema_version (version) VALUES (9999)").execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    match Database::open(&url).await {
        Err(DbError::TooNew { found: 9999, .. }) => {}
        other => panic!("opened a database of the future: {:?}", other.err()),
    }
}

/// At once: nobody waits for a file to become a database.
#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lab.db");
    std::fs::write(&file, [b'x'; 5000]).unwrap();
    let refused = Database::open(&format!("sqlite:{}", file.display())).await.unwrap_err();
    assert!(matches!(refused, DbError::Engine(_)), "{refused:?}");
}
