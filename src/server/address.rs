//! Which address a request comes from, where other proxies may stand in between (spec §13).
//!
//! Pure. What a client writes into `X-Forwarded-For` stands on the left, and each hop adds at the right the address
//! that it sees; so only what stands to the right of trusted hops is believed.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The rightmost hop that is not one of the `trusted`, beginning with the `peer` of the connection. An entry that
/// is no address ends the walk at the hop before it: what stands to the left of it may be invented.
pub(super) fn address_of(peer: IpAddr, trusted: &[IpNet], headers: &HeaderMap) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut address = peer.to_canonical();
    if !is_trusted(address) {
        return address;
    }
    // Several header lines are one list.
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for hop in hops {
        let Some(before) = parsed(hop) else {
            break;
        };
        address = before;
        if !is_trusted(address) {
            break;
        }
    }
    address
}

/// An address, perhaps with a port or in brackets.
fn parsed(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
    let with_port = || hop.parse().ok().map(|address: SocketAddr| address.ip());
    let address = bare.unwrap_or(hop).parse().ok().or_else(with_port)?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s13_the_address_is_the_rightmost_untrusted_hop() {
        #[rustfmt::skip]
        let rows: &[(&str, &[&str], &str)] = &[
            // the peer           X-Forwarded-For                           whose request it is
            ("10.0.0.1",          &[],                                      "10.0.0.1"),
            ("10.0.0.1",          &["203.0.113.7"],                         "203.0.113.7"),
            ("::ffff:10.0.0.1",   &["203.0.113.7"],                         "203.0.113.7"),
            ("10.0.0.1",          &["1.1.1.1, 203.0.113.7"],                "203.0.113.7"),
            ("10.0.0.1",          &["1.1.1.1, 203.0.113.7, 10.9.9.9"],      "203.0.113.7"),
            ("10.0.0.1",          &["1.1.1.1", "203.0.113.7,10.9.9.9"],     "203.0.113.7"),
            ("10.0.0.1",          &["203.0.113.7", "10.9.9.9"],             "203.0.113.7"),
            ("10.0.0.1",          &["10.1.1.1, 10.2.2.2"],                  "10.1.1.1"),
            ("10.0.0.1",          &["203.0.113.7:4711"],                    "203.0.113.7"),
            ("10.0.0.1",          &["[2001:db8::7]:4711"],                  "2001:db8::7"),
            ("10.0.0.1",          &["[2001:db8::7]"],                       "2001:db8::7"),
            ("10.0.0.1",          &["2001:DB8:0:0::7"],                     "2001:db8::7"),
            ("10.0.0.1",          &["::ffff:203.0.113.7"],                  "203.0.113.7"),
            ("fd00::1",           &["203.0.113.7"],                         "203.0.113.7"),
            // What is no address ends the walk, and what stands to the left of it does not count.
            ("10.0.0.1",          &["1.1.1.1, unknown"],                    "10.0.0.1"),
            ("10.0.0.1",          &["1.1.1.1, , 10.9.9.9"],                 "10.9.9.9"),
            ("10.0.0.1",          &["1.1.1.1, _hidden, 10.9.9.9"],          "10.9.9.9"),
            ("10.0.0.1",          &[""],                                    "10.0.0.1"),
            // Nobody else is believed.
            ("198.51.100.1",      &["203.0.113.7"],                         "198.51.100.1"),
            ("10.0.1.1",          &["203.0.113.7"],                         "203.0.113.7"),
            ("11.0.0.1",          &["203.0.113.7"],                         "11.0.0.1"),
        ];
        let trusted = ["10.0.0.0/8", "fd00::1/128"].map(|network| network.parse().unwrap());
        for (peer, lines, expected) in rows {
            let mut headers = HeaderMap::new();
            for line in *lines {
                headers.append(FORWARDED_FOR, line.parse().unwrap());
            }
            let found = address_of(peer.parse().unwrap(), &trusted, &headers);
            assert_eq!(
                found,
                expected.parse::<IpAddr>().unwrap(),
                "{peer} {headers:?}"
            );
            let peer: IpAddr = peer.parse().unwrap();
            assert_eq!(address_of(peer, &[], &headers), peer.to_canonical());
        }
    }
}
