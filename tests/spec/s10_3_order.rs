//! §10.3: the order of candidates, seen from outside: everything fails, so the order of the
//! attempts shows it.

use serde_json::{Value, json};
use simulator::{ProviderScript, Script, Step, list_of};

use crate::rig::{Rig, ranking};
use crate::s2_3_catalogue::entry;
use crate::s4_5_model::tools;

type Fields<'a> = Vec<(&'a str, Value)>;

/// Providers, and how many accounts at each.
type On = &'static [(&'static str, usize)];
type Settings = &'static [(&'static str, &'static str)];

/// A world in which every model of every provider fails.
fn failing(ranked: &[&str], groq: &[&str], mistral: &[&str]) -> Script {
    let broken = || Step::status(500, &[], "");
    let of = |ids: &[&str]| ProviderScript::new().entries(ids.to_vec()).others(broken());
    Script::new()
        .list(ranking(ranked))
        .others(broken())
        .provider("groq", of(groq))
        .provider("mistral", of(mistral))
        .provider("local", of(&["qwen3:8b", "gpt-oss:120b"]))
}

/// The models asked since the last call, in order: `groq x` for a provider other than OpenRouter,
/// `groq#2 x` for another account.
fn asked(rig: &Rig) -> Vec<String> {
    let seen = rig.simulator.requests();
    rig.simulator.clear_requests();
    let chats = seen.into_iter().filter_map(|seen| {
        let model = seen.model?;
        Some(match seen.account.or(seen.provider) {
            Some(account) if account != "openrouter" => format!("{account} {model}"),
            _ => model,
        })
    });
    chats.collect()
}

async fn order(
    script: Script,
    providers: &[(&str, usize)],
    settings: &[(&str, &str)],
    body: &Value,
) -> Vec<String> {
    let settings = [&[("MAX_FALLBACK_ATTEMPTS", "40")], settings].concat();
    let rig = Rig::paused_with_providers(script, providers, &settings).await;
    rig.simulator.clear_requests();
    let answer = rig.chat(body).await;
    answer.is_error(503, "all_models_unavailable");
    asked(&rig)
}

const THREE: &[(&str, usize)] = &[("openrouter", 1), ("groq", 1), ("mistral", 1)];
const RANKED: [&str; 3] = ["a/x:free", "openai/gpt-oss-120b:free", "b/y:free"];

