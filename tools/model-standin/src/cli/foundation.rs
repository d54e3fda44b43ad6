//! The Foundation model's own options (reference, section 2.3).

use super::grammar::{Item, Rule, split};
use super::{Application, CliError, FoundationNetwork, Invocation, data, unquoted};
use std::fmt::Write as _;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Image,
    Data,
    Cores,
    BlockDevice,
    ReadOnly,
    Network,
    NetworkBridge,
    NatPorts,
    MacAddress,
    Visualization(bool),
    UartStartPort,
    P9Root,
    CadiServer,
    PrintPort,
    Quiet,
    Version,
    Help,
    SemihostCommand,
    Accepted,
}

const fn rule(long: &'static str, value: &'static str, key: Key) -> Rule<Key> {
    Rule { short: None, long, value, about: "", key }
}

const RULES: &[Rule<Key>] = &[
    rule("image", "ELF", Key::Image),
    rule("data", "FILE@ADDRESS", Key::Data),
    rule("nsdata", "FILE@ADDRESS", Key::Data),
    rule("cores", "N", Key::Cores),
    rule("block-device", "FILE", Key::BlockDevice),
    rule("read-only", "", Key::ReadOnly),
    rule("network", "none|nat|bridged", Key::Network),
    rule("network-bridge", "INTERFACE", Key::NetworkBridge),
    rule("network-nat-ports", "HOST=GUEST", Key::NatPorts),
    rule("network-nat-subnet", "SUBNET", Key::Accepted),
    rule("network-mac-address", "ADDRESS", Key::MacAddress),
    rule("secure-memory", "", Key::Accepted),
    rule("no-secure-memory", "", Key::Accepted),
    rule("gicv3", "", Key::Accepted),
    rule("no-gicv3", "", Key::Accepted),
    rule("arm-v8.0", "", Key::Accepted),
    rule("arm-v8.1", "", Key::Accepted),
    rule("arm-v8.2", "", Key::Accepted),
    rule("arm-v8.3", "", Key::Accepted),
    rule("arm-v8.4", "", Key::Accepted),
    rule("arm-v8.5", "", Key::Accepted),
    rule("no-sve", "", Key::Accepted),
    rule("visualization", "", Key::Visualization(true)),
    rule("no-visualization", "", Key::Visualization(false)),
    rule("rate-limit", "", Key::Accepted),
    rule("no-rate-limit", "", Key::Accepted),
    rule("use-real-time", "", Key::Accepted),
    rule("quantum", "N", Key::Accepted),
    rule("uart-start-port", "PORT", Key::UartStartPort),
    rule("p9-root-dir", "DIR", Key::P9Root),
    rule("semihost", "", Key::Accepted),
    rule("no-semihost", "", Key::Accepted),
    rule("semihost-cmd", "COMMAND", Key::SemihostCommand),
    rule("semihosting-heap_base", "ADDRESS", Key::Accepted),
    rule("semihosting-heap_limit", "ADDRESS", Key::Accepted),
    rule("semihosting-stack_base", "ADDRESS", Key::Accepted),
    rule("semihosting-stack_limit", "ADDRESS", Key::Accepted),
    rule("cadi-server", "", Key::CadiServer),
    rule("print-port-number", "", Key::PrintPort),
    rule("quiet", "", Key::Quiet),
    rule("version", "", Key::Version),
    rule("help", "", Key::Help),
];

/// Reads the command line; what the options say becomes parameters of the stand-in's tables.
pub(super) fn parse(words: &[String]) -> Result<Invocation, CliError> {
    let unhandled = |error| match error {
        CliError::Unrecognized { option } => CliError::Unhandled { argument: option },
        CliError::InvalidLetter { letter } => CliError::Unhandled { argument: format!("-{letter}") },
        other => other,
    };
    let mut found = Invocation { cores: Some(1), ..Invocation::default() };
    let mut bridge = String::new();
    // Without `--visualization` there is no window, and nothing to warn about.
    set(&mut found, "vis.disable_visualisation", "1");
    for item in split(RULES, words).map_err(unhandled)? {
        match item {
            Item::Operand(argument) => return Err(CliError::Unhandled { argument }),
            Item::Option(Key::NetworkBridge, value) => bridge = value,
            Item::Option(key, value) => apply(&mut found, key, &value)?,
        }
    }
    if let FoundationNetwork::Bridged(name) = &mut found.network {
        name.clone_from(&bridge);
        set(&mut found, "hostbridge.interfaceName", &bridge);
    }
    Ok(found)
}

