//! The accounts in the settings, each with the connection to its provider and to its list.

use std::sync::Arc;

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

use super::BuildError;
use crate::attempt::{Account, Keyring};
use crate::config::{Account as Configured, Config};
use crate::list::{ListAt, Way};
use crate::provider::Provider;
use crate::redact::{Redactor, Secret};
use crate::upstream::{Hop, HttpClient, InvalidUpstream, Upstream, mark, shown};

/// OpenRouter's spelling of the attribution header is the standard's `Referer` with a prefix
/// (`docs/upstream.md` §1).
const ATTRIBUTION: HeaderName = HeaderName::from_static("http-referer");
const TITLE: HeaderName = HeaderName::from_static("x-title");

/// Each account with each of its keys and its upstream.
pub(super) fn asked(config: &Config, client: &HttpClient) -> Result<Vec<Keyring>, BuildError> {
    let mut keyrings = Vec::new();
    for account in &config.accounts {
        let each = account.under_each_key();
        let each = each.map(|under| {
            let keys = account.under_each_key().filter_map(|other| other.key);
            let others = keys.filter(|key| Some(key) != under.key.as_ref()).collect();
            one(&under, others, config, client)
        });
        let each: Vec<_> = each.collect::<Result<_, _>>()?;
        keyrings.extend(Keyring::new(each));
    }
    Ok(keyrings)
}

fn one(
    account: &Configured,
    others: Arc<[Secret]>,
    config: &Config,
    client: &HttpClient,
) -> Result<Account, BuildError> {
    let hop = Hop {
        base: account
            .base_url()
            .parse()
            .map_err(http::Error::from)
            .map_err(InvalidUpstream::from)?,
        auth: header_of(&account.provider, account.key.as_ref())?,
        headers: headers(&account.provider, config),
    };
    Ok(Account {
        id: Arc::new(account.id.clone()),
        provider: Arc::clone(&account.provider),
        key: account.key.clone(),
        others,
        upstream: Upstream::new(hop, client)?,
    })
}

/// The headers that go with a completion besides the key: attribution to OpenRouter alone (spec §10.6), and
/// the mark of a hop.
fn headers(provider: &Provider, config: &Config) -> HeaderMap {
    let mut headers = marks(Some(provider));
    if provider.id.is_openrouter() {
        headers.insert(ATTRIBUTION, config.referer.clone());
        headers.insert(TITLE, config.title.clone());
    }
    headers
}

/// The mark of a hop goes with everything that is sent to an address that the user gave: it may be that of a
/// proxy like this one, or of this one itself (spec §10.1).
fn marks(provider: Option<&Provider>) -> HeaderMap {
    let marked = provider.filter(|row| row.is_at_users_address());
    marked.map(|_| mark()).into_iter().collect()
}

/// The header with an account's key, if it has one.
fn header_of(
    provider: &Provider,
    key: Option<&Secret>,
) -> Result<Option<(HeaderName, HeaderValue)>, InvalidUpstream> {
    let header = key.map(|key| shown(&provider.auth, key)).transpose()?;
    Ok(header.flatten())
}

/// The upstream for OpenRouter's catalogue, which takes no key.
pub(super) fn catalogue(config: &Config, client: &HttpClient) -> Result<Upstream, BuildError> {
    let openrouter = config.providers.iter().find(|row| row.id.is_openrouter());
    let hop = Hop {
        base: config.upstream_base_url.clone(),
        auth: None,
        headers: marks(openrouter.map(AsRef::as_ref)),
    };
    Ok(Upstream::new(hop, client)?)
}

/// Where to read the list of each provider except OpenRouter, for each of its accounts.
pub(super) fn lists(config: &Config) -> Result<Vec<ListAt>, BuildError> {
    let others = config
        .providers
        .iter()
        .filter(|row| !row.id.is_openrouter());
    let mut lists = Vec::new();
    for row in others {
        let mut ways: Vec<Way> = Vec::new();
        let accounts = config.accounts.iter().filter(|a| a.id.provider == row.id);
        for account in accounts.flat_map(Configured::under_each_key) {
            let id = account.account_id.as_ref().map(Secret::expose);
            let Some(url) = row.list_for(id) else {
                continue;
            };
            let key = account.key.as_ref().filter(|_| row.list.with_key);
            let shown = header_of(row, key)?;
            // Without a key, all ways to one address are the same.
            if shown.is_some() || !ways.iter().any(|way| way.url == url) {
                let mut headers = marks(Some(row));
                headers.extend(shown);
                ways.push(Way { url, headers });
            }
        }
        if !ways.is_empty() {
            let provider = row.id.clone();
            lists.push(ListAt { provider, ways });
        }
    }
    Ok(lists)
}

/// What no outgoing text may contain: every key, the proxy's own included, and every account id.
pub(super) fn redactor(config: &Config) -> Redactor {
    let secrets = config.accounts.iter().flat_map(Configured::secrets);
    Redactor::new(secrets.chain(config.clients.keys()).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::HOP;

    #[test]
    fn s10_1_what_may_be_a_proxy_like_this_one_is_marked_as_a_hop() {
        #[rustfmt::skip]
        let rows = [
            // setting                                                  file                                                          marked
            ("",                                                        "",                                                           "local box"),
            ("https://openrouter.ai/api/v1",                            "",                                                           "local box"),
            ("https://openrouter.ai/api/v1/",                           "",                                                           "local box"),
            ("http://192.168.1.7:8080/v1",                              "",                                                           "openrouter local box"),
            ("",                                                        "[providers.groq]\nbase_url = 'http://192.168.1.7:8080/v1'\n", "groq local box"),
        ];
        for (base, file, expected) in rows {
            let read = |name: &str| match name {
                "UPSTREAM_BASE_URL" => Some(base.to_owned()).filter(|base| !base.is_empty()),
                "LOCAL_BASE_URL" => Some("http://127.0.0.1:11434/v1".to_owned()),
                "OPENROUTER_API_KEY" | "GROQ_API_KEY" | "PROXY_API_KEY" => {
                    Some(format!("{name}-0123456789"))
                }
                _ => None,
            };
            let file =
                format!("{file}[providers.box]\nbase_url = 'http://10.0.0.5:8000/v1'\nkeys = []\n");
            let config = Config::read_with_file(read, &file).unwrap();
            let marked = config
                .providers
                .iter()
                .filter(|row| headers(row, &config).contains_key(HOP));
            let mut marked: Vec<_> = marked.map(|row| row.id.as_str()).collect();
            marked.sort_by_key(|name| expected.find(name));
            assert_eq!(marked.join(" "), expected, "{base} {file}");
            for list in lists(&config).unwrap() {
                let is_marked = marked.contains(&list.provider.as_str());
                for way in list.ways {
                    assert_eq!(way.headers.contains_key(HOP), is_marked, "{}", way.url);
                }
            }
        }
    }
}
