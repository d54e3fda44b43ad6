use std::time::Duration;

use pumice_db::{Upload, Writer};
use pumice_types::{JobState, Verdict};

use crate::{NOW, job, small_lab};

fn upload(user_id: i64, sha256: &str, size_bytes: i64, is_complete: bool) -> Upload {
    Upload {
        user_id,
        sha256: sha256.into(),
        name: "zImage".into(),
        size_bytes,
        is_complete,
        created: NOW,
        used: NOW,
    }
}

pub(crate) async fn a_file_is_kept_while_a_job_that_names_it_has_not_ended(url: String) {
    let database = small_lab(&url).await;
    let mut writer = database.write().await.unwrap();
    let later = NOW.after(Duration::from_secs(10));
    let much_later = NOW.after(Duration::from_secs(100));
    let unused = async |writer: &mut Writer, moment| {
        let found = writer.uploads_unused_since(moment, 10).await.unwrap();
        found.into_iter().map(|upload| upload.sha256).collect::<Vec<_>>()
    };
    writer.put_upload(&upload(2, "named", 5, true)).await.unwrap();
    writer.put_upload(&upload(2, "begun", 7, false)).await.unwrap();
    assert_eq!(unused(&mut writer, NOW).await, [""; 0], "used at that moment");
    assert_eq!(unused(&mut writer, later).await, ["named", "begun"]);

    let id = writer.insert_jobs(&[job(2, "one")], NOW).await.unwrap()[0];
    writer.add_job_upload(id, "named", later).await.unwrap();
    writer.add_job_upload(id, "named", later).await.unwrap();
    assert_eq!(writer.uploads_of_job(id).await.unwrap(), ["named"], "named twice");
    assert!(writer.upload_is_in_use("named").await.unwrap());
    assert_eq!(unused(&mut writer, much_later).await, ["begun"]);

    let end = pumice_db::JobEnd::plain(Verdict::Cancelled);
    assert!(writer.finish_job(id, JobState::Submitted, &end, later).await.unwrap());
    assert!(!writer.upload_is_in_use("named").await.unwrap());
    assert_eq!(unused(&mut writer, later).await, ["begun"], "the job used the other");
    assert_eq!(unused(&mut writer, much_later).await, ["begun", "named"]);
    writer.use_uploads_of_job(id, much_later).await.unwrap();
    assert_eq!(unused(&mut writer, much_later).await, ["begun"]);
}

pub(crate) async fn the_same_file_of_two_people_is_two_rows(url: String) {
    let database = small_lab(&url).await;
    let mut writer = database.write().await.unwrap();
    assert_eq!(writer.upload_bytes_of_user(2).await.unwrap(), 0);
    writer.put_upload(&upload(1, "same", 5, true)).await.unwrap();
    assert_eq!(writer.upload(2, "same").await.unwrap(), None, "to have a digest is not to have the file");
    writer.put_upload(&upload(2, "same", 5, false)).await.unwrap();
    writer.put_upload(&upload(2, "same", 6, false)).await.unwrap();
    assert_eq!(writer.upload(2, "same").await.unwrap(), Some(upload(2, "same", 6, false)));
    assert_eq!(writer.upload_bytes_of_user(2).await.unwrap(), 6);
    assert_eq!(writer.uploads_of_user(1).await.unwrap().len(), 1);
    assert!(writer.has_upload("same").await.unwrap());
    assert!(writer.delete_upload(1, "same").await.unwrap());
    assert!(!writer.delete_upload(1, "same").await.unwrap());
    assert!(!writer.has_upload("same").await.unwrap() && writer.knows_upload("same").await.unwrap());
}
