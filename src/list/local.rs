//! What the user's own server says about a single model (spec §10.1): Ollama's `/api/show`,
//! llama.cpp's `/props`.
//!
//! Pure. vLLM gives its window in the list itself.

use super::facts::{Facts, tokens, words};
use crate::json::{self, Raw};
use crate::model::{Capabilities, Capability};

/// What Ollama's `POST /api/show` says about a model; `None` if it is not such an answer.
///
/// The window is the one in use, `num_ctx`. The length in `model_info` is what the model was
/// trained for: without a `num_ctx` Ollama silently cuts prompts to far less, so that alone is not
/// a window.
#[must_use]
pub fn of_ollama_show(body: &[u8]) -> Option<Facts> {
    let body = Raw::parse(body, json::MAX_DEPTH).ok()?;
    let [parameters, info, capabilities] = body.pick(["parameters", "model_info", "capabilities"]);
    let parameters = parameters.and_then(Raw::as_str);
    if parameters.is_none() && info.is_none() && capabilities.is_none() {
        return None;
    }
    let lines = parameters.iter().flat_map(|text| text.lines());
    let served = lines
        .filter_map(|line| line.trim().strip_prefix("num_ctx"))
        .filter_map(|number| number.trim().trim_matches('"').parse().ok())
        .rfind(|tokens| (1..=1_000_000_000).contains(tokens));
    let trained = info
        .into_iter()
        .flat_map(Raw::members)
        .filter(|(name, _)| name.ends_with(".context_length"))
        .find_map(|(_, value)| tokens(value));
    Some(Facts {
        context_length: served.map(|served: u64| served.min(trained.unwrap_or(served))),
        max_output: None,
        capabilities: capabilities.map_or_else(Capabilities::default, of_words),
    })
}

/// Its list of words is complete: what is not in it is not supported.
fn of_words(list: Raw<'_>) -> Capabilities {
    let words = words(list);
    let mut able = Capabilities::default();
    if words.is_empty() {
        return able;
    }
    for (word, capability) in [
        ("tools", Capability::Tools),
        ("vision", Capability::Images),
        ("thinking", Capability::Reasoning),
    ] {
        able.set(capability, Some(words.iter().any(|w| w == word)));
    }
    able
}

/// What llama.cpp's `GET /props` says about the model it serves; `None` if it is not such an
/// answer.
#[must_use]
pub fn of_llama_props(body: &[u8]) -> Option<Facts> {
    let body = Raw::parse(body, json::MAX_DEPTH).ok()?;
    let [settings, own, modalities] =
        body.pick(["default_generation_settings", "n_ctx", "modalities"]);
    let slot = settings.and_then(|settings| settings.get("n_ctx"));
    let mut facts = Facts {
        // A slot's window is what one request has; the total is shared between slots.
        context_length: slot.or(own).and_then(tokens),
        ..Facts::default()
    };
    let vision = modalities.and_then(|modalities| modalities.get("vision"));
    facts
        .capabilities
        .set(Capability::Images, vision.and_then(Raw::as_bool));
    (facts != Facts::default()).then_some(facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::facts::tests::in_words;

    fn told(facts: Option<Facts>) -> String {
        let Some(facts) = facts else {
            return "nothing".to_owned();
        };
        let window = facts.context_length;
        let window = window.map_or("?".to_owned(), |window| window.to_string());
        window + &in_words(facts.capabilities)
    }

    #[test]
    fn s10_1_what_ollama_says_of_a_model() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"parameters":"temperature 0.7\nnum_ctx                        8192\nstop \"<|im_end|>\"","model_info":{"general.architecture":"qwen3","qwen3.context_length":40960},"capabilities":["completion","tools","thinking"]}"#,
             "8192 tools reasoning -images"),
            (r#"{"model_info":{"llama.context_length":131072},"capabilities":["completion","vision"]}"#, "? -tools -reasoning images"),
            (r#"{"parameters":"num_ctx 262144","model_info":{"qwen3.context_length":40960}}"#,           "40960"),
            (r#"{"parameters":"num_ctx -1","capabilities":[]}"#,                                        "?"),
            (r#"{"parameters":"num_ctx 1e30"}"#,                                                        "?"),
            (r#"{"parameters":"num_ctx 99999999999999999999999"}"#,                                     "?"),
            (r#"{"parameters":7,"capabilities":7}"#,                                                    "?"),
            (r#"{"error":"model not found"}"#,                                                          "nothing"),
            ("<html>",                                                                                  "nothing"),
        ];
        for (body, expected) in rows {
            assert_eq!(told(of_ollama_show(body.as_bytes())), expected, "{body}");
        }
    }

    #[test]
    fn s10_1_what_llama_cpp_says_of_its_model() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"default_generation_settings":{"n_ctx":32768,"temperature":0.8},"total_slots":4,"modalities":{"vision":false}}"#, "32768 -images"),
            (r#"{"n_ctx":4096}"#,                                        "4096"),
            (r#"{"default_generation_settings":{"n_ctx":-1}}"#,          "nothing"),
            (r#"{"default_generation_settings":[],"modalities":true}"#,  "nothing"),
            ("{}",                                                       "nothing"),
            ("not found",                                                "nothing"),
        ];
        for (body, expected) in rows {
            assert_eq!(told(of_llama_props(body.as_bytes())), expected, "{body}");
        }
    }
}
