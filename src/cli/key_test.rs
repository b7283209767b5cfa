//! Whether a provider accepts a key: tested where that costs no quota (spec §10.8, reference §3).
//! The meaning of an answer is judged here; the caller does the asking. No connection is no verdict
//! on a key.

use crate::provider::{Auth, KeyTest, KeyVerdict, Provider, key_verdict};
use crate::redact::Secret;

/// What is sent along with a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'a> {
    /// Which key, and how.
    pub key: Option<(&'a Auth, &'a Secret)>,
    /// The mark of a hop (spec §10.1).
    pub marked: bool,
}

impl<'a> Shown<'a> {
    /// To this provider, with this key.
    pub(super) fn to(row: &'a Provider, key: Option<&'a Secret>) -> Self {
        Self {
            key: key.map(|key| (&row.auth, key)),
            marked: row.is_at_users_address(),
        }
    }
}

/// The result of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tested {
    /// The key is accepted.
    Works,
    /// It is refused, with this status.
    Refused(u16),
    /// Something answers, with this status, and says nothing about the key.
    Unknown(u16),
    /// Only a chat request would tell, and that counts against the quota: the host answers.
    Untested,
    /// Nothing answers, or nothing readable; the end of a sentence.
    Unreachable(String),
}

/// Runs the row's key test. `get` fetches an address, and returns status and body.
pub(super) async fn test<F>(
    row: &Provider,
    key: &Secret,
    account_id: Option<&Secret>,
    get: F,
) -> Tested
where
    F: AsyncFn(&str, Shown<'_>) -> Result<(u16, Vec<u8>), String>,
{
    let id = account_id.map(Secret::expose);
    if row.key_test == KeyTest::Chat {
        let key = Some(key).filter(|_| row.list.with_key);
        return reach(row, key, id, false, get).await;
    }
    let mut tested = Tested::Untested;
    for address in row.key_test_for(id).unwrap_or_default() {
        tested = match get(&address, Shown::to(row, Some(key))).await {
            Ok((status, body)) => match key_verdict(row, status, &body) {
                KeyVerdict::Accepted => return Tested::Works,
                KeyVerdict::Refused => Tested::Refused(status),
                KeyVerdict::Unknown => Tested::Unknown(status),
            },
            Err(why) => Tested::Unreachable(why),
        };
        // A later address is asked only if this one refused, in whatever words.
        if !matches!(tested, Tested::Refused(_) | Tested::Unknown(401 | 403)) {
            break;
        }
    }
    tested
}

/// Whether anything answers at the provider's list, if there is no key to test; `is_open`: it should let
/// everybody in, and list its models.
pub(super) async fn reach<F>(
    row: &Provider,
    key: Option<&Secret>,
    account_id: Option<&str>,
    is_open: bool,
    get: F,
) -> Tested
where
    F: AsyncFn(&str, Shown<'_>) -> Result<(u16, Vec<u8>), String>,
{
    let Some(list) = row.list_for(account_id) else {
        return Tested::Untested;
    };
    match get(&list, Shown::to(row, key)).await {
        Ok((200..=299, _)) => Tested::Untested,
        // It lets no one in without a key.
        Ok((status @ (401 | 403), _)) if is_open => Tested::Refused(status),
        // The host answers; whether the key is good, only a chat request would tell.
        Ok((300..=499, _)) if !is_open => Tested::Untested,
        Ok((status, _)) => Tested::Unknown(status),
        Err(why) => Tested::Unreachable(why),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::provider::built_in;

    #[tokio::test]
    async fn s10_8_a_key_is_tested_where_that_costs_no_quota() {
        const VERIFY: &str = "https://api.cloudflare.com/client/v4/user/tokens/verify";
        const OWNED: &str = "https://api.cloudflare.com/client/v4/accounts/acc/tokens/verify";
        const GROQ: &str = "https://api.groq.com/openai/v1/models";
        let dead = br#"{"error":{"message":"Invalid API Key","type":"invalid_request_error","code":"invalid_api_key"}}"#;
        let gone = || Err("connection refused".to_owned());
        let ok = |status: u16, body: &[u8]| Ok((status, body.to_vec()));
        let auth =
            br#"{"success":false,"errors":[{"code":10000,"message":"Authentication error"}]}"#;
        type Answers = Vec<(&'static str, Result<(u16, Vec<u8>), String>)>;
        #[rustfmt::skip]
        let rows: Vec<(&str, Answers, Tested)> = vec![
            ("groq",        vec![(GROQ, ok(200, b"{}"))],                            Tested::Works),
            ("groq",        vec![(GROQ, ok(401, dead))],                             Tested::Refused(401)),
            ("groq",        vec![(GROQ, ok(429, b""))],                              Tested::Unknown(429)),
            ("groq",        vec![(GROQ, ok(500, b""))],                              Tested::Unknown(500)),
            ("groq",        vec![(GROQ, gone())],                                    Tested::Unreachable("connection refused".to_owned())),
            ("openrouter",  vec![("https://openrouter.ai/api/v1/key", ok(401, b""))], Tested::Refused(401)),
            ("cloudflare",  vec![(VERIFY, ok(200, b"{}"))],                          Tested::Works),
            ("cloudflare",  vec![(VERIFY, ok(401, auth)), (OWNED, ok(200, b"{}"))],  Tested::Works),
            ("cloudflare",  vec![(VERIFY, ok(401, auth)), (OWNED, ok(401, auth))],   Tested::Refused(401)),
            ("cloudflare",  vec![(VERIFY, ok(403, b"{}")), (OWNED, ok(200, b"{}"))], Tested::Works),
            ("cloudflare",  vec![(VERIFY, gone())],                                  Tested::Unreachable("connection refused".to_owned())),
            ("nvidia",      vec![("https://integrate.api.nvidia.com/v1/models", ok(200, b""))], Tested::Untested),
            ("nvidia",      vec![("https://integrate.api.nvidia.com/v1/models", gone())], Tested::Unreachable("connection refused".to_owned())),
        ];
        for (name, answers, expected) in rows {
            let row = built_in().iter().find(|row| row.id.as_str() == name);
            let asked = RefCell::new(Vec::new());
            let get = async |url: &str, shown: Shown<'_>| {
                asked.borrow_mut().push(url.to_owned());
                assert!(
                    shown
                        .key
                        .is_none_or(|(_, key)| key.expose() == "key-0123456789")
                );
                assert!(!shown.marked);
                let answer = answers.iter().find(|(known, _)| *known == url);
                answer.map_or_else(|| panic!("{url}"), |(_, answer)| answer.clone())
            };
            let (key, id) = (Secret::new("key-0123456789"), Secret::new("acc"));
            let tested = test(row.unwrap(), &key, Some(&id), get).await;
            assert_eq!(tested, expected, "{name} {answers:?}");
            let urls: Vec<_> = answers.iter().map(|(url, _)| (*url).to_owned()).collect();
            assert_eq!(asked.into_inner(), urls);
        }
    }
}
