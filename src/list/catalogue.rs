//! The upstream's own catalogue of models (`docs/upstream.md` §8; spec §2.3): it fills in the flags
//! that the ranking leaves open, is the second source of models, and says what is known of a model
//! elsewhere by its key: its quality, and facts that no closer source provides (spec §10.3, §10.7).
//!
//! Pure.

use std::collections::HashMap;
use std::time::SystemTime;

use super::chat_models::is_past;
use super::facts::{Facts, words};
use super::provider_list::amount;
use super::quality::{Qualities, Quality};
use crate::answer::without_mark;
use crate::json::{self, Kind, Raw};
use crate::model::{CanonicalKey, Capability, ModelId, Offer};

/// The contents of a valid catalogue.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    entries: HashMap<ModelId, Facts>,
    /// The free models, best first.
    free: Vec<Offer>,
    /// What it says about a model, whatever its id: from the paid row, if there is one.
    twins: HashMap<CanonicalKey, (Facts, bool)>,
    /// The quality of models, including paid ones.
    qualities: Qualities,
}

/// Why a catalogue is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// It is not JSON.
    #[error("the catalogue is {0}")]
    Json(json::Error),
    /// It is JSON without an array `data`.
    #[error("the catalogue is not an object with an array \"data\"")]
    Shape,
}

impl Catalogue {
    /// Reads a catalogue; invalid entries are skipped.
    ///
    /// # Errors
    /// When it is not a catalogue at all.
    pub fn read(body: &[u8], now: SystemTime) -> Result<Self, CatalogueError> {
        let body = Raw::parse(without_mark(body), json::MAX_DEPTH).map_err(CatalogueError::Json)?;
        let data = body
            .get("data")
            .filter(|d| d.kind() == Kind::Array)
            .ok_or(CatalogueError::Shape)?;
        let mut catalogue = Self::default();
        let mut free = Vec::new();
        for row in data.elements() {
            let Some(id) = row
                .get("id")
                .and_then(Raw::as_str)
                .and_then(|id| ModelId::try_from(&*id).ok())
            else {
                continue;
            };
            let entry = Facts::of(row);
            catalogue.note_twin(&id, entry, row);
            if is_free(&id, row, now) {
                free.push((
                    id.clone(),
                    entry,
                    row.get("name").and_then(Raw::as_str).map(Into::into),
                ));
            }
            catalogue.entries.insert(id, entry);
        }
        // Those with tools first, then the larger context, then by id.
        free.sort_by(|(a, x, _), (b, y, _)| {
            let tools = |entry: &Facts| !entry.capabilities.has(Capability::Tools);
            (tools(x), std::cmp::Reverse(x.context_length), a).cmp(&(
                tools(y),
                std::cmp::Reverse(y.context_length),
                b,
            ))
        });
        free.dedup_by(|(a, ..), (b, ..)| a == b);
        catalogue.free = (1..)
            .zip(free)
            .map(|(rank, (id, entry, name))| Offer {
                rank: Some(rank),
                name,
                context_length: entry.context_length,
                capabilities: entry.capabilities,
                ..Offer::at_openrouter(id)
            })
            .collect();
        Ok(catalogue)
    }

    /// Drops what contains one of our keys.
    pub fn drop_secrets(&mut self, is_secret: impl Fn(&str) -> bool) {
        self.free.retain_mut(|offer| offer.drop_secrets(&is_secret));
    }

    /// Notes what a row says about its model, wherever that is offered. The paid row describes the
    /// model fully, a free one also shows what is withheld; of equals the first counts.
    fn note_twin(&mut self, id: &ModelId, facts: Facts, row: Raw<'_>) {
        let key = CanonicalKey::of(id.as_str());
        let is_free = id.is_named_free();
        if let Some(quality) = row.get("benchmarks").map(Quality::read)
            && !quality.is_unknown()
        {
            let known = self.qualities.entry(key.clone()).or_default();
            *known = known.or(quality);
        }
        let known = self.twins.entry(key).or_insert((facts, is_free));
        if known.1 && !is_free {
            *known = (facts, is_free);
        }
    }

