//! `pumice doctor`: whether this host can do what jobs need, and what to do where it cannot.

use std::{
    fs, io,
    path::Path,
    time::{Duration, Instant},
};

use pumice_network::{
    Reach,
    namespace::{self, Namespace},
};
use pumice_platform::container::find_engine;
use pumice_process::Guard;
use pumice_types::{Deadline, Failure};

use crate::{
    cli::{DoctorArgs, Places},
    commands::model,
    config::Config,
    exit::Exit,
    host,
    terminal::{print, show_failure},
};

/// What was looked at, and what to do when it is not as it should be.
struct Finding {
    what: String,
    outcome: Result<String, String>,
    /// Whether nothing works without it.
    is_needed: bool,
}

pub(crate) fn main(args: &DoctorArgs) -> Exit {
    let (library, config) = match model::read(&args.library) {
        Ok(read) => read,
        Err(failure) => {
            show_failure(&failure);
            return Exit::of_fault(failure.fault);
        }
    };
    let mut findings = vec![
        writable("state", &host::state_dir(&args.places)),
        writable("cache", &host::cache_dir(&args.places)),
    ];
    let git = ("git", "test definitions from git need it: apt-get install git".to_owned());
    let platforms = pumice_platforms::all();
    let usual = platforms.iter().flat_map(|platform| platform.programs());
    for (program, hint) in std::iter::once(git).chain(usual.map(|program| (program.name, program.hint))) {
        let found = host::find_program(program, &config);
        findings.push(Finding {
            what: program.to_owned(),
            outcome: found.map(|path| path.display().to_string()).ok_or(hint),
            is_needed: false,
        });
    }
    findings.push(Finding {
        what: "containers".to_owned(),
        outcome: container_engine(&args.places, &config),
        is_needed: false,
    });
    for one in library.iter() {
        let hint = || {
            let names: Vec<_> =
                [one.name.as_str()].into_iter().chain(one.binaries.iter().map(String::as_str)).collect();
            let first = one.binaries.first().map_or("its program", String::as_str);
            host::wrongly_named(&names, &config).unwrap_or_else(|| {
                format!("put {first} on PATH, or its directory under `search` in the configuration (docs/fast-models.md)")
            })
        };
        findings.push(Finding {
            what: format!("model {}", one.name),
            outcome: model::program(one, &config).map(|path| path.display().to_string()).ok_or_else(hint),
            is_needed: false,
        });
    }
    for (name, stock) in config.licences() {
        let seats = stock.seats.map_or_else(|| "not counted".to_owned(), |seats| format!("{seats} seats"));
        let variables: Vec<_> = stock.environment.keys().cloned().collect();
        findings.push(Finding {
            what: format!("licence {name}"),
            outcome: Ok(format!("{seats}; sets {}", variables.join(", "))),
            is_needed: false,
        });
    }
    findings.push(Finding {
        what: "/dev/kvm".to_owned(),
        outcome: fs::File::options().read(true).write(true).open("/dev/kvm").map_or_else(
            |error| Err(format!("guests of this host's architecture run slower without it: {error}")),
            |_| Ok("can be opened".to_owned()),
        ),
        is_needed: false,
    });
    let outcome = tap(&args.places, &config);
    findings.push(Finding { what: "network mode tap".to_owned(), outcome, is_needed: false });
    let mut exit = Exit::Success;
    for finding in findings {
        match finding.outcome {
            Ok(found) => print(&format!("ok       {:<22} {found}", finding.what)),
            Err(hint) if finding.is_needed => {
                print(&format!("missing  {:<22} {hint}", finding.what));
                exit = Exit::Infrastructure;
            }
            Err(hint) => print(&format!("absent   {:<22} {hint}", finding.what)),
        }
    }
    exit
}

/// Whether a machine can have a tap device in a network namespace of its own, and the way out of it that the operator
/// lets it have: one is made, and gone at once.
fn tap(places: &Places, config: &Config) -> Result<String, String> {
    let networks = config.networks();
    let directory = tempfile::Builder::new().prefix("pmc").tempdir().map_err(|error| error.to_string())?;
    let made = guarded(places, async |guard, deadline| {
        let plan = namespace::Plan {
            helper: &host::network_helper(),
            tap: "pmctry",
            forwards: &[],
            reach: &networks.reach,
            directory: directory.path(),
            search_path: &host::search_path(),
        };
        let made = Namespace::make(&guard, plan, deadline).await.map_err(told)?;
        let is_users_own = made.has_user();
        made.end(deadline).await.map_err(told)?;
        Ok(is_users_own)
    })?;
    let out = match &networks.reach {
        Reach::Everything => "with a way out",
        reach if reach.is_nothing() => "with no way out, as configured",
        Reach::Only(_) => "with a way out to the networks that are configured",
    };
    Ok(format!("works{}, {out}", if made { " in a user namespace" } else { "" }))
}

/// A failure and what to do, on one line.
fn told(failure: Failure) -> String {
    let evidence = failure.evidence.map(|evidence| evidence.text.trim().replace('\n', "; "));
    let message = [Some(failure.message), evidence].into_iter().flatten().collect::<Vec<_>>().join(": ");
    match failure.hint.filter(|hint| !hint.is_empty()) {
        Some(hint) => format!("{message}; {hint}"),
        None => message,
    }
}

/// How long a look at the host may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs something that starts processes; what is left of them is in the ledger, for the next start.
fn guarded<T>(
    places: &Places,
    look: impl AsyncFnOnce(Guard, &Deadline) -> Result<T, String>,
) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("nothing can be looked at: {error}"))?;
    runtime.block_on(async {
        let guard = host::start_guard(&host::state_dir(places)).map_err(told)?;
        let deadline = Deadline::after(Instant::now(), PATIENCE, "the look at this host");
        let looked = look(guard.clone(), &deadline).await;
        drop(guard.finish(&deadline).await);
        looked
    })
}

/// The container engine that jobs would get, or why there is none.
fn container_engine(places: &Places, config: &Config) -> Result<String, String> {
    guarded(places, async |guard, _| match find_engine(&host::host(guard, None, config), None).await {
        Ok(engine) => Ok(format!("{} {}, {}", engine.name, engine.version, engine.call.program.display())),
        Err(error) => {
            let tried = error.tried.iter().map(|(name, why)| format!("{name}: {}", why.replace('\n', " ")));
            let tried = tried.collect::<Vec<_>>().join("; ");
            Err(format!("jobs in containers need docker or podman ({tried})"))
        }
    })
}

/// A directory of ours, which must be writable.
fn writable(what: &str, path: &Path) -> Finding {
    let made = || -> io::Result<()> {
        fs::create_dir_all(path)?;
        tempfile::tempfile_in(path).map(drop)
    };
    let shown = path.display();
    Finding {
        what: what.to_owned(),
        outcome: made()
            .map(|()| shown.to_string())
            .map_err(|error| format!("cannot write to {shown}: {error}")),
        is_needed: true,
    }
}
