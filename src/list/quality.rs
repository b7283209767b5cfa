//! The quality of models, according to published figures (spec §10.3).
//!
//! They come from OpenRouter's catalogue, else from a small built-in extract. Two models are
//! compared on a single index, and nothing is guessed from related models when no figure has been
//! published. Pure.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::LazyLock;

use toml_edit::{Document, Item};

use crate::json::{Kind, Raw};
use crate::model::CanonicalKey;

/// The published figures of one model, 0 to 100 each; larger is better.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quality {
    /// Of everything.
    pub intelligence: Option<f64>,
    /// Of writing code.
    pub coding: Option<f64>,
    /// Of work with tools.
    pub agentic: Option<f64>,
}

/// Figures by model.
pub type Qualities = HashMap<CanonicalKey, Quality>;

impl Quality {
    /// An entry's `benchmarks`, as in the catalogue.
    #[must_use]
    pub fn read(benchmarks: Raw<'_>) -> Self {
        let figures = benchmarks.get("artificial_analysis");
        let figures = figures
            .filter(|figures| figures.kind() == Kind::Object)
            .unwrap_or(benchmarks);
        let [intelligence, coding, agentic] = figures
            .pick(["intelligence_index", "coding_index", "agentic_index"])
            .map(|figure| sane(figure?.as_f64()?));
        Self {
            intelligence,
            coding,
            agentic,
        }
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it can be compared with any other, for requests with tools or without.
    #[must_use]
    pub fn is_known_for(&self, with_tools: bool) -> bool {
        if with_tools {
            !self.is_unknown()
        } else {
            self.intelligence.is_some()
        }
    }

    /// What is known here or else, if unknown, there.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            intelligence: self.intelligence.or(other.intelligence),
            coding: self.coding.or(other.coding),
            agentic: self.agentic.or(other.agentic),
        }
    }

    /// How it compares, on the first index for the purpose that both have; `None` if there is none.
    #[must_use]
    pub fn compare(&self, other: &Self, with_tools: bool) -> Option<Ordering> {
        let on = |index: fn(&Self) -> Option<f64>| Some(index(self)?.total_cmp(&index(other)?));
        let for_tools = || on(|q| q.agentic).or_else(|| on(|q| q.coding));
        let tools = if with_tools { for_tools() } else { None };
        tools.or_else(|| on(|q| q.intelligence))
    }
}

/// The built-in extract; empty if it were unreadable, which a test rules out.
pub static BUILT_IN: LazyLock<Qualities> =
    LazyLock::new(|| extract(include_str!("quality.toml")).unwrap_or_default());

/// Reads an extract.
///
/// # Errors
/// In words, at the first invalid member.
pub fn extract(text: &str) -> Result<Qualities, String> {
    let document = Document::parse(text).map_err(|error| error.message().to_owned())?;
    for known in ["read", "source"] {
        if !document.get(known).is_some_and(Item::is_str) {
            return Err(format!("{known} is missing"));
        }
    }
    let models = document.get("models").and_then(Item::as_table);
    let models = models.ok_or("[models] is missing")?;
    let mut qualities = Qualities::new();
    for (key, figures) in models.iter() {
        let figures = figures.as_table_like();
        let figures = figures.ok_or_else(|| format!("{key} is not a table"))?;
        let mut quality = Quality::default();
        for (index, figure) in figures.iter() {
            let slot = match index {
                "intelligence_index" => &mut quality.intelligence,
                "coding_index" => &mut quality.coding,
                "agentic_index" => &mut quality.agentic,
                _ => return Err(format!("{key}: {index} is not an index")),
            };
            let number = figure.as_float().and_then(sane);
            *slot = Some(number.ok_or_else(|| format!("{key}: {index} is not 0.0 to 100.0"))?);
        }
        let canonical = CanonicalKey::of(key);
        if canonical.as_str() != key {
            return Err(format!("{key} is not a canonical key"));
        }
        qualities.insert(canonical, quality);
    }
    Ok(qualities)
}

