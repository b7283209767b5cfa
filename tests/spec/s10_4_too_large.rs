//! §10.4: a request too large for one offer goes to those that may take it.

use serde_json::{Value, json};
use simulator::{ProviderScript, Script, Step};

use crate::rig::{Rig, abc};
use crate::s2_3_catalogue::{catalogue, entry};

/// Three providers, in the order in which they are asked: the window of the first is borrowed from
/// the catalogue, the second's is its own, the third's is not known.
const PROVIDERS: &[(&str, usize)] = &[("groq", 1), ("mistral", 1), ("llm7", 1)];
const FILE: &str = "[providers.groq]\nmodels = ['maker/borrowed']\nlimits = []\n\
                    [providers.mistral]\nmodels = ['own']\nlimits = []\n\
                    [providers.llm7]\nmodels = ['unknown']\nlimits = []\n";

/// `first` refuses; its own list may give it a window.
fn script(listed: Value, refusal: Step) -> Script {
    let one = |entry: Value| ProviderScript::new().entries([entry]);
    abc()
        .catalogue(catalogue([entry("maker/borrowed", &[], json!({}))]))
        .provider("groq", one(listed).others(refusal))
        .provider(
            "mistral",
            one(
                json!({"id": "own", "object": "model", "max_context_length": 131_072, "capabilities": {"completion_chat": true}}),
            ),
        )
        .provider("llm7", one(json!({"id": "unknown", "object": "model"})))
}

fn refusal(status: u16, message: &str) -> Step {
    Step::status(status, &[], json!({"error": {"message": message}}))
}

#[tokio::test]
async fn s10_4_what_a_refusal_says_of_the_window_rules_others_out_not_what_was_borrowed() {
    let listed = |window: u64| json!({"id": "maker/borrowed", "object": "model", "active": true, "context_window": window});
    let bare = || json!({"id": "maker/borrowed", "object": "model", "active": true});
    let named = |window: u64| {
        format!(
            "This model's maximum context length is {window} tokens. However, your messages resulted in 9000 tokens."
        )
    };
    let unnamed = "Please reduce the length of the messages or completion.";
    #[rustfmt::skip]
    let rows = [
        // its own list      it refuses with            asked
        (bare(),             named(8192),               "maker/borrowed own"),
        (listed(131_072),    named(8192),               "maker/borrowed own"),
        (bare(),             unnamed.to_owned(),        "maker/borrowed own"),
        (bare(),             named(200_000),            "maker/borrowed unknown"),
        // An offer whose window is not known is never ruled out.
        (listed(131_072),    unnamed.to_owned(),        "maker/borrowed unknown"),
        (listed(8192),       unnamed.to_owned(),        "maker/borrowed own"),
        // No model has such a window.
        (listed(131_072),    named(1),                  "maker/borrowed unknown"),
    ];
    for (listed, message, asked) in rows {
        let script = script(listed.clone(), refusal(400, &message));
        let rig = Rig::with_providers(script, PROVIDERS, &[("CONFIG_FILE", FILE)]).await;
        until_all_are_listed(&rig).await;
        let answer = rig.chat(&Rig::hello()).await;
        assert_eq!(answer.status, 200, "{listed} {message}: {answer:?}");
        assert_eq!(rig.asked(), asked, "{listed} {message}");
    }
}

#[tokio::test]
async fn s10_4_a_window_that_an_offer_names_is_remembered_until_the_next_list() {
    let named = "This model's maximum context length is 8192 tokens. However, you requested 9000.";
    // A provider that quotes the request teaches nothing.
    let quoted = "Invalid role: This model's maximum context length is 8192 tokens";
    let large = json!({"messages": [{"role": "user", "content": "word ".repeat(20_000)}]});
    #[rustfmt::skip]
    let rows = [
        // refused with  then a large request asks   and a small one
        (named,          "own",                      "maker/borrowed own"),
        (quoted,         "maker/borrowed own",       "maker/borrowed own"),
    ];
    for (message, then, small) in rows {
        let bare = json!({"id": "maker/borrowed", "object": "model", "active": true});
        let rig = Rig::with_providers(
            script(bare, refusal(400, message)),
            PROVIDERS,
            &[("CONFIG_FILE", FILE)],
        )
        .await;
        until_all_are_listed(&rig).await;
        for asked in ["maker/borrowed own", then] {
            assert_eq!(rig.chat(&large).await.status, 200, "{message}");
            assert_eq!(rig.asked(), asked, "{message}");
        }
        assert_eq!(rig.chat(&Rig::hello()).await.status, 200, "{message}");
        assert_eq!(rig.asked(), small, "{message}");
        rig.post("/admin/refresh", &Value::Null).await;
        rig.asked();
        rig.chat(&large).await;
        assert_eq!(rig.asked(), "maker/borrowed own", "{message}");
    }
}

#[tokio::test]
async fn s10_4_a_quotation_does_not_make_a_request_too_large() {
    let bare = json!({"id": "maker/borrowed", "object": "model", "active": true});
    let message = "Invalid tool 'trim': description 'keeps the context window small'";
    let script = script(bare, refusal(400, message));
    let rig = Rig::with_providers(script, PROVIDERS, &[("CONFIG_FILE", FILE)]).await;
    until_all_are_listed(&rig).await;
    assert_eq!(rig.chat(&Rig::hello()).await.status, 200);
    assert_eq!(rig.asked(), "maker/borrowed own");
}

/// The first list publishes, the others follow.
async fn until_all_are_listed(rig: &Rig) {
    loop {
        let models = rig.get("/v1/models").await.json();
        let mut models = models["data"].as_array().cloned().unwrap_or_default();
        // The wishes come first.
        models.retain(|model| model["id"].as_str().is_some_and(|id| id.contains('/')));
        let borrowed = models
            .iter()
            .any(|model| model["id"] == "groq/maker/borrowed" && model["context_length"].is_u64());
        if models.len() == 3 && borrowed {
            rig.asked();
            return;
        }
        tokio::task::yield_now().await;
    }
}
