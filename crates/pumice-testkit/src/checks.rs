//! What every platform promises, each promise one check.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use pumice_console::{Pattern, Patterns, Recorder};
use pumice_platform::{
    Availability, Bound, ConsoleRole, Ended, Facts, Find, Host, Launch, Machine, NetworkPolicy,
    SecretVariables, StartError, StartOptions,
};
use pumice_types::{Blame as _, Deadline, Failure};
use rustix::process::{Pid, Signal};

use crate::{Subject, World, world::PATIENCE};

const SEARCH_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// A promise of every platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The same question gets the same launch, and its program is probed for.
    LaunchIsPure,
    /// The machine starts, every console it declares can be taken by role, the main one speaks, and the asked stop
    /// ends it.
    ConsolesByRole,
    /// A program that is killed from outside is noticed, and called a failure.
    ExitIsNoticed,
    /// A stop that must not wait leaves no process and no socket.
    KillLeavesNothing,
    /// A machine that is dropped leaves no process and no socket either.
    DropLeavesNothing,
    /// A program that ends early is explained with the last it said.
    EarlyExitIsExplained,
    /// Two machines at once have their own consoles, and the end of one is not the end of the other.
    TwoDoNotClash,
}

/// Makes the tests of the suite for one platform. `$subject` is a function that returns a
/// [`Subject`], or why the platform cannot be tried on this host: the tests then print that and pass.
#[macro_export]
macro_rules! conformance {
    ($subject:path) => {
        $crate::conformance! { @tests $subject:
            launch_is_pure LaunchIsPure,
            every_console_has_its_role_and_the_main_one_speaks ConsolesByRole,
            exit_from_outside_is_noticed ExitIsNoticed,
            kill_leaves_nothing KillLeavesNothing,
            drop_leaves_nothing DropLeavesNothing,
            early_exit_is_explained_with_the_last_words EarlyExitIsExplained,
            two_at_once_do_not_clash TwoDoNotClash,
        }
    };
    (@tests $subject:path: $($name:ident $check:ident,)*) => {
        $(#[test]
        fn $name() {
            $crate::check($subject(), $crate::Check::$check, module_path!());
        })*

        #[test]
        fn this_program_is_also_its_own_watcher() {
            $crate::watcher();
        }
    };
}

/// Holds a platform against one promise. `module` is the path of the module with the suite's tests.
///
/// # Panics
///
/// When the platform breaks it.
pub fn check(subject: Result<Subject, String>, check: Check, module: &str) {
    let subject = match subject {
        Ok(subject) => subject,
        Err(reason) => return skip(check, &reason),
    };
    let inside = module.split_once("::").map_or(String::new(), |(_, inside)| format!("{inside}::"));
    let world = World::new(&format!("{inside}this_program_is_also_its_own_watcher"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let host = Host {
            guard: world.guard().clone(),
            search_path: SEARCH_PATH.split(':').map(Into::into).collect(),
            cache_dir: None,
            programs: [].into(),
            own_environment: SecretVariables::default(),
            environment: SecretVariables::default(),
            engine_environment: [].into(),
            inside: None,
        };
        match subject.platform.probe(Some(&subject.spec), &host).await {
            Availability::Missing { reason, hint } => {
                skip(check, &format!("{reason}; {}", hint.unwrap_or_default()));
            }
            Availability::Ready(facts) => Bench { subject: &subject, world: &world, facts }.run(check).await,
        }
        world.finish().await;
    });
}

#[expect(clippy::print_stderr, reason = "a person wants to know what was not tried, and why")]
fn skip(check: Check, reason: &str) {
    eprintln!("skipped {check:?}: {reason}");
}

/// All that the consoles said, for the message of a test that fails.
#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Recorder for Heard {
    fn bytes(&mut self, _console: &str, _at: Instant, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend_from_slice(bytes);
    }
}

impl Heard {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// One platform in one world.
struct Bench<'a> {
    subject: &'a Subject,
    world: &'a World,
    facts: Facts,
}

fn soon() -> Deadline {
    Deadline::after(Instant::now(), PATIENCE, "the test")
}

