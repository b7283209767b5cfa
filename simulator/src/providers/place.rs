//! Where on the simulator each provider is: from a path to a provider and what is there.

use super::row::{Document, Provider};
use crate::asked::Asked;
use crate::script::Script;

/// Where a request is addressed to.
pub(crate) struct Place<'a> {
    pub(crate) provider: &'static Provider,
    /// The path at the real provider.
    pub(super) path: &'a str,
    /// The account id in the address.
    pub(super) account_id: Option<&'a str>,
    pub(super) what: What,
}

/// What an address leads to.
#[derive(Clone, Copy)]
pub(super) enum What {
    Chat,
    Legacy,
    List,
    Document(&'static Document),
    Nothing,
}

/// The `{account_id}` in this path, if the path matches the pattern.
fn account_id<'p>(pattern: &str, path: &'p str) -> Option<Option<&'p str>> {
    match pattern.split_once("{account_id}") {
        None => (pattern == path).then_some(None),
        Some((front, back)) => {
            let id = path.strip_prefix(front)?.strip_suffix(back)?;
            (!id.contains('/')).then_some(Some(id))
        }
    }
}

impl<'a> Place<'a> {
    /// The provider at this path, if there is one.
    pub(crate) fn of(path: &'a str, method: &str, script: &Script) -> Option<Self> {
        if let Some(rest) = path.strip_prefix("/providers/") {
            let (name, _) = rest.split_once('/')?;
            let provider =
                Provider::named(name).filter(|provider| !provider.prefix().is_empty())?;
            let path = rest.strip_prefix(name)?;
            return Some(Self::at(provider, path, method));
        }
        // OpenRouter has accounts only if a script defines some.
        if script.providers.contains_key("openrouter") {
            let openrouter = Provider::named("openrouter")?;
            let place = Self::at(openrouter, path, method);
            match place.what {
                What::Chat | What::Legacy | What::Document(_) => return Some(place),
                What::List | What::Nothing => {}
            }
        }
        // Addresses that are not below a base, for the providers in the script.
        let named = |provider: &&Provider| {
            script.providers.is_empty() || script.providers.contains_key(&provider.name)
        };
        let places = Provider::all().iter().filter(named);
        let mut places = places.map(|provider| (provider, Self::at(provider, path, method)));
        places.find_map(|(provider, place)| {
            let below = path.starts_with(&*provider.base) || provider.prefix().is_empty();
            let outside = !below && matches!(place.what, What::List | What::Document(_));
            outside.then_some(place)
        })
    }

    /// The chat request, if this is an address for chat requests.
    pub(crate) fn asked<'b>(&self, body: &'b [u8]) -> Option<Result<Asked<'b>, crate::Failure>> {
        match self.what {
            What::Chat => Some(Asked::read(body)),
            What::Legacy => Some(Asked::read(body).map(Asked::at_the_legacy_endpoint)),
            What::List | What::Document(_) | What::Nothing => None,
        }
    }

    fn at(provider: &'static Provider, path: &'a str, method: &str) -> Self {
        let is = |pattern: &str| account_id(pattern, path);
        let base = |more: &str| format!("{}{more}", provider.base);
        let mut documents = provider.documents.iter();
        let document = documents.find_map(|document| {
            let found = (document.method == method).then(|| is(&document.path))?;
            Some((What::Document(document), found?))
        });
        let chat = is(&base("/chat/completions")).map(|id| (What::Chat, id));
        let legacy = is(&base("/completions")).map(|id| (What::Legacy, id));
        let list = is(&provider.list.path).map(|id| (What::List, id));
        let found = match method {
            "POST" => chat.or(legacy).or(document),
            _ => document.or(list),
        };
        let (what, account_id) = found.unwrap_or((What::Nothing, None));
        Self {
            provider,
            path,
            account_id,
            what,
        }
    }
}
