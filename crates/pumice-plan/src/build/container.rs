//! Plans what runs in containers.

use pumice_job::{Boot as JobBoot, ContainerBoot, Test as JobTest, TestContainer};
use pumice_types::{Code, Diagnostic};
use pumice_yaml::Node;

use super::{Builder, ORDER, unsupported::UNSUPPORTED};
use crate::{
    boot::BootKind,
    container::{ContainerOptions, ContainerPlan},
    scope::Scope,
};

/// The text cannot be split into words.
const QUOTING: Code = Code("unbalanced-quotes");

impl Builder<'_> {
    /// A boot in the container image that the namespace deployed last.
    pub(crate) fn container_boot(
        &mut self,
        boot: &JobBoot,
        detail: &ContainerBoot,
        index: usize,
        scope: Scope,
    ) -> Option<BootKind> {
        let deploys = self.ahead.deploys_before(boot.block.namespace(), index);
        let images = deploys.filter(|deploy| deploy.to.value == "docker");
        let Some(container) = images.filter_map(|deploy| deploy.container.clone()).last() else {
            let message = "no container image is deployed in this namespace before it is booted";
            self.diagnostics.push(
                Diagnostic::error(ORDER, boot.method.span, message)
                    .help("put a `deploy` block with `to: docker` and an `image` before this one"),
            );
            return None;
        };
        let command = match shell_words::split(&detail.command.value) {
            Ok(words) if !words.is_empty() => words,
            Ok(_) => vec!["sh".to_owned()],
            Err(_) => {
                let message = "a quote is opened and never closed";
                self.diagnostics.push(Diagnostic::error(QUOTING, detail.command.span, message).help(
                    "quotes group words as in a shell; close the quote, or escape it with a backslash",
                ));
                return None;
            }
        };
        let method = self.device.boot_method("docker").and_then(|node| node.get("options"));
        let mut options = ContainerOptions::read(method);
        let deployed = self.device.deploy_method("docker").and_then(|node| node.get("options"));
        options.remote = options.remote.or_else(|| ContainerOptions::read(deployed).remote);
        Some(BootKind::Container {
            command,
            container: Box::new(ContainerPlan { container, options }),
            downloads_namespace: detail.downloads_namespace.as_ref().map(|name| name.value.clone()),
            prompts: boot.prompts.clone(),
            scope,
        })
    }

    /// Tests in a container find their overlay only when a block before them built it.
    pub(crate) fn check_container(&mut self, test: &JobTest, container: &TestContainer, index: usize) {
        if self.ahead.deploys_before(test.block.namespace(), index).next().is_none() {
            let message = "nothing before this test brings its definitions: it has no deploy block";
            self.diagnostics.push(
                Diagnostic::error(ORDER, test.block.word_span, message)
                    .help("put a `deploy` block with `to: overlay`, in the same namespace, before it"),
            );
        }
        if container.disconnect_connection {
            let message = "the console stays connected: the supervisor reads it whatever the tests do";
            self.diagnostics
                .push(Diagnostic::warning(UNSUPPORTED, container.container.span, message).help(
                    "leave `disconnect_connection` out; a second client of the console may be refused",
                ));
        }
    }

    /// How tests outside of a machine reach it, as the device says (lava-compat 4.6).
    pub(crate) fn container_environment(&self) -> Vec<(String, String)> {
        let commands = &self.device.commands;
        let mut variables = Vec::new();
        let primary = |tags: &Vec<String>| tags.iter().any(|tag| tag == "primary");
        let connections = &commands.connections;
        let main = connections.values().find(|one| primary(&one.tags)).or_else(|| connections.get("serial"));
        variables.extend(main.map(|one| ("LAVA_CONNECTION_COMMAND".to_owned(), one.connect.clone())));
        for (name, connection) in connections {
            variables.push((format!("LAVA_CONNECTION_COMMAND_{name}"), connection.connect.clone()));
        }
        for name in ["hard_reset", "power_on", "power_off"] {
            let command = commands.named.get(name).filter(|lines| !lines.is_empty());
            let variable = format!("LAVA_{}_COMMAND", name.to_uppercase());
            variables.extend(command.map(|lines| (variable, lines.join(" && "))));
        }
        let board = self.device.node.get("board_id").and_then(Node::scalar_text);
        variables.extend(board.map(|id| ("LAVA_BOARD_ID".to_owned(), id)));
        variables
    }
}
