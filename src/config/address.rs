//! URLs, origins and addresses: what they must look like. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use http::{HeaderValue, Uri};
use ipnet::{IpNet, Ipv4Net};

use super::AllowOrigins;
use super::value::Refusal;

/// An `http` or `https` URL with a host and optionally a query.
pub(super) fn url(text: &str) -> Result<Uri, Refusal> {
    checked(text, &["http", "https"])
        .ok_or("must be an http:// or https:// URL with a host, such as https://host.example/path")
        .and_then(|uri| {
            let has_user = uri.authority().is_some_and(|a| a.as_str().contains('@'));
            if has_user {
                Err("must hold no user name or password")
            } else if text.contains('#') {
                Err("must have no #fragment")
            } else {
                Ok(uri)
            }
        })
}

/// Addresses and networks, with commas between them.
pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, Refusal> {
    let network = |part: &str| {
        let address = || part.parse().ok().map(|ip: IpAddr| IpNet::from(ip));
        part.parse().ok().or_else(address).map(canonical)
    };
    let parts = text.split(',').map(str::trim);
    parts
        .map(network)
        .collect::<Option<_>>()
        .ok_or("must be addresses and networks such as 10.0.0.0/8,fd00::1, comma-separated")
}

/// A network of IPv4 addresses written as IPv6 is one of IPv4: peers are compared in that form.
fn canonical(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(v6) => v6
            .addr()
            .to_ipv4_mapped()
            .zip(v6.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    let v4 = mapped.and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    v4.map_or(network, IpNet::V4)
}

/// A URL to which paths are appended; without its trailing slashes.
pub(super) fn base_url(text: &str) -> Result<Uri, Refusal> {
    if url(text)?.query().is_some() {
        return Err("must have no ?query");
    }
    url(text.trim_end_matches('/'))
}

/// The URL of an outbound proxy, as written. Without a scheme it is `http`, as with curl; a user
/// and a password are allowed.
pub(super) fn proxy_url(text: &str) -> Result<String, Refusal> {
    let text = match text.split_once("://") {
        Some((scheme, rest)) => format!("{}://{rest}", scheme.to_ascii_lowercase()),
        None => format!("http://{text}"),
    };
    checked(&text, &["http", "https", "socks5", "socks5h"])
        .map(|_| text)
        .ok_or("must be an http, https, socks5 or socks5h URL, such as http://127.0.0.1:3128")
}

fn checked(text: &str, schemes: &[&str]) -> Option<Uri> {
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return None;
    }
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let uri: Uri = format!("{scheme}://{rest}").parse().ok()?;
    let authority = uri.authority()?;
    let tail = authority
        .as_str()
        .rsplit('@')
        .next()?
        .strip_prefix(authority.host())?;
    let port_fits = match tail.strip_prefix(':') {
        Some(port) => port.parse::<u16>().is_ok_and(|port| port > 0),
        None => tail.is_empty(),
    };
    (schemes.contains(&scheme.as_str()) && !authority.host().is_empty() && port_fits).then_some(uri)
}

/// An address of this machine to listen on.
pub(super) fn host(text: &str) -> Result<IpAddr, Refusal> {
    match text {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        _ => text
            .parse()
            .map_err(|_| "must be an IP address or localhost"),
    }
}

/// An address and a port to listen on.
pub(super) fn listener(text: &str) -> Result<SocketAddr, Refusal> {
    const RULE: Refusal = "must be host:port, such as 127.0.0.1:9090 or [::1]:9090";
    match text.strip_prefix("localhost:") {
        Some(port) => {
            let port = super::value::port(port).map_err(|_| RULE)?;
            Ok((Ipv4Addr::LOCALHOST, port).into())
        }
        None => text.parse().map_err(|_| RULE),
    }
}