#[tokio::test(start_paused = true)]
async fn s10_3_twins_share_their_place_in_the_order_of_the_providers() {
    let script = || failing(&RANKED, &["openai/gpt-oss-120b"], &["gpt-oss-120b"]);
    let [first, second, third] = RANKED;
    #[rustfmt::skip]
    let rows: [(On, &[&str]); 4] = [
        (THREE,                                              &[first, second, "groq openai/gpt-oss-120b", "mistral gpt-oss-120b", third]),
        (&[("mistral", 1), ("groq", 1), ("openrouter", 1)],  &[first, "mistral gpt-oss-120b", "groq openai/gpt-oss-120b", second, third]),
        // A failure of the model is the same through every account of its provider.
        (&[("openrouter", 1), ("groq", 2)],                  &[first, second, "groq openai/gpt-oss-120b", third]),
        // The user's own machine is last, with a twin too.
        (&[("local", 1), ("openrouter", 1)],                 &[first, second, third, "local qwen3:8b", "local gpt-oss:120b"]),
    ];
    for (providers, expected) in rows {
        let order = order(script(), providers, &[], &Rig::hello()).await;
        assert_eq!(order, expected, "{providers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn s10_3_what_is_named_comes_first() {
    let script = || {
        failing(
            &RANKED,
            &["openai/gpt-oss-120b", "qwen/qwen3.8-27b"],
            &["m/z"],
        )
    };
    let named =
        |model: &str| json!({"model": model, "messages": [{"role": "user", "content": "Hello!"}]});
    const A: &str = "a/x:free";
    const GPT: &str = "openai/gpt-oss-120b:free";
    const B: &str = "b/y:free";
    const G1: &str = "groq openai/gpt-oss-120b";
    const G2: &str = "groq qwen/qwen3.8-27b";
    const M: &str = "mistral m/z";
    #[rustfmt::skip]
    let rows: [(&str, &str, [&str; 6]); 10] = [
        // MODEL_ORDER                            the request's model             asked
        ("",                                      "auto",                         [A, GPT, G1, B, G2, M]),
        ("mistral/m/z,*",                         "auto",                         [M, A, GPT, G1, B, G2]),
        ("b/y:free,groq/qwen/qwen3.8-27b",        "auto",                         [B, G2, A, GPT, G1, M]),
        ("gpt-oss-120b",                          "auto",                         [GPT, G1, A, B, G2, M]),
        ("",                                      "groq/qwen/qwen3.8-27b",        [G2, A, GPT, G1, B, M]),
        ("",                                      "groq/auto",                    [G1, G2, A, GPT, B, M]),
        ("",                                      "GPT-OSS-120B",                 [GPT, G1, A, B, G2, M]),
        ("",                                      "openrouter/openai/gpt-oss-120b:free", [GPT, A, G1, B, G2, M]),
        ("",                                      "mistral/m/z:latest",           [M, A, GPT, G1, B, G2]),
        ("mistral/m/z",                           "b/y:free",                     [B, M, A, GPT, G1, G2]),
    ];
    for (model_order, model, expected) in rows {
        let settings = [("MODEL_ORDER", model_order), ("MODEL_FIELD", "prefer")];
        let order = order(script(), THREE, &settings, &named(model)).await;
        assert_eq!(order, expected, "{model_order} {model}");
    }
}

#[tokio::test(start_paused = true)]
async fn s10_3_an_unranked_model_is_placed_by_its_quality() {
    let catalogue = |rows: &[(&str, Value)]| {
        let data: Vec<_> = rows
            .iter()
            .map(|(id, figures)| {
                let figures = json!({"benchmarks": {"artificial_analysis": figures}});
                // Paid rows count, too.
                let mut row = entry(id, &["tools"], figures);
                row["pricing"] = json!({"prompt": "0.000001", "completion": "0.000002"});
                row
            })
            .collect();
        Step::status(200, &[], json!({ "data": data }))
    };
    let index = |name: &str, figure: f64| json!({ name: figure });
    let all = |agentic: f64, coding: f64| json!({"agentic_index": agentic, "coding_index": coding, "intelligence_index": coding});
    const G: &str = "groq qwen/qwen3.8-27b";
    let [a, gpt, b] = RANKED;
    #[rustfmt::skip]
    let rows: [(&str, Fields<'_>, bool, [&str; 4]); 8] = [
        ("nothing known",        vec![],                                                                    false, [a, gpt, b, G]),
        ("better than all",      vec![("qwen/qwen3.8-27b", all(1.0, 50.0)), ("a/x", all(9.0, 40.0)), ("openai/gpt-oss-120b", all(9.0, 30.0)), ("b/y", all(9.0, 20.0))], false, [G, a, gpt, b]),
        ("with tools",           vec![("qwen/qwen3.8-27b", all(1.0, 50.0)), ("a/x", all(9.0, 40.0)), ("openai/gpt-oss-120b", all(9.0, 30.0)), ("b/y", all(9.0, 20.0))], true,  [a, gpt, b, G]),
        ("before the last",      vec![("qwen/qwen3.8-27b", all(1.0, 25.0)), ("a/x", all(9.0, 40.0)), ("openai/gpt-oss-120b", all(9.0, 30.0)), ("b/y", all(9.0, 20.0))], false, [a, gpt, G, b]),
        ("the first known lower",vec![("qwen/qwen3.8-27b", all(1.0, 25.0)), ("b/y", all(9.0, 20.0))],      false, [a, gpt, G, b]),
        ("one index only",       vec![("qwen/qwen3.8-27b", index("coding_index", 50.0)), ("a/x", index("agentic_index", 1.0))], false, [a, gpt, b, G]),
        ("intelligence at last", vec![("qwen/qwen3.8-27b", index("intelligence_index", 50.0)), ("openai/gpt-oss-120b", index("intelligence_index", 1.0))], true, [a, G, gpt, b]),
        ("a relative's is none", vec![("qwen/qwen3.8-72b", all(50.0, 50.0)), ("a/x", all(1.0, 1.0))],      false, [a, gpt, b, G]),
    ];
    for (what, figures, with_tools, expected) in rows {
        let mut script = failing(&RANKED, &["qwen/qwen3.8-27b"], &[]);
        script.catalogue = catalogue(&figures).into();
        let body = if with_tools { tools() } else { Rig::hello() };
        let order = order(script, &[("openrouter", 1), ("groq", 1)], &[], &body).await;
        assert_eq!(order, expected, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn s10_3_the_router_comes_behind_the_rest_and_before_the_users_own_machine() {
    // The simulator's own list names the router.
    let list = Step::status(200, &[], list_of(&RANKED[..1]));
    let script = failing(&RANKED, &["qwen/qwen3.8-27b"], &[]).list(list);
    let providers = [("openrouter", 1), ("groq", 1), ("local", 1)];
    let order = order(script, &providers, &[], &Rig::hello()).await;
    #[rustfmt::skip]
    let expected = [RANKED[0], "groq qwen/qwen3.8-27b", "openrouter/free", "local qwen3:8b", "local gpt-oss:120b"];
    assert_eq!(order, expected);
}

#[tokio::test(start_paused = true)]
async fn s10_3_how_many_attempts_there_are() {
    let many: Vec<String> = (0..15).map(|n| format!("m{n:02}:free")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    #[rustfmt::skip]
    let rows: [(On, Settings, usize); 5] = [
        (&[("openrouter", 1)],               &[],                                5),
        (&[("openrouter", 2)],               &[],                                10),
        (&[("openrouter", 1), ("groq", 1)],  &[],                                10),
        (&[("openrouter", 1), ("groq", 1)],  &[("MAX_FALLBACK_ATTEMPTS", "3")],  3),
        (&[("openrouter", 1)],               &[("MAX_FALLBACK_ATTEMPTS", "12")], 12),
    ];
    for (providers, settings, expected) in rows {
        let script = failing(&many, &["qwen/qwen3.8-27b"], &[]);
        let rig = Rig::paused_with_providers(script, providers, settings).await;
        rig.simulator.clear_requests();
        rig.chat(&Rig::hello()).await;
        assert_eq!(asked(&rig).len(), expected, "{providers:?} {settings:?}");
    }
}
