//! Our plans against LAVA's, over the corpus of plans (`docs/lava-differences.md`, section "Plans").

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use pumice_device::Device;
use pumice_plan::{
    Block, MachinePlanner, OverlayDelivery, Plan, PlanOptions, TreeStep, boot::BootKind, plan,
};
use pumice_platform::{Bound, Facts, Platform};
use pumice_types::{JobId, SourceId};
use serde_json::Value as Json;

/// The rows of a file of the corpus; none, with the reason printed, where there is no corpus.
fn rows(file: &str) -> Vec<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus").join(file);
    let Ok(text) = fs::read_to_string(&path) else {
        println!("skipped: no {}", path.display());
        return Vec::new();
    };
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// One job on one device that LAVA plans, with what we say of it.
struct Case {
    row: Json,
    plan: Result<Plan, String>,
}

impl Case {
    fn name(&self) -> String {
        format!("{} on {}", self.row["of"], self.row["device"])
    }
}

/// Every job for a virtual platform that LAVA accepts and plans.
fn cases() -> Vec<Case> {
    let jobs = rows("jobs.jsonl");
    let platforms = pumice_platforms::all();
    let planners: Vec<_> = platforms.iter().map(|one| &**one as &dyn MachinePlanner).collect();
    // Two jobs may bear one name: the rows of a job stand together, in the order of the jobs.
    let mut runs = BTreeMap::<String, usize>::new();
    let mut last = String::new();
    let mut cases = Vec::new();
    for row in rows("plans.jsonl") {
        let name = row["of"].as_str().unwrap().to_owned();
        if name != last {
            *runs.entry(name.clone()).or_default() += 1;
            last.clone_from(&name);
        }
        let mut of_name = jobs.iter().filter(|job| job["name"] == name);
        let Some(job) = of_name.nth(runs[&name] - 1) else { continue };
        if row["ok"] == true && job["virtual"] == true && job["submit"]["ok"] == true {
            let texts = (job["text"].as_str().unwrap(), row["device_yaml"].as_str().unwrap());
            let plan = planned_by_us(texts.0, texts.1, &planners);
            cases.push(Case { row, plan });
        }
    }
    cases
}

fn planned_by_us(job: &str, device: &str, planners: &[&dyn MachinePlanner]) -> Result<Plan, String> {
    let (job, mut found) = pumice_job::parse(job, SourceId(0));
    let job = job.unwrap();
    found = pumice_job::for_planning(&job, found);
    let (node, mistakes) = pumice_yaml::parse(device, SourceId(1));
    found.extend(mistakes);
    let (device, mistakes) = Device::read(&node.unwrap());
    found.extend(mistakes);
    let options = PlanOptions { job_id: JobId(4212), ..PlanOptions::default() };
    let (plan, mistakes) = plan(&job, &device, planners, &options);
    found.extend(mistakes);
    let errors = found.iter().filter(|one| one.severity == pumice_types::Severity::Error);
    let errors: Vec<_> = errors.map(|one| one.message.as_str()).collect();
    match plan {
        Some(plan) if errors.is_empty() => Ok(plan),
        _ => Err(errors.join("; ")),
    }
}

/// Fails when more than `allowed` of `count` are wrong.
fn assert_at_most(wrong: &[String], count: usize, allowed: usize) {
    println!("{} of {count} agree", count - wrong.len());
    assert!(wrong.len() <= allowed, "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_lava_plans_is_planned() {
    let cases = cases();
    // What LAVA's second look refuses (`validate`), before anything starts, may be refused at once.
    let judged: Vec<_> = cases.iter().filter(|case| case.row["validate"]["ok"] != false).collect();
    let refused = judged.iter().filter_map(|case| Some((case, case.plan.as_ref().err()?)));
    let wrong: Vec<_> = refused.map(|(case, error)| format!("{}: {error}", case.name())).collect();
    assert_at_most(&wrong, judged.len(), 0);
}

/// LAVA's steps of one block, by name, with the times of each.
fn lavas_times(step: &Json, into: &mut BTreeMap<String, BTreeSet<u64>>) {
    let name = step["name"].as_str().unwrap_or_default().to_owned();
    into.entry(name).or_default().extend(step["timeout"].as_u64());
    step["pipeline"].as_array().into_iter().flatten().for_each(|child| lavas_times(child, into));
}

fn our_times(step: &TreeStep<'_>, into: &mut BTreeMap<String, BTreeSet<u64>>) {
    into.entry(step.scope.name.clone()).or_default().insert(step.scope.timeout.as_secs());
    step.steps.iter().for_each(|child| our_times(child, into));
}

#[test]
fn a_step_with_a_name_of_lavas_has_its_time() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for case in cases() {
        let Ok(plan) = &case.plan else { continue };
        let blocks = case.row["describe"].as_array().unwrap();
        let ours = plan.tree();
        if blocks.len() != ours.len() {
            wrong.push(format!("{}: {} blocks, LAVA has {}", case.name(), ours.len(), blocks.len()));
            continue;
        }
        for (block, ours) in blocks.iter().zip(&ours) {
            let (mut theirs, mut own) = (BTreeMap::new(), BTreeMap::new());
            lavas_times(block, &mut theirs);
            our_times(ours, &mut own);
            if block["name"] != ours.scope.name {
                wrong.push(format!("{}: block {} is {}", case.name(), ours.scope.name, block["name"]));
            }
            for (name, times) in own {
                // A simulator may take longer to stop than a power switch (`docs/lava-differences.md`, "Plans").
                let Some(expected) = theirs.get(&name).filter(|_| name != "power-off") else { continue };
                count += 1;
                if !times.is_subset(expected) {
                    let level = &ours.scope.level;
                    wrong.push(format!(
                        "{}: {name} in block {level}: {times:?}, LAVA has {expected:?}",
                        case.name()
                    ));
                }
            }
        }
    }
    assert_at_most(&wrong, count, 0);
}

