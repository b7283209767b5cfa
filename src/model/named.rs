//! What a name refers to: an offer, a provider, a model at any provider (spec §10.2).
//!
//! Pure. The caller knows wishes and aliases: a name has been looked up there before it gets here.

use std::sync::Arc;

use super::wish::without_latest;
use super::{CanonicalKey, Offer, ProviderId};

/// No public id is longer: 32 for the provider, a slash, 128 for the id.
const LONGEST: usize = 161;

/// What a name refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// This offer, through any account.
    Offer(Arc<Offer>),
    /// Any offer of this provider.
    Provider(ProviderId),
    /// Any offer of this model.
    Model(CanonicalKey),
    /// Nothing that is offered.
    Unknown,
}

impl Named {
    /// Whether it refers to this offer.
    #[must_use]
    pub fn is(&self, offer: &Offer) -> bool {
        match self {
            Self::Offer(named) => (&named.provider, &named.id) == (&offer.provider, &offer.id),
            Self::Provider(provider) => *provider == offer.provider,
            Self::Model(key) => *key == offer.canonical,
            Self::Unknown => false,
        }
    }
}

/// What a name refers to among these offers. Tried in this order: a public id, `<provider>/auto`,
/// `openrouter/<id>`, a canonical key in any spelling. A trailing `:latest` is ignored.
#[must_use]
pub fn resolve<'a, I>(name: &str, offers: I) -> Named
where
    I: IntoIterator<Item = &'a Arc<Offer>>,
    I::IntoIter: Clone,
{
    let offers = offers.into_iter();
    if name.len() > LONGEST {
        return Named::Unknown;
    }
    // OpenRouter's own ids come first if two public ids are equal: theirs have no prefix.
    let find = |is: &dyn Fn(&Offer) -> bool| {
        let mut found: Vec<_> = offers.clone().filter(|offer| is(offer)).collect();
        found.sort_by_key(|offer| !offer.provider.is_openrouter());
        found.first().map(|offer| Named::Offer(Arc::clone(offer)))
    };
    let cut = without_latest(name);
    let by_public_id = || {
        find(&|offer| offer.public_id.as_str() == name)
            .or_else(|| find(&|offer| without_latest(offer.public_id.as_str()) == cut))
    };
    let of_a_provider = || {
        let provider = ProviderId::try_from(cut.strip_suffix("/auto")?).ok()?;
        let is_there = offers.clone().any(|offer| offer.provider == provider);
        is_there.then_some(Named::Provider(provider))
    };
    let at_openrouter = || {
        let id = cut.strip_prefix("openrouter/")?;
        find(&|offer| offer.provider.is_openrouter() && without_latest(offer.id.as_str()) == id)
    };
    let by_key = || {
        let key = CanonicalKey::of(cut);
        let is_there = offers.clone().any(|offer| offer.canonical == key);
        is_there.then_some(Named::Model(key))
    };
    by_public_id()
        .or_else(of_a_provider)
        .or_else(at_openrouter)
        .or_else(by_key)
        .unwrap_or(Named::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelId;

    fn offer(provider: &str, id: &str) -> Arc<Offer> {
        let provider = ProviderId::try_from(provider).unwrap();
        let id = ModelId::try_from(id).unwrap();
        Arc::new(Offer::at(provider, id))
    }

    fn told(named: &Named) -> String {
        match named {
            Named::Offer(offer) => format!("offer {} {}", offer.provider, offer.id),
            Named::Provider(provider) => format!("provider {provider}"),
            Named::Model(key) => format!("model {key}"),
            Named::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn s10_2_a_name_is_tried_as_each_thing_in_turn() {
        let offers = [
            offer("cohere", "command-a"),
            offer("openrouter", "openai/gpt-oss-20b:free"),
            offer("openrouter", "cohere/command-a"),
            offer("openrouter", "vendor/gpt-oss-120b"),
            offer("groq", "openai/gpt-oss-120b"),
            offer("gemini", "gemini-3.5-flash"),
            offer("local", "qwen3:8b"),
            offer("local", "llama3.2:latest"),
            offer("local", "llama3.2"),
        ];
        let long = "x".repeat(162);
        #[rustfmt::skip]
        let rows = [
            ("auto",                               "unknown"),
            ("groq/auto:fast",                     "unknown"),
            ("openrouter/auto:fast",               "unknown"),
            ("openai/gpt-oss-20b:free",            "offer openrouter openai/gpt-oss-20b:free"),
            ("groq/openai/gpt-oss-120b",           "offer groq openai/gpt-oss-120b"),
            ("gemini/gemini-3.5-flash",            "offer gemini gemini-3.5-flash"),
            ("local/qwen3:8b",                     "offer local qwen3:8b"),
            ("local/qwen3:8b:latest",              "offer local qwen3:8b"),
            ("local/qwen3:8b:LATEST",              "offer local qwen3:8b"),
            ("local/llama3.2:latest",              "offer local llama3.2:latest"),
            ("local/llama3.2",                     "offer local llama3.2"),
            ("cohere/command-a",                   "offer openrouter cohere/command-a"),
            ("groq/auto",                          "provider groq"),
            ("groq/auto:latest",                   "provider groq"),
            ("groq/auto:LATEST",                   "provider groq"),
            ("openrouter/auto",                    "provider openrouter"),
            ("mistral/auto",                       "unknown"),
            ("openrouter/openai/gpt-oss-20b:free", "offer openrouter openai/gpt-oss-20b:free"),
            ("openrouter/cohere/command-a",        "offer openrouter cohere/command-a"),
            ("gpt-oss-120b",                       "model gpt-oss-120b"),
            ("GPT-OSS-120B",                       "model gpt-oss-120b"),
            ("gpt-oss:120b",                       "model gpt-oss-120b"),
            ("gpt-oss-120b:latest",                "model gpt-oss-120b"),
            ("GPT-OSS-120B:LATEST",                "model gpt-oss-120b"),
            ("openai/gpt-oss-120b",                "model gpt-oss-120b"),
            ("openai/gpt-oss-120b:free",           "model gpt-oss-120b"),
            ("qwen3-8b",                           "model qwen3-8b"),
            ("models/gemini-3.5-flash",            "model gemini-3.5-flash"),
            ("gemma-4-31b",                        "unknown"),
            ("",                                   "unknown"),
            ("/auto",                              "unknown"),
            (":latest",                            "unknown"),
            ("модель",                             "unknown"),
            (&long,                                "unknown"),
        ];
        for (name, expected) in rows {
            assert_eq!(told(&resolve(name, &offers)), expected, "{name:?}");
        }
    }

    #[test]
    fn s10_2_a_name_refers_to_its_offers_and_no_others() {
        let groq = offer("groq", "openai/gpt-oss-120b");
        let ovh = offer("ovh", "gpt-oss-120b");
        let other = offer("groq", "qwen/qwen3.8-27b");
        let all = [Arc::clone(&groq), Arc::clone(&ovh), Arc::clone(&other)];
        #[rustfmt::skip]
        let rows = [
            ("groq/openai/gpt-oss-120b", [true,  false, false]),
            ("groq/auto",                [true,  false, true]),
            ("gpt-oss-120b",             [true,  true,  false]),
            ("nothing",                  [false, false, false]),
        ];
        for (name, expected) in rows {
            let named = resolve(name, &all);
            assert_eq!(
                [&groq, &ovh, &other].map(|offer| named.is(offer)),
                expected,
                "{name}"
            );
        }
    }
}
