//! Whatever comes: what goes is whole, and no larger than it has to be.

use proptest::prelude::*;

use super::*;

const PROVIDERS: [&str; 8] = [
    "groq",
    "gemini",
    "mistral",
    "cloudflare",
    "cohere",
    "kilo",
    "capped",
    "plain",
];

fn members(text: &str) -> Vec<(String, String)> {
    let raw = Raw::parse(text.as_bytes(), 1024).unwrap();
    raw.members()
        .map(|(name, value)| (name.into_owned(), value.text().to_owned()))
        .collect()
}

/// A message as clients and attackers send them.
fn message() -> impl Strategy<Value = String> {
    let role = prop::sample::select(vec![
        "system",
        "user",
        "assistant",
        "tool",
        "developer",
        "x",
    ]);
    let member = prop::sample::select(vec![
        r#""content":"a""#,
        r#""content" : null"#,
        r#""content":[]"#,
        r#""content":[{"type":"text","text":"\ud83d"}, {"type":"text","text":"b"}]"#,
        r#""content":[{"type":"image_url"}]"#,
        r#""name":"bob""#,
        r#""reasoning_content":"h""#,
        r#""tool_call_id":"call_1""#,
        r#""refusal":null"#,
        r#""tool_calls":[{"id":"call_1"},{"extra_content":{}},7]"#,
        r#""tool_calls":[]"#,
        r#""extra_content":1"#,
        r#""cont\u0065nt":"e""#,
    ]);
    (role, prop::collection::vec(member, 0..5)).prop_map(|(role, members)| {
        let members: Vec<String> = members
            .iter()
            .map(|member| format!(" , {member}"))
            .collect();
        format!(r#"{{ "role":"{role}"{} }}"#, members.concat())
    })
}

proptest! {
    /// Whatever arrives, what is sent is JSON, has each name once, and would be sent unchanged a
    /// second time; members that no row names are unchanged.
    #[test]
    fn s10_6_whatever_arrives_what_is_sent_is_valid(
        provider in prop::sample::select(PROVIDERS.to_vec()),
        names in prop::sample::subsequence(vec![
            "model", "models", "max_tokens", "max_completion_tokens", "seed", "random_seed", "n", "logprobs", "logit_bias",
            "response_format", "top_k", "min_p", "tools", "store", "unknown", "\\u0078",
        ], 0..=16),
        value in prop::sample::select(vec!["null", "1", "2", "1e30", "\"a\"", "false", "[ ]", "{}", "[{\"parameters\":{\"$schema\":{},\"x\":[{}]}}]"]),
        messages in prop::collection::vec(message(), 0..7),
        at in 0..17_usize,
    ) {
        let mut texts: Vec<String> = names.iter().map(|name| format!("\"{name}\" : {value}")).collect();
        texts.insert(at.min(texts.len()), format!("\"messages\":[{}]", messages.join(" ,")));
        let body = format!("{{ {} }}", texts.join(" , "));
        let mut offer = offer(provider);
        offer.max_output = Some(1000);
        let (went, _) = sent_to(&offer, &fields(provider), &["store"], &body);
        let after = members(&went);
        let mut seen: Vec<&String> = after.iter().map(|(name, _)| name).collect();
        seen.sort();
        seen.dedup();
        prop_assert_eq!(seen.len(), after.len(), "{}", went);
        // A name that no row has stays, unless the row has all names that are taken there.
        let takes_any = fields(provider).takes.is_empty();
        let untouched = |all: &[(String, String)]| -> Vec<_> {
            let is_one = |name: &str| takes_any && ["unknown", "x"].contains(&name);
            all.iter().filter(|(name, value)| is_one(name) && value != "null").cloned().collect()
        };
        prop_assert!(takes_any || after.iter().all(|(name, _)| name != "unknown" && name != "x"), "{}", went);
        prop_assert_eq!(untouched(&after), untouched(&members(&body)));
        let (again, _) = sent_to(&offer, &fields(provider), &["store"], &went);
        prop_assert_eq!(&again, &went);
        // To OpenRouter, nothing but the model.
        let openrouter = super::offer("openrouter");
        let (up, named) = sent_to(&openrouter, &fields(provider), &["store"], &body);
        let rest = |all: Vec<(String, String)>| -> Vec<_> {
            all.into_iter().filter(|(name, _)| name != "model" && name != "models").collect()
        };
        prop_assert_eq!((rest(members(&up)), named), (rest(members(&body)), String::new()));
    }
}

/// A large body costs a small multiple of its size, however it is made.
#[test]
fn s10_6_a_hostile_body_is_rewritten_in_linear_time() {
    let message = r#"{"role":"user","name":"b","content":[{"type":"text","text":"a"}]}"#;
    let calls = format!(
        r#"{{"role":"assistant","tool_calls":[{}]}}"#,
        vec![r#"{"id":""}"#; 100_000].join(",")
    );
    #[rustfmt::skip]
    let rows = [
        ("mistral", format!(r#"{{"messages":[{}]}}"#, vec![message; 16_000].join(",")), 2),
        ("groq",    format!(r#"{{"messages":[{}]}}"#, vec![message; 16_000].join(",")), 1),
        ("mistral", format!(r#"{{"messages":[{calls}]}}"#), 2),
        ("gemini",  format!(r#"{{"messages":[{calls}]}}"#), 12),
        ("cohere",  format!(r#"{{"messages":[],"tools":[{{"parameters":{{"anyOf":[{}]}}}}]}}"#, vec![r#"{"$schema":1}"#; 100_000].join(",")), 1),
    ];
    for (provider, body, most) in rows {
        let (went, _) = sent(provider, &body);
        assert!(
            went.len() <= most * body.len() + 100,
            "{provider}: {} of {}",
            went.len(),
            body.len()
        );
        assert!(Raw::parse(went.as_bytes(), 99).is_ok());
    }
}
