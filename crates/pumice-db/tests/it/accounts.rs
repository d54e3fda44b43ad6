use std::time::Duration;

use pumice_db::{DbError, GlobalPermission, NewUser, UserChange};

use crate::{NOW, small_lab};

pub(crate) async fn a_name_is_unique_and_a_change_leaves_the_rest(url: String) {
    let database = small_lab(&url).await;
    let mut writer = database.write().await.unwrap();
    let change = UserChange { email: Some("a@x".into()), ..UserChange::default() };
    assert!(writer.update_user("alice", &change).await.unwrap());
    assert!(!writer.update_user("nobody", &change).await.unwrap());
    let alice = writer.user("alice").await.unwrap().unwrap();
    assert_eq!((alice.email.as_str(), alice.is_active, alice.date_joined), ("a@x", true, NOW));
    let again = NewUser { username: "alice".into(), ..NewUser::default() };
    assert!(matches!(writer.insert_user(&again, NOW).await, Err(DbError::AlreadyExists)));
}

pub(crate) async fn a_token_is_found_by_its_hash_with_its_owner(url: String) {
    let database = small_lab(&url).await;
    let mut writer = database.write().await.unwrap();
    let hour = Duration::from_secs(3600);
    let id = writer.insert_token(2, "abc", "ci", "submit", NOW, Some(NOW.after(hour))).await.unwrap();
    writer.commit().await.unwrap();
    let (token, user) = database.read().await.unwrap().token_by_hash("abc").await.unwrap().unwrap();
    assert_eq!((token.id, user.username.as_str(), token.scopes.as_str()), (id, "alice", "submit"));
    assert!(!token.has_expired(NOW) && token.has_expired(NOW.after(hour)));
    assert!(database.read().await.unwrap().token_by_hash("abd").await.unwrap().is_none());
    let mut writer = database.write().await.unwrap();
    assert!(!writer.delete_token(1, id).await.unwrap(), "somebody else's token");
    assert!(writer.delete_token(2, id).await.unwrap());
}

pub(crate) async fn permissions_come_from_the_user_and_its_groups(url: String) {
    let database = small_lab(&url).await;
    let mut writer = database.write().await.unwrap();
    let permission = |codename: &str| GlobalPermission {
        app: "lava_scheduler_app".into(),
        model: "device".into(),
        codename: codename.into(),
    };
    let group = writer.insert_group("lab").await.unwrap();
    writer.join_group(2, group).await.unwrap();
    writer.join_group(2, group).await.unwrap();
    writer.grant_user(2, &permission("add_device")).await.unwrap();
    writer.grant_group(group, &permission("change_device")).await.unwrap();
    let mut found = writer.effective_permissions(2).await.unwrap();
    found.sort();
    assert_eq!(found, [permission("add_device"), permission("change_device")]);
    assert_eq!(writer.effective_permissions(1).await.unwrap(), []);
    assert!(writer.leave_group(2, group).await.unwrap());
    assert_eq!(writer.effective_permissions(2).await.unwrap(), [permission("add_device")]);
}

pub(crate) async fn a_web_session_ends(url: String) {
    let database = small_lab(&url).await;
    let mut writer = database.write().await.unwrap();
    let end = NOW.after(Duration::from_secs(60));
    writer.insert_web_session("h", 2, NOW, end).await.unwrap();
    assert_eq!(writer.web_session("h", NOW).await.unwrap().unwrap().username, "alice");
    assert!(writer.web_session("h", end).await.unwrap().is_none());
}
