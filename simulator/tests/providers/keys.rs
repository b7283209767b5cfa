//! Keys and the addresses of accounts.

use serde_json::json;
use simulator::{Account, ProviderScript, Script};

use super::rig::{Key, Rig, model_of};

#[tokio::test]
async fn s10_4_keys_are_accepted_and_refused_in_each_dialect() {
    let rig = Rig::start(Script::new()).await;
    #[rustfmt::skip]
    let rows = [
        // provider, list: good key, dead, none; chat: dead, none; what a dead key is told
        ("gemini",     [200, 400, 403, 400, 403], "API key not valid"),
        ("groq",       [200, 401, 401, 401, 401], "Invalid API Key"),
        ("nvidia",     [200, 200, 200, 403, 401], "Authorization failed"),
        ("cloudflare", [200, 403, 400, 403, 400], "Authentication error"),
        ("zai",        [200, 401, 401, 401, 401], "\"1000\""),
        ("requesty",   [200, 200, 200, 401, 401], "Invalid API key"),
        ("kilo",       [200, 200, 200, 401, 200], "Invalid token"),
        ("ovh",        [200, 200, 200, 403, 200], "Authentication Failed"),
        ("mistral",    [200, 401, 401, 401, 401], "Unauthorized"),
        ("cohere",     [200, 401, 401, 401, 401], "invalid api token"),
        ("cerebras",   [200, 401, 401, 401, 401], "wrong_api_key"),
        ("ollama",     [200, 200, 200, 401, 401], "unauthorized"),
        ("llm7",       [200, 200, 200, 401, 401], "Invalid token"),
        ("huggingface", [200, 200, 200, 401, 401], "Invalid username or password"),
        ("vercel",     [200, 200, 200, 401, 401], "Authentication failed"),
        ("siliconflow", [200, 401, 401, 401, 401], "Invalid token"),
        ("modelscope", [200, 200, 200, 401, 401], "valid ModelScope token"),
        ("llmgateway", [200, 200, 200, 401, 401], "invalid_api_key"),
        ("local",      [200, 200, 200, 401, 200], "Invalid API Key"),
    ];
    for (provider, expected, told) in rows {
        let model = model_of(provider);
        let list = rig.url(provider, |a| &a.list_url);
        let dead = rig
            .chat_as(provider, model, json!({}), Key::This("dead"))
            .await;
        let statuses = [
            rig.get(provider, &list, Key::First).await.status,
            rig.get(provider, &list, Key::This("dead")).await.status,
            rig.get(provider, &list, Key::None).await.status,
            dead.status,
            rig.chat_as(provider, model, json!({}), Key::None)
                .await
                .status,
        ];
        assert_eq!(statuses, expected, "{provider}");
        assert!(dead.text.contains(told), "{provider}: {}", dead.text);
        assert!(rig.chat(provider, model, json!({})).await.status == 200);
    }
    let verify = rig.url("cloudflare", |a| &a.key_test_url);
    let verified = [Key::First, Key::This("dead")];
    assert_eq!(
        rig.get("cloudflare", &verify, verified[0]).await.status,
        200
    );
    assert_eq!(
        rig.get("cloudflare", &verify, verified[1]).await.status,
        403
    );
    // An address that is not below the base is also available at its place on the host.
    let bare = verify.replace("/providers/cloudflare", "");
    assert_eq!(rig.get("cloudflare", &bare, Key::First).await.status, 200);
}

#[tokio::test]
async fn s10_1_another_accounts_address_is_refused() {
    let two = ProviderScript::new()
        .account(Account::new("home", "key-home-0123456789").id("aaaa"))
        .account(Account::new("work", "key-work-0123456789").id("bbbb"));
    let rig = Rig::start(Script::new().provider("cloudflare", two)).await;
    #[rustfmt::skip]
    let rows = [
        ("key-home-0123456789", 200, None),
        ("key-work-0123456789", 403, Some("another account's address")),
    ];
    for (key, status, why) in rows {
        // The rig asks at the first account's address.
        let got = rig
            .chat_as(
                "cloudflare",
                "@cf/openai/gpt-oss-20b",
                json!({}),
                Key::This(key),
            )
            .await;
        assert_eq!(got.status, status);
        let seen = rig.providers.seen("cloudflare").pop().unwrap();
        assert_eq!(seen.why.as_deref(), why);
    }
}
