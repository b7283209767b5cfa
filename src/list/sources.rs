//! The providers that are on, as the lists need to know them, and the snapshot that comes of what was
//! read.
//!
//! Pure. Which are on, and with which keys, the settings say.

use std::sync::Arc;
use std::time::SystemTime;

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Uri};

use super::catalogue::Catalogue;
use super::each::{Kept, ListAt, Way};
use super::merge::{Lists, Merged, merge};
use super::offered::Source;
use super::ranking::Ranking;
use crate::config::{Account, Config, names_what_is_free};
use crate::model::{AccountId, ModelOrder, Offer};
use crate::provider::{self, Auth, Provider};
use crate::redact::Secret;
use crate::registry::{self, Parts, Snapshot};
use crate::upstream::bearer;

/// What is read and asked.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The providers that are on, in the order in which twins are asked.
    pub providers: Vec<On>,
    /// Their lists, but for OpenRouter's, which are the ranking and the catalogue.
    pub lists: Vec<ListAt>,
    /// Their accounts, in the order in which those of one provider are asked.
    pub accounts: Vec<Arc<AccountId>>,
    /// Every key of ours: what a list says must hold none.
    pub keys: Vec<Secret>,
    /// `MODEL_ORDER`.
    pub order: ModelOrder,
    /// Ids that could be billed are asked too.
    pub allow_paid: bool,
    /// `FALLBACK_ROUTER`.
    pub fallback_router: bool,
}

/// A provider that is on.
#[derive(Clone, Debug)]
pub struct On {
    /// Its row, with what the file says of it.
    pub row: Arc<Provider>,
    /// The `:free` rule holds for its address and key (spec §10.7).
    pub named_free: bool,
}

impl Sources {
    /// OpenRouter, through its one account.
    #[must_use]
    pub fn openrouter_alone(config: &Config) -> Self {
        let row = provider::find(AccountId::openrouter().provider.as_str());
        let named_free = !config.takes_any_id();
        Self {
            providers: row
                .map(|row| On {
                    row: Arc::clone(row),
                    named_free,
                })
                .into_iter()
                .collect(),
            lists: Vec::new(),
            accounts: vec![Arc::new(AccountId::openrouter())],
            keys: vec![config.upstream_key.clone()],
            order: ModelOrder::default(),
            allow_paid: config.takes_any_id(),
            fallback_router: config.fallback_router,
        }
    }

    /// All that are on, each list through the accounts that may read it.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let of_row = |row: &Arc<Provider>| {
            let accounts = config.accounts.iter();
            let id = row.id.clone();
            accounts.filter(move |account| account.id.provider == id)
        };
        let on = |row: &Arc<Provider>| On {
            named_free: of_row(row).any(|account| {
                let host = Uri::try_from(account.base_url());
                let host = host.as_ref().ok().and_then(Uri::host).unwrap_or_default();
                names_what_is_free(host, account.key.as_ref())
            }),
            row: Arc::clone(row),
        };
        let beside = config
            .providers
            .iter()
            .filter(|row| !row.id.is_openrouter());
        let list = |row: &Arc<Provider>| ListAt {
            provider: row.id.clone(),
            ways: of_row(row).filter_map(way).collect(),
        };
        let order = config.model_order.as_deref().map(ModelOrder::read);
        let ids = config.accounts.iter().map(|account| account.id.clone());
        Self {
            providers: config.providers.iter().map(on).collect(),
            lists: beside.map(list).filter(|at| !at.ways.is_empty()).collect(),
            accounts: ids.map(Arc::new).collect(),
            keys: config
                .accounts
                .iter()
                .flat_map(Account::secrets)
                .cloned()
                .collect(),
            // Checked with the other settings.
            order: order.and_then(Result::ok).unwrap_or_default(),
            allow_paid: config.allow_paid,
            fallback_router: config.fallback_router,
        }
    }

    /// The offers that come of what was read.
    #[must_use]
    pub fn merged(
        &self,
        ranking: Option<&Ranking>,
        catalogue: Option<&Catalogue>,
        kept: &Kept,
    ) -> Merged {
        let sources: Vec<_> = self
            .providers
            .iter()
            .map(|on| Source::new(&on.row, kept.list(&on.row.id), on.named_free))
            .collect();
        merge(Lists {
            ranking,
            catalogue,
            sources: &sources,
            order: &self.order,
            allow_paid: self.allow_paid,
            fallback_router: self.fallback_router,
        })
    }

    /// The snapshot that these offers make through our accounts.
    #[must_use]
    pub fn snapshot(
        &self,
        merged: Merged,
        fetched_at: SystemTime,
        source: registry::Source,
    ) -> Snapshot {
        let offers = merged.in_order(false);
        let offers = offers.map(|(offer, _)| Offer::clone(offer)).collect();
        Snapshot::new(Parts {
            offers,
            fallback: merged.fallback.map(|router| router.offer),
            accounts: self.accounts.clone(),
            fetched_at,
            source,
        })
    }
}

