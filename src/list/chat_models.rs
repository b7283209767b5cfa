//! Which entries of a list are chat models (spec §10.7): lists also contain models that transcribe,
//! speak, paint, embed, rank or judge.
//!
//! Pure. What an entry says about itself decides; otherwise the words of its id.

use std::time::SystemTime;

use super::facts::words;
use crate::json::Raw;

/// Words that rule an id out as a chat model (reference "provider cases" §3).
#[rustfmt::skip]
const WORDS: [&str; 35] = [
    // hear, speak, sing
    "tts", "asr", "stt", "audio", "speech", "transcribe", "realtime", "live", "lyria", "parakeet", "orpheus", "kokoro", "riva",
    // paint, film
    "image", "imagen", "veo", "sora", "flux", "video", "sdxl", "dalle",
    // embed, rank, look up
    "bge", "e5", "gte", "colbert", "siglip", "retriever", "nemoretriever", "aqa",
    // judge, read pages
    "reward", "moderation", "safety", "detector", "ocr", "voxtral",
];
/// Parts of words that do the same.
const PARTS: [&str; 7] = [
    "embed",
    "whisper",
    "guard",
    "rerank",
    "diffusion",
    "dall-e",
    "text-to-",
];
/// Routers: they choose a model, but are not one.
const ROUTERS: [&str; 5] = [
    "auto",
    "big-pickle",
    "kilo-auto/free",
    "openrouter/auto",
    "openrouter/free",
];
/// Kinds of entry that are not chat models, if there is a `type`.
#[rustfmt::skip]
const KINDS: [&str; 9] = [
    "embedding", "embeddings", "image", "video", "audio", "speech", "transcription", "rerank", "reranking",
];

/// Whether this id, in lower case, is a chat model's, judging by its words.
#[must_use]
pub(super) fn is_named_so(id: &str) -> bool {
    let mut words = id.split(|c: char| !c.is_ascii_alphanumeric());
    !(ROUTERS.contains(&id)
        || PARTS.iter().any(|part| id.contains(part))
        || words.any(|word| WORDS.contains(&word)))
}

/// Whether the entry says that it is not a chat model, or that it is gone.
#[must_use]
pub(super) fn says_otherwise(entry: Raw<'_>, now: SystemTime) -> bool {
    entry.members().any(|(name, value)| match &*name {
        "active" => value.as_bool() == Some(false),
        "archived" => value.as_bool() == Some(true),
        "capabilities" => {
            let chat = value.get("completion_chat").and_then(Raw::as_bool);
            let words = words(value);
            chat == Some(false) || (!words.is_empty() && words.iter().all(|w| w == "embedding"))
        }
        "architecture" => {
            let outputs = value.get("output_modalities").map(words);
            lacks(outputs, "text")
        }
        "supportedGenerationMethods" => lacks(Some(words(value)), "generateContent"),
        "task" => {
            let task = value.get("name").and_then(Raw::as_str);
            task.is_some_and(|task| task != "Text Generation")
        }
        "type" => value
            .as_str()
            .is_some_and(|kind| KINDS.contains(&kind.to_ascii_lowercase().as_str())),
        "expiration_date" | "deprecation" => is_past(value, now),
        _ => false,
    })
}

fn lacks(told: Option<Vec<String>>, word: &str) -> bool {
    told.is_some_and(|told| !told.is_empty() && told.iter().all(|w| w != word))
}

