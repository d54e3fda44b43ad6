//! Plans `command` blocks, and the device's own commands that other blocks ask for (lava-compat 1.7).

use pumice_job::Command as JobCommand;
use pumice_types::{Code, Diagnostic, Span, nearest};

use super::{Builder, words};
use crate::{
    plan::{Block, Command, CommandAction, HOLD},
    scope::BlockScopes,
};

/// A command the device does not offer.
const UNKNOWN_COMMAND: Code = Code("unknown-command");

/// What every machine does by itself.
const OWN: [&str; 5] = ["hard_reset", HOLD, "power_off", "power_on", "stop_test_services"];

/// Names that are the language's and run what the device says: nothing, where it says nothing.
const OF_THE_DEVICE: [&str; 4] = ["pre_os_command", "pre_power_command", "recovery_exit", "recovery_mode"];

impl Builder<'_> {
    pub(crate) fn command(
        &mut self,
        command: &JobCommand,
        number: u32,
        scopes: &mut BlockScopes<'_>,
    ) -> Option<Block> {
        let name = command.name.value.as_str();
        let action = match name {
            "hard_reset" => CommandAction::Reset,
            "power_on" => CommandAction::PowerOn,
            "power_off" => CommandAction::PowerOff,
            "stop_test_services" => CommandAction::StopServices,
            _ => match (self.device.commands.users.get(name), self.device.commands.named.get(name)) {
                (Some(user), _) => {
                    CommandAction::Host { run: vec![words(&user.run)], undo: words(&user.undo) }
                }
                (None, Some(list)) if OF_THE_DEVICE.contains(&name) => {
                    let run = list.iter().map(|line| words(line)).collect();
                    CommandAction::Host { run, undo: Vec::new() }
                }
                // LAVA has no such built-in, so that a device's own of the name comes first.
                (None, None) if name == HOLD => CommandAction::Hold,
                _ => {
                    self.unknown_command(name, command.name.span);
                    return None;
                }
            },
        };
        let scope = scopes.block(number, "user-command", None);
        Some(Block::Command(Command { scope, name: name.to_owned(), action }))
    }

    fn unknown_command(&mut self, name: &str, span: Span) {
        let commands = &self.device.commands;
        let named = commands.named.keys().map(String::as_str).filter(|name| OF_THE_DEVICE.contains(name));
        let known: Vec<_> = commands.users.keys().map(String::as_str).chain(named).chain(OWN).collect();
        let meant = nearest(name, known.iter().copied()).map(str::to_owned);
        let message = format!("the device offers no command `{name}`");
        self.diagnostics.push(
            Diagnostic::error(UNKNOWN_COMMAND, span, message)
                .help(format!("it offers: {}", known.join(", ")))
                .suggest(meant),
        );
    }

    /// The device's own commands of this name, each as words, where the job asks for them. One that the device does
    /// not have is nothing to run, as in LAVA, and is told.
    pub(crate) fn named_commands(&mut self, name: &str, is_asked: bool, span: Span) -> Vec<Vec<String>> {
        if !is_asked {
            return Vec::new();
        }
        let lines = self.device.commands.named.get(name);
        let commands: Vec<_> = lines.into_iter().flatten().map(|line| words(line)).collect();
        if commands.is_empty() {
            let message = format!("the device has no `{name}`, so nothing is run");
            let help = format!("give the device `commands.{name}`, or leave it out");
            self.diagnostics.push(Diagnostic::warning(UNKNOWN_COMMAND, span, message).help(help));
        }
        commands
    }
}
