//! LAVA's own command lines for jobs from the field: our launch must give the model the same arguments.
//!
//! The corpus is no part of the project; without it the test says that it is skipped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, and says why it skips")]

use std::{collections::BTreeMap, fs, path::PathBuf};

use pumice_plan::{Block, MachineSpec, PlanOptions, boot::BootKind, deploy::Deploy, plan};
use pumice_platform::{Bound, Facts, Platform as _};
use pumice_platform_fvp::Fvp;
use pumice_types::{JobId, SourceId};
use serde_json::Value;

fn lines(name: &str) -> Option<Vec<Value>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus").join(name);
    let text = fs::read_to_string(path).ok()?;
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// The plan's machine and its deployed files, each at the path that LAVA would give it in its container.
fn planned(job: &str, device: &str) -> Option<(MachineSpec, Vec<Deploy>)> {
    let (job, _) = pumice_job::parse(job, SourceId::default());
    let (node, _) = pumice_yaml::parse(device, SourceId::default());
    let (device, _) = pumice_device::Device::read(&node?);
    let options = PlanOptions { job_id: JobId(4212), ..PlanOptions::default() };
    let (plan, _) = plan(&job?, &device, &[&Fvp], &options);
    let mut deploys = Vec::new();
    for block in plan?.blocks {
        match block {
            Block::Deploy(deploy) => deploys.push(*deploy),
            Block::Boot(boot) => {
                if let BootKind::Machine(machine) = boot.kind {
                    return Some((machine.spec, deploys));
                }
            }
            _ => {}
        }
    }
    None
}

/// The words of LAVA's script behind the program, and the directory its files are in.
fn lavas(script: &str) -> (Vec<String>, String) {
    let command = script.split_once("Starting the FVP model\"\n").unwrap().1;
    let words = shell_words::split(&command.replace("\\\n", " ")).unwrap();
    let at = script.find("/lava-").or_else(|| script.find("/fvp-")).unwrap_or_default();
    let directory = script[at..].split(['/', '\'', ' ']).nth(1).unwrap_or_default();
    (words[1..].to_vec(), format!("/{directory}/"))
}

#[test]
fn the_model_gets_the_arguments_that_lava_would_give_it() {
    let (Some(plans), Some(jobs)) = (lines("plans.jsonl"), lines("jobs.jsonl")) else {
        println!("skipped: there is no corpus beside the project");
        return;
    };
    let name = |job: &Value| {
        let keys = ["name", "job", "of", "file", "path"];
        keys.iter().find_map(|key| job.get(key)?.as_str().map(str::to_owned)).unwrap_or_default()
    };
    let texts: BTreeMap<_, _> =
        jobs.iter().map(|job| (name(job), job["text"].as_str().unwrap_or_default())).collect();
    let mut compared = 0;
    for line in &plans {
        let commands = line["boot_commands"].as_array().into_iter().flatten();
        for command in commands.filter(|command| command["action"] == "run-fvp") {
            let of = line["of"].as_str().unwrap();
            let (expected, directory) = lavas(command["script"].as_str().unwrap());
            // The directory itself, `{ARTIFACT_DIR}`, is one of ours on the host.
            let own = directory.trim_end_matches('/');
            let here = |word: &String| match word.strip_suffix(own) {
                Some(before) => format!("{before}artifacts"),
                None => word.clone(),
            };
            let expected: Vec<_> = expected.iter().map(here).collect();
            let (spec, deploys) = texts
                .get(of)
                .and_then(|job| planned(job, line["device_yaml"].as_str().unwrap_or_default()))
                .unwrap_or_else(|| panic!("not planned: {of}"));
            let files = deploys.iter().flat_map(|deploy| &deploy.downloads);
            let images = files.map(|file| {
                let base = file.resource.url.value.rsplit('/').next().unwrap_or_default().to_owned();
                // LAVA takes the last suffix off what it decompresses, whatever it is.
                let stem = base.rsplit_once('.').filter(|_| file.resource.compression.is_some());
                let base = stem.map_or(base.as_str(), |(stem, _)| stem);
                (file.label.clone(), PathBuf::from(format!("{directory}{base}")))
            });
            let facts = Facts { program: Some("/model".into()), ..Facts::default() };
            let bound = Bound { images: images.collect(), facts, ..Bound::default() };
            let launch = Fvp.launch(&spec, &bound).unwrap();
            let first = launch.args.iter().zip(&expected).find(|(ours, theirs)| ours != theirs);
            assert_eq!(first, None, "{of}");
            assert_eq!(launch.args.len(), expected.len(), "{of}");
            compared += 1;
        }
    }
    println!("{compared} command lines agree");
    assert!(compared > 0);
}