fn sane(figure: f64) -> Option<f64> {
    (0.0..=100.0).contains(&figure).then_some(figure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::MAX_DEPTH;

    fn read(benchmarks: &str) -> [Option<f64>; 3] {
        let quality = Quality::read(Raw::parse(benchmarks.as_bytes(), MAX_DEPTH).unwrap());
        [quality.intelligence, quality.coding, quality.agentic]
    }

    #[test]
    fn s10_3_figures_are_read_where_they_make_sense() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"artificial_analysis":{"intelligence_index":33.5,"coding_index":28,"agentic_index":41.25},"design_arena":[{"elo":1200}]}"#,
             [Some(33.5), Some(28.0), Some(41.25)]),
            (r#"{"artificial_analysis":{"intelligence_index":33.5,"coding_index":null}}"#, [Some(33.5), None, None]),
            (r#"{"intelligence_index":7,"agentic_index":0}"#,                               [Some(7.0), None, Some(0.0)]),
            (r#"{"artificial_analysis":null}"#,                                             [None; 3]),
            (r#"{"artificial_analysis":{"intelligence_index":"33"}}"#,                      [None; 3]),
            (r#"{"artificial_analysis":{"intelligence_index":-1,"coding_index":1e30,"agentic_index":1e999}}"#, [None; 3]),
            ("{}",   [None; 3]),
            ("[]",   [None; 3]),
            ("null", [None; 3]),
        ];
        for (benchmarks, expected) in rows {
            assert_eq!(read(benchmarks), expected, "{benchmarks}");
        }
    }

    #[test]
    fn s10_3_two_models_are_compared_on_one_index() {
        use Ordering::{Equal, Greater, Less};
        let q = |intelligence, coding, agentic| Quality {
            intelligence,
            coding,
            agentic,
        };
        let (lo, hi) = (Some(10.0), Some(20.0));
        #[rustfmt::skip]
        let rows = [
            // one                  other                 with tools      without
            (q(lo, lo, hi),        q(hi, hi, lo),        Some(Greater),  Some(Less)),
            (q(lo, hi, None),      q(hi, lo, hi),        Some(Greater),  Some(Less)),
            (q(lo, None, hi),      q(hi, hi, None),      Some(Less),     Some(Less)),
            (q(None, hi, hi),      q(hi, lo, lo),        Some(Greater),  None),
            (q(hi, None, None),    q(hi, lo, lo),        Some(Equal),    Some(Equal)),
            (q(None, None, hi),    q(None, hi, None),    None,           None),
            (q(None, None, None),  q(hi, hi, hi),        None,           None),
        ];
        for (one, other, with, without) in rows {
            assert_eq!(
                (one.compare(&other, true), one.compare(&other, false)),
                (with, without),
                "{one:?} {other:?}"
            );
        }
    }

    #[test]
    fn s10_3_the_extract_that_is_built_in_can_be_read() {
        let read = extract(include_str!("quality.toml")).unwrap();
        assert_eq!(read.len(), BUILT_IN.len());
    }

    #[test]
    fn s10_3_an_extract_says_what_is_wrong_with_it() {
        let head = "read = \"2026-11-29\"\nsource = \"x\"\n[models]\n";
        #[rustfmt::skip]
        let rows = [
            ("\"gpt-oss-120b\" = { intelligence_index = 1.5, agentic_index = 2.5 }", Ok(Some(1.5))),
            ("[models.\"gpt-oss-120b\"]\nintelligence_index = 1.5",                  Ok(Some(1.5))),
            ("",                                                                     Ok(None)),
            ("\"gpt-oss-120b\" = { elo = 1.5 }",                                     Err("gpt-oss-120b: elo is not an index")),
            ("\"gpt-oss-120b\" = { coding_index = 101.0 }",                          Err("gpt-oss-120b: coding_index is not 0.0 to 100.0")),
            ("\"gpt-oss-120b\" = { coding_index = nan }",                            Err("gpt-oss-120b: coding_index is not 0.0 to 100.0")),
            ("\"openai/gpt-oss-120b\" = { coding_index = 1.0 }",                     Err("openai/gpt-oss-120b is not a canonical key")),
            ("\"gpt-oss-120b\" = 7",                                                 Err("gpt-oss-120b is not a table")),
        ];
        for (models, expected) in rows {
            let read = extract(&format!("{head}{models}"));
            let found = read.map(|all| all.get("gpt-oss-120b").and_then(|q| q.intelligence));
            assert_eq!(found, expected.map_err(str::to_owned), "{models}");
        }
        assert_eq!(extract("read = \"x\"").unwrap_err(), "source is missing");
        assert_eq!(
            extract("read = \"x\"\nsource = \"y\"").unwrap_err(),
            "[models] is missing"
        );
    }
}
