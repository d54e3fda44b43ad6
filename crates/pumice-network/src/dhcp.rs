//! A DHCP server as a function of the messages it gets (RFC 2131, RFC 2132).
//!
//! It serves one network of 256 addresses of which it has the first; each card gets the next that is free and keeps it.
//! Nothing here is received from a stranger: only machines of our own are on the network. Still every byte is a
//! guest's, and is looked at as such.

use std::{collections::BTreeMap, net::Ipv4Addr};

use crate::Mac;

/// The fixed part of a message, up to the options (RFC 2131, section 2), and the cookie in front of them (section 3).
const FIXED_BYTES: usize = 236;
const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// The least bytes of a message: relays and old clients expect those of BOOTP (RFC 1542, section 2.1).
const LEAST_BYTES: usize = 300;

/// How long an address is given for: longer than any job.
const LEASE_SECONDS: u32 = 7 * 24 * 3600;

/// The addresses of a network that machines get: all but its own, the server's and that of all.
const GIVEN: u8 = 253;

/// Options (RFC 2132).
const SUBNET_MASK: u8 = 1;
const ROUTER: u8 = 3;
const NAME_SERVER: u8 = 6;
const REQUESTED_ADDRESS: u8 = 50;
const LEASE_TIME: u8 = 51;
const MESSAGE_TYPE: u8 = 53;
const SERVER: u8 = 54;
const END: u8 = 255;

/// Message types (RFC 2132, section 9.6).
const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const ACK: u8 = 5;
const NAK: u8 = 6;
const INFORM: u8 = 8;

/// A DHCP server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its own address; the network is the 256 addresses around it.
    address: Ipv4Addr,
    way_out: Option<WayOut>,
    /// The last byte of the first address that it gives, and how many it gives.
    first: u8,
    count: u8,
    leases: BTreeMap<Mac, u8>,
}

/// What guests are told when the network has a way out: to send what is for elsewhere to the server itself, and whom
/// to ask for names.
#[derive(Clone, Copy, Debug)]
pub struct WayOut {
    /// The server of names (DNS).
    pub names: Ipv4Addr,
}

impl Server {
    /// A server at the first address of `network`, whose last byte does not matter.
    pub fn new(network: Ipv4Addr, way_out: Option<WayOut>) -> Self {
        let [a, b, c, _] = network.octets();
        Self { address: Ipv4Addr::new(a, b, c, 1), way_out, first: 2, count: GIVEN, leases: BTreeMap::new() }
    }

    /// One of `of` servers on the network, all at its first address, each of which answers other cards. They share the addresses,
    /// so that none is given twice; this one has part number `place`, from 0.
    #[must_use]
    pub fn sharing(self, place: u8, of: u8) -> Self {
        let count = GIVEN / of.max(1);
        let first = u8::try_from(2 + u16::from(place) * u16::from(count)).unwrap_or(u8::MAX);
        Self { first, count: if place < of { count } else { 0 }, ..self }
    }

    /// Its own address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The address of a card: the same whenever it asks. `None` when there is none left.
    pub fn lease(&mut self, card: Mac) -> Option<Ipv4Addr> {
        let [a, b, c, _] = self.address.octets();
        let known = self.leases.get(&card).copied();
        let next = || u8::try_from(self.leases.len()).ok().filter(|given| *given < self.count);
        let host = known.or_else(|| next().map(|given| self.first + given))?;
        self.leases.insert(card, host);
        Some(Ipv4Addr::new(a, b, c, host))
    }

