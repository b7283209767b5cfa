//! Addresses of providers: what they may look like, how they move with their base, and where an
//! account's id goes. Pure.

use http::Uri;

/// The place of the account's id in an address.
pub(super) const ACCOUNT_ID: &str = "{account_id}";

/// Why a text is not an address; a phrase to follow the member's name.
pub(super) type Refusal = &'static str;

/// An address to which paths are appended, without its trailing slashes.
pub(super) fn base(text: &str) -> Result<String, Refusal> {
    let text = text.trim_end_matches('/');
    let fits = whole(text)?;
    if fits.contains('?') {
        return Err("must have no ?query");
    }
    Ok(fits)
}

/// An address that is used as it is.
pub(super) fn whole(text: &str) -> Result<String, Refusal> {
    const RULE: Refusal =
        "must be an http:// or https:// URL with a host, such as https://host.example/v1";
    if text.len() > 2048 || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(RULE);
    }
    let (scheme, rest) = text.split_once("://").ok_or(RULE)?;
    let scheme = scheme.to_ascii_lowercase();
    if !matches!(scheme.as_str(), "http" | "https") {
        return Err(RULE);
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("must hold no user name or password");
    }
    if rest.contains('#') {
        return Err("must have no #fragment");
    }
    if authority.contains(['{', '}']) || rest.replace(ACCOUNT_ID, "").contains(['{', '}']) {
        return Err("may have {account_id} in its path, and no other braces");
    }
    let text = format!("{scheme}://{rest}");
    let uri: Uri = text.replace(ACCOUNT_ID, "0").parse().map_err(|_| RULE)?;
    let authority = uri.authority().ok_or(RULE)?;
    let port = authority.as_str().strip_prefix(authority.host());
    let port_fits = match port.map(|port| port.strip_prefix(':')) {
        Some(Some(port)) => port.parse::<u16>().is_ok_and(|port| port > 0),
        Some(None) => port == Some(""),
        None => false,
    };
    if authority.host().is_empty() || !port_fits {
        return Err(RULE);
    }
    Ok(text)
}

/// Where an address is once its base has moved: if below the base, it moves along; otherwise it
/// keeps its path at the new base's scheme, host and port (spec §10.1).
pub(super) fn moved(address: &str, old_base: &str, new_base: &str) -> String {
    match address.strip_prefix(old_base) {
        Some(rest) if !old_base.is_empty() && (rest.is_empty() || rest.starts_with('/')) => {
            format!("{new_base}{rest}")
        }
        _ => format!("{}{}", origin(new_base).0, origin(address).1),
    }
}

/// Scheme, host and port; and what follows.
fn origin(address: &str) -> (&str, &str) {
    let begins = address.find("://").map_or(0, |at| at + 3);
    let ends = address
        .get(begins..)
        .and_then(|rest| rest.find(['/', '?']))
        .map_or(address.len(), |at| begins + at);
    address.split_at_checked(ends).unwrap_or((address, ""))
}

