//! One server a database.

use std::path::Path;

use pumice_db::{ClaimError, Database};
use pumice_server::{App, Config, StartError};

use crate::lab::library;

async fn start(state: &Path, database: &str) -> Result<App, StartError> {
    let mut config = Config::in_directory(state);
    config.library = vec![library()];
    App::new(config, Database::open(database).await.unwrap()).await
}

async fn a_second_server_is_refused(database: &str) {
    let [first, second] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let app = start(first.path(), database).await.unwrap();
    let Err(refused) = start(second.path(), database).await else { panic!("there are two") };
    assert!(matches!(refused, StartError::Claim(ClaimError::Taken)), "{refused:?}");
    app.stop().await;
    start(second.path(), database).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_second_server_on_one_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    a_second_server_is_refused(&format!("sqlite:{}", directory.path().join("lab.db").display())).await;
}

#[tokio::test]
async fn a_second_server_on_one_postgresql_database_is_refused() {
    match pumice_testkit::Postgres::start() {
        Ok(postgres) => a_second_server_is_refused(&postgres.fresh("claims")).await,
        Err(reason) => println!("skipped: {reason}"),
    }
}
