//! Plans test blocks.

use pumice_job::{Action, Definition, Test as JobTest, TestKind as JobTestKind};
use pumice_types::Diagnostic;

use super::{Builder, ORDER, boot::NO_PROMPTS, on_timeout, timeout_policy, tries};
use crate::{
    plan::Block,
    scope::BlockScopes,
    test::{ContainerTest, RunLimit, Test, TestKind},
};

impl Builder<'_> {
    pub(crate) fn test(
        &mut self,
        test: &JobTest,
        index: usize,
        number: u32,
        scopes: &mut BlockScopes<'_>,
    ) -> Block {
        let namespace = test.block.namespace();
        let runs = || {
            let stage = self.stage_of(index, namespace);
            let definitions = self.numbered_definitions(namespace).into_iter();
            let own: Vec<_> = definitions.filter(|(at, _, _)| *at == stage).collect();
            let name = |number: u32, one: &Definition| format!("{number}_{}", one.name.value);
            let runs = own.iter().map(|(_, number, one)| name(*number, one)).collect();
            let limits = own.iter().filter_map(|(_, number, one)| {
                let timeout = one.timeout?;
                let limit = RunLimit {
                    timeout: timeout.duration.saturating_mul(scopes.factor()),
                    on_timeout: timeout_policy(&timeout, true),
                };
                Some((name(*number, one), limit))
            });
            (stage, runs, limits.collect())
        };
        let (names, kind) = match &test.kind {
            JobTestKind::Definitions { container: None, .. } => {
                let (stage, runs, limits) = runs();
                // LAVA calls the shell of a node by another name (lava-compat 5.3).
                let shell = if self.job.node.is_some() { "multinode-test" } else { "lava-test-shell" };
                (("lava-test-retry", shell), TestKind::Shell { stage, runs, limits })
            }
            JobTestKind::Definitions { container: Some(container), .. } => {
                let (stage, runs, limits) = runs();
                self.check_container(test, container, index);
                let kind = TestKind::Container {
                    stage,
                    runs,
                    limits,
                    container: Box::new(ContainerTest {
                        container: (**container).clone(),
                        options: self.device.container_options("options"),
                        global_options: self.device.container_options("global_options"),
                        environment: self.container_environment(),
                    }),
                };
                (("lava-docker-test", "lava-docker-test-shell"), kind)
            }
            JobTestKind::Monitors(monitors) => (
                ("lava-test-monitor-retry", "lava-test-monitor"),
                TestKind::Monitors { monitors: monitors.clone() },
            ),
            JobTestKind::Interactive(scripts) => {
                let stage = self.interactive_stages.entry(namespace.to_owned()).or_insert(0);
                let kind = TestKind::Interactive { scripts: scripts.clone(), stage: *stage };
                *stage += 1;
                (("lava-test-interactive-retry", "lava-test-interactive"), kind)
            }
            // They are planned below the step that starts them.
            JobTestKind::Services(_) => {
                (("test-services", "start-services"), TestKind::Services { services: Vec::new() })
            }
            JobTestKind::Commands(commands) => {
                (("run-commands", "guest-commands"), TestKind::Commands { commands: commands.clone() })
            }
        };
        self.check_booted(test, index);
        let scope = scopes.block(number, names.0, tries(&test.block, None));
        let run = scopes.step(&scope, names.1);
        let kind = match (&test.kind, kind) {
            (JobTestKind::Services(services), _) => {
                TestKind::Services { services: self.services(services, &run, scopes) }
            }
            (_, kind) => kind,
        };
        Block::Test(Test {
            scope,
            run,
            kind,
            connection_namespace: test.block.connection_namespace.as_ref().map(|name| name.value.clone()),
            on_timeout: on_timeout(&test.block, true),
        })
    }

    /// Which test block with definitions of its namespace it is, from 0.
    fn stage_of(&self, index: usize, namespace: &str) -> u32 {
        let earlier = self.ahead.own_tests(namespace).take_while(|(at, _)| *at < index);
        let shell = earlier.filter(|(_, test)| matches!(test.kind, JobTestKind::Definitions { .. }));
        u32::try_from(shell.count()).unwrap_or(u32::MAX)
    }

    /// A test needs a console, so a boot block must come before it.
    fn check_booted(&mut self, test: &JobTest, index: usize) {
        let needs_console = match &test.kind {
            JobTestKind::Services(_) => false,
            JobTestKind::Definitions { container, .. } => container.is_none(),
            _ => true,
        };
        let namespace = test.block.console_namespace();
        let booted = self.job.actions[..index]
            .iter()
            .any(|action| matches!(action, Action::Boot(boot) if boot.block.namespace() == namespace));
        if needs_console && !booted {
            let message = format!("no machine of namespace `{namespace}` is booted before this test");
            self.diagnostics.push(
                Diagnostic::error(ORDER, test.block.word_span, message)
                    .help("put a `boot` block of the same namespace before it"),
            );
        }
        self.check_prompts(test, index);
    }

    /// What is typed into a shell needs a sign that the shell is there: a prompt, or a script that has logged in.
    fn check_prompts(&mut self, test: &JobTest, index: usize) {
        let types =
            matches!(&test.kind, JobTestKind::Definitions { container: None, .. } | JobTestKind::Commands(_));
        let namespace = test.block.console_namespace();
        let mut earlier = self.job.actions[..index].iter().rev();
        let blind = earlier.find_map(|action| match action {
            Action::Boot(boot) if boot.block.namespace() == namespace => {
                Some((boot.prompts.is_empty() && boot.auto_login.is_none()).then_some(boot.block.word_span))
            }
            Action::Test(other)
                if other.block.console_namespace() == namespace
                    && matches!(other.kind, JobTestKind::Interactive(_)) =>
            {
                Some(None)
            }
            _ => None,
        });
        if let (true, Some(Some(boot))) = (types, blind) {
            let message = "nothing says when the shell is there that these tests are typed into";
            self.diagnostics.push(
                Diagnostic::warning(NO_PROMPTS, test.block.word_span, message)
                    .related(boot, "this block has no `prompts`")
                    .help("name the prompt of the shell in the boot block, for example `prompts: ['# ']`"),
            );
        }
    }
}