/// The address with the account's id filled in; `None` if it needs one and this one cannot be part
/// of a path.
pub(super) fn filled(address: &str, account_id: Option<&str>) -> Option<String> {
    if !address.contains(ACCOUNT_ID) {
        return Some(address.to_owned());
    }
    let fits = |id: &&str| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (1..=128).contains(&id.len()) && id.bytes().all(fits)
    };
    account_id
        .filter(fits)
        .map(|id| address.replace(ACCOUNT_ID, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_1_what_an_address_must_look_like() {
        const URL: &str = "URL with a host";
        let long = format!("https://a/{}", "x".repeat(2048));
        #[rustfmt::skip]
        let rows: &[(&str, Result<&str, &str>)] = &[
            ("https://host.example/v1",                     Ok("https://host.example/v1")),
            ("HTTPS://host.example/v1//",                   Ok("https://host.example/v1")),
            ("http://10.0.0.5:8000/v1/",                    Ok("http://10.0.0.5:8000/v1")),
            ("http://[::1]:8000",                           Ok("http://[::1]:8000")),
            ("https://a.example/accounts/{account_id}/v1",  Ok("https://a.example/accounts/{account_id}/v1")),
            ("",                                            Err(URL)),
            ("host.example/v1",                             Err(URL)),
            ("ftp://x/v1",                                  Err(URL)),
            ("file:///etc/passwd",                          Err(URL)),
            ("https://",                                    Err(URL)),
            ("https:///v1",                                 Err(URL)),
            ("https://:8080/v1",                            Err(URL)),
            ("https://host:0/v1",                           Err(URL)),
            ("https://host:99999/v1",                       Err(URL)),
            ("https://host:port/v1",                        Err(URL)),
            ("https://ho st/v1",                            Err(URL)),
            ("https://host/\u{444}",                        Err(URL)),
            ("https://host/v1\r\nx: y",                     Err(URL)),
            (&long,                                         Err(URL)),
            ("https://user:pw@host/v1",                     Err("user name")),
            ("https://@host/v1",                            Err("user name")),
            ("https://host/v1#a",                           Err("#fragment")),
            ("https://host/v1?a=b",                         Err("?query")),
            ("https://host/v1?",                            Err("?query")),
            ("https://{account_id}.example/v1",             Err("braces")),
            ("https://{account_id}/v1",                     Err("braces")),
            ("https://host/{account}/v1",                   Err("braces")),
            ("https://host/{account_id/v1",                 Err("braces")),
            ("https://host/{{account_id}}/v1",              Err("braces")),
        ];
        for (text, expected) in rows {
            match (base(text), expected) {
                (Ok(url), Ok(expected)) => assert_eq!(url, *expected, "{text:?}"),
                (Err(refusal), Err(expected)) => {
                    assert!(refusal.contains(expected), "{text:?}: {refusal}");
                }
                (got, _) => panic!("{text:?}: {got:?}"),
            }
        }
        let with_query = "https://host/models?per_page=500";
        assert_eq!(whole(with_query).as_deref(), Ok(with_query));
    }

    #[test]
    fn s10_1_addresses_move_with_their_base() {
        const OLD: &str = "https://api.example/client/v4/accounts/{account_id}/ai/v1";
        const NEW: &str = "http://127.0.0.1:9000/cf";
        #[rustfmt::skip]
        let rows = [
            (OLD,                                                        "http://127.0.0.1:9000/cf"),
            ("https://api.example/client/v4/accounts/{account_id}/ai/v1/models", "http://127.0.0.1:9000/cf/models"),
            ("https://api.example/client/v4/accounts/{account_id}/ai/v10",       "http://127.0.0.1:9000/client/v4/accounts/{account_id}/ai/v10"),
            ("https://api.example/client/v4/user/tokens/verify",         "http://127.0.0.1:9000/client/v4/user/tokens/verify"),
            ("https://elsewhere.example/api/whoami?x=1",                 "http://127.0.0.1:9000/api/whoami?x=1"),
            ("https://elsewhere.example?x=/1",                           "http://127.0.0.1:9000?x=/1"),
            ("https://elsewhere.example",                                "http://127.0.0.1:9000"),
        ];
        for (address, expected) in rows {
            assert_eq!(moved(address, OLD, NEW), expected, "{address}");
        }
        // The base of `local` is not known in advance.
        assert_eq!(moved("http://a/x", "", "http://b/v1"), "http://b/x");
    }

    #[test]
    fn s10_1_only_an_account_id_goes_into_the_path() {
        const URL: &str = "https://a/{account_id}/b/{account_id}";
        let long = "x".repeat(129);
        #[rustfmt::skip]
        let rows = [
            (URL,         Some("0a-B_9"),  Some("https://a/0a-B_9/b/0a-B_9")),
            (URL,         None,            None),
            (URL,         Some(""),        None),
            (URL,         Some("a/../b"),  None),
            (URL,         Some("a?b"),     None),
            (URL,         Some("a b"),     None),
            (URL,         Some("%2e"),     None),
            (URL,         Some(&long),     None),
            ("https://a", None,            Some("https://a")),
            ("https://a", Some("a/b"),     Some("https://a")),
        ];
        for (url, id, expected) in rows {
            assert_eq!(filled(url, id).as_deref(), expected, "{url} {id:?}");
        }
    }
}