/// The address at which a client on this machine reaches a listener: a wildcard becomes loopback.
#[must_use]
pub fn reachable(listener: SocketAddr) -> SocketAddr {
    let host = match listener.ip() {
        host if !host.is_unspecified() => host,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    (host, listener.port()).into()
}

/// Whether this address is that listener of ours, as far as can be told without connecting: a
/// wildcard listens on loopback.
pub(super) fn leads_to(url: &str, listener: SocketAddr) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let by_scheme = if uri.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    let port = uri.port_u16().unwrap_or(by_scheme);
    if listener.port() == 0 || port != listener.port() {
        return false;
    }
    let ours = listener.ip().to_canonical();
    let everywhere = ours.is_unspecified();
    match literal(uri.host().unwrap_or_default()) {
        Host::Name(name) => is_home(&name) && (everywhere || ours.is_loopback()),
        Host::Address(ip) => ip == ours || ip.is_unspecified() || (everywhere && ip.is_loopback()),
    }
}

/// Whether a host is this machine or in its own network: such a host is reached directly, whatever
/// the outbound proxy is (spec §10.1).
#[must_use]
pub fn is_private_host(host: &str) -> bool {
    match literal(host) {
        Host::Name(name) => is_home(&name),
        // A connection to the unspecified address is one to this machine.
        Host::Address(ip) if ip.is_unspecified() => true,
        Host::Address(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Host::Address(IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
    }
}

enum Host {
    Name(String),
    Address(IpAddr),
}

fn literal(host: &str) -> Host {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(ip) => Host::Address(ip.to_canonical()),
        Err(_) => Host::Name(host.trim_end_matches('.').to_ascii_lowercase()),
    }
}

fn is_home(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// `*`, or origins as browsers send them: a scheme, a host, optionally a port, and no path.
pub(super) fn origins(text: &str) -> Result<AllowOrigins, Refusal> {
    if text == "*" {
        return Ok(AllowOrigins::Any);
    }
    let listed: Option<Vec<_>> = text.split(',').map(|part| origin(part.trim())).collect();
    listed
        .map(AllowOrigins::Listed)
        .ok_or("must be * or origins such as https://chat.example:3000, comma-separated")
}

fn origin(text: &str) -> Option<HeaderValue> {
    let text = text.trim_end_matches('/').to_ascii_lowercase();
    let (scheme, host) = text.split_once("://")?;
    let scheme_fits = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let host_fits = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
    (scheme_fits && host_fits).then(|| HeaderValue::from_str(&text).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s8_a_wildcard_listener_is_reached_on_loopback() {
        #[rustfmt::skip]
        let rows = [
            ("0.0.0.0:8080",   "127.0.0.1:8080"),
            ("[::]:8080",      "[::1]:8080"),
            ("10.0.0.7:8080",  "10.0.0.7:8080"),
        ];
        for (listener, expected) in rows {
            assert_eq!(reachable(listener.parse().unwrap()).to_string(), expected);
        }
    }

    #[test]
    fn s10_1_an_address_that_is_our_own() {
        #[rustfmt::skip]
        let rows = [
            // address                         listener            ours
            ("http://127.0.0.1:8080/v1",       "0.0.0.0:8080",     true),
            ("http://localhost:8080/v1",       "0.0.0.0:8080",     true),
            ("http://LocalHost.:8080/v1",      "127.0.0.1:8080",   true),
            ("http://[::1]:8080/v1",           "[::]:8080",        true),
            ("http://127.1.2.3:8080/v1",       "0.0.0.0:8080",     true),
            ("http://0.0.0.0:8080/v1",         "127.0.0.1:8080",   true),
            ("http://[::ffff:127.0.0.1]:8080", "127.0.0.1:8080",   true),
            ("http://10.0.0.7:8080/v1",        "10.0.0.7:8080",    true),
            ("http://127.0.0.1/v1",            "0.0.0.0:80",       true),
            ("https://127.0.0.1/v1",           "0.0.0.0:443",      true),
            ("http://127.0.0.1:8081/v1",       "0.0.0.0:8080",     false),
            ("http://10.0.0.8:8080/v1",        "10.0.0.7:8080",    false),
            ("http://localhost:8080/v1",       "10.0.0.7:8080",    false),
            ("http://other.example:8080/v1",   "0.0.0.0:8080",     false),
            ("http://127.0.0.1/v1",            "0.0.0.0:0",        false),
        ];
        for (url, listener, ours) in rows {
            assert_eq!(
                leads_to(url, listener.parse().unwrap()),
                ours,
                "{url} {listener}"
            );
        }
    }

    #[test]
    fn s10_1_hosts_that_bypass_the_outbound_proxy() {
        #[rustfmt::skip]
        let rows = [
            ("127.0.0.1", true), ("localhost", true), ("LOCALHOST.", true), ("a.localhost", true), ("[::1]", true),
            ("10.0.0.5", true), ("172.16.0.1", true), ("172.31.255.255", true), ("192.168.1.2", true),
            ("169.254.1.1", true), ("[fd00::1]", true), ("[fe80::1]", true), ("[::ffff:10.0.0.5]", true),
            ("0.0.0.0", true), ("[::]", true),
            ("172.32.0.1", false), ("8.8.8.8", false), ("openrouter.ai", false), ("[2001:db8::1]", false),
            ("localhost.example", false), ("my-box", false), ("", false),
        ];
        for (host, expected) in rows {
            assert_eq!(is_private_host(host), expected, "{host}");
        }
    }

    #[test]
    fn s6_urls_are_http_with_a_host() {
        const BAD: &str = "URL with a host";
        #[rustfmt::skip]
        let rows: &[(&str, Result<&str, &str>)] = &[
            ("https://host.example/a/b",    Ok("https://host.example/a/b")),
            ("http://127.0.0.1:9001",       Ok("http://127.0.0.1:9001/")),
            ("http://[::1]:9001/x",         Ok("http://[::1]:9001/x")),
            ("HTTPS://Host.example/a?x=1",  Ok("https://Host.example/a?x=1")),
            ("",                            Err(BAD)),
            ("host.example",                Err(BAD)),
            ("/path",                       Err(BAD)),
            ("ftp://host.example",          Err(BAD)),
            ("file:///etc/passwd",          Err(BAD)),
            ("http://",                     Err(BAD)),
            ("http:///path",                Err(BAD)),
            ("http://:8080",                Err(BAD)),
            ("http://host:",                Err(BAD)),
            ("http://host:0",               Err(BAD)),
            ("http://host:99999",           Err(BAD)),
            ("http://host:port/",           Err(BAD)),
            ("http://ho st/",               Err(BAD)),
            ("http://host/а",               Err(BAD)),
            ("http://user:pw@host/",        Err("user name")),
            ("http://@host/",               Err("user name")),
            ("http://host/a#b",             Err("#fragment")),
        ];
        for (text, expected) in rows {
            match (url(text), expected) {
                (Ok(uri), Ok(expected)) => assert_eq!(uri.to_string(), *expected, "{text:?}"),
                (Err(refusal), Err(expected)) => {
                    assert!(refusal.contains(expected), "{text:?}: {refusal}");
                }
                (got, _) => panic!("{text:?}: {got:?}"),
            }
        }
    }

    #[test]
    fn s6_a_base_loses_its_trailing_slashes_and_has_no_query() {
        #[rustfmt::skip]
        let rows: &[(&str, Option<&str>)] = &[
            ("https://host.example/api/v1",    Some("https://host.example/api/v1")),
            ("https://host.example/api/v1/",   Some("https://host.example/api/v1")),
            ("https://host.example/api/v1///", Some("https://host.example/api/v1")),
            ("https://host.example",           Some("https://host.example/")),
            ("https://host.example/",          Some("https://host.example/")),
            ("https://host.example/v1?a=b",    None),
            ("https://host.example/v1?",       None),
            ("https://host.example/v1#a",      None),
            ("https://u@host.example/v1",      None),
            ("https://",                       None),
        ];
        for (text, expected) in rows {
            let got = base_url(text).ok().map(|uri| uri.to_string());
            assert_eq!(got.as_deref(), *expected, "{text:?}");
        }
    }

    #[test]
    fn s6_outbound_proxies_are_http_or_socks() {
        #[rustfmt::skip]
        let rows: &[(&str, Option<&str>)] = &[
            ("http://proxy:3128",              Some("http://proxy:3128")),
            ("https://u:p%40@proxy:3128/",     Some("https://u:p%40@proxy:3128/")),
            ("SOCKS5://127.0.0.1:1080",        Some("socks5://127.0.0.1:1080")),
            ("socks5h://u:p@127.0.0.1:1080",   Some("socks5h://u:p@127.0.0.1:1080")),
            ("127.0.0.1:7890",                 Some("http://127.0.0.1:7890")),
            ("u:p@proxy:7890",                 Some("http://u:p@proxy:7890")),
            ("socks4://127.0.0.1:1080",        None),
            ("socks://127.0.0.1:1080",         None),
            ("ftp://proxy",                    None),
            ("http://",                        None),
            ("http://proxy:99999",             None),
            ("not a proxy",                    None),
        ];
        for (text, expected) in rows {
            assert_eq!(proxy_url(text).ok().as_deref(), *expected, "{text:?}");
        }
    }

    #[test]
    fn s6_addresses_to_listen_on() {
        #[rustfmt::skip]
        let hosts: &[(&str, Option<&str>)] = &[
            ("0.0.0.0",   Some("0.0.0.0")),
            ("::",        Some("::")),
            ("localhost", Some("127.0.0.1")),
            ("my-laptop", None),
            ("[::1]",     None),
            ("",          None),
        ];
        for (text, expected) in hosts {
            let got = host(text).ok().map(|ip| ip.to_string());
            assert_eq!(got.as_deref(), *expected, "{text:?}");
        }
        #[rustfmt::skip]
        let listeners: &[(&str, Option<&str>)] = &[
            ("127.0.0.1:9090", Some("127.0.0.1:9090")),
            ("localhost:9090", Some("127.0.0.1:9090")),
            ("[::1]:9090",     Some("[::1]:9090")),
            ("9090",           None),
            (":9090",          None),
            ("127.0.0.1",      None),
            ("127.0.0.1:99999", None),
            ("localhost:",     None),
            ("host:9090",      None),
        ];
        for (text, expected) in listeners {
            let got = listener(text).ok().map(|addr| addr.to_string());
            assert_eq!(got.as_deref(), *expected, "{text:?}");
        }
    }

    #[test]
    fn s13_networks_are_compared_as_what_they_are() {
        #[rustfmt::skip]
        let rows = [
            ("10.0.0.0/8",               Some("10.0.0.0/8")),
            ("10.0.0.1",                 Some("10.0.0.1/32")),
            ("10.0.0.0/8 , fd00::1",     Some("10.0.0.0/8 fd00::1/128")),
            ("::ffff:10.0.0.1",          Some("10.0.0.1/32")),
            ("::ffff:10.0.0.0/104",      Some("10.0.0.0/8")),
            ("::ffff:0:0/96",            Some("0.0.0.0/0")),
            ("::ffff:0:0/95",            Some("::ffff:0.0.0.0/95")),
            ("::/0",                     Some("::/0")),
            ("10.0.0.0/33",              None),
            ("::ffff:10.0.0.0/129",      None),
            ("example.com",              None),
            ("10.0.0.1,",                None),
            ("",                         None),
        ];
        for (text, expected) in rows {
            let got = networks(text).ok();
            let got = got.map(|all| {
                all.iter()
                    .map(IpNet::to_string)
                    .collect::<Vec<_>>()
                    .join(" ")
            });
            assert_eq!(got.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn s6_origins_are_a_star_or_a_list() {
        let listed = |list: &[&'static str]| {
            AllowOrigins::Listed(list.iter().map(|o| HeaderValue::from_static(o)).collect())
        };
        #[rustfmt::skip]
        let rows = [
            ("*",                                      Some(AllowOrigins::Any)),
            ("https://a.example",                      Some(listed(&["https://a.example"]))),
            ("https://A.example/ , http://b:3000",     Some(listed(&["https://a.example", "http://b:3000"]))),
            ("chrome-extension://abcdef",              Some(listed(&["chrome-extension://abcdef"]))),
            ("http://[::1]:3000",                      Some(listed(&["http://[::1]:3000"]))),
            ("https://a.example/path",                 None),
            ("https://a.example,",                     None),
            ("https://a.example,*",                    None),
            ("a.example",                              None),
            ("null",                                   None),
            ("https://*.example",                      None),
            ("https://",                               None),
            ("",                                       None),
        ];
        for (text, expected) in rows {
            assert_eq!(origins(text).ok(), expected, "{text:?}");
        }
    }
}