/// How an account reads its provider's list; `None` where its key cannot stand in a header.
fn way(account: &Account) -> Option<Way> {
    let row = &account.provider;
    let account_id = account.account_id.as_ref().map(Secret::expose);
    let key = account.key.as_ref().filter(|_| row.list.with_key);
    let shown = match (key, &row.auth) {
        (None, _) | (_, Auth::None) => None,
        (Some(key), Auth::Bearer) => Some((AUTHORIZATION, bearer(key).ok()?)),
        (Some(key), Auth::Header(name)) => {
            let mut value = HeaderValue::from_str(key.expose()).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::try_from(name.as_str()).ok()?, value))
        }
    };
    let url = row.list_for(account_id)?;
    Some(Way { url, shown })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::each::EachList;
    use crate::list::{ListAt, ProviderList, RefreshError};
    use crate::model::ProviderId;

    fn list(entries: &str) -> ProviderList {
        let body = format!(r#"{{"data":[{entries}]}}"#);
        ProviderList::read(body.as_bytes(), false, SystemTime::UNIX_EPOCH).unwrap()
    }

    fn sources(names: &[&str]) -> Sources {
        let on = |name: &&str| On {
            row: Arc::clone(provider::find(name).unwrap()),
            named_free: *name == "openrouter",
        };
        let account = |name: &&str| Arc::new(AccountId::only(ProviderId::try_from(*name).unwrap()));
        Sources {
            providers: names.iter().map(on).collect(),
            accounts: names.iter().map(account).collect(),
            fallback_router: true,
            ..Sources::default()
        }
    }

    /// The candidates of the snapshot that comes of it.
    fn told(sources: &Sources, ranking: Option<&Ranking>, kept: &Kept) -> String {
        let merged = sources.merged(ranking, None, kept);
        let snapshot = sources.snapshot(merged, SystemTime::UNIX_EPOCH, registry::Source::Ranking);
        let ids = snapshot
            .candidates()
            .iter()
            .map(|c| c.offer.public_id.to_string());
        ids.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn s10_3_the_snapshot_has_the_ranked_then_the_router_then_the_users_machine() {
        let ranking = Ranking::read(
            br#"{"models":[{"rank":1,"id":"qwen/qwen3.8-27b:free"},{"rank":2,"id":"b:free"}],"fallback":{"id":"openrouter/free"}}"#,
            false,
        )
        .unwrap();
        let mut kept = Kept::default();
        let mut sources = sources(&["openrouter", "groq", "local"]);
        let groq = || ProviderId::try_from("groq").unwrap();
        // Groq's list was never read: its row's models are offered.
        assert_eq!(
            told(&sources, Some(&ranking), &kept),
            "qwen/qwen3.8-27b:free groq/qwen/qwen3.8-27b b:free groq/openai/gpt-oss-120b groq/openai/gpt-oss-20b openrouter/free"
        );
        assert_eq!(
            told(&sources, None, &kept),
            "groq/openai/gpt-oss-120b groq/openai/gpt-oss-20b groq/qwen/qwen3.8-27b"
        );
        kept.note(
            groq(),
            Ok(list(
                r#"{"id":"openai/gpt-oss-120b"},{"id":"whisper-large-v3"}"#,
            )),
        );
        kept.note(
            ProviderId::try_from("local").unwrap(),
            Ok(list(r#"{"id":"qwen3:8b"}"#)),
        );
        let expected =
            "qwen/qwen3.8-27b:free b:free groq/openai/gpt-oss-120b openrouter/free local/qwen3:8b";
        assert_eq!(told(&sources, Some(&ranking), &kept), expected);
        // A list that cannot be read keeps its last state.
        kept.note(groq(), Err(RefreshError::Status(500)));
        assert_eq!(told(&sources, Some(&ranking), &kept), expected);
        sources.order = ModelOrder::read("gpt-oss-120b,*").unwrap();
        sources.fallback_router = false;
        assert_eq!(
            told(&sources, Some(&ranking), &kept),
            "groq/openai/gpt-oss-120b qwen/qwen3.8-27b:free b:free local/qwen3:8b"
        );
    }

    #[test]
    fn s10_7_while_the_ranking_fails_only_lists_that_failed_are_read_again() {
        let at = |name: &str| ListAt {
            provider: ProviderId::try_from(name).unwrap(),
            ways: Vec::new(),
        };
        let lists = ["read", "failed", "never", "failed-later"].map(at);
        let mut kept = Kept::default();
        let id = |name: &str| ProviderId::try_from(name).unwrap();
        kept.note(id("read"), Ok(list(r#"{"id":"a"}"#)));
        kept.note(id("failed"), Err(RefreshError::Timeout));
        kept.note(id("failed-later"), Ok(list(r#"{"id":"a"}"#)));
        kept.note(id("failed-later"), Err(RefreshError::Timeout));
        let due = |only_failed| {
            let due = EachList::due(&lists, &kept, only_failed);
            due.iter()
                .map(|at| at.provider.to_string())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(due(false), "read failed never failed-later");
        assert_eq!(due(true), "failed never failed-later");
    }

    #[test]
    fn s10_7_each_list_is_read_through_the_accounts_that_may() {
        let config = Config::read(|name| match name {
            "OPENROUTER_API_KEY" => Some("sk-or-v1-0123456789abcdef".into()),
            "PROXY_API_KEY" => Some("sk-proxy-0123456789".into()),
            "GROQ_API_KEY" => Some("gsk_first0123456789,gsk_second0123456789".into()),
            "PROVIDERS" => Some("openrouter,groq,ovh".into()),
            "MODEL_ORDER" => Some("gpt-oss-120b,*".into()),
            _ => None,
        })
        .unwrap();
        let sources = Sources::of(&config);
        let on: Vec<_> = sources
            .providers
            .iter()
            .map(|on| (on.row.id.as_str(), on.named_free))
            .collect();
        assert_eq!(on, [("openrouter", true), ("groq", false), ("ovh", false)]);
        assert_eq!(sources.order, ModelOrder::read("gpt-oss-120b").unwrap());
        assert_eq!(sources.keys.len(), 3);
        let lists: Vec<_> = sources
            .lists
            .iter()
            .map(|at| {
                let ways = at.ways.iter().map(|way| {
                    let key = way
                        .shown
                        .as_ref()
                        .map_or("no key", |(_, value)| value.to_str().unwrap());
                    format!("{} {key}", way.url)
                });
                (at.provider.as_str(), ways.collect::<Vec<_>>())
            })
            .collect();
        let groq = |key: &str| format!("https://api.groq.com/openai/v1/models Bearer {key}");
        assert_eq!(
            lists,
            [
                (
                    "groq",
                    vec![groq("gsk_first0123456789"), groq("gsk_second0123456789")]
                ),
                (
                    "ovh",
                    vec![
                        "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1/models no key".to_owned()
                    ]
                ),
            ]
        );
    }
}