/// A date, or the beginning of one, before today.
pub(super) fn is_past(date: Raw<'_>, now: SystemTime) -> bool {
    let today = crate::clock::rfc3339(now);
    let (Some(date), Some(today)) = (date.as_str(), today.get(..10)) else {
        return false;
    };
    let date = date.get(..10).unwrap_or(&date);
    // Anything other than a date says nothing.
    date.starts_with("20") && date < today
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::json::MAX_DEPTH;

    #[test]
    fn s10_7_ids_of_other_kinds_of_model() {
        #[rustfmt::skip]
        let rows: &[(bool, &[&str])] = &[
            (true, &["openai/gpt-oss-120b", "qwen/qwen3.8-27b", "models/gemini-3.5-flash", "gemini-3.5-flash-lite", "gpt-oss-120b", "qwen3:8b", "llama3.2:3b",
                "tencent/hy3:free", "stepfun/step-3.7-flash:free", "@cf/meta/llama-3.2-11b-vision-instruct", "mistral-small-2603", "codestral-2508", "glm-4.6v-flash",
                "deepseek-v4-flash", "kimi-k2.7-code", "openai/gpt-5", "olive-7b", "command-a-03-2025", "nvidia/nemotron-3-nano-omni-30b-a3b-reasoning"]),
            (false, &["whisper-large-v3", "whisper-large-v3-turbo", "meta-llama/llama-prompt-guard-2-86m", "playai-tts", "models/gemini-embedding-001",
                "models/text-embedding-004", "models/imagen-4.0-generate-001", "models/veo-3.0-generate-001", "models/gemini-2.5-flash-preview-tts", "models/aqa",
                "bge-m3", "bge-multilingual-gemma2", "stable-diffusion-xl-base-v10", "qwen3guard-gen-8b", "nvr-tts-en-us", "nvidia/nv-embedqa-e5-v5",
                "canopylabs/orpheus-v1-english", "models/gemini-2.5-flash-image", "mistral-ocr-latest", "mistral-moderation-2411", "rerank-v3.5", "embed-v4.0",
                "nomic-embed-text:latest", "@cf/black-forest-labs/flux-1-schnell", "nvidia/llama-3.1-nemotron-70b-reward", "text-to-image-x", "dall-e-3",
                "models/gemini-2.5-flash-native-audio-dialog", "models/gemini-live-2.5-flash", "vendor/content-safety", "openai/gpt-oss-safeguard-20b",
                "openrouter/free", "kilo-auto/free", "big-pickle"]),
        ];
        for (chats, ids) in rows {
            for id in *ids {
                assert_eq!(is_named_so(id), *chats, "{id}");
            }
        }
    }

    #[test]
    fn s10_7_an_entry_may_say_that_it_is_not_a_chat_model() {
        // 2026-10-02
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_942_400);
        #[rustfmt::skip]
        let rows = [
            (r#"{"active":true}"#,                                                            false),
            (r#"{"active":false}"#,                                                           true),
            (r#"{"capabilities":{"completion_chat":true}}"#,                                  false),
            (r#"{"capabilities":{"completion_chat":false,"ocr":true}}"#,                      true),
            (r#"{"capabilities":["completion","tools"]}"#,                                    false),
            (r#"{"capabilities":["embedding"]}"#,                                             true),
            (r#"{"architecture":{"output_modalities":["text","image"]}}"#,                    false),
            (r#"{"architecture":{"output_modalities":["audio"]}}"#,                           true),
            (r#"{"architecture":{"output_modalities":[]}}"#,                                  false),
            (r#"{"supportedGenerationMethods":["generateContent","countTokens"]}"#,           false),
            (r#"{"supportedGenerationMethods":["embedContent"]}"#,                            true),
            (r#"{"task":{"name":"Text Generation"}}"#,                                        false),
            (r#"{"task":{"name":"Text-to-Image"}}"#,                                          true),
            (r#"{"type":"language"}"#,                                                        false),
            (r#"{"type":"embedding"}"#,                                                       true),
            (r#"{"type":"model"}"#,                                                           false),
            (r#"{"expiration_date":"2026-10-01"}"#,                                           true),
            (r#"{"expiration_date":"2026-10-02"}"#,                                           false),
            (r#"{"deprecation":"2026-09-30T12:00:00Z"}"#,                                     true),
            (r#"{"deprecation":"2026-12-31T12:00:00Z"}"#,                                     false),
            (r#"{"deprecation":null,"expiration_date":7,"active":"no","task":[],"type":{}}"#, false),
            (r#"{"deprecation":"soon"}"#,                                                     false),
            ("{}",                                                                            false),
        ];
        for (entry, expected) in rows {
            let read = Raw::parse(entry.as_bytes(), MAX_DEPTH).unwrap();
            assert_eq!(says_otherwise(read, now), expected, "{entry}");
        }
    }
}
