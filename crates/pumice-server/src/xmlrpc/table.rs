//! Every method: its name, its arguments, what it does.

use std::{future::Future, pin::Pin};

use super::{
    Answer, Call,
    methods::{accounts, device_types, devices, jobs, legacy, results, small, system, workers},
};

/// A method.
pub(super) struct Method {
    pub(super) name: &'static str,
    /// Those that end in `?` may be left out.
    pub(super) parameters: &'static [&'static str],
    pub(super) does: &'static str,
    pub(super) run: fn(Call) -> Pin<Box<dyn Future<Output = Answer> + Send>>,
}

/// The method of this name.
pub(super) fn find(name: &str) -> Option<&'static Method> {
    METHODS.binary_search_by(|method| method.name.cmp(name)).ok().and_then(|at| METHODS.get(at))
}

/// Every method, by name.
pub(super) fn all() -> &'static [Method] {
    METHODS
}

macro_rules! methods {
    ($($name:literal ($($parameter:literal),*) $does:literal => $module:ident :: $function:ident,)*) => {
        /// Sorted by name.
        const METHODS: &[Method] = &[$(Method {
            name: $name,
            parameters: &[$($parameter),*],
            does: $does,
            run: |call| Box::pin($module::$function(call)),
        },)*];
    };
}

methods! {
    "auth.groups.add" ("name") "Adds a group." => accounts::group_add,
    "auth.groups.delete" ("name") "Removes a group." => accounts::group_delete,
    "auth.groups.list" () "The names of all groups." => accounts::group_list,
    "auth.groups.perms.add" ("name", "app", "model", "codename")
        "Gives a group a permission." => accounts::group_perm_add,
    "auth.groups.perms.delete" ("name", "app", "model", "codename")
        "Takes a permission from a group." => accounts::group_perm_delete,
    "auth.groups.perms.list" ("name") "The permissions of a group." => accounts::group_perm_list,
    "auth.groups.show" ("name") "A group with its members and permissions." => accounts::group_show,
    "auth.users.add" (
        "username", "first_name?", "last_name?", "email?", "is_active?", "is_staff?", "is_superuser?",
        "ldap?"
    )
        "Adds a user." => accounts::user_add,
    "auth.users.delete" ("username") "Removes a user who has submitted nothing." => accounts::user_delete,
    "auth.users.groups.add" ("username", "group") "Puts a user into a group." => accounts::user_group_add,
    "auth.users.groups.delete" ("username", "group") "Takes a user out of a group." => accounts::user_group_delete,
    "auth.users.groups.list" ("username") "The groups of a user." => accounts::user_group_list,
    "auth.users.list" () "All users." => accounts::user_list,
    "auth.users.perms.add" ("username", "app", "model", "codename")
        "Gives a user a permission." => accounts::user_perm_add,
    "auth.users.perms.delete" ("username", "app", "model", "codename")
        "Takes a permission from a user." => accounts::user_perm_delete,
    "auth.users.perms.list" ("username") "The permissions of a user." => accounts::user_perm_list,
    "auth.users.show" ("username") "A user with groups and permissions." => accounts::user_show,
    "auth.users.update" (
        "username", "first_name?", "last_name?", "email?", "is_active?", "is_staff?",
        "is_superuser?"
    )
        "Changes a user." => accounts::user_update,
    "results.get_testcase_results_csv" ("job_id", "suite_name", "case_name")
        "The results of one case as CSV." => results::case_csv,
    "results.get_testcase_results_yaml" ("job_id", "suite_name", "case_name")
        "The results of one case as YAML." => results::case_yaml,
    "results.get_testjob_metadata" ("job_id")
        "A job's metadata as YAML: a list of mappings of one key." => results::metadata,
    "results.get_testjob_results_csv" ("job_id") "All results of a job as CSV." => results::job_csv,
    "results.get_testjob_results_yaml" ("job_id") "All results of a job as YAML." => results::job_yaml,
    "results.get_testjob_suites_list_csv" ("job_id") "The suites of a job as CSV." => results::suites_csv,
    "results.get_testjob_suites_list_yaml" ("job_id") "The suites of a job as YAML." => results::suites_yaml,
    "results.get_testsuite_results_count" ("job_id", "suite_name")
        "How many results a suite has." => results::suite_count,
    "results.get_testsuite_results_csv" ("job_id", "suite_name", "limit?", "offset?")
        "The results of a suite as CSV." => results::suite_csv,
    "results.get_testsuite_results_yaml" ("job_id", "suite_name", "limit?", "offset?")
        "The results of a suite as YAML." => results::suite_yaml,
    "results.make_custom_query" ("entity", "conditions", "limit?")
        "Jobs for which all conditions, `testjob__FIELD__OPERATOR__VALUE,…`, hold." => results::custom_query,
    "results.refresh_all_queries" () "Does nothing: no queries are stored." => results::refresh_queries,
    "results.refresh_query" ("query_name", "username?")
        "Refused as not found: no queries are stored." => results::refresh_query,
    "results.run_query" ("query_name", "limit?", "username?")
        "Refused as not found: no queries are stored." => results::run_query,
    "scheduler.aliases.add" ("name", "device_type_name") "Adds another name of a device type." => small::alias_add,
    "scheduler.aliases.delete" ("name") "Removes an alias." => small::alias_delete,
    "scheduler.aliases.list" () "The names of all aliases." => small::alias_list,
    "scheduler.aliases.show" ("name") "An alias and its device type." => small::alias_show,
    "scheduler.all_device_types" () "Every device type with counts of its devices." => legacy::all_device_types,
    "scheduler.all_devices" () "Every device: name, type, state, job, true." => legacy::all_devices,
    "scheduler.all_jobs" ()
        "Every job that has not ended: number, name, state, health, device, type." => legacy::all_jobs,
    "scheduler.cancel_job" ("job_id") "Ends a job." => jobs::cancel,
    "scheduler.device_types.add" (
        "name", "description?", "display?", "owners_only?", "health_frequency?",
        "health_denominator?"
    )
        "Adds a device type." => device_types::add,
    "scheduler.device_types.aliases.add" ("name", "alias")
        "Gives a device type another name." => device_types::alias_add,
    "scheduler.device_types.aliases.delete" ("name", "alias")
        "Takes a name from a device type." => device_types::alias_delete,
    "scheduler.device_types.aliases.list" ("name") "The other names of a device type." => device_types::alias_list,
    "scheduler.device_types.devices" ("name", "health?") "The devices of a type." => device_types::devices,
    "scheduler.device_types.get_health_check" ("name")
        "The job that checks devices of a type." => device_types::get_health_check,
    "scheduler.device_types.get_template" ("name") "The template of a device type." => device_types::get_template,
    "scheduler.device_types.list" ("show_all?") "Device types." => device_types::list,
    "scheduler.device_types.perms_add" ("name", "group", "permission")
        "Gives a group a permission on a device type." => device_types::perms_add,
    "scheduler.device_types.perms_delete" ("name", "group", "permission")
        "Takes a permission on a device type from a group." => device_types::perms_delete,
    "scheduler.device_types.perms_list" ("name") "The permissions on a device type." => device_types::perms_list,
    "scheduler.device_types.set_health_check" ("name", "config")
        "Sets the job that checks devices of a type; an empty text removes it." => device_types::set_health_check,
    "scheduler.device_types.set_template" ("name", "config")
        "Sets the template of a device type; an empty text gives the library's back." => device_types::set_template,
    "scheduler.device_types.show" ("name") "A device type." => device_types::show,
    "scheduler.device_types.update" (
        "name", "description?", "display?", "owners_only?", "health_frequency?",
        "health_denominator?", "health_disabled?"
    )
        "Changes a device type." => device_types::update,
    "scheduler.devices.add" (
        "hostname", "type_name", "worker_hostname", "user_name?", "group_name?", "public?", "health?",
        "description?"
    )
        "Adds a device." => devices::add,
    "scheduler.devices.delete" ("hostname") "Removes a device." => devices::delete,
    "scheduler.devices.get_dictionary" ("hostname", "render?", "context?")
        "A device's dictionary, as it is or rendered for a context." => devices::get_dictionary,
    "scheduler.devices.list" ("show_all?", "offline_info?") "Devices." => devices::list,
    "scheduler.devices.perms_add" ("hostname", "group", "permission")
        "Gives a group a permission on a device." => devices::perms_add,
    "scheduler.devices.perms_delete" ("hostname", "group", "permission")
        "Takes a permission on a device from a group." => devices::perms_delete,
    "scheduler.devices.perms_list" ("hostname") "The permissions on a device." => devices::perms_list,
    "scheduler.devices.set_dictionary" ("hostname", "dictionary")
        "Sets a device's dictionary." => devices::set_dictionary,
    "scheduler.devices.show" ("hostname") "A device." => devices::show,
    "scheduler.devices.tags.add" ("hostname", "name") "Gives a device a tag." => devices::tag_add,
    "scheduler.devices.tags.delete" ("hostname", "name") "Takes a tag from a device." => devices::tag_delete,
    "scheduler.devices.tags.list" ("hostname") "The tags of a device." => devices::tag_list,
    "scheduler.devices.update" (
        "hostname", "worker_hostname?", "user_name?", "group_name?", "public?", "health?",
        "description?", "device_type?", "reason?"
    )
        "Changes a device." => devices::update,
    "scheduler.export_device_dictionary" ("hostname") "A device's dictionary." => legacy::export_dictionary,
    "scheduler.get_device_config" ("hostname", "context?")
        "A device as it is rendered for a context." => legacy::device_config,
    "scheduler.get_device_status" ("hostname") "What a device does." => legacy::device_status,
    "scheduler.get_device_type_by_alias" ("alias")
        "The device types an alias stands for." => legacy::type_by_alias,
    "scheduler.get_publisher_event_socket" ()
        "Where events are published: see the WebSocket at /ws/." => legacy::event_socket,
    "scheduler.get_recent_jobs_for_device" ("device", "count?", "restrict_to_user?")
        "The newest jobs of a device." => legacy::recent_of_device,
    "scheduler.get_recent_jobs_for_device_type" ("device_type", "count?", "restrict_to_user?")
        "The newest jobs of a device type." => legacy::recent_of_type,
    "scheduler.import_device_dictionary" ("hostname", "jinja_str")
        "Sets a device's dictionary." => legacy::import_dictionary,
    "scheduler.job_details" ("job_id") "A job with its definition and times." => legacy::job_details,
    "scheduler.job_health" ("job_id") "How a job ended." => legacy::job_health,
    "scheduler.job_output" ("job_id", "offset?") "A job's log, in bytes from an offset on." => legacy::job_output,
    "scheduler.job_state" ("job_id") "Where a job stands." => legacy::job_state,
    "scheduler.jobs.cancel" ("job_id") "Ends a job." => jobs::cancel,
    "scheduler.jobs.configuration" ("job_id")
        "What a job's worker was given: job, device, dispatcher, env, env-dut." => jobs::configuration,
    "scheduler.jobs.definition" ("job_id") "What was submitted." => jobs::definition,
    "scheduler.jobs.list" ("state?", "health?", "start?", "limit?", "since?", "verbose?", "duration_at_least?")
        "Jobs, newest first." => jobs::list,
    "scheduler.jobs.logs" ("job_id", "start?", "end?")
        "Whether a job has ended, and lines of its log." => jobs::logs,
    "scheduler.jobs.queue" ("device_types?", "start?", "limit?") "Jobs that wait." => jobs::queue,
    "scheduler.jobs.resubmit" ("job_id") "Submits a job again." => jobs::resubmit,
    "scheduler.jobs.show" ("job_id") "A job." => jobs::show,
    "scheduler.jobs.submit" ("definition")
        "Submits a job definition and answers the job's number, or the numbers of a group." => jobs::submit,
    "scheduler.jobs.validate" ("definition", "strict?")
        "The first mistake of a definition; nothing when there is none." => jobs::validate,
    "scheduler.pending_jobs_by_device_type" ("all?") "How many jobs wait for each device type." => legacy::pending,
    "scheduler.put_into_maintenance_mode" ("hostname", "reason", "notify?")
        "Sets a device's health to Maintenance." => legacy::into_maintenance,
    "scheduler.put_into_online_mode" ("hostname", "reason", "skip_health_check?")
        "Sets a device's health to Unknown, or to Good." => legacy::into_online,
    "scheduler.remote_artifact_tokens.add" ("name", "token")
        "Keeps a secret that jobs name." => small::artifact_token_add,
    "scheduler.remote_artifact_tokens.delete" ("name") "Forgets a secret." => small::artifact_token_delete,
    "scheduler.remote_artifact_tokens.list" () "One's own secrets." => small::artifact_token_list,
    "scheduler.remote_artifact_tokens.show" ("name") "One of one's own secrets." => small::artifact_token_show,
    "scheduler.resubmit_job" ("job_id") "Submits a job again." => jobs::resubmit,
    "scheduler.submit_job" ("job_data") "Submits a job definition." => jobs::submit,
    "scheduler.tags.add" ("name", "description?") "Adds a tag." => small::tag_add,
    "scheduler.tags.delete" ("name") "Removes a tag." => small::tag_delete,
    "scheduler.tags.list" () "All tags." => small::tag_list,
    "scheduler.tags.show" ("name") "A tag and the devices that have it." => small::tag_show,
    "scheduler.validate_pipeline_devices" ("name?")
        "Whether devices, or those of a type, render." => legacy::validate_devices,
    "scheduler.validate_yaml" ("yaml_string")
        "Refuses a definition that a submission would refuse." => legacy::validate_yaml,
    "scheduler.workers.add" ("hostname", "description?", "disabled?") "Adds a worker." => workers::add,
    "scheduler.workers.delete" ("hostname") "Removes a worker." => workers::delete,
    "scheduler.workers.get_config" ("hostname") "A worker's dispatcher configuration." => workers::get_config,
    "scheduler.workers.get_env" ("hostname") "The environment of a worker's runner." => workers::get_env,
    "scheduler.workers.get_env_dut" ("hostname") "The environment of a worker's devices." => workers::get_env_dut,
    "scheduler.workers.list" ("show_all?") "The names of workers." => workers::list,
    "scheduler.workers.set_config" ("hostname", "config")
        "Sets a worker's dispatcher configuration." => workers::set_config,
    "scheduler.workers.set_env" ("hostname", "env")
        "Sets the environment of a worker's runner." => workers::set_env,
    "scheduler.workers.set_env_dut" ("hostname", "env")
        "Sets the environment of a worker's devices." => workers::set_env_dut,
    "scheduler.workers.show" ("hostname") "A worker." => workers::show,
    "scheduler.workers.update" ("hostname", "description?", "health?", "job_limit?")
        "Changes a worker." => workers::update,
    "system.api_version" () "The version of this API." => system::api_version,
    "system.assign_perm_device" ("perm", "device", "group")
        "Gives a group a permission on a device." => system::assign_device,
    "system.assign_perm_device_type" ("perm", "device_type", "group")
        "Gives a group a permission on a device type." => system::assign_type,
    "system.getCapabilities" () "Which parts of XML-RPC are spoken." => system::capabilities,
    "system.listMethods" () "The names of all methods." => system::list_methods,
    "system.master_config" () "Where events and logs are." => system::master_config,
    "system.methodHelp" ("method") "What a method does." => system::method_help,
    "system.methodSignature" ("method") "The types of a method." => system::method_signature,
    "system.multicall" ("calls") "Several calls at once." => system::multicall,
    "system.revoke_perm_device" ("perm", "device", "group")
        "Takes a permission on a device from a group." => system::revoke_device,
    "system.revoke_perm_device_type" ("perm", "device_type", "group")
        "Takes a permission on a device type from a group." => system::revoke_type,
    "system.set_user_groups" ("user", "groups")
        "Puts a user into exactly these groups." => system::set_user_groups,
    "system.user_can_submit_to_types" ("type_list", "username?")
        "Whether a user may submit to each device type." => system::can_submit,
    "system.user_can_view_bundles" ("bundle_list", "username?")
        "Bundles are gone: nobody sees any." => system::can_view_bundles,
    "system.user_can_view_devices" ("device_list", "username?")
        "Whether a user may see each device." => system::can_view_devices,
    "system.user_can_view_jobs" ("job_list", "username?")
        "Whether a user may see each job." => system::can_view_jobs,
    "system.version" () "The version of LAVA whose methods these are." => system::version,
    "system.whoami" () "Who asks." => system::whoami,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_sorted_so_that_each_is_found() {
        assert!(METHODS.is_sorted_by(|one, other| one.name < other.name));
        assert!(
            METHODS.iter().all(|method| find(method.name).is_some_and(|found| found.name == method.name))
        );
        assert!(find("no.such.method").is_none());
    }

    #[test]
    fn what_may_be_left_out_comes_last() {
        for method in METHODS {
            assert!(
                method.parameters.is_sorted_by_key(|parameter| parameter.ends_with('?')),
                "{}",
                method.name
            );
        }
    }
}
