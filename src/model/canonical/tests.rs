//! The table of names, row by row (spec §10.2), and what must remain distinct.

use proptest::prelude::*;

use super::*;

#[test]
fn s10_2_the_ids_of_one_model_have_one_key() {
    #[rustfmt::skip]
    let rows: &[(&str, &[&str])] = &[
        ("gpt-oss-120b", &["openai/gpt-oss-120b", "openai/gpt-oss-120b:free", "@cf/openai/gpt-oss-120b", "gpt-oss-120b", "gpt-oss:120b"]),
        ("gpt-oss-20b", &["openai/gpt-oss-20b:free", "openai/gpt-oss-20b", "@cf/openai/gpt-oss-20b", "gpt-oss-20b", "gpt-oss:20b"]),
        ("nemotron-3-super-120b-a12b", &["nvidia/nemotron-3-super-120b-a12b:free", "nvidia/nemotron-3-super-120b-a12b",
            "@cf/nvidia/nemotron-3-120b-a12b", "nemotron-3-super", "nemotron-3-super-free"]),
        ("nemotron-3-ultra-550b-a55b", &["nvidia/nemotron-3-ultra-550b-a55b:free", "nvidia/nemotron-3-ultra-550b-a55b", "nemotron-3-ultra"]),
        ("nemotron-3-nano-30b-a3b", &["nvidia/nemotron-3-nano-30b-a3b:free", "nvidia/nemotron-3-nano-30b-a3b", "nemotron-3-nano:30b"]),
        ("nemotron-3-nano-omni-30b-a3b-reasoning", &["nvidia/nemotron-3-nano-omni-30b-a3b-reasoning:free"]),
        ("nemotron-3.5-lightning-30b-a3b", &["nvidia/nemotron-3.5-lightning:free", "nvidia/nemotron-3.5-lightning-30b-a3b"]),
        ("gemma-4-31b", &["google/gemma-4-31b-it:free", "google/gemma-4-31b-it", "gemma-4-31b-it", "google/gemma-4-31B-it", "gemma4:31b"]),
        ("gemma-4-26b-a4b", &["google/gemma-4-26b-a4b-it:free", "@cf/google/gemma-4-26b-a4b-it", "gemma-4-26b-a4b-it"]),
        ("llama-3.3-70b", &["meta-llama/llama-3.3-70b-instruct", "meta-llama/llama-3.3-70b-instruct:free", "meta/llama-3.3-70b-instruct",
            "llama-3.3-70b-versatile", "@cf/meta/llama-3.3-70b-instruct-fp8-fast", "Meta-Llama-3_3-70B-Instruct"]),
        ("qwen3.8-27b", &["qwen/qwen3.8-27b:free", "qwen/qwen3.8-27b", "Qwen3.8-27B"]),
        ("qwen3.6-27b", &["qwen/qwen3.6-27b", "Qwen3.6-27B", "Qwen/Qwen3.6-27B"]),
        ("qwen3.5-397b-a17b", &["qwen/qwen3.5-397b-a17b", "Qwen3.5-397B-A17B", "qwen3.5:397b", "Qwen/Qwen3.5-397B-A17B"]),
        ("qwen3-coder-480b-a35b", &["qwen/qwen3-coder", "qwen/qwen3-coder:free", "qwen/qwen3-coder-480b-a35b-instruct", "qwen3-coder:480b",
            "Qwen/Qwen3-Coder-480B-A35B-Instruct"]),
        ("qwen3-coder-30b-a3b", &["qwen/qwen3-coder-30b-a3b-instruct", "Qwen3-Coder-30B-A3B-Instruct", "Qwen/Qwen3-Coder-30B-A3B-Instruct",
            "alibaba/qwen3-coder-30b-a3b"]),
        ("deepseek-v4-flash", &["deepseek/deepseek-v4-flash", "deepseek-ai/deepseek-v4-flash", "deepseek-ai/deepseek-v4-flash-0731",
            "@cf/deepseek-ai/deepseek-v4-flash-0731", "DeepSeek-V4-Flash-0731", "deepseek-ai/DeepSeek-V4-Flash", "deepseek-v4-flash"]),
        ("glm-4.7-flash", &["z-ai/glm-4.7-flash", "@cf/zai-org/glm-4.7-flash", "glm-4.7-flash", "zai-org/GLM-4.7-Flash", "zai/glm-4.7-flash"]),
        ("glm-5.2", &["z-ai/glm-5.2", "@cf/zai-org/glm-5.2", "glm-5.2", "zai-org/GLM-5.2"]),
        ("glm-5.1", &["ZhipuAI/GLM-5.1"]),
        ("kimi-k2.6", &["moonshotai/kimi-k2.6", "@cf/moonshotai/kimi-k2.6"]),
        ("kimi-k2.7-code", &["kimi-k2.7-code"]),
        ("kimi-k3", &["moonshotai/kimi-k3", "kimi-k3"]),
        ("minimax-m3", &["minimax/minimax-m3", "minimaxai/minimax-m3", "minimax-m3", "MiniMaxAI/MiniMax-M3"]),
        ("minimax-m2.7", &["minimax-m2.7"]),
        ("step-3.7-flash", &["stepfun/step-3.7-flash:free", "stepfun-ai/step-3.7-flash", "stepfun-ai/Step-3.7-Flash"]),
        ("gemini-3.5-flash", &["google/gemini-3.5-flash", "gemini-3.5-flash", "models/gemini-3.5-flash"]),
        ("gemini-3.8-flash", &["gemini-3.8-flash"]),
        ("gemini-3.7-flash", &["gemini-3.7-flash"]),
        ("gemini-3.6-flash", &["gemini-3.6-flash"]),
        ("gemini-3.5-flash-lite", &["gemini-3.5-flash-lite"]),
        ("gemini-3.1-flash-lite", &["gemini-3.1-flash-lite"]),
        ("gemini-2.5-flash", &["gemini-2.5-flash"]),
        ("gemini-2.5-flash-lite", &["gemini-2.5-flash-lite"]),
        ("codestral-2508", &["mistralai/codestral-2508", "codestral-2508"]),
        ("devstral-2512", &["mistralai/devstral-2512"]),
        ("mistral-small-2603", &["mistral-small-2603"]),
        ("mistral-medium-3.5", &["mistral-medium-3-5", "mistralai/mistral-medium-3.5"]),
        ("mistral-large-2512", &["mistral-large-2512"]),
        ("ministral-8b-2512", &["ministral-8b-2512"]),
        ("mistral-small-3.2-24b-2506", &["Mistral-Small-3.2-24B-Instruct-2506"]),
        ("laguna-s2.1", &["poolside/laguna-s-2.1:free"]),
        ("north-mini-code", &["cohere/north-mini-code:free"]),
        ("hy3", &["tencent/hy3:free"]),
        ("lfm2.5-2.6b", &["liquid/lfm-2.5-2.6b:free", "lfm2.5:2.6b"]),
        ("nemotron-nano-9b-v2", &["nvidia/nvidia-nemotron-nano-9b-v2", "nvidia/nemotron-nano-9b-v2:free"]),
        ("claude-opus4.8", &["anthropic/claude-opus-4-8", "anthropic/claude-opus-4.8"]),
        // What follows the name.
        ("qwen3-8b", &["qwen3:8b", "Qwen/Qwen3-8B-FP8", "qwen3-8b-instruct-awq", "qwen/qwen3-8b:latest", "qwen3-8b:free:latest"]),
        ("llama3.2-3b", &["llama3.2:3b", "meta-llama/Llama-3.2-3B-Instruct"]),
    ];
    for (key, ids) in rows {
        for id in *ids {
            assert_eq!(super::key(id), *key, "{id}");
        }
        assert_eq!(super::key(key), *key, "a key is its own key");
    }
}

