//! A provider as its file describes it: addresses, keys, list, refusals, answers.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::accounts::Account;
use super::answer::Told;
use super::limit::{Limit, Per, Unit};
use super::odd::Odd;
use super::refusal::{Checked, Keywords, Knows, Refusal};

/// One provider. Paths are those of the real address, without its host.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provider {
    pub(crate) name: String,
    /// The path of the base; `{account_id}` in it is the account's.
    pub(crate) base: String,
    /// Its accounts, unless a script says otherwise.
    pub(crate) accounts: Vec<Account>,
    /// A header that may carry the key instead of `Authorization`.
    #[serde(default)]
    pub(crate) key_header: Option<String>,
    /// The answer to an unknown key and, unless that differs, to a missing one.
    pub(crate) key_refused: Told,
    #[serde(default)]
    pub(crate) key_missing: Option<Told>,
    /// The answer to a key at the address of another account.
    #[serde(default)]
    pub(crate) wrong_account: Option<Told>,
    pub(crate) list: List,
    /// Where a key is tested, if not at the list.
    #[serde(default)]
    pub(crate) key_test: Option<String>,
    #[serde(default)]
    pub(crate) documents: Vec<Document>,
    /// The answer for a model that is not on the list.
    pub(crate) no_model: Told,
    /// The answer at the legacy endpoint, if there is none.
    #[serde(default)]
    pub(crate) no_legacy: Option<Told>,
    #[serde(default)]
    pub(crate) knows: Option<Knows>,
    #[serde(default)]
    pub(crate) refuses: Vec<Refusal>,
    #[serde(default)]
    pub(crate) keywords: Option<Keywords>,
    #[serde(default)]
    pub(crate) checks: Vec<Checked>,
    /// The answer beyond a limit: the first row that matches.
    #[serde(default)]
    pub(crate) over: Vec<Over>,
    /// The answer to a request that no window can ever fit.
    #[serde(default)]
    pub(crate) too_large: Option<Told>,
    /// Which limits are stated in the headers of every answer.
    #[serde(default)]
    pub(crate) states: Vec<Stating>,
    /// The usual limits (reference `free-providers.md` §4), for accounts that use them.
    #[serde(default)]
    pub(crate) limits: Vec<Limit>,
    #[serde(default)]
    pub(crate) odd: Vec<Odd>,
    /// `max_tokens` counts towards its token limits.
    #[serde(default)]
    pub(crate) counts_max_tokens: bool,
    /// Where an answer is cut if its request has no `max_tokens`.
    #[serde(default)]
    pub(crate) cuts_at_tokens: Option<usize>,
}

/// The list of models.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct List {
    pub(crate) path: String,
    /// It is available without a key, and with a dead one.
    #[serde(default)]
    pub(crate) public: bool,
    /// The document around the entries.
    #[serde(default = "openai_list")]
    pub(crate) around: Map<String, Value>,
    /// The member of it that contains them.
    #[serde(default = "data")]
    pub(crate) member: String,
    /// The member of an entry with the id, and the prefix of the id in it.
    #[serde(default = "id")]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) before_id: String,
    pub(crate) entries: Vec<Value>,
}

fn openai_list() -> Map<String, Value> {
    Map::from_iter([("object".to_owned(), json!("list"))])
}

fn data() -> String {
    "data".to_owned()
}

fn id() -> String {
    "id".to_owned()
}

impl List {
    /// The entries, where a bare id becomes an entry like the first of the file.
    pub(crate) fn shaped(&self, entries: &[Value]) -> Vec<Value> {
        let shape = |entry: &Value| match (entry.as_str(), self.entries.first()) {
            (Some(id), Some(first)) => {
                let mut entry = first.clone();
                entry[&self.id] = json!(format!("{}{id}", self.before_id));
                entry
            }
            _ => entry.clone(),
        };
        entries.iter().map(shape).collect()
    }

    /// The ids under which the entries are requested.
    pub(crate) fn ids<'e>(&'e self, entries: &'e [Value]) -> impl Iterator<Item = &'e str> {
        entries.iter().filter_map(|entry| {
            let id = entry[&self.id].as_str()?;
            Some(id.strip_prefix(&self.before_id).unwrap_or(id))
        })
    }

    pub(crate) fn document(&self, entries: Vec<Value>) -> Value {
        let mut document = self.around.clone();
        document.insert(self.member.clone(), Value::Array(entries));
        Value::Object(document)
    }
}

/// Another document of the provider.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    #[serde(default = "get")]
    pub(crate) method: String,
    pub(crate) path: String,
    /// It requires a valid key.
    #[serde(default)]
    pub(crate) with_key: bool,
    /// The document; or one per `model` named in the request's body.
    #[serde(default)]
    pub(crate) body: Value,
    #[serde(default)]
    pub(crate) of_model: Option<Map<String, Value>>,
}

fn get() -> String {
    "GET".to_owned()
}

/// The answer beyond a limit of this unit and window; of any if it names none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Over {
    #[serde(default)]
    pub(crate) unit: Option<Unit>,
    #[serde(default)]
    pub(crate) per: Option<Per>,
    pub(crate) answer: Told,
}

