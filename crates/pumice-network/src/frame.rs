//! The few Ethernet frames that the switch reads and writes itself: DHCP and ARP.

use std::net::Ipv4Addr;

use crate::Mac;

/// Destination, source, type (IEEE 802.3).
const ETHERNET_BYTES: usize = 14;
const IPV4: [u8; 2] = [0x08, 0x00];
const ARP: [u8; 2] = [0x08, 0x06];
/// An IPv4 header without options (RFC 791, section 3.1), and a UDP header (RFC 768).
const IP_BYTES: usize = 20;
const UDP_BYTES: usize = 8;
const UDP: u8 = 17;
/// Ports of DHCP (RFC 2131, section 4.1).
const SERVER_PORT: [u8; 2] = [0, 67];
const CLIENT_PORT: [u8; 2] = [0, 68];

/// Where a frame goes and who sent it.
pub(crate) fn ends(frame: &[u8]) -> Option<(Mac, Mac)> {
    Some((frame.get(..6)?.try_into().ok()?, frame.get(6..12)?.try_into().ok()?))
}

/// Whether a frame to this address is for everybody: a group address (IEEE 802, section 8.2.2).
pub(crate) fn is_group(address: Mac) -> bool {
    address[0] & 1 == 1
}

/// The DHCP message that a frame brings to a server.
pub(crate) fn dhcp_request(frame: &[u8]) -> Option<&[u8]> {
    if frame.get(12..14)? != IPV4 {
        return None;
    }
    let packet = frame.get(ETHERNET_BYTES..)?;
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let datagram = packet.get(header..)?;
    let is_ours = header >= IP_BYTES && *packet.get(9)? == UDP && datagram.get(2..4)? == SERVER_PORT;
    is_ours.then(|| datagram.get(UDP_BYTES..)).flatten()
}

/// The frame that brings a DHCP message from a server to a card. It goes to everybody: the card may not know its
/// address yet (RFC 2131, section 4.1).
pub(crate) fn dhcp_reply(from: Mac, server: Ipv4Addr, message: &[u8]) -> Option<Vec<u8>> {
    let udp_length = u16::try_from(UDP_BYTES + message.len()).ok()?;
    let total = u16::try_from(IP_BYTES + UDP_BYTES + message.len()).ok()?;
    let mut header = Vec::with_capacity(IP_BYTES);
    header.extend([0x45, 0]);
    header.extend(total.to_be_bytes());
    // No fragment; 64 hops.
    header.extend([0, 0, 0, 0, 64, UDP, 0, 0]);
    header.extend(server.octets());
    header.extend(Ipv4Addr::BROADCAST.octets());
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut frame = Vec::with_capacity(ETHERNET_BYTES + usize::from(total));
    frame.extend([0xff; 6]);
    frame.extend(from);
    frame.extend(IPV4);
    frame.extend(header);
    frame.extend(SERVER_PORT);
    frame.extend(CLIENT_PORT);
    frame.extend(udp_length.to_be_bytes());
    // No checksum, as IPv4 allows (RFC 768).
    frame.extend([0, 0]);
    frame.extend(message);
    Some(frame)
}

/// The answer to a frame that asks for the card of `address` (RFC 826): `card`.
pub(crate) fn arp_reply(frame: &[u8], address: Ipv4Addr, card: Mac) -> Option<Vec<u8>> {
    // Ethernet, IPv4, lengths 6 and 4, a request.
    let is_request = frame.get(12..14)? == ARP && frame.get(14..22)? == [0, 1, 8, 0, 6, 4, 0, 1];
    if !is_request || frame.get(38..42)? != address.octets() {
        return None;
    }
    let (asker, asker_address) = (frame.get(22..28)?, frame.get(28..32)?);
    let mut reply = Vec::with_capacity(42);
    reply.extend(asker);
    reply.extend(card);
    reply.extend(ARP);
    reply.extend([0, 1, 8, 0, 6, 4, 0, 2]);
    reply.extend(card);
    reply.extend(address.octets());
    reply.extend(asker);
    reply.extend(asker_address);
    Some(reply)
}

/// The checksum of an IPv4 header whose own field is 0 (RFC 1071).
fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_a_header_that_is_known() {
        // The example of RFC 1071, section 3, in its folded form.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn a_reply_is_read_back_as_what_it_is() {
        let server = Ipv4Addr::new(10, 0, 0, 1);
        let frame = dhcp_reply([2; 6], server, b"message").unwrap();
        assert_eq!(ends(&frame), Some(([0xff; 6], [2; 6])));
        assert_eq!(checksum(&frame[14..34]), 0, "a header with its own checksum sums to nothing");
        // It is for clients: no server takes it for a request.
        assert_eq!(dhcp_request(&frame), None);
    }

    #[test]
    fn only_a_request_for_the_address_is_answered() {
        let mut frame = vec![0xff; 6];
        frame.extend([7; 6]);
        frame.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
        frame.extend([7; 6]);
        frame.extend([10, 0, 0, 9]);
        frame.extend([0; 6]);
        frame.extend([10, 0, 0, 1]);
        let reply = arp_reply(&frame, Ipv4Addr::new(10, 0, 0, 1), [2; 6]).unwrap();
        assert_eq!(ends(&reply), Some(([7; 6], [2; 6])));
        assert_eq!(reply[20..22], [0, 2]);
        assert_eq!(arp_reply(&frame, Ipv4Addr::new(10, 0, 0, 2), [2; 6]), None);
        assert_eq!(arp_reply(&frame[..40], Ipv4Addr::new(10, 0, 0, 1), [2; 6]), None);
    }
}
