//! Messages as each provider takes them.

use super::*;

#[test]
fn s10_6_messages_in_each_providers_form() {
    const CALL: &str =
        r#"{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}}"#;
    let with_calls = |content: &str, rest: &str| {
        format!(r#"{{"role":"assistant"{content},"tool_calls":[{CALL}]{rest}}}"#)
    };
    let row = |provider: &'static str, message: String, expected: String, named: &'static str| {
        (provider, message, expected, named)
    };
    let same = |message: &str| (message.to_owned(), message.to_owned());
    let (parts, _) = same(
        r#"{"role":"user","content":[{"type":"text","text":"a\n"}, {"type":"text","text":"\u00e9","cache_control":{}}]}"#,
    );
    let (image, _) = same(
        r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:"}}]}"#,
    );
    let one = r#"{"role":"user","content":"a\n\n\n\u00e9"}"#.to_owned();
    let thought = r#"{"role":"assistant","reasoning_content":"h","content":"a","reasoning":"h","reasoning_details":[],"thinking":"h","extra_content":{"x":1}}"#;
    #[rustfmt::skip]
    let rows = [
        row("groq", r#"{"role":"user","name":"bob","content":"hi"}"#.into(), r#"{"role":"user","content":"hi"}"#.into(), "messages[].name"),
        row("groq", r#"{"name":null,"role":"user","content":"hi"}"#.into(), r#"{"role":"user","content":"hi"}"#.into(), ""),
        row("plain", r#"{"role":"user","name":"bob","content":"hi"}"#.into(), r#"{"role":"user","name":"bob","content":"hi"}"#.into(), ""),
        row("cloudflare", parts.clone(), one.clone(), ""),
        row("groq", parts.clone(), one, ""),
        row("plain", parts.clone(), parts, ""),
        row("cloudflare", image.clone(), image, ""),
        row("cloudflare", r#"{"role":"user","content":[]}"#.into(), r#"{"role":"user","content":""}"#.into(), ""),
        row("cloudflare", with_calls(r#","content":null"#, r#","refusal":null"#), with_calls(r#","content":"""#, ""), ""),
        row("plain", with_calls(r#","content":null"#, r#","refusal":null"#), with_calls(r#","content":null"#, r#","refusal":null"#), ""),
        row("plain", thought.into(), r#"{"role":"assistant","content":"a"}"#.into(),
            "messages[].reasoning_content,messages[].reasoning,messages[].reasoning_details,messages[].thinking,messages[].extra_content"),
        row("plain", r#"{"role":"assistant","content":"a","reasoning":null,"extra_content":null}"#.into(), r#"{"role":"assistant","content":"a"}"#.into(), ""),
        row("thinker", thought.into(), thought.replace(r#","extra_content":{"x":1}"#, ""), "messages[].extra_content"),
        row("gemini", thought.into(), r#"{"role":"assistant","content":"a","extra_content":{"x":1}}"#.into(),
            "messages[].reasoning_content,messages[].reasoning,messages[].reasoning_details,messages[].thinking"),
        row("cloudflare", "7".into(), "7".into(), ""),
        row("groq", r#"{"name":"x"}"#.into(), "{}".into(), "messages[].name"),
    ];
    for (provider, message, expected, named) in rows {
        let body = |message: &str| {
            format!(r#"{{"model":"m","max_tokens":1,"messages":[ {message} ,{message}]}}"#)
        };
        let expected = (body(&expected), named.to_owned());
        assert_eq!(sent(provider, &body(&message)), expected, "{provider}");
    }
}

#[test]
fn s10_6_thought_signatures_at_google() {
    const PLACEHOLDER: &str = r#"{"thought_signature":"skip_thought_signature_validator"}"#;
    #[rustfmt::skip]
    let rows = [
        // provider, beside the call's id, what is sent
        ("gemini", "".to_owned(),                                           format!(r#","extra_content":{{"google":{PLACEHOLDER}}}"#)),
        ("gemini", r#","extra_content":null"#.to_owned(),                   format!(r#","extra_content":{{"google":{PLACEHOLDER}}}"#)),
        ("gemini", r#","extra_content":{ }"#.to_owned(),                    format!(r#","extra_content":{{"google":{PLACEHOLDER}}}"#)),
        ("gemini", r#","extra_content":{"x":1}"#.to_owned(),                format!(r#","extra_content":{{"google":{PLACEHOLDER},"x":1}}"#)),
        ("gemini", r#","extra_content":{"google":{"y":1}}"#.to_owned(),     format!(r#","extra_content":{{"google":{PLACEHOLDER}}}"#)),
        ("gemini", r#","extra_content": {"google":{"thought_signature":"CiQB\u002b=="}}"#.to_owned(), r#","extra_content": {"google":{"thought_signature":"CiQB\u002b=="}}"#.to_owned()),
        ("groq",   r#","extra_content":{"google":{"thought_signature":"CiQB"}}"#.to_owned(), String::new()),
        ("groq",   String::new(),                                           String::new()),
    ];
    for (provider, beside, expected) in rows {
        let named = match (provider, beside.as_str()) {
            ("groq", beside) if !beside.is_empty() => "messages[].tool_calls[].extra_content",
            _ => "",
        };
        let body = |beside: &str| {
            format!(
                r#"{{"model":"m","messages":[{{"role":"assistant","content":"","tool_calls":[{{"id":"c"{beside}}},{{"id":"d"{beside}}}]}}]}}"#
            )
        };
        assert_eq!(
            sent(provider, &body(&beside)),
            (body(&expected), named.to_owned()),
            "{beside}"
        );
    }
}

#[test]
fn s10_6_call_ids_at_mistral() {
    let history = |ids: &[&str]| {
        let calls: Vec<String> = ids
            .iter()
            .map(|id| format!(r#"{{"id":"{id}","type":"function"}}"#))
            .collect();
        let results: Vec<String> = ids
            .iter()
            .map(|id| format!(r#",{{"role":"tool","tool_call_id":"{id}","content":"r"}}"#))
            .collect();
        format!(
            r#"{{"model":"m","messages":[{{"role":"assistant","tool_calls":[{}]}}{}]}}"#,
            calls.join(","),
            results.concat()
        )
    };
    let huge = "x".repeat(100_000);
    let odd = ["call_1", "a1B2c3D4e", "", r#"\u0061\""#, &huge, "call_1"];
    let (went, _) = sent("mistral", &history(&odd));
    let went = Raw::parse(went.as_bytes(), 99).unwrap();
    let of = |member: &str| -> Vec<String> {
        let messages = went.get("messages").unwrap();
        let holders = messages.elements().flat_map(|message| {
            let calls = message
                .get("tool_calls")
                .into_iter()
                .flat_map(Raw::elements);
            std::iter::once(message).chain(calls)
        });
        holders
            .filter_map(|holder| holder.get(member)?.as_str())
            .map(Into::into)
            .collect()
    };
    let ids = of("id");
    assert!(
        ids.iter()
            .all(|id| id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric()))
    );
    // Each result still belongs to its call.
    assert_eq!(ids, of("tool_call_id"));
    assert_eq!((ids[1].as_str(), &ids[0]), ("a1B2c3D4e", &ids[5]));
    let different: std::collections::HashSet<_> = ids.iter().collect();
    assert_eq!(different.len(), 5);
    // Other providers' ids are not changed.
    let body = history(&["call_1"]);
    assert_eq!(sent("groq", &body).0, body);
}

#[test]
fn s10_6_roles_at_mistral() {
    #[rustfmt::skip]
    let rows = [
        // Abbreviates a role and a content each.
        ("s:a u:b",                     "s:a u:b"),
        ("d:a u:b",                     "s:a u:b"),
        ("s:a s:b u:c",                 "s:a s:b u:c"),
        ("s:a u:b a:c s:d",             "s:a u:b a:c u:d"),
        ("s:a u:b s:c d:d a:e u:f",     "s:a u:b\\n\\nc\\n\\nd a:e u:f"),
        ("u:a u:b a:c a:d u:e",         "u:a\\n\\nb a:c\\n\\nd u:e"),
        ("u:a c:b t:r u:c",             "u:a c:b t:r a:Done. u:c"),
        ("u:a c:b t:r s:c u:d",         "u:a c:b t:r a:Done. u:c\\n\\nd"),
        ("u:a c:b t:r t:s a:c u:d",     "u:a c:b t:r t:s a:c u:d"),
        ("u:a a:b c:c t:r",             "u:a c:b\\n\\nc t:r"),
        ("u:a c:b c:c t:r",             "u:a c:b c:c t:r"),
        ("u:a a:b",                     "u:a p:b"),
        ("u:a c:b",                     "u:a c:b"),
        ("u:a f:b u:c",                 "u:a f:b u:c"),
    ];
    let messages = |short: &str| {
        let one = |message: &str| {
            let (who, content) = message.split_once(':').unwrap();
            let (role, rest) = match who {
                "s" => ("system", ""),
                "d" => ("developer", ""),
                "u" => ("user", ""),
                "t" => ("tool", r#","tool_call_id":"a1B2c3D4e""#),
                "c" => ("assistant", r#","tool_calls":[{"id":"a1B2c3D4e"}]"#),
                "p" => ("assistant", r#","prefix":true"#),
                "f" => ("function", ""),
                _ => ("assistant", ""),
            };
            format!(r#"{{"role":"{role}","content":"{content}"{rest}}}"#)
        };
        let all: Vec<String> = short.split(' ').map(one).collect();
        format!(r#"{{"model":"m","messages":[{}]}}"#, all.join(","))
    };
    for (short, expected) in rows {
        let (went, named) = sent("mistral", &messages(short));
        assert_eq!(
            (went.as_str(), named.as_str()),
            (messages(expected).as_str(), ""),
            "{short}"
        );
        assert_eq!(sent("mistral", &went).0, went, "{short}");
        assert_eq!(sent("groq", &messages(short)).0, messages(short));
    }
    // Parts stay parts, and a message without content gains one.
    #[rustfmt::skip]
    let rows = [
        (r#"{"role":"user","content":"a"},{"role":"user","content":[{"type":"image_url"}],"x":1}"#,
         r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url"}],"x":1}"#),
        (r#"{"role":"user","content":"a"}, {"role":"user"}"#,           r#"{"role":"user","content":"a"}"#),
        (r#"{"role":"user","content":"a"},{"role":"user","content":null},{"role":"user","content":""}"#, r#"{"role":"user","content":"a"}"#),
        ("7, {}",                                                       "7, {}"),
    ];
    for (before, after) in rows {
        let body = |messages: &str| format!(r#"{{"model":"m","messages":[{messages}]}}"#);
        assert_eq!(sent("mistral", &body(before)).0, body(after));
    }
}
