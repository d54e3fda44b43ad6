//! Every fact about the database, on SQLite (one test each) and on PostgreSQL (one test for all, because a
//! server is started for it).

#![expect(clippy::unwrap_used, reason = "a check that cannot go on has failed")]

mod accounts;
mod jobs;
mod lab;
mod migrations;
mod results;
mod uploads;

use std::{future::Future, pin::Pin};

use pumice_db::{Database, Timestamp};

type Check = fn(String) -> Pin<Box<dyn Future<Output = ()>>>;

/// Any time will do.
const NOW: Timestamp = Timestamp(1_790_000_000_000_000);

macro_rules! facts {
    ($($module:ident :: $name:ident,)*) => {
        const FACTS: &[(&str, Check)] = &[$((stringify!($name), |url| Box::pin($module::$name(url))),)*];

        mod sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    let directory = tempfile::tempdir().unwrap();
                    crate::$module::$name(format!("sqlite:{}", directory.path().join("lab.db").display())).await;
                }
            )*
        }
    };
}

facts! {
    migrations::each_step_keeps_what_was_there,
    migrations::opening_again_changes_nothing,
    migrations::a_database_of_the_future_is_refused,
    lab::a_database_is_one_servers_alone,
    jobs::the_words_of_a_group_come_back_in_order,
    accounts::a_name_is_unique_and_a_change_leaves_the_rest,
    accounts::a_token_is_found_by_its_hash_with_its_owner,
    accounts::permissions_come_from_the_user_and_its_groups,
    accounts::a_web_session_ends,
    lab::a_device_does_what_its_jobs_do,
    lab::a_device_is_seen_by_those_who_may,
    lab::what_is_referred_to_cannot_be_removed,
    jobs::a_state_moves_once,
    jobs::a_job_that_was_never_started_begins_when_it_ends,
    jobs::members_of_a_group_are_numbered_after_the_first,
    jobs::lists_show_what_the_viewer_may_see,
    jobs::lists_are_narrowed_by_fields_and_metadata,
    jobs::writers_take_turns,
    results::the_same_line_of_the_log_is_one_result,
    results::a_measurement_may_be_missing_and_may_come,
    results::counts_and_filters_of_results,
    uploads::a_file_is_kept_while_a_job_that_names_it_has_not_ended,
    uploads::the_same_file_of_two_people_is_two_rows,
}

#[tokio::test]
async fn every_fact_holds_on_postgresql() {
    let server = match pumice_testkit::Postgres::start() {
        Ok(server) => server,
        Err(reason) => {
            println!("skipped: {reason}");
            return;
        }
    };
    for (name, check) in FACTS {
        println!("{name}");
        let url = server.fresh(&format!("fact_{name}").chars().take(60).collect::<String>());
        check(url).await;
    }
}

/// An open database with users `admin` (superuser, key 1) and `alice` (key 2), type `virtual`, worker `w1`, and
/// devices `d1` and `d2`.
async fn small_lab(url: &str) -> Database {
    let database = Database::open(url).await.unwrap();
    let mut writer = database.write().await.unwrap();
    for (username, is_superuser) in [("admin", true), ("alice", false)] {
        let user = pumice_db::NewUser {
            username: username.into(),
            is_superuser,
            is_active: true,
            ..Default::default()
        };
        writer.insert_user(&user, NOW).await.unwrap();
    }
    writer.insert_device_type(&pumice_db::DeviceType::named("virtual")).await.unwrap();
    writer.insert_worker("w1", None, pumice_db::WorkerHealth::Active, NOW).await.unwrap();
    for hostname in ["d1", "d2"] {
        writer
            .insert_device(&pumice_db::NewDevice {
                hostname: hostname.into(),
                device_type: "virtual".into(),
                worker: Some("w1".into()),
                health: pumice_db::DeviceHealth::Good,
                description: None,
                physical_owner: None,
                physical_group: None,
                dictionary: None,
                slots: 1,
                is_offered: false,
            })
            .await
            .unwrap();
    }
    writer.commit().await.unwrap();
    database
}

/// A public job of `submitter_id`.
fn job(submitter_id: i64, description: &str) -> pumice_db::NewJob {
    pumice_db::NewJob {
        group: None,
        submitter_id,
        description: description.into(),
        requested_device_type: Some("virtual".into()),
        requested_device: None,
        requested_worker: None,
        priority: 50,
        visibility: pumice_db::Visibility::Public,
        viewing_groups: Vec::new(),
        is_health_check: false,
        queue_deadline: None,
        tags: Vec::new(),
        metadata: serde_json::json!({}),
        definition: "job_name: x\n".into(),
        original: "job_name: x # as written\n".into(),
        multinode: String::new(),
    }
}
