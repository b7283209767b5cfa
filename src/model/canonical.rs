//! One model, many names: the key that its ids have in common (spec §10.2).
//!
//! Ids of one model differ by vendor, case, quantisation and punctuation; a rule removes that, and
//! a table lists the few twins that no rule finds, and how a key is displayed. Pure. Capabilities
//! are never looked up by key: twins are the same weights, not the same service.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The table, keyed by what the rule makes of each spelling.
static TABLE: LazyLock<HashMap<String, &'static str>> =
    LazyLock::new(|| table(include_str!("canonical.txt")));

/// A longer name is not a real id, and is not taken apart.
const LONGEST: usize = 256;

/// How weights are stored, which does not change which weights they are.
const FORMS: [&str; 5] = ["fp8", "fp4", "bf16", "awq", "nvfp4"];

/// The key of the model with this id, at any provider. A key is its own key.
pub(super) fn key(id: &str) -> String {
    let whole = id.to_ascii_lowercase();
    if id.len() > LONGEST {
        return whole;
    }
    let leaf = leaf(&whole);
    // A spelling that the table keeps as it is, before any words are removed.
    if let Some(shown) = TABLE.get(&squeezed(&leaf)) {
        return (*shown).to_owned();
    }
    let normal = normal(&leaf);
    match TABLE.get(&normal) {
        Some(shown) => (*shown).to_owned(),
        // Nothing is left of it: it is like no other.
        None if normal.is_empty() => whole,
        None => normal,
    }
}

fn table(text: &'static str) -> HashMap<String, &'static str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let models = lines.filter_map(|line| line.split_once(':'));
    models
        .flat_map(|(shown, others)| {
            let others = others.split(',').map(str::trim).filter(|s| !s.is_empty());
            std::iter::once(shown)
                .chain(others)
                .map(move |spelling| (squeezed(spelling), shown))
        })
        .collect()
}

/// The id without vendor, price and tag, with unified punctuation.
fn leaf(id: &str) -> String {
    let mut leaf = id.rsplit('/').next().unwrap_or_default();
    while let Some(shorter) = [":free", "-free", ":latest"]
        .iter()
        .find_map(|end| leaf.strip_suffix(end))
    {
        leaf = shorter;
    }
    leaf.replace(':', "-").replace('_', ".")
}

/// Removes words that say nothing about the weights, until there are none.
fn normal(leaf: &str) -> String {
    let mut normal = leaf.to_owned();
    // Each round shortens it, or is the last.
    loop {
        let next = squeezed(&without_words(&normal));
        if next == normal {
            return normal;
        }
        normal = next;
    }
}

fn without_words(leaf: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut after_form = false;
    let mut words = leaf.split('-').peekable();
    while let Some(word) = words.next() {
        let is_form = FORMS.contains(&word);
        let maker = (word == "meta" && words.peek() == Some(&"llama"))
            || (word == "nvidia" && words.peek() == Some(&"nemotron"));
        let says_nothing = matches!(word, "instruct" | "it") || (after_form && word == "fast");
        if !(is_form || says_nothing || maker && kept.is_empty()) {
            kept.push(word);
        }
        after_form = is_form;
    }
    let joined = kept.join("-");
    // What is left of a price that preceded such a word.
    joined.strip_suffix("-free").unwrap_or(&joined).to_owned()
}

/// `gemma-4` becomes `gemma4`, and `4-8` becomes `4.8`; a `-` before a size or a date is kept, so
/// that keys stay readable.
fn squeezed(leaf: &str) -> String {
    let mut out = String::with_capacity(leaf.len());
    for (at, word) in leaf.split('-').enumerate() {
        let before = out.chars().last();
        let digit = word.starts_with(|c: char| c.is_ascii_digit());
        if at > 0 {
            match before {
                Some(c) if digit && !is_size_or_date(word) && c.is_ascii_digit() => out.push('.'),
                Some(c) if digit && !is_size_or_date(word) && c.is_ascii_alphabetic() => {}
                Some(_) | None => out.push('-'),
            }
        }
        out.push_str(word);
    }
    out
}

/// `120b`, `0.6b`, `270m`; `2603`, `20250514`.
fn is_size_or_date(word: &str) -> bool {
    let number = word.strip_suffix(['b', 'm']);
    let figure = |c: char| c.is_ascii_digit() || c == '.';
    number.is_some_and(|number| number.chars().all(figure))
        || (word.len() >= 4 && word.chars().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