/// The headers that state a limit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stating {
    pub(crate) unit: Unit,
    pub(crate) per: Per,
    /// Whether it is a limit per model; either kind if absent.
    #[serde(default)]
    pub(crate) of_model: Option<bool>,
    pub(crate) limit: String,
    pub(crate) remaining: String,
    #[serde(default)]
    pub(crate) reset: Option<String>,
    #[serde(default)]
    pub(crate) form: Form,
}

/// The format of a reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Form {
    /// Go's format for durations: `2m59.56s`.
    #[default]
    Go,
    /// In decimal seconds.
    Seconds,
    /// As epoch seconds.
    Epoch,
}

impl Provider {
    /// Where on the simulator its paths are.
    pub(crate) fn prefix(&self) -> String {
        match self.name.as_str() {
            // It kept its place when the others were added.
            "openrouter" => String::new(),
            name => format!("/providers/{name}"),
        }
    }

    /// All providers.
    pub(crate) fn all() -> &'static [Self] {
        static ALL: LazyLock<Vec<Provider>> = LazyLock::new(|| {
            // A test reads every file; there is nothing to report the error to here.
            let rows = FILES.iter();
            rows.filter_map(|text| serde_json::from_str(text).ok())
                .collect()
        });
        &ALL
    }

    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        Self::all().iter().find(|provider| provider.name == name)
    }
}

/// Where a provider is on the simulator; `{account_id}` is a placeholder for the account's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The address to which `/chat/completions` is appended.
    pub base_url: String,
    /// Its list of models.
    pub list_url: String,
    /// Where a key is tested.
    pub key_test_url: String,
}

/// The addresses of a provider on the simulator at `origin` (`http://127.0.0.1:1234`). The paths
/// are the real ones, below `/providers/<name>`; those that are not below the base at the real
/// provider are also available without that prefix, as a row keeps them when only the base is
/// overridden (spec §10.1).
#[must_use]
pub fn addresses(origin: &str, provider: &str) -> Option<Addresses> {
    let row = Provider::named(provider)?;
    let at = |path: &str| format!("{origin}{}{path}", row.prefix());
    Some(Addresses {
        base_url: at(&row.base),
        list_url: at(&row.list.path),
        key_test_url: at(row.key_test.as_ref().unwrap_or(&row.list.path)),
    })
}

/// The names of all providers.
pub fn provider_names() -> impl Iterator<Item = &'static str> {
    Provider::all().iter().map(|provider| &*provider.name)
}

const FILES: &[&str] = &[
    include_str!("../../providers/openrouter.json"),
    include_str!("../../providers/gemini.json"),
    include_str!("../../providers/groq.json"),
    include_str!("../../providers/nvidia.json"),
    include_str!("../../providers/cloudflare.json"),
    include_str!("../../providers/zai.json"),
    include_str!("../../providers/requesty.json"),
    include_str!("../../providers/kilo.json"),
    include_str!("../../providers/ovh.json"),
    include_str!("../../providers/mistral.json"),
    include_str!("../../providers/cohere.json"),
    include_str!("../../providers/cerebras.json"),
    include_str!("../../providers/ollama.json"),
    include_str!("../../providers/llm7.json"),
    include_str!("../../providers/huggingface.json"),
    include_str!("../../providers/vercel.json"),
    include_str!("../../providers/siliconflow.json"),
    include_str!("../../providers/modelscope.json"),
    include_str!("../../providers/llmgateway.json"),
    include_str!("../../providers/local.json"),
    include_str!("../../providers/llamacpp.json"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_read() {
        for text in FILES {
            let row: Result<Provider, _> = serde_json::from_str(text);
            let name = text.split('"').nth(3).unwrap();
            assert_eq!(row.map(|row| row.name).unwrap(), name, "{name}");
        }
        assert_eq!(Provider::all().len(), FILES.len());
    }

    #[test]
    fn s10_1_addresses_keep_the_paths_of_the_real_ones() {
        #[rustfmt::skip]
        let rows = [
            ("openrouter", "/api/v1",                                                           "/api/v1/models",                                                               "/api/v1/key"),
            ("groq",       "/providers/groq/openai/v1",                                         "/providers/groq/openai/v1/models",                                             "/providers/groq/openai/v1/models"),
            ("gemini",     "/providers/gemini/v1beta/openai",                                   "/providers/gemini/v1beta/openai/models",                                       "/providers/gemini/v1beta/openai/models"),
            ("cloudflare", "/providers/cloudflare/client/v4/accounts/{account_id}/ai/v1",       "/providers/cloudflare/client/v4/accounts/{account_id}/ai/models/search",       "/providers/cloudflare/client/v4/user/tokens/verify"),
            ("kilo",       "/providers/kilo/api/gateway",                                       "/providers/kilo/api/gateway/models",                                           "/providers/kilo/api/gateway/models"),
        ];
        for (name, base, list, key_test) in rows {
            let told = addresses("http://x", name).unwrap();
            let told = [told.base_url, told.list_url, told.key_test_url];
            assert_eq!(
                told,
                [base, list, key_test].map(|path| format!("http://x{path}"))
            );
        }
        assert_eq!(addresses("http://x", "nobody"), None);
    }
}
