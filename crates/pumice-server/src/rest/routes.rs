//! The table of routes: each with its methods and what it does. The description (`openapi.json`) and the list at the root
//! are made from it, and a test asks each.

use std::sync::Arc;

use axum::{
    Json, Router,
    routing::{MethodRouter, get, post},
};
use serde_json::{Map, Value};

use super::{
    accounts, device_types, devices, jobs, list::ListQuery, openapi, permissions, results, small, system,
    token, uploads, workers,
};
use crate::app::Shared;

/// Where the API is.
pub(super) const PREFIX: &str = "/api/v0.2";

/// One route.
pub(super) struct Route {
    pub(super) path: &'static str,
    /// Each method with what it does.
    pub(super) methods: &'static [(&'static str, &'static str)],
    handler: fn() -> MethodRouter<Arc<Shared>>,
}

macro_rules! routes {
    ($($path:literal [$($method:literal $does:literal),+] $handler:expr,)*) => {
        /// Every route.
        pub(super) const ROUTES: &[Route] = &[$(Route {
            path: $path,
            methods: &[$(($method, $does)),+],
            handler: || $handler,
        },)*];
    };
}

routes! {
    "/aliases/" ["get" "Lists other names of device types.", "post" "Adds one."] get(small::aliases).post(small::add_alias),
    "/aliases/{name}/" ["get" "Shows one.", "put" "Changes one.", "patch" "Changes one.", "delete" "Removes one."]
        get(small::alias).put(small::change_alias).patch(small::change_alias).delete(small::delete_alias),
    "/devices/" ["get" "Lists devices.", "post" "Adds one."] get(devices::list).post(devices::add),
    "/devices/validate/" ["post" "Renders a dictionary and checks it."] post(devices::validate),
    "/devices/{hostname}/" ["get" "Shows one.", "put" "Changes one.", "patch" "Changes one.", "delete" "Removes one."]
        get(devices::show).put(devices::change).patch(devices::change).delete(devices::remove),
    "/devices/{hostname}/set_health/" ["post" "Sets the health."] post(devices::set_health),
    "/devices/{hostname}/dictionary/" ["get" "The dictionary, as it is or rendered.", "post" "Sets it."]
        get(devices::dictionary).post(devices::set_dictionary),
    "/devicetypes/" ["get" "Lists device types.", "post" "Adds one."] get(device_types::list).post(device_types::add),
    "/devicetypes/{name}/" ["get" "Shows one.", "put" "Changes one.", "patch" "Changes one.", "delete" "Removes one."]
        get(device_types::show).put(device_types::change).patch(device_types::change).delete(device_types::remove),
    "/devicetypes/{name}/template/" ["get" "The template.", "post" "Sets it."]
        get(device_types::template).post(device_types::set_template),
    "/devicetypes/{name}/health_check/" ["get" "The health check.", "post" "Sets it."]
        get(device_types::health_check).post(device_types::set_health_check),
    "/jobs/" ["get" "Lists jobs.", "post" "Submits one."] get(jobs::list).post(jobs::submit),
    "/jobs/validate/" ["post" "Checks a definition."] post(jobs::validate),
    "/jobs/validate_testdef/" ["post" "Checks a test definition."] post(jobs::validate_testdef),
    "/jobs/batch_cancel/" ["post" "Ends several jobs."] post(jobs::batch_cancel),
    "/jobs/{id}/" ["get" "Shows a job."] get(jobs::show),
    "/jobs/{id}/cancel/" ["get" "Ends a job."] get(jobs::cancel),
    "/jobs/{id}/give_up/" ["post" "Ends a job whose worker will never report it."] post(jobs::give_up),
    "/jobs/{id}/resubmit/" ["post" "Submits a job again."] post(jobs::resubmit),
    "/jobs/{id}/logs/" ["get" "Lines of the log, YAML."] get(jobs::logs),
    "/jobs/{id}/metadata/" ["get" "The metadata."] get(jobs::metadata),
    "/jobs/{id}/why/" ["get" "What a job waits for, or why it failed."] get(jobs::why),
    "/jobs/{id}/files/" ["get" "Files a job left behind."] get(jobs::files),
    "/jobs/{id}/files/{name}" ["get" "One of them."] get(jobs::file),
    "/jobs/{id}/compare/{other}/" ["get" "How the results of two jobs differ."] get(results::compare),
    "/jobs/{id}/csv/" ["get" "All results as CSV."] get(results::csv),
    "/jobs/{id}/yaml/" ["get" "All results as YAML."] get(results::yaml),
    "/jobs/{id}/junit/" ["get" "All results as JUnit."] get(results::junit),
    "/jobs/{id}/tap13/" ["get" "All results as TAP 13."] get(results::tap),
    "/jobs/{id}/json/" ["get" "All results as our JSON."] get(results::json),
    "/jobs/{id}/suites/" ["get" "Lists suites."] get(results::suites),
    "/jobs/{id}/suites/{suite}/" ["get" "Shows a suite."] get(results::suite),
    "/jobs/{id}/suites/{suite}/csv/" ["get" "The results of a suite as CSV."] get(results::suite_csv),
    "/jobs/{id}/suites/{suite}/yaml/" ["get" "The results of a suite as YAML."] get(results::suite_yaml),
    "/jobs/{id}/suites/{suite}/tests/" ["get" "Lists the results of a suite."] get(results::suite_tests),
    "/jobs/{id}/suites/{suite}/tests/{case}/" ["get" "Shows a result."] get(results::suite_test),
    "/jobs/{id}/tests/" ["get" "Lists results."] get(results::tests),
    "/permissions/devicetypes/" ["get" "Lists permissions on device types.", "post" "Adds one."]
        get(permissions::of_types).post(permissions::add_to_type),
    "/permissions/devicetypes/{id}/" ["get" "Shows one.", "delete" "Removes one."]
        get(permissions::of_type).delete(permissions::remove_from_type),
    "/permissions/devices/" ["get" "Lists permissions on devices.", "post" "Adds one."]
        get(permissions::of_devices).post(permissions::add_to_device),
    "/permissions/devices/{id}/" ["get" "Shows one.", "delete" "Removes one."]
        get(permissions::of_device).delete(permissions::remove_from_device),
    "/system/" ["get" "Lists what there is about the server."] get(system::index),
    "/system/version/" ["get" "The version of LAVA whose API this is."] get(system::version),
    "/system/whoami/" ["get" "Who asks."] get(system::whoami),
    "/system/master_config/" ["get" "Where events and logs are."] get(system::master_config),
    "/tags/" ["get" "Lists tags.", "post" "Adds one."] get(small::tags).post(small::add_tag),
    "/tags/{id}/" ["get" "Shows one.", "put" "Changes one.", "patch" "Changes one.", "delete" "Removes one."]
        get(small::tag).put(small::change_tag).patch(small::change_tag).delete(small::delete_tag),
    "/workers/" ["get" "Lists workers.", "post" "Adds one."] get(workers::list).post(workers::add),
    "/workers/{hostname}/" ["get" "Shows one.", "put" "Changes one.", "patch" "Changes one.", "delete" "Removes one."]
        get(workers::show).put(workers::change).patch(workers::change).delete(workers::remove),
    "/workers/{hostname}/set_health/" ["post" "Sets the health."] post(workers::set_health),
    "/workers/{hostname}/config/" ["get" "The dispatcher configuration.", "post" "Sets it."]
        get(workers::config).post(workers::set_config),
    "/workers/{hostname}/env/" ["get" "The runner's environment.", "post" "Sets it."]
        get(workers::env).post(workers::set_env),
    "/remote-artifact-tokens/" ["get" "Lists one's secrets for jobs.", "post" "Adds one."]
        get(small::own_artifact_tokens).post(small::add_artifact_token),
    "/remote-artifact-tokens/{id}/" ["get" "Shows one.", "put" "Changes one.", "patch" "Changes one.", "delete" "Removes one."]
        get(small::artifact_token).put(small::change_artifact_token).patch(small::change_artifact_token).delete(small::delete_artifact_token),
    "/uploads/" ["get" "Lists one's files for jobs."] get(uploads::list),
    "/uploads/{sha256}/" ["get" "How much of a file is there.", "put" "Adds a piece of it.", "delete" "Removes it."]
        get(uploads::show).put(uploads::put).delete(uploads::remove).layer(uploads::body_limit()),
    "/groups/" ["get" "Lists groups.", "post" "Adds one."] get(accounts::groups).post(accounts::add_group),
    "/groups/{id}/" ["get" "Shows one.", "put" "Renames one.", "patch" "Renames one.", "delete" "Removes one."]
        get(accounts::group).put(accounts::rename_group).patch(accounts::rename_group).delete(accounts::delete_group),
    "/users/" ["get" "Lists users.", "post" "Adds one."] get(accounts::users).post(accounts::add_user),
    "/users/{id}/" ["get" "Shows one.", "put" "Changes one.", "patch" "Changes one.", "delete" "Removes one."]
        get(accounts::user).put(accounts::change_user).patch(accounts::change_user).delete(accounts::delete_user),
    "/token/" ["get" "Lists one's API tokens.", "post" "Gives a token for a name and a password, or a further one."]
        get(token::list).post(token::give),
    "/token/{id}/" ["delete" "Ends a token."] axum::routing::delete(token::remove),
    "/events/" ["get" "What happened after a place in the stream; waits for it."] get(system::events),
    "/audit/" ["get" "Who did what."] get(system::audit),
    "/openapi.json" ["get" "This description."] get(openapi::description),
}

/// All routes, and the list of them.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    ROUTES.iter().fold(Router::new().route(&format!("{PREFIX}/"), get(root)), |router, route| {
        router.route(&format!("{PREFIX}{}", route.path), (route.handler)())
    })
}

/// What there is, with addresses.
async fn root(query: ListQuery) -> Json<Value> {
    let collections = ROUTES.iter().filter(|route| {
        let is_collection =
            !route.path.contains('{') && route.methods.iter().any(|(method, _)| *method == "get");
        is_collection && route.path.ends_with('/') && !route.path.trim_matches('/').starts_with("system/")
    });
    let entry = |route: &Route| {
        (
            route.path.trim_matches('/').to_owned(),
            Value::from(format!("{}{PREFIX}{}", query.base(), route.path)),
        )
    };
    Json(Value::Object(collections.map(entry).collect::<Map<_, _>>()))
}
