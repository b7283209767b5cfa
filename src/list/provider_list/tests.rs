//! The lists of reference "provider cases" §3, and unusable lists.

use std::time::Duration;

use super::*;

/// 2026-10-02
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_942_400)
}

fn read(body: &str) -> Result<ProviderList, String> {
    ProviderList::read(body.as_bytes(), false, now()).map_err(|error| error.to_string())
}

fn ids(list: &ProviderList) -> String {
    let ids: Vec<_> = list.entries.iter().map(|e| e.id.as_str()).collect();
    ids.join(" ")
}

fn of_ids(ids: &[&str]) -> String {
    let entries: Vec<_> = ids
        .iter()
        .map(|id| format!(r#"{{"id":"{id}","object":"model"}}"#))
        .collect();
    format!(r#"{{"object":"list","data":[{}]}}"#, entries.join(","))
}

#[test]
fn s10_7_only_chat_models_are_taken() {
    #[rustfmt::skip]
    let rows: &[(&str, &[&str], &str)] = &[
        ("groq", &["openai/gpt-oss-120b", "qwen/qwen3.8-27b", "whisper-large-v3", "whisper-large-v3-turbo", "meta-llama/llama-prompt-guard-2-86m", "playai-tts"],
         "openai/gpt-oss-120b qwen/qwen3.8-27b"),
        ("gemini", &["models/gemini-3.5-flash", "models/gemini-embedding-001", "models/text-embedding-004", "models/imagen-4.0-generate-001",
                     "models/veo-3.0-generate-001", "models/gemini-2.5-flash-preview-tts", "models/aqa"],
         "gemini-3.5-flash"),
        ("ovh", &["gpt-oss-120b", "bge-m3", "bge-multilingual-gemma2", "whisper-large-v3", "stable-diffusion-xl-base-v10", "Qwen3Guard-Gen-8B", "nvr-tts-en-us"],
         "gpt-oss-120b"),
        ("local", &["qwen3:8b", "llama3.2:3b"], "qwen3:8b llama3.2:3b"),
        // Its row's ids decide, so unknown models are read here and not offered there.
        ("nvidia", &["openai/gpt-oss-20b", "nvidia/nv-embedqa-e5-v5", "some/never-heard-of-model"], "openai/gpt-oss-20b some/never-heard-of-model"),
    ];
    for (provider, listed, expected) in rows {
        let list = read(&of_ids(listed)).unwrap();
        assert_eq!(ids(&list), *expected, "{provider}");
        assert_eq!(list.others, listed.len() - list.entries.len(), "{provider}");
        assert_eq!(list.skipped, [], "{provider}");
    }
}

#[test]
fn s10_7_each_shape_of_a_list() {
    #[rustfmt::skip]
    let rows = [
        ("openai",         r#"{"object":"list","data":[{"id":"a/b","object":"model"}]}"#,                                           "a/b", false),
        ("bare",           r#"[{"id":"a/b"}]"#,                                                                                     "a/b", false),
        ("google, native", r#"{"models":[{"name":"models/gemini-3.5-flash","displayName":"G","supportedGenerationMethods":["generateContent"]},{"name":"models/x","supportedGenerationMethods":["predict"]}],"nextPageToken":"z"}"#, "gemini-3.5-flash", false),
        ("cloudflare",     r#"{"success":true,"errors":[],"messages":[],"result":[{"id":"u","name":"@cf/openai/gpt-oss-120b","task":{"name":"Text Generation"},"properties":[{"property_id":"context_window","value":"128000"},{"property_id":"function_calling","value":"true"}]},{"id":"v","name":"@cf/baai/x","task":{"name":"Text Embeddings"}}]}"#, "@cf/openai/gpt-oss-120b", false),
        ("ollama, tags",   r#"{"models":[{"name":"qwen3:8b","model":"qwen3:8b","size":1,"digest":"d","details":{"family":"qwen3"}}]}"#, "qwen3:8b", true),
        ("ollama, v1",     r#"{"object":"list","data":[{"id":"llama3.2:latest","object":"model","owned_by":"library"}]}"#,          "llama3.2:latest", true),
        ("vllm",           r#"{"object":"list","data":[{"id":"qwen3.8-27b","object":"model","owned_by":"vllm","max_model_len":32768}]}"#, "qwen3.8-27b", false),
        ("llama.cpp",      r#"{"models":[{"name":"x.gguf","model":"x.gguf"}],"object":"list","data":[{"id":"x.gguf","owned_by":"llamacpp","meta":{"n_ctx_train":131072}}]}"#, "x.gguf", false),
        ("groq, one off",  r#"{"data":[{"id":"openai/gpt-oss-120b","active":true},{"id":"qwen/qwen3.8-27b","active":false}]}"#,     "openai/gpt-oss-120b", false),
        ("with a mark",    "\u{feff}{\"data\":[{\"id\":\"a\"}]}",                                                                   "a", false),
    ];
    for (shape, body, expected, is_ollama) in rows {
        let list = read(body).unwrap();
        assert_eq!(
            (ids(&list).as_str(), list.is_ollama),
            (expected, is_ollama),
            "{shape}"
        );
    }
}

#[test]
fn s10_7_what_an_entry_costs() {
    #[rustfmt::skip]
    let rows = [
        (r#""pricing":{"prompt":"0","completion":"0"}"#,                       Price::Zero),
        (r#""pricing":{"prompt":"0","completion":"0","discount":0.5}"#,        Price::Zero),
        (r#""pricing":{"prompt":0,"completion":"0E-10","overrides":[]}"#,      Price::Zero),
        (r#""pricing":{"prompt":"0.000001","completion":"0.000001"}"#,         Price::Some),
        (r#""pricing":{"prompt":"0.1","completion":"0"}"#,                     Price::Some),
        (r#""pricing":{"prompt":"0","completion":"0","request":"0.001"}"#,     Price::Some),
        (r#""pricing":{"prompt":"-1","completion":"-1"}"#,                     Price::Some),
        (r#""pricing":{"input":"0.00000007","output":"0.0000004"}"#,           Price::Some),
        (r#""pricing":{}"#,                                                    Price::Untold),
        (r#""pricing":null"#,                                                  Price::Untold),
        (r#""pricing":{"prompt":"free"}"#,                                     Price::Untold),
        (r#""pricing":{"prompt":"nan"}"#,                                      Price::Some),
        (r#""input_price":0,"output_price":0"#,                                Price::Zero),
        (r#""input_price":0,"output_price":0.0000004"#,                        Price::Some),
        (r#""input_price":"0.0","output_price":"1e-7""#,                       Price::Some),
        (r#""owned_by":"x""#,                                                  Price::Untold),
    ];
    for (members, expected) in rows {
        let list = read(&format!(r#"{{"data":[{{"id":"a",{members}}}]}}"#)).unwrap();
        assert_eq!(list.entries[0].price, expected, "{members}");
    }
}

#[test]
fn s10_7_one_bad_entry_affects_only_itself() {
    let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(129));
    #[rustfmt::skip]
    let rows = [
        ("7",                                 "the entry is not an object"),
        ("null",                              "the entry is not an object"),
        (r#"[{"id":"b"}]"#,                   "the entry is not an object"),
        ("{}",                                "the entry has no id"),
        (r#"{"id":7}"#,                       "the entry has no id"),
        (r#"{"id":""}"#,                      "the id is empty or longer than 128 characters"),
        (r#"{"id":"models/"}"#,               "the id is empty or longer than 128 characters"),
        (&long,                               "the id is empty or longer than 128 characters"),
        (r#"{"id":"b\r\nX-Evil: 1"}"#,        "the id is not allowed in a header or a URL"),
        (r#"{"id":"b\u0000"}"#,               "the id is not allowed in a header or a URL"),
        (r#"{"id":"<script>"}"#,              "the id is not allowed in a header or a URL"),
        (r#"{"id":"модель"}"#,                "the id is not allowed in a header or a URL"),
        (r#"{"id":"a"}"#,                     "the id appears twice in the list"),
        (r#"{"id":"models/a"}"#,              "the id appears twice in the list"),
    ];
    for (entry, reason) in rows {
        let list = read(&format!(
            r#"{{"data":[{{"id":"a"}},{entry},{{"id":"z"}}]}}"#
        ))
        .unwrap();
        assert_eq!(ids(&list), "a z", "{entry}");
        assert_eq!(
            list.skipped,
            [Skipped {
                position: 1,
                reason
            }],
            "{entry}"
        );
    }
}

#[test]
fn s10_7_an_unusable_list_says_why() {
    #[rustfmt::skip]
    let rows = [
        ("",                                       "the provider's list is cut short at byte 0"),
        ("<html>",                                 "the provider's list is not valid JSON at byte 0"),
        ("{}",                                     "the provider's list has no array of models"),
        ("7",                                      "the provider's list has no array of models"),
        (r#"{"data":{"id":"a"}}"#,                 "the provider's list has no array of models"),
        (r#"{"error":{"message":"no"}}"#,          "the provider's list has no array of models"),
        (r#"{"data":[]}"#,                         "the provider's list has no model to chat with (0 skipped)"),
        (r#"{"data":[{"id":"bge-m3"},7]}"#,        "the provider's list has no model to chat with (2 skipped)"),
    ];
    for (body, expected) in rows {
        assert_eq!(read(body), Err(expected.to_owned()), "{body}");
    }
    let empty = ProviderList::read(br#"{"data":[]}"#, true, now()).unwrap();
    assert_eq!(
        empty.entries,
        [],
        "a server of the user's own may have no model yet"
    );
    let deep = format!(r#"{{"data":{}1{}}}"#, "[".repeat(2000), "]".repeat(2000));
    assert!(read(&deep).unwrap_err().contains("nested too deep"));
}

#[test]
fn s10_7_a_huge_list_is_read_up_to_the_limit() {
    let ids: Vec<String> = (0..5000).map(|n| format!("m{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let list = read(&of_ids(&ids)).unwrap();
    assert_eq!((list.entries.len(), list.skipped.len()), (4096, 1));
    assert_eq!(
        list.skipped[0].reason,
        "the list has more than 4096 entries"
    );
}

#[test]
fn s10_7_names_are_for_people_and_bounded() {
    let long = "x".repeat(201);
    #[rustfmt::skip]
    let rows = [
        (r#""name":"Vendor: X""#.to_owned(),                   Some("Vendor: X")),
        (r#""name":"x","display_name":"Gemini"#.to_owned() + "\"", Some("Gemini")),
        (r#""name":"a\nb""#.to_owned(),                        None),
        (format!(r#""name":"{long}""#),                        None),
        (r#""name":7"#.to_owned(),                             None),
        (r#""object":"model""#.to_owned(),                     None),
    ];
    for (members, expected) in rows {
        let list = read(&format!(r#"{{"data":[{{"id":"a",{members}}}]}}"#)).unwrap();
        assert_eq!(list.entries[0].name.as_deref(), expected, "{members}");
    }
}

#[test]
fn s10_2_latest_is_cut_when_an_entry_is_looked_for() {
    let list = read(&of_ids(&[
        "llama3.2:latest",
        "qwen3:8b",
        "models/gemini-3.5-flash",
    ]))
    .unwrap();
    #[rustfmt::skip]
    let rows = [
        ("llama3.2", Some("llama3.2:latest")), ("llama3.2:latest", Some("llama3.2:latest")), ("qwen3:8b:latest", Some("qwen3:8b")),
        ("qwen3:8b:LATEST", Some("qwen3:8b")),
        ("models/gemini-3.5-flash", Some("gemini-3.5-flash")), ("qwen3", None),
    ];
    for (id, expected) in rows {
        let found = list.entry(&ModelId::try_from(id).unwrap());
        assert_eq!(found.map(|e| e.id.as_str()), expected, "{id}");
    }
}
