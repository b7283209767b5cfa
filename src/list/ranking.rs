//! The ranking's JSON (`docs/upstream.md` §12), read with distrust.
//!
//! Pure. One bad entry affects only itself.

use crate::answer::without_mark;
use crate::json::{self, Kind, Raw};
use crate::model::{Capabilities, Capability, ModelId, Offer};

/// The contents of a valid ranking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking {
    /// By rank, best first, no id twice.
    pub models: Vec<Offer>,
    /// The fallback router that it names (spec §2.4).
    pub fallback: Option<Offer>,
    /// Entries that were left out.
    pub skipped: Vec<Skipped>,
}

/// An entry that was left out, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Skipped {
    /// Its place in the list, from 0.
    pub position: usize,
    /// Why.
    pub reason: &'static str,
}

/// Why a whole ranking is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RankingError {
    /// It is not JSON.
    #[error("the list is {0}")]
    Json(json::Error),
    /// It is JSON without an array `models`.
    #[error("the list is not an object with an array \"models\"")]
    Shape,
    /// None of its entries can be used.
    #[error("the list has no usable model ({skipped} skipped)")]
    NoUsableModel {
        /// How many entries there were.
        skipped: usize,
    },
}

impl Ranking {
    /// Reads a ranking. An id that could be billed is left out unless `any_id`
    /// (spec §4.5, §10.7).
    ///
    /// # Errors
    /// When no model can be had from it.
    pub fn read(body: &[u8], any_id: bool) -> Result<Self, RankingError> {
        let list = Raw::parse(without_mark(body), json::MAX_DEPTH).map_err(RankingError::Json)?;
        let entries = list
            .get("models")
            .filter(|m| m.kind() == Kind::Array)
            .ok_or(RankingError::Shape)?;
        let mut models = Vec::new();
        let mut skipped = Vec::new();
        for (position, entry) in entries.elements().enumerate() {
            match read_entry(entry, any_id) {
                Ok(model) => models.push((position, model)),
                Err(reason) => skipped.push(Skipped { position, reason }),
            }
        }
        // Stable: equal ranks keep the list's order.
        models.sort_by_key(|(_, model)| model.rank);
        let mut seen = std::collections::HashSet::new();
        models.retain(|(position, model)| {
            let first = seen.insert(model.id.clone());
            if !first {
                skipped.push(Skipped {
                    position: *position,
                    reason: "the id appears twice in the list",
                });
            }
            first
        });
        if models.is_empty() {
            return Err(RankingError::NoUsableModel {
                skipped: skipped.len(),
            });
        }
        let models: Vec<_> = models.into_iter().map(|(_, model)| model).collect();
        let fallback = list
            .get("fallback")
            .and_then(|fallback| read_fallback(fallback, any_id))
            .filter(|fallback| models.iter().all(|model| model.id != fallback.id));
        Ok(Self {
            models,
            fallback,
            skipped,
        })
    }

    /// Drops what contains one of our keys.
    pub fn drop_secrets(&mut self, is_secret: impl Fn(&str) -> bool) {
        self.models
            .retain_mut(|offer| offer.drop_secrets(&is_secret));
        self.fallback
            .take_if(|offer| !offer.drop_secrets(&is_secret));
    }
}

/// OpenRouter's own router among free models: the only id without `:free` that costs nothing.
const FREE_ROUTER: &str = "openrouter/free";

fn read_fallback(fallback: Raw<'_>, any_id: bool) -> Option<Offer> {
    let id = ModelId::try_from(&*fallback.get("id")?.as_str()?).ok()?;
    let free = id.is_named_free() || id.as_str() == FREE_ROUTER;
    (free || any_id).then(|| Offer::at_openrouter(id))
}

