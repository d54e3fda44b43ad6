//! Reads the one description of a network that every platform understands (docs/user/devices.md).

use pumice_types::{Code, Diagnostic, nearest};
use pumice_yaml::Node;

use crate::machine::{Forward, NetworkSpec};

/// A description that nothing can be made of.
const BAD_NETWORK: Code = Code("bad-network");

/// The words of `mode`.
const MODES: [&str; 4] = ["none", "user", "tap", "shared"];

impl NetworkSpec {
    /// Reads `{mode: user, forwards: [{host_port: 0, guest_port: 22}], mac: "…"}` and the like. The mistake is
    /// ready to be shown.
    ///
    /// # Errors
    /// A mode that is none, a port that is none, or another kind of node.
    pub fn read(node: &Node) -> Result<Self, Box<Diagnostic>> {
        let wrong =
            |node: &Node, message: String| Box::new(Diagnostic::error(BAD_NETWORK, node.span, message));
        let mode_node = node.get("mode").unwrap_or(node);
        let mode = mode_node.scalar_text().unwrap_or_default();
        let mac = node.get("mac").and_then(Node::scalar_text);
        Ok(match mode.as_str() {
            "none" | "None" => Self::None,
            "user" => Self::User { forwards: forwards(node)?, mac },
            "tap" => {
                let bridge = node.get("bridge").and_then(Node::scalar_text);
                let forwards = forwards(node)?;
                if let (Some(_), false) = (&bridge, forwards.is_empty()) {
                    let message =
                        "a machine on a bridge is reached by its own address: nothing is forwarded to it";
                    return Err(Box::new(
                        wrong(node, message.to_owned()).help("leave `forwards` or `bridge` out"),
                    ));
                }
                Self::Tap { bridge, forwards, mac }
            }
            "shared" => {
                Self::Shared { name: node.get("name").and_then(Node::scalar_text).unwrap_or_default(), mac }
            }
            _ => {
                let message = format!("`{mode}` is no mode of a network");
                return Err(Box::new(
                    wrong(mode_node, message)
                        .help(format!("there is: {}", MODES.join(", ")))
                        .suggest(nearest(&mode, MODES)),
                ));
            }
        })
    }
}

impl NetworkSpec {
    /// A job of one machine has no network that others share.
    pub(crate) fn nobody_shares(span: pumice_types::Span) -> Diagnostic {
        Diagnostic::error(
            BAD_NETWORK,
            span,
            "a network of mode `shared` is one of the machines of a MultiNode job",
        )
        .help("use `mode: user` in a job of one machine")
    }
}

fn forwards(node: &Node) -> Result<Vec<Forward>, Box<Diagnostic>> {
    let Some(list) = node.get("forwards").filter(|list| !list.is_null()) else { return Ok(Vec::new()) };
    let port = |node: Option<&Node>| node.and_then(Node::as_i64).and_then(|port| u16::try_from(port).ok());
    let read = |item: &Node| {
        let host_port = port(item.get("host_port")).or_else(|| item.get("host_port").is_none().then_some(0));
        match (host_port, port(item.get("guest_port")).filter(|port| *port != 0)) {
            (Some(host_port), Some(guest_port)) => Ok(Forward { host_port, guest_port }),
            _ => Err(Box::new(
                Diagnostic::error(BAD_NETWORK, item.span, "a forward needs ports between 1 and 65535")
                    .help("write `{host_port: 5022, guest_port: 22}`; `host_port: 0` takes a free one"),
            )),
        }
    };
    list.as_seq().unwrap_or_default().iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use pumice_types::SourceId;

    use super::*;

    #[test]
    fn every_mode_is_read_and_mistakes_have_their_place() {
        let read = |text: &str| {
            let node = pumice_yaml::parse(text, SourceId::default()).0.unwrap_or_default();
            NetworkSpec::read(&node).map_err(|mistake| mistake.message)
        };
        assert_eq!(read("{mode: none}"), Ok(NetworkSpec::None));
        let forwards = vec![Forward { host_port: 0, guest_port: 22 }];
        assert_eq!(
            read("{mode: user, forwards: [{guest_port: 22}]}"),
            Ok(NetworkSpec::User { forwards, mac: None })
        );
        let bridge = Some("br0".to_owned());
        assert_eq!(
            read("{mode: tap, bridge: br0}"),
            Ok(NetworkSpec::Tap { bridge, forwards: Vec::new(), mac: None })
        );
        assert_eq!(read("{mode: tab}"), Err("`tab` is no mode of a network".to_owned()));
        assert!(read("{mode: user, forwards: [{host_port: 70000, guest_port: 22}]}").is_err());
    }
}
