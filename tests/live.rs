//! Against the real services, only on request (spec §8):
//!
//! ```sh
//! PROXY_API_KEY=... cargo test --test live -- --ignored
//! ```
//!
//! A proxy must be running at `PROXY_URL` (default `http://localhost:8080`).

use free_llm_proxy::list::Ranking;

const PROMPT: &str = "Сколько букв р в слове трансфорррмер?";
const LIST: &str = "https://shir-man.com/api/free-llm/top-models";

#[tokio::test]
#[ignore = "live: needs a running proxy with a real key"]
async fn live_three_completions_in_a_row() {
    let url = setting("PROXY_URL").unwrap_or_else(|| "http://localhost:8080".to_owned());
    let key = setting("PROXY_API_KEY").expect("PROXY_API_KEY is the key of the running proxy");
    let body = serde_json::json!({"messages": [{"role": "user", "content": PROMPT}]});
    for turn in 1..=3 {
        let request = reqwest::Client::new().post(format!("{url}/v1/chat/completions"));
        let answer = request.bearer_auth(&key).json(&body).send().await.unwrap();
        let status = answer.status();
        let model = answer.headers().get("x-free-llm-proxy-model").cloned();
        let text = answer.text().await.unwrap();
        assert_eq!(status, 200, "turn {turn}: {text}");
        assert!(model.is_some(), "turn {turn}: the model header is there");
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        let content = answer["choices"][0]["message"]["content"]
            .as_str()
            .unwrap_or_default();
        assert!(!content.is_empty(), "turn {turn}: {text}");
    }
}

#[tokio::test]
#[ignore = "live: reads the real list"]
async fn live_the_real_list_is_parsed_by_the_real_schema() {
    use free_llm_proxy::config::OutboundProxy;
    use free_llm_proxy::upstream::{Connector, HttpClient, read_body};
    let connector = Connector::network(
        &OutboundProxy::default(),
        std::time::Duration::from_secs(10),
    );
    let client = HttpClient::new(connector).unwrap();
    let url = setting("MODELS_LIST_URL").unwrap_or_else(|| LIST.to_owned());
    let (head, body) = client
        .ask(&url, http::HeaderMap::new(), None)
        .await
        .unwrap()
        .into_parts();
    assert_eq!(head.status, 200);
    let body = read_body(&head.headers, body, 8 << 20).await.unwrap();
    let ranking = Ranking::read(&body, false).unwrap();
    assert!(!ranking.models.is_empty());
    println!(
        "{} models, {} skipped, best: {}",
        ranking.models.len(),
        ranking.skipped.len(),
        ranking.models[0].id
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "a live test is steered by the environment"
)]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