#[test]
fn s10_2_other_models_stay_distinct() {
    #[rustfmt::skip]
    let rows = [
        ("openai/gpt-3.5-turbo",          "openai/gpt-3.5-turbo-instruct"),
        ("deepseek-r1",                   "@cf/deepseek-ai/deepseek-r1-distill-qwen-32b"),
        ("deepseek/deepseek-chat",        "deepseek/deepseek"),
        ("qwen3-235b-a22b",               "qwen3-235b-a22b-thinking"),
        ("nvidia/nemotron-3-nano-30b-a3b", "nvidia/nemotron-3-nano-omni-30b-a3b-reasoning"),
        ("qwen3-30b-a3b",                 "qwen3-coder-30b-a3b"),
        ("qwen3-vl-30b-a3b",              "qwen3-30b-a3b"),
        ("glm-4.7",                       "glm-4.7-flash"),
        ("gemini-3.5-flash",              "gemini-3.5-flash-lite"),
        ("gemini-3-flash",                "gemini-3-flash-preview"),
        ("gpt-oss-20b",                   "gpt-oss-120b"),
        ("qwen3.5-27b",                   "qwen3.5-397b"),
        ("z-ai/glm-5.1",                  "z-ai/glm-5.2"),
        ("kimi-k2-0711",                  "kimi-k2-0905"),
        ("codestral-2501",                "codestral-2508"),
        ("poolside/laguna-s-2.1",         "poolside/laguna-xs-2.1"),
    ];
    for (one, other) in rows {
        assert_ne!(key(one), key(other), "{one} and {other}");
    }
}

#[test]
fn s10_2_an_id_of_which_nothing_is_left_is_like_no_other() {
    for id in [
        "", "/", "a/", "b/", "A/-IT", ":free", "x/:free", "-", "it", "fp8", "a/fp8", "@cf/",
    ] {
        assert_eq!(key(id), id.to_ascii_lowercase(), "{id:?}");
    }
    let hostile = format!("x{}", "-free-it".repeat(100_000));
    assert_eq!(key(&hostile), hostile, "too long to be taken apart");
}

#[test]
fn s10_2_every_line_of_the_table_is_reached() {
    for (spelling, shown) in TABLE.iter() {
        assert_eq!(key(spelling), *shown, "{spelling}");
        assert_eq!(key(shown), *shown);
        assert_eq!(leaf(shown), *shown, "a shown key is a leaf");
    }
}

proptest! {
    #[test]
    fn s10_2_a_key_is_its_own_key(id in r"[A-Za-z@]{0,4}/?([a-zA-Z0-9]{1,3}|-|_|:|\.|it|fp8|fast|free|meta-llama|:free|:latest|-instruct){0,12}") {
        let once = key(&id);
        prop_assert_eq!(key(&once), once.clone());
    }

    #[test]
    fn s10_2_no_name_is_too_odd_for_a_key(id in "\\PC{0,40}") {
        let once = key(&id);
        prop_assert_eq!(key(&once), once.clone());
        prop_assert_eq!(once.is_empty(), id.is_empty());
    }
}