fn set(found: &mut Invocation, name: &str, value: &str) {
    found.parameters.push((name.to_owned(), value.to_owned()));
}

fn apply(found: &mut Invocation, key: Key, value: &str) -> Result<(), CliError> {
    let bad = |option| CliError::Value { option, value: value.to_owned() };
    match key {
        Key::Image => found.applications.push(Application { instance: None, file: unquoted(value) }),
        Key::Data => found.data.push(data("--data", value)?),
        Key::Cores => {
            let cores = value.parse().ok().filter(|cores| (1..=4).contains(cores));
            found.cores = Some(cores.ok_or_else(|| bad("--cores"))?);
        }
        Key::BlockDevice => set(found, "virtioblockdevice.image_path", value),
        Key::ReadOnly => set(found, "virtioblockdevice.read_only", "1"),
        Key::Network => {
            found.network = match value {
                "none" => FoundationNetwork::None,
                "nat" => FoundationNetwork::Nat,
                "bridged" => FoundationNetwork::Bridged(String::new()),
                _ => return Err(bad("--network")),
            };
            if found.network != FoundationNetwork::None {
                set(found, "smsc_91c111.enabled", "1");
            }
            if found.network == FoundationNetwork::Nat {
                set(found, "hostbridge.userNetworking", "1");
            }
        }
        Key::NatPorts => set(found, "hostbridge.userNetPorts", value),
        Key::MacAddress => set(found, "smsc_91c111.mac_address", value),
        Key::Visualization(wanted) => {
            set(found, "vis.disable_visualisation", if wanted { "0" } else { "1" });
        }
        Key::UartStartPort => {
            let port: u16 = value.parse().map_err(|_| bad("--uart-start-port"))?;
            for terminal in 0..4 {
                set(found, &format!("terminal_{terminal}.start_port"), &port.to_string());
            }
        }
        Key::P9Root => set(found, "virtiop9device.root_path", value),
        Key::SemihostCommand => set(found, "cluster0.cpu0.semihosting-cmd_line", value),
        Key::CadiServer => found.cadi_server = true,
        Key::PrintPort => found.print_port = true,
        Key::Quiet => found.quiet = true,
        Key::Version => found.version = true,
        Key::Help => found.help = true,
        Key::NetworkBridge | Key::Accepted => {}
    }
    Ok(())
}

/// The text of `--help`; its layout is not public.
pub(super) fn help(program: &str) -> String {
    let mut text = format!("Usage: {program} [OPTIONS...]\n");
    for rule in RULES {
        let value = if rule.value.is_empty() { String::new() } else { format!("={}", rule.value) };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  --{}{value}", rule.long);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Invocation, CliError> {
        parse(&shell_words::split(line).unwrap())
    }

    #[test]
    fn the_sample_of_the_lava_documentation_is_understood() {
        let found = parse_line(
            "--cores=4 --no-secure-memory --visualization --gicv3 --data=bl1.bin@0x0 --data=Image@0x80080000 \
             --block-device=rootfs.img --network=bridged --network-bridge=tap01 --uart-start-port 5100",
        )
        .unwrap();
        assert_eq!((found.cores, found.data.len()), (Some(4), 2));
        assert_eq!(found.network, FoundationNetwork::Bridged("tap01".into()));
        let has = |name: &str, value: &str| found.parameters.contains(&(name.to_owned(), value.to_owned()));
        assert!(has("virtioblockdevice.image_path", "rootfs.img") && has("terminal_3.start_port", "5100"));
    }

    #[test]
    fn anything_else_is_an_unhandled_argument() {
        for line in ["--nonsense", "-C a=b", "operand"] {
            let text = parse_line(line).unwrap_err().to_string();
            assert!(text.contains("unhandled argument"), "{text}");
        }
        assert!(parse_line("--cores=5").is_err());
    }
}