/// The machine that a command line describes: each option with its value, without the ways to watch it (consoles
/// and monitors), and each path of a deployed file as its label.
fn machine(words: &[String]) -> Vec<String> {
    let watches = ["-serial", "-chardev", "-mon", "-monitor", "-nographic", "-display"];
    let mut kept = Vec::new();
    let mut words = words.iter().skip(1).peekable();
    while let Some(word) = words.next() {
        let value = words.next_if(|value| word.starts_with('-') && !value.starts_with('-'));
        if watches.contains(&word.as_str()) || value.is_some_and(|value| value.contains("chardev=")) {
            continue;
        }
        let word = word.strip_prefix('-').filter(|rest| rest.starts_with('-')).unwrap_or(word);
        let value = value.map(|value| labelled(value)).unwrap_or_default();
        kept.push(format!("{word} {value}").trim().to_owned());
    }
    kept.sort();
    kept
}

/// The address of LAVA's dispatcher when it made the plans, which stands for the one the guest sees.
const DISPATCHER: &str = "192.0.2.1";

/// Each path below the run's own directory, `@RUN@/…/LABEL/FILE`, as its label.
fn labelled(value: &str) -> String {
    let value = &value.replace(DISPATCHER, "{NFS_SERVER_IP}");
    let mut parts = value.split("@RUN@");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (path, rest) = part.split_at(part.find([',', ' ']).unwrap_or(part.len()));
        out += path.rsplit('/').nth(1).unwrap_or_default();
        out += rest;
    }
    out
}

/// Whether an option is the drive that carries the overlay. Which driver it has is not of the machine; where an
/// initramfs carries the overlay (`docs/lava-differences.md`) there is none.
fn is_overlay_drive(option: &str) -> bool {
    option.starts_with("-drive") && option.contains("media=disk") && option.contains("id=lavatest")
}

/// Whether the file with this label is one that an earlier block downloaded.
fn is_pre_downloaded(plan: &Plan, label: &str) -> bool {
    let deploys = plan.blocks.iter().filter_map(|block| match block {
        Block::Deploy(deploy) => Some(deploy),
        _ => None,
    });
    let mut downloads = deploys.flat_map(|deploy| &deploy.downloads);
    downloads.any(|download| download.label == label && download.resource.url.value.starts_with("downloads:"))
}

/// The command lines of the machines of one platform that a plan starts, files where LAVA has them.
fn our_commands(plan: &Plan, platform: &dyn Platform) -> Vec<Vec<String>> {
    let machines = plan.blocks.iter().filter_map(|block| match block {
        Block::Boot(boot) => match &boot.kind {
            BootKind::Machine(machine) => Some(machine),
            _ => None,
        },
        _ => None,
    });
    // An installer's command line is not among those that LAVA shows.
    let machines =
        machines.filter(|machine| machine.spec.platform == platform.name() && machine.install.is_none());
    let commands = machines.map(|machine| {
        let images = machine.spec.images.iter();
        let images = images.map(|image| {
            // LAVA leaves a file that an earlier block downloaded where it is.
            let directory = if is_pre_downloaded(plan, &image.label) { "common" } else { &image.label };
            (image.label.clone(), format!("@RUN@/{directory}/file").into())
        });
        let is_disk = machine.spec.overlay == Some(OverlayDelivery::Disk);
        let bound = Bound {
            images: images.collect(),
            overlay_disk: is_disk.then(|| "@RUN@/overlay/file".into()),
            facts: Facts { features: vec!["kvm".to_owned()], ..Facts::default() },
            ..Bound::default()
        };
        let launch = platform.launch(&machine.spec, &bound).unwrap();
        [launch.program].into_iter().chain(launch.args).collect()
    });
    commands.collect()
}

#[test]
fn the_command_line_describes_the_machine_that_lavas_describes() {
    let platforms = pumice_platforms::all();
    let platform = platforms.iter().find(|platform| platform.name() == "qemu").unwrap();
    let mut count = 0;
    let mut wrong = Vec::new();
    for case in cases() {
        let Ok(plan) = &case.plan else { continue };
        let commands = case.row["boot_commands"].as_array().into_iter().flatten();
        let commands = commands.filter(|command| command["action"] == "execute-qemu");
        let split = |command: &Json| shell_words::split(command["cmd"].as_str().unwrap()).unwrap();
        let theirs: Vec<Vec<String>> = commands.map(split).collect();
        let ours = our_commands(plan, platform.as_ref());
        count += theirs.len();
        if theirs.len() != ours.len() {
            wrong.push(format!("{}: {} machines, LAVA has {}", case.name(), ours.len(), theirs.len()));
            continue;
        }
        for (theirs, ours) in theirs.iter().zip(&ours) {
            let without = |words| -> Vec<String> {
                machine(words).into_iter().filter(|option| !is_overlay_drive(option)).collect()
            };
            let (mut more, mut less) = (without(theirs), without(ours));
            let both = more.clone();
            more.retain(|option| !less.contains(option));
            less.retain(|option| !both.contains(option));
            if !more.is_empty() || !less.is_empty() {
                wrong.push(format!("{}:\n   LAVA {more:?}\n   ours {less:?}", case.name()));
            }
        }
    }
    assert_at_most(&wrong, count, 0);
}
