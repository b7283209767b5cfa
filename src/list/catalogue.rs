//! The upstream's own catalogue of models (`docs/upstream.md` §8; spec §9.4): what fills in the
//! flags that the ranking leaves open, and the second source of models.
//!
//! Pure.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::answer::without_mark;
use crate::json::{self, Kind, Raw};
use crate::model::{Capabilities, Capability, ModelId, Offer};

/// What a good catalogue says.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    entries: HashMap<ModelId, Entry>,
    /// Those that cost nothing, best first.
    free: Vec<Offer>,
}

/// What it says of one model.
#[derive(Clone, Copy, Debug)]
struct Entry {
    capabilities: Capabilities,
    context_length: Option<u64>,
}

/// Why a catalogue is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// It is no JSON.
    #[error("the catalogue is {0}")]
    Json(json::Error),
    /// It is JSON without an array `data`.
    #[error("the catalogue is not an object with an array \"data\"")]
    Shape,
}

impl Catalogue {
    /// Reads a catalogue; entries that make no sense are passed over.
    ///
    /// # Errors
    /// When it is no catalogue at all.
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
            let entry = Entry {
                capabilities: capabilities(row),
                context_length: context_length(row),
            };
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
            let tools = |entry: &Entry| !entry.capabilities.has(Capability::Tools);
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

    /// The free models, for when there is no ranking.
    #[must_use]
    pub fn free_models(&self) -> &[Offer] {
        &self.free
    }
}

/// An empty or absent list of parameters says nothing; one that is there says all.
fn capabilities(row: Raw<'_>) -> Capabilities {
    let mut known = Capabilities::default();
    let words = |list: Option<Raw<'_>>| -> Vec<String> {
        list.into_iter()
            .flat_map(Raw::elements)
            .filter_map(|w| w.as_str().map(Into::into))
            .collect()
    };
    let parameters = words(row.get("supported_parameters"));
    let modalities = words(
        row.get("architecture")
            .and_then(|a| a.get("input_modalities")),
    );
    for capability in Capability::ALL {
        let able = match capability.parameter() {
            Some(parameter) => {
                (!parameters.is_empty()).then(|| parameters.iter().any(|p| p == parameter))
            }
            None if capability == Capability::Images => {
                (!modalities.is_empty()).then(|| modalities.iter().any(|m| m == "image"))
            }
            None => None,
        };
        known.set(capability, able);
    }
    known
}

/// The smaller of the model's own context and its provider's.
fn context_length(row: Raw<'_>) -> Option<u64> {
    let own = row.get("context_length").and_then(Raw::as_u64);
    let provided = row
        .get("top_provider")
        .and_then(|p| p.get("context_length"))
        .and_then(Raw::as_u64);
    own.into_iter().chain(provided).min()
}

fn is_free(id: &ModelId, row: Raw<'_>, now: SystemTime) -> bool {
    let outputs = row
        .get("architecture")
        .and_then(|a| a.get("output_modalities"));
    let writes = outputs
        .into_iter()
        .flat_map(Raw::elements)
        .any(|m| m.as_str().is_some_and(|m| m == "text"));
    let prices = row.get("pricing").into_iter().flat_map(Raw::members);
    let costs_nothing = prices
        .filter(|(name, _)| name != "discount")
        .filter_map(|(_, price)| amount(price))
        .all(|p| p == 0.0);
    let today = crate::clock::rfc3339(now);
    let expired = row
        .get("expiration_date")
        .and_then(Raw::as_str)
        .is_some_and(|date| today.get(..10).is_some_and(|today| &*date < today));
    id.is_named_free() && writes && costs_nothing && !expired
}

/// A price, written as a string or a number (`"0"`, `"0.0"`, `"0E-10"`).
fn amount(price: Raw<'_>) -> Option<f64> {
    price
        .as_f64()
        .or_else(|| price.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

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
    fn s9_4_the_second_source_takes_what_is_free_and_writes_text() {
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
    fn s9_4_tools_first_then_the_larger_context_then_the_id() {
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
    fn s9_4_unknown_flags_are_filled_in_and_known_ones_stay() {
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
    fn s9_4_what_is_no_catalogue_says_so() {
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
}