    /// The answer to a message; `None` when it wants none, is for another server, or is no message.
    pub fn answer(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let asked = Asked::read(message)?;
        if asked.server.is_some_and(|server| server != self.address) {
            return None;
        }
        let own = self.lease(asked.card)?;
        let (kind, given) = match asked.kind {
            DISCOVER => (OFFER, own),
            REQUEST if asked.wanted.is_none_or(|wanted| wanted == own) => (ACK, own),
            REQUEST => (NAK, Ipv4Addr::UNSPECIFIED),
            INFORM => (ACK, Ipv4Addr::UNSPECIFIED),
            _ => return None,
        };
        let mut reply = Vec::with_capacity(LEAST_BYTES);
        // A reply, Ethernet, six bytes of address, no hops; then the client's own number, no seconds, its flags.
        reply.extend([2, 1, 6, 0]);
        reply.extend_from_slice(message.get(4..8)?);
        reply.extend([0, 0]);
        reply.extend_from_slice(message.get(10..12)?);
        reply.extend_from_slice(message.get(12..16)?);
        reply.extend(given.octets());
        reply.extend(self.address.octets());
        // The relay and the card, as they came; no names.
        reply.extend_from_slice(message.get(24..44)?);
        reply.resize(FIXED_BYTES, 0);
        reply.extend(COOKIE);
        reply.extend([MESSAGE_TYPE, 1, kind, SERVER, 4]);
        reply.extend(self.address.octets());
        if kind != NAK {
            if !given.is_unspecified() {
                reply.extend([LEASE_TIME, 4]);
                reply.extend(LEASE_SECONDS.to_be_bytes());
            }
            reply.extend([SUBNET_MASK, 4, 255, 255, 255, 0]);
            if let Some(way_out) = self.way_out {
                reply.extend([ROUTER, 4]);
                reply.extend(self.address.octets());
                reply.extend([NAME_SERVER, 4]);
                reply.extend(way_out.names.octets());
            }
        }
        reply.push(END);
        reply.resize(reply.len().max(LEAST_BYTES), 0);
        Some(reply)
    }
}

/// What a client says.
struct Asked {
    card: Mac,
    kind: u8,
    /// The address it asks for, or has.
    wanted: Option<Ipv4Addr>,
    /// The server it means.
    server: Option<Ipv4Addr>,
}

impl Asked {
    fn read(message: &[u8]) -> Option<Self> {
        // A request of an Ethernet card.
        if message.get(..3)? != [1, 1, 6] || message.get(FIXED_BYTES..FIXED_BYTES + 4)? != COOKIE {
            return None;
        }
        let has: Ipv4Addr = <[u8; 4]>::try_from(message.get(12..16)?).ok()?.into();
        let mut asked = Self {
            card: message.get(28..34)?.try_into().ok()?,
            kind: 0,
            wanted: Some(has).filter(|has| !has.is_unspecified()),
            server: None,
        };
        let mut rest = message.get(FIXED_BYTES + 4..)?;
        while let [code, after @ ..] = rest {
            match *code {
                END => break,
                0 => rest = after,
                code => {
                    let (length, after) = after.split_first()?;
                    let value = after.get(..usize::from(*length))?;
                    rest = after.get(usize::from(*length)..)?;
                    let address = || <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from);
                    match code {
                        MESSAGE_TYPE => asked.kind = *value.first()?,
                        REQUESTED_ADDRESS => asked.wanted = address(),
                        SERVER => asked.server = address(),
                        _ => {}
                    }
                }
            }
        }
        (asked.kind != 0).then_some(asked)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A message of the card with this last byte.
    pub(crate) fn message(kind: u8, card: u8, options: &[u8]) -> Vec<u8> {
        let mut message = vec![1, 1, 6, 0, 0xaa, 0xbb, 0xcc, card, 0, 0, 0x80, 0];
        message.resize(28, 0);
        message.extend([2, 0, 0, 0, 0, card]);
        message.resize(FIXED_BYTES, 0);
        message.extend(COOKIE);
        message.extend([MESSAGE_TYPE, 1, kind]);
        message.extend(options);
        message.push(END);
        message
    }