    /// What it says about the model with that id.
    #[must_use]
    pub fn facts(&self, id: &ModelId) -> Option<Facts> {
        self.entries.get(id).copied()
    }

    /// What it says about that model, under any id.
    #[must_use]
    pub fn facts_of_twin(&self, key: &CanonicalKey) -> Option<Facts> {
        self.twins.get(key).map(|(facts, _)| *facts)
    }

    /// The quality of models.
    #[must_use]
    pub fn qualities(&self) -> &Qualities {
        &self.qualities
    }

    /// Fills in what is unknown of a model.
    pub fn fill_in(&self, model: &mut Offer) {
        if let Some(entry) = self.entries.get(&model.id) {
            model.capabilities = model.capabilities.or(entry.capabilities);
            model.context_length = model.context_length.or(entry.context_length);
        }
    }

    /// Whether it has a model.
    #[must_use]
    pub fn has(&self, id: &ModelId) -> bool {
        self.entries.contains_key(id)
    }

    /// The free models, used when there is no ranking.
    #[must_use]
    pub fn free_models(&self) -> &[Offer] {
        &self.free
    }
}

fn is_free(id: &ModelId, row: Raw<'_>, now: SystemTime) -> bool {
    let outputs = row
        .get("architecture")
        .and_then(|a| a.get("output_modalities"))
        .map(words);
    let writes = outputs.is_some_and(|outputs| outputs.iter().any(|word| word == "text"));
    let prices = row.get("pricing").into_iter().flat_map(Raw::members);
    let costs_nothing = prices
        .filter(|(name, _)| name != "discount")
        .filter_map(|(_, price)| amount(price))
        .all(|p| p == 0.0);
    let expired = row
        .get("expiration_date")
        .is_some_and(|date| is_past(date, now));
    id.is_named_free() && writes && costs_nothing && !expired
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Capabilities;

    /// 2026-10-02
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_942_400)
    }

    fn row(id: &str, more: &str) -> String {
        format!(
            r#"{{"id":"{id}","context_length":1000,"architecture":{{"input_modalities":["text"],"output_modalities":["text"]}},
            "pricing":{{"prompt":"0","completion":"0.0"}},"supported_parameters":["tools","seed"]{more}}}"#
        )
    }

    fn read(rows: &[String]) -> Catalogue {
        Catalogue::read(
            format!(r#"{{"data":[{}]}}"#, rows.join(",")).as_bytes(),
            now(),
        )
        .unwrap()
    }

    fn free(rows: &[String]) -> String {
        read(rows)
            .free_models()
            .iter()
            .map(|m| m.id.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn s2_3_the_second_source_has_the_free_models_that_write_text() {
        #[rustfmt::skip]
        let rows = [
            (row("a:free", ""),                                                        "a:free"),
            (row("a", ""),                                                             ""),
            (row("a:free", r#","pricing":{"prompt":"0","request":"0.001"}"#),          ""),
            (row("a:free", r#","pricing":{"prompt":"0E-10","discount":0.5,"overrides":[]}"#), "a:free"),
            (row("a:free", r#","pricing":{"prompt":0,"completion":0.0}"#),             "a:free"),
            (row("a:free", r#","expiration_date":"2026-10-01""#),                      ""),
            (row("a:free", r#","expiration_date":"2026-10-31""#),                      "a:free"),
            (row("a:free", r#","expiration_date":null"#),                              "a:free"),
            (row("a:free", r#","architecture":{"output_modalities":["image"]}"#),      ""),
            (row("a:free", r#","architecture":{}"#),                                   ""),
            (row("a\\n:free", ""),                                                     ""),
            ("7".to_owned(),                                                           ""),
        ];
        for (row, expected) in rows {
            assert_eq!(free(std::slice::from_ref(&row)), expected, "{row}");
        }
    }

    #[test]
    fn s2_3_tools_first_then_the_larger_context_then_the_id() {
        let no_tools = r#","supported_parameters":["seed"]"#;
        let rows = [
            row("d:free", no_tools),
            row("c:free", r#","context_length":2000"#),
            row("b:free", ""),
            row("a:free", ""),
            row("e:free", &format!(r#"{no_tools},"context_length":9000"#)),
        ];
        assert_eq!(free(&rows), "c:free a:free b:free e:free d:free");
    }

    #[test]
    fn s2_3_unknown_flags_are_filled_in_and_known_ones_stay() {
        let catalogue = read(&[row("a:free", r#","top_provider":{"context_length":800}"#)]);
        let mut model = Offer::at_openrouter(ModelId::try_from("a:free").unwrap());
        model.capabilities.set(Capability::Seed, Some(false));
        catalogue.fill_in(&mut model);
        assert_eq!(model.context_length, Some(800));
        for (capability, expected) in [
            (Capability::Tools, Some(true)),
            (Capability::Seed, Some(false)),
            (Capability::Stop, Some(false)),
            (Capability::Images, Some(false)),
        ] {
            assert_eq!(
                model.capabilities.get(capability),
                expected,
                "{capability:?}"
            );
        }
        let silent = read(&[row(
            "a:free",
            r#","supported_parameters":[],"architecture":{}"#,
        )]);
        let mut model = Offer {
            capabilities: Capabilities::default(),
            ..model
        };
        silent.fill_in(&mut model);
        assert_eq!(
            model.capabilities,
            Capabilities::default(),
            "an empty list says nothing"
        );
    }

    #[test]
    fn s2_3_an_invalid_catalogue_is_an_error() {
        for (body, expected) in [
            ("<html>", "the catalogue is not valid JSON at byte 0"),
            (
                "{}",
                "the catalogue is not an object with an array \"data\"",
            ),
        ] {
            assert_eq!(
                Catalogue::read(body.as_bytes(), now())
                    .unwrap_err()
                    .to_string(),
                expected
            );
        }
    }

    #[test]
    fn s10_3_quality_is_found_by_key_in_paid_rows_too() {
        let judged = |figures: &str| {
            format!(r#","benchmarks":{{"artificial_analysis":{{{figures}}},"design_arena":[]}}"#)
        };
        let catalogue = read(&[
            row("openai/gpt-oss-120b:free", ""),
            row(
                "openai/gpt-oss-120b",
                &judged(r#""intelligence_index":33.0,"coding_index":28.5"#),
            ),
            row(
                "vendor/gpt-oss-120b",
                &judged(r#""intelligence_index":1.0,"agentic_index":36.0"#),
            ),
            row(
                "google/gemini-3.5-flash",
                &judged(r#""intelligence_index":50.5"#),
            ),
            row("a:free", &judged("")),
        ]);
        let found = |key: &str| {
            let quality = catalogue.qualities().get(key)?;
            Some([quality.intelligence, quality.coding, quality.agentic])
        };
        #[rustfmt::skip]
        let rows = [
            ("gpt-oss-120b",     Some([Some(33.0), Some(28.5), Some(36.0)])),
            ("gemini-3.5-flash", Some([Some(50.5), None, None])),
            ("a",                None),
        ];
        for (key, expected) in rows {
            assert_eq!(found(key), expected, "{key}");
        }
    }

    #[test]
    fn s10_7_facts_of_a_twin_come_from_its_paid_row() {
        let with = |context: u64| format!(r#","context_length":{context}"#);
        let catalogue = read(&[
            row("openai/gpt-oss-120b:free", &with(10)),
            row("openai/gpt-oss-120b", &with(20)),
            row("other/gpt-oss-120b", &with(30)),
            row("b:free", &with(40)),
        ]);
        let found = |key: &str| {
            let facts = catalogue.facts_of_twin(&CanonicalKey::of(key))?;
            facts.context_length
        };
        assert_eq!(
            [found("gpt-oss:120b"), found("b"), found("c")],
            [Some(20), Some(40), None]
        );
    }
}
