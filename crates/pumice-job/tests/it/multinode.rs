//! A job of several machines becomes one job for each.

use pumice_job::{Action, Job, Rules, split};
use pumice_types::SourceId;

fn job(text: &str) -> Job {
    let (job, diagnostics) = pumice_job::parse(text, SourceId(0));
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    job.unwrap()
}

#[test]
fn every_node_gets_its_blocks_and_its_device() {
    let parts = split(&job(include_str!("../../../../fixtures/jobs/multinode.yaml")));
    let shown: Vec<_> = parts
        .iter()
        .map(|part| {
            let node = part.node.as_ref().unwrap();
            let words: Vec<_> = part.actions.iter().map(Action::word).collect();
            let context = part.context.get("arch").and_then(|arch| arch.as_str()).unwrap_or_default();
            let minutes = part.timeouts.job.duration.as_secs() / 60;
            format!("{} {} {} {context} {minutes} {}", node.name, node.role, words.join(","), node.essential)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "server server deploy,boot,test arm64 30 true",
            "client-1 client deploy,boot,test amd64 10 false",
            "client-2 client deploy,boot,test amd64 10 false",
        ]
    );
    let client = &parts[1];
    assert!(client.multinode.is_none());
    assert_eq!(client.tags[0].value, "fast");
    assert_eq!(client.environment[0].value.value, "client");
    assert!(client.actions.iter().all(|action| action.block().roles.len() == 1));
    let members: Vec<_> =
        client.node.as_ref().unwrap().members.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(members, ["server", "client-1", "client-2"]);
}

#[test]
fn a_roles_variables_are_written_as_those_of_a_job() {
    let text = "job_name: x\nvisibility: public\ntimeouts: {job: {minutes: 5}}\n\
                protocols: {lava-multinode: {roles: {\
                a: {device_type: qemu, count: 1, environment: {FAST: true, N: 2, T: x y}}}}}\n\
                actions:\n- boot: {role: [a], method: qemu, media: tmpfs}\n";
    let (job, _) = pumice_job::parse(text, SourceId(0));
    let parts = split(&job.unwrap());
    let values: Vec<_> = parts[0].environment.iter().map(|one| one.value.value.as_str()).collect();
    assert_eq!(values, ["1", "2", "x y"]);
}

#[test]
fn a_job_for_one_machine_stays_as_it_is() {
    let one = job(include_str!("../../../../fixtures/jobs/qemu-inline.yaml"));
    assert_eq!(split(&one), [one]);
}

#[test]
fn what_a_server_split_is_accepted_by_a_worker_and_refused_on_submission() {
    let text = "job_name: part\ndevice_type: qemu\nvisibility: public\ntimeouts: {job: {minutes: 5}}\n\
                protocols: {lava-multinode: {target_group: abc, role: client, group_size: 2, sub_id: '4.1', \
                essential: false, timeout: {seconds: 90}, roles: {'5': client, '4': server}}}\n\
                actions:\n- boot: {method: minimal, role: client, prompts: ['# ']}\n";
    let (_, refused) = pumice_job::parse(text, SourceId(0));
    assert!(refused.has_errors());
    let rules = Rules { is_assigned: true, ..Rules::default() };
    let (part, diagnostics) = pumice_job::parse_by(text, SourceId(0), &rules);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let part = part.unwrap();
    assert!(part.defects.is_empty(), "{:?}", part.defects);
    let node = part.node.unwrap();
    assert_eq!((node.role.as_str(), node.group.as_deref(), node.members.len()), ("client", Some("abc"), 2));
}