    /// Type, address and options of a reply.
    fn shown(reply: Option<Vec<u8>>) -> String {
        let Some(reply) = reply else { return "nothing".to_owned() };
        assert!(reply.len() >= LEAST_BYTES && reply[0] == 2 && reply[4..7] == [0xaa, 0xbb, 0xcc]);
        let address = Ipv4Addr::new(reply[16], reply[17], reply[18], reply[19]);
        let way_out = [ROUTER, 4, 10, 1, 2, 1, NAME_SERVER, 4, 10, 9, 9, 9];
        let leads_out = reply.windows(way_out.len()).any(|part| part == way_out);
        format!("{} {address}{}", reply[FIXED_BYTES + 6], if leads_out { " way out" } else { "" })
    }

    #[track_caller]
    fn check(server: &mut Server, kind: u8, card: u8, options: &[u8], expected: &str) {
        assert_eq!(shown(server.answer(&message(kind, card, options))), expected);
    }

    #[test]
    fn a_card_gets_an_address_and_keeps_it() {
        let mut server =
            Server::new(Ipv4Addr::new(10, 1, 2, 0), Some(WayOut { names: Ipv4Addr::new(10, 9, 9, 9) }));
        check(&mut server, DISCOVER, 7, &[], "2 10.1.2.2 way out");
        check(&mut server, DISCOVER, 8, &[], "2 10.1.2.3 way out");
        check(
            &mut server,
            REQUEST,
            7,
            &[REQUESTED_ADDRESS, 4, 10, 1, 2, 2, SERVER, 4, 10, 1, 2, 1],
            "5 10.1.2.2 way out",
        );
        check(&mut server, DISCOVER, 7, &[], "2 10.1.2.2 way out");
        assert_eq!(server.lease([2, 0, 0, 0, 0, 8]), Some(Ipv4Addr::new(10, 1, 2, 3)));
    }

    #[test]
    fn another_address_is_refused_and_another_server_left_alone() {
        let mut server = Server::new(Ipv4Addr::new(10, 1, 2, 0), None);
        check(&mut server, REQUEST, 7, &[REQUESTED_ADDRESS, 4, 10, 1, 2, 9], "6 0.0.0.0");
        check(&mut server, REQUEST, 7, &[SERVER, 4, 10, 1, 2, 9], "nothing");
        check(&mut server, INFORM, 7, &[], "5 0.0.0.0");
        // A release.
        check(&mut server, 7, 7, &[], "nothing");
    }

    #[test]
    fn no_more_addresses_are_given_than_there_are() {
        let mut server = Server::new(Ipv4Addr::new(10, 1, 2, 0), None);
        let given = (0..=u16::MAX).filter_map(|card| {
            let [high, low] = card.to_be_bytes();
            server.lease([2, 0, 0, 0, high, low])
        });
        assert_eq!(given.take(1000).count(), 253);
    }

    #[test]
    fn servers_that_share_a_network_give_no_address_twice() {
        let lab = || Server::new(Ipv4Addr::new(10, 1, 2, 0), None);
        let last = |server: &mut Server| -> Vec<u8> {
            let cards = (0..=255).filter_map(|card| server.lease([2, 0, 0, 0, 0, card]));
            cards.map(|address| address.octets()[3]).collect()
        };
        for of in [1_u8, 2, 3, 100] {
            let parts: Vec<_> = (0..of).flat_map(|place| last(&mut lab().sharing(place, of))).collect();
            let expected: Vec<u8> = (2..2 + of * (GIVEN / of)).collect();
            assert_eq!(parts, expected, "{of}");
        }
        assert!(last(&mut lab().sharing(3, 3)).is_empty());
    }

    #[test]
    fn whatever_a_guest_sends_is_read_without_a_panic() {
        let mut server = Server::new(Ipv4Addr::new(10, 1, 2, 0), None);
        let whole = message(DISCOVER, 7, &[REQUESTED_ADDRESS, 4, 10, 1, 2, 2, 12, 3, b'a', b'b', b'c']);
        for length in 0..whole.len() {
            let cut = &whole[..length];
            assert!(length > FIXED_BYTES + 6 || server.answer(cut).is_none(), "{length}");
        }
        for place in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 0xff;
            drop(server.answer(&damaged));
        }
    }
}