fn read_entry(entry: Raw<'_>, any_id: bool) -> Result<Offer, &'static str> {
    if entry.kind() != Kind::Object {
        return Err("the entry is not an object");
    }
    let id = entry
        .get("id")
        .and_then(Raw::as_str)
        .ok_or("the entry has no id")?;
    let id = ModelId::try_from(id.as_ref()).map_err(|e| match e {
        crate::model::InvalidModelId::Length => "the id is empty or longer than 128 characters",
        crate::model::InvalidModelId::Character => "the id is not allowed in a header or a URL",
    })?;
    let rank = entry
        .get("rank")
        .and_then(Raw::as_integer)
        .ok_or("the entry has no rank that is a whole number")?;
    if !any_id && !id.is_named_free() {
        return Err(
            "the id does not end in :free, so OpenRouter could bill it (ALLOW_PAID is off)",
        );
    }
    let mut capabilities = Capabilities::default();
    for capability in Capability::ALL {
        let flag = capability.flag().and_then(|flag| entry.get(flag));
        capabilities.set(capability, flag.and_then(Raw::as_bool));
    }
    Ok(Offer {
        rank: Some(rank),
        name: entry.get("name").and_then(Raw::as_str).map(Into::into),
        context_length: entry.get("contextLength").and_then(Raw::as_u64),
        capabilities,
        ..Offer::at_openrouter(id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(body: &str, any_id: bool) -> Result<(String, usize), String> {
        let ranking = Ranking::read(body.as_bytes(), any_id).map_err(|e| e.to_string())?;
        let ids: Vec<_> = ranking.models.iter().map(|m| m.id.as_str()).collect();
        Ok((ids.join(" "), ranking.skipped.len()))
    }

    #[test]
    fn s2_a_good_list_is_read_and_one_bad_entry_affects_only_itself() {
        let long = format!(r#"{{"rank":2,"id":"{}:free"}}"#, "x".repeat(200));
        #[rustfmt::skip]
        let rows: &[(&str, &str, usize)] = &[
            (r#"{"rank":2,"id":"b:free"},{"rank":1,"id":"a:free"}"#,                        "a:free b:free", 0),
            (r#"{"rank":1,"id":"b:free"},{"rank":1,"id":"a:free"}"#,                        "b:free a:free", 0),
            (r#"{"rank":1,"id":"a:free","supportsTools":"yes","x":{"y":[]},"score":null}"#, "a:free", 0),
            (r#"{"rank":1,"id":"a:free"},{"rank":2,"id":"a:free"}"#,                        "a:free", 1),
            (r#"{"rank":2,"id":"a:free","name":"second"},{"rank":1,"id":"a:free"}"#,        "a:free", 1),
            (r#"{"rank":1,"id":"a:free"},7"#,                                               "a:free", 1),
            (r#"{"rank":1,"id":"a:free"},null"#,                                            "a:free", 1),
            (r#"{"rank":1,"id":"a:free"},{"rank":2}"#,                                      "a:free", 1),
            (r#"{"rank":1,"id":"a:free"},{"id":"b:free"}"#,                                 "a:free", 1),
            (r#"{"rank":1,"id":"a:free"},{"rank":0,"id":"b:free"}"#,                        "b:free a:free", 0),
            (r#"{"rank":0,"id":"a:free"},{"rank":-5,"id":"b:free"}"#,                       "b:free a:free", 0),
            (r#"{"rank":2.0,"id":"a:free"},{"rank":1e0,"id":"b:free"}"#,                    "b:free a:free", 0),
            (r#"{"rank":1e30,"id":"a:free"},{"rank":-18446744073709551616,"id":"b:free"}"#, "b:free a:free", 0),
            (r#"{"rank":1,"id":"a:free"},{"rank":1.5,"id":"b:free"}"#,                      "a:free", 1),
            (r#"{"rank":1,"id":"a:free"},{"rank":1e999,"id":"b:free"}"#,                    "a:free", 1),
            (r#"{"rank":1,"id":"a:free"},{"rank":"2","id":"b:free"}"#,                      "a:free", 1),
            (r#"{"rank":1,"id":"a:free"},{"rank":2,"id":""}"#,                              "a:free", 1),
            (r#"{"rank":1,"id":"a:free"},{"rank":2,"id":"b\r\nX-Evil: 1:free"}"#,           "a:free", 1),
            (r#"{"rank":1,"id":"a:free"},{"rank":2,"id":"b\u0000:free"}"#,                  "a:free", 1),
        ];
        for (entries, expected, skipped) in rows {
            let body = format!(r#"{{"updatedAt":"x","count":99,"models":[{entries}],"notes":[]}}"#);
            assert_eq!(
                ids(&body, false),
                Ok(((*expected).to_owned(), *skipped)),
                "{entries}"
            );
        }
        let body = format!(r#"{{"models":[{{"rank":1,"id":"a:free"}},{long}]}}"#);
        assert_eq!(ids(&body, false), Ok(("a:free".to_owned(), 1)));
    }

    #[test]
    fn s2_an_unusable_list_says_why() {
        #[rustfmt::skip]
        let rows = [
            ("",                                   "the list is cut short at byte 0"),
            ("<html>",                             "the list is not valid JSON at byte 0"),
            ("[]",                                 "the list is not an object with an array \"models\""),
            ("{}",                                 "the list is not an object with an array \"models\""),
            (r#"{"models":{}}"#,                   "the list is not an object with an array \"models\""),
            (r#"{"models":null}"#,                 "the list is not an object with an array \"models\""),
            (r#"{"models":[]}"#,                   "the list has no usable model (0 skipped)"),
            (r#"{"models":[1,2]}"#,                "the list has no usable model (2 skipped)"),
        ];
        for (body, expected) in rows {
            assert_eq!(ids(body, false), Err(expected.to_owned()), "{body}");
        }
    }

    #[test]
    fn s4_5_an_id_that_could_be_billed_is_left_out_unless_allowed() {
        let body = r#"{"models":[{"rank":1,"id":"openai/gpt-5"},{"rank":2,"id":"a:free"}]}"#;
        assert_eq!(ids(body, false), Ok(("a:free".to_owned(), 1)));
        assert_eq!(ids(body, true), Ok(("openai/gpt-5 a:free".to_owned(), 0)));
    }

    #[test]
    fn s10_6_ids_and_names_with_one_of_our_keys_are_dropped() {
        let body = r#"{"models":[{"rank":1,"id":"a:free","name":"A gsk_0123456789"},{"rank":2,"id":"b/gsk_0123456789:free"},
            {"rank":3,"id":"c:free","name":"C"}],"fallback":{"id":"openrouter/free","name":"gsk_0123456789"}}"#;
        let mut ranking = Ranking::read(body.as_bytes(), false).unwrap();
        ranking.drop_secrets(|text| text.contains("gsk_0123456789"));
        let all = ranking.models.iter().chain(&ranking.fallback);
        let told: Vec<_> = all.map(|m| (m.id.as_str(), m.name.as_deref())).collect();
        let expected = [
            ("a:free", None),
            ("c:free", Some("C")),
            ("openrouter/free", None),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn s2_4_the_fallback_router_is_the_one_the_list_names() {
        #[rustfmt::skip]
        let rows = [
            (r#","fallback":{"id":"openrouter/free","reason":"router"}"#, false, Some("openrouter/free")),
            (r#","fallback":{"id":"b:free"}"#,                            false, Some("b:free")),
            (r#","fallback":{"id":"a:free"}"#,                            false, None),
            (r#","fallback":{"id":"openrouter/auto"}"#,                   false, None),
            (r#","fallback":{"id":"openrouter/auto"}"#,                   true,  Some("openrouter/auto")),
            (r#","fallback":{"id":"a\nb"}"#,                              false, None),
            (r#","fallback":{}"#,                                         false, None),
            (r#","fallback":null"#,                                       false, None),
            (r#","fallback":"openrouter/free""#,                          false, None),
            ("",                                                          false, None),
        ];
        for (fallback, any_id, expected) in rows {
            let body = format!(r#"{{"models":[{{"rank":1,"id":"a:free"}}]{fallback}}}"#);
            let ranking = Ranking::read(body.as_bytes(), any_id).unwrap();
            assert_eq!(
                ranking.fallback.as_ref().map(|m| m.id.as_str()),
                expected,
                "{fallback}"
            );
        }
    }

    #[test]
    fn s2_flags_that_are_absent_are_unknown() {
        let body = r#"{"models":[{"rank":1,"id":"a:free","name":"A","contextLength":131072,"supportsTools":true,"supportsSeed":false}]}"#;
        let model = Ranking::read(body.as_bytes(), false)
            .unwrap()
            .models
            .remove(0);
        assert_eq!(model.capabilities.get(Capability::Tools), Some(true));
        assert_eq!(model.capabilities.get(Capability::Seed), Some(false));
        assert_eq!(model.capabilities.get(Capability::Stop), None);
        assert_eq!(
            (model.name.as_deref(), model.context_length),
            (Some("A"), Some(131_072))
        );
    }

    #[test]
    fn s2_the_recorded_sample_is_read_completely() {
        let body = simulator::TOP_MODELS;
        let ranking = Ranking::read(body.as_bytes(), false).unwrap();
        assert_eq!((ranking.models.len(), ranking.skipped.len()), (6, 0));
        assert_eq!(
            ranking.models[0].id.as_str(),
            "inclusionai/ling-2.6-flash:free"
        );
    }
}