impl Bench<'_> {
    async fn run(&self, check: Check) {
        match check {
            Check::LaunchIsPure => self.launch_is_pure(),
            Check::ConsolesByRole => self.consoles_by_role().await,
            Check::ExitIsNoticed => self.exit_is_noticed().await,
            Check::KillLeavesNothing => self.kill_leaves_nothing().await,
            Check::DropLeavesNothing => self.drop_leaves_nothing().await,
            Check::EarlyExitIsExplained => self.early_exit_is_explained().await,
            Check::TwoDoNotClash => self.two_do_not_clash().await,
        }
    }

    fn bound(&self, instance: u32) -> Bound {
        Bound {
            images: self.subject.images.clone(),
            work_dir: self.world.path(&instance.to_string()),
            facts: self.facts.clone(),
            instance,
            ..Bound::default()
        }
    }

    fn launch(&self, instance: u32) -> Launch {
        let mistakes = self.subject.platform.check(&self.subject.spec);
        assert!(!mistakes.has_errors(), "the machine of the suite is refused: {mistakes:?}");
        self.subject.platform.launch(&self.subject.spec, &self.bound(instance)).expect("a launch")
    }

    async fn start(&self, launch: Launch, heard: Heard) -> Result<Machine, StartError> {
        let monitor = self.subject.platform.monitor(&launch);
        let deadline = soon();
        let options = StartOptions {
            guard: self.world.guard(),
            search_path: SEARCH_PATH,
            network_helper: &[],
            networks: &NetworkPolicy::default(),
            inherited: Vec::new(),
            watches: Vec::new(),
            pacing: Duration::ZERO,
            deadline: &deadline,
        };
        Machine::start(launch, monitor, heard, options).await
    }

    /// Starts the machine of this number and waits until its main console spoke.
    async fn running(&self, instance: u32) -> Machine {
        let heard = Heard::default();
        let mut machine = self.start(self.launch(instance), heard.clone()).await.expect("the machine starts");
        let mut console = machine.take_console(ConsoleRole::Main).expect("a main console");
        let says = Pattern::python(self.subject.says).expect("a pattern");
        let patterns = Patterns::new([says]).expect("patterns");
        if let Err(error) = console.expect(&patterns, &soon()).await {
            panic!("the main console does not say `{}`: {error}; heard: {}", self.subject.says, heard.text());
        }
        machine
    }

    fn launch_is_pure(&self) {
        let launch = self.launch(1);
        assert_eq!(launch, self.launch(1));
        assert!(!launch.work_dir.exists(), "a launch makes nothing");
        assert!(!launch.stop.is_empty(), "somebody asks it to stop before it is killed");
    }

    async fn consoles_by_role(&self) {
        let mut machine = self.running(1).await;
        let mut roles: Vec<_> = machine.launch().consoles.iter().map(|console| console.role).collect();
        let main = roles.iter().position(|role| *role == ConsoleRole::Main).expect("a main console");
        roles.remove(main);
        assert!(!roles.contains(&ConsoleRole::Main), "one console is the main one");
        for role in roles {
            assert!(machine.take_console(role).is_some(), "no console with the role {role:?}");
        }
        assert!(machine.exited().is_none(), "the machine stays");
        assert_eq!(machine.failure(), None);
        let stopped = machine.stop(&soon()).await.expect("a stop");
        assert!(stopped.by.is_some(), "it was there to be stopped");
    }

    async fn exit_is_noticed(&self) {
        let machine = self.running(1).await;
        let pid = Pid::from_raw(machine.pid()).expect("the id of a process");
        rustix::process::kill_process(pid, Signal::KILL).expect("a process to kill");
        let ended = tokio::time::timeout(PATIENCE, machine.wait()).await.expect("its end is noticed");
        assert!(matches!(ended, Ended::Exited(_)), "{ended:?}");
        let failure = machine.failure().expect("an end from outside is a failure");
        assert!(!failure.message.is_empty());
        let stopped = machine.stop(&soon()).await.expect("a stop");
        assert_eq!(stopped.by, None, "nobody had to stop it");
    }

    async fn kill_leaves_nothing(&self) {
        let machine = self.running(1).await;
        let launch = machine.launch().clone();
        let late = Deadline::after(Instant::now(), Duration::ZERO, "a stop that must not wait");
        machine.stop(&late).await.expect("a stop");
        assert_eq!(self.others(), [0; 0], "processes are left");
        no_sockets(&launch);
    }

    async fn drop_leaves_nothing(&self) {
        let machine = self.running(1).await;
        let launch = machine.launch().clone();
        drop(machine);
        no_sockets(&launch);
        // The kill was sent; the kernel takes its time.
        let deadline = soon();
        while !self.others().is_empty() {
            assert!(!deadline.is_over(Instant::now()), "processes are left: {:?}", self.others());
            tokio::task::yield_now().await;
        }
    }

    async fn early_exit_is_explained(&self) {
        let Subject { platform, refusal, .. } = self.subject;
        let launch = platform.launch(&refusal.spec, &self.bound(1)).expect("a launch");
        let failure = match self.start(launch, Heard::default()).await {
            Err(error) => error.failure(),
            Ok(machine) => {
                let ended = tokio::time::timeout(PATIENCE, machine.wait()).await.expect("it ends");
                assert!(matches!(ended, Ended::Exited(_)), "{ended:?}");
                self.last_words(&machine).await
            }
        };
        let told = failure.evidence.as_ref().map(|evidence| evidence.text.clone()).unwrap_or_default();
        assert!(told.contains(refusal.words), "`{}` is not in the evidence of {failure:?}", refusal.words);
        assert_eq!(self.others(), [0; 0], "processes are left");
    }

    /// What a machine that ended is blamed for, once all it said came in.
    async fn last_words(&self, machine: &Machine) -> Failure {
        let deadline = soon();
        loop {
            let failure = machine.failure().expect("an early end is a failure");
            let told =
                failure.evidence.as_ref().is_some_and(|told| told.text.contains(self.subject.refusal.words));
            if told || deadline.is_over(Instant::now()) {
                return failure;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn two_do_not_clash(&self) {
        let (first, second) = tokio::join!(self.running(1), self.running(2));
        first.stop(&soon()).await.expect("a stop");
        assert_eq!(second.failure(), None, "the end of one is the end of the other");
        second.stop(&soon()).await.expect("a stop");
    }

    /// Every process of the world but the watcher, which carries no mark.
    fn others(&self) -> Vec<i32> {
        self.world.survivors()
    }
}

fn no_sockets(launch: &Launch) {
    let consoles = launch.consoles.iter().filter_map(|console| match &console.find {
        Find::Listen { path } => Some(path.clone()),
        Find::Pipes { path } => Some(path.with_extension("out")),
        _ => None,
    });
    let monitor = launch.monitor.iter().map(|monitor| monitor.path.clone());
    let left: Vec<PathBuf> = consoles.chain(monitor).filter(|path| path.exists()).collect();
    assert!(left.is_empty(), "sockets are left: {left:?}");
}
