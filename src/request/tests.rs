use proptest::prelude::*;

use super::*;
use crate::model::{Capability, ModelId, Wish};

fn read(body: &str) -> Result<ChatRequest, InvalidRequest> {
    ChatRequest::read(Bytes::copy_from_slice(body.as_bytes()), 128)
}

fn sent(body: &str) -> String {
    sent_bytes(&read(body).unwrap())
}

fn sent_bytes(request: &ChatRequest) -> String {
    use http_body_util::BodyExt as _;
    let body = request.body_as_it_came(&ModelId::try_from("a/b:free").unwrap());
    let declared = http_body::Body::size_hint(&body).exact().unwrap();
    let bytes = futures_util::FutureExt::now_or_never(body.collect())
        .unwrap()
        .unwrap()
        .to_bytes();
    assert_eq!(declared, bytes.len() as u64);
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn s4_only_model_is_set() {
    #[rustfmt::skip]
    let rows = [
        (r#"{"model":"x","messages":[]}"#,                   r#"{"model":"a/b:free","messages":[]}"#),
        (r#"{"messages":[],"model":"x"}"#,                   r#"{"messages":[],"model":"a/b:free"}"#),
        (r#"{"messages":[]}"#,                               r#"{"model":"a/b:free","messages":[]}"#),
        (r#" { "messages" : [ ] } "#,                        r#" { "model":"a/b:free","messages" : [ ] } "#),
        (r#"{"model":null,"messages":[]}"#,                  r#"{"model":"a/b:free","messages":[]}"#),
        (r#"{"model":{"a":1},"messages":[]}"#,               r#"{"model":"a/b:free","messages":[]}"#),
        (r#"{"mod\u0065l":"x","messages":[]}"#,              r#"{"mod\u0065l":"a/b:free","messages":[]}"#),
        (r#"{"x":1.0e2,"messages":[{"content":"\u00e9 é"}],"n":12345678901234567890123}"#,
         r#"{"model":"a/b:free","x":1.0e2,"messages":[{"content":"\u00e9 é"}],"n":12345678901234567890123}"#),
    ];
    for (body, expected) in rows {
        assert_eq!(sent(body), expected);
    }
}

#[test]
fn s3_1_models_and_route_are_removed() {
    #[rustfmt::skip]
    let rows = [
        (r#"{"models":["p"],"messages":[],"model":"x"}"#,            r#"{"messages":[],"model":"a/b:free"}"#),
        (r#"{"messages":[],"models":["p"],"model":"x"}"#,            r#"{"messages":[],"model":"a/b:free"}"#),
        (r#"{"model":"x","messages":[],"models":["p"]}"#,            r#"{"model":"a/b:free","messages":[]}"#),
        (r#"{"model":"x","messages":[] , "route" : "r" , "models":[],"n":1}"#, r#"{"model":"a/b:free","messages":[],"n":1}"#),
        (r#"{"route":"r","models":["p"],"messages":[]}"#,            r#"{"model":"a/b:free","messages":[]}"#),
        (r#"{ "models":["p"], "messages":[], "route":"r" }"#,        r#"{ "model":"a/b:free","messages":[] }"#),
        (r#"{"mod\u0065ls":["p"],"messages":[]}"#,                   r#"{"model":"a/b:free","messages":[]}"#),
    ];
    for (body, expected) in rows {
        assert_eq!(sent(body), expected, "{body}");
    }
}

#[test]
fn s4_1_a_request_needs_what_it_uses() {
    use Capability::{
        NoCalls, OtherFormat, Reasoning, ResponseFormat, Seed, Stop, StructuredOutputs, ToolChoice,
        Tools,
    };
    #[rustfmt::skip]
    let rows: &[(&str, &[Capability])] = &[
        (r#""tools":[{"type":"function"}]"#,                 &[Tools]),
        (r#""tools":[]"#,                                    &[]),
        (r#""tools":null"#,                                  &[]),
        (r#""tools":{}"#,                                    &[Tools]),
        (r#""tools":[],"tool_choice":"none""#,               &[]),
        (r#""tools":[{}],"tool_choice":"none""#,             &[Tools, NoCalls]),
        (r#""tools":[{}],"tool_choice":"auto""#,             &[Tools]),
        (r#""tool_choice":"auto""#,                          &[]),
        (r#""tool_choice":"none""#,                          &[]),
        (r#""tool_choice":null"#,                            &[]),
        (r#""tool_choice":"required""#,                      &[ToolChoice]),
        (r#""tool_choice":{"type":"function"}"#,             &[ToolChoice]),
        (r#""response_format":{"type":"json_schema"}"#,      &[StructuredOutputs]),
        (r#""response_format":{"type":"json_object"}"#,      &[ResponseFormat]),
        (r#""response_format":{"type":"text"}"#,             &[]),
        (r#""response_format":{"type":null}"#,               &[OtherFormat]),
        (r#""response_format":{"type":"grammar"}"#,          &[OtherFormat]),
        (r#""response_format":"json_object""#,               &[OtherFormat]),
        (r#""response_format":null"#,                        &[]),
        (r#""seed":0"#,                                      &[Seed]),
        (r#""seed":null"#,                                   &[]),
        (r#""stop":"END""#,                                  &[Stop]),
        (r#""stop":["END"]"#,                                &[Stop]),
        (r#""stop":"""#,                                     &[]),
        (r#""stop":[]"#,                                     &[]),
        (r#""stop":null"#,                                   &[]),
        (r#""reasoning":{}"#,                                &[Reasoning]),
        (r#""reasoning":{"effort":"high"}"#,                 &[Reasoning]),
        (r#""reasoning":{"enabled":false}"#,                 &[]),
        (r#""reasoning":{"effort":"none"}"#,                 &[]),
        (r#""reasoning":null"#,                              &[]),
        (r#""reasoning_effort":"low""#,                      &[Reasoning]),
        (r#""reasoning_effort":"none""#,                     &[]),
        (r#""reasoning_effort":null"#,                       &[]),
        (r#""temperature":1,"parallel_tool_calls":true"#,    &[]),
        (r#""tools":[{}],"tool_choice":"required","stop":"x","seed":1"#, &[Tools, ToolChoice, Seed, Stop]),
    ];
    for (fields, expected) in rows {
        let request = read(&format!(r#"{{"messages":[],{fields}}}"#)).unwrap();
        assert_eq!(request.needs.capabilities(), *expected, "{fields}");
    }
}

#[test]
fn s4_what_model_and_stream_say() {
    let named = |name: &str| Asked::Named(name.to_owned());
    #[rustfmt::skip]
    let rows = [
        (r#"{"messages":[]}"#,                            false, Asked::Wish(Wish::Auto)),
        (r#"{"messages":[],"model":"auto"}"#,             false, Asked::Wish(Wish::Auto)),
        (r#"{"messages":[],"model":null}"#,               false, Asked::Wish(Wish::Auto)),
        (r#"{"messages":[],"model":"auto:fast"}"#,        false, Asked::Wish(Wish::Fast)),
        (r#"{"messages":[],"model":"auto:slow"}"#,        false, named("auto:slow")),
        (r#"{"messages":[],"model":"gpt-5"}"#,            false, named("gpt-5")),
        (r#"{"messages":[],"model":7}"#,                  false, named("")),
        (r#"{"messages":[],"stream":true}"#,              true,  Asked::Wish(Wish::Auto)),
        (r#"{"messages":[],"stream":false}"#,             false, Asked::Wish(Wish::Auto)),
        (r#"{"messages":[],"stream":null}"#,              false, Asked::Wish(Wish::Auto)),
    ];
    for (body, stream, asked) in rows {
        let request = read(body).unwrap();
        assert_eq!((request.stream, request.asked), (stream, asked), "{body}");
    }
}

#[test]
fn s3_an_invalid_body_is_refused_with_a_reason() {
    let deep = format!(
        r#"{{"messages":{}{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    #[rustfmt::skip]
    let rows = [
        ("",                                         "the body is cut short at byte 0"),
        ("hello",                                    "the body is not valid JSON at byte 0"),
        (r#"{"messages":[]"#,                        "the body is cut short at byte 14"),
        (r#"{"messages":[]} x"#,                     "the body is not valid JSON at byte 16"),
        ("[]",                                       "the body must be a JSON object"),
        ("\"text\"",                                 "the body must be a JSON object"),
        ("null",                                     "the body must be a JSON object"),
        ("{}",                                       "\"messages\" is required"),
        (r#"{"messages":null}"#,                     "\"messages\" is required"),
        (r#"{"input":"hi"}"#,                        "\"messages\" is required; a body with \"input\" belongs to /v1/responses"),
        (r#"{"prompt":"hi"}"#,                       "\"messages\" is required; a body with \"prompt\" belongs to /v1/completions"),
        (r#"{"messages":null,"input":[]}"#,          "\"messages\" is required"),
        (r#"{"messages":"hi"}"#,                     "\"messages\" must be an array"),
        (r#"{"messages":{}}"#,                       "\"messages\" must be an array"),
        (r#"{"messages":[],"stream":"yes"}"#,        "\"stream\" must be a boolean"),
        (r#"{"messages":[],"stream":1}"#,            "\"stream\" must be a boolean"),
        (r#"{"model":"a","messages":[],"model":"b"}"#, "the field \"model\" appears twice in the body"),
        (r#"{"messages":[],"messages":[]}"#,         "the field \"messages\" appears twice in the body"),
        (r#"{"messages":[],"x":1,"\u0078":1}"#,      "a field appears twice in the body"),
        (&deep,                                      "the body nests deeper than 128 levels"),
    ];
    for (body, expected) in rows {
        assert_eq!(read(body).unwrap_err().to_string(), expected, "{body:.40}");
    }
    let not_utf8 =
        ChatRequest::read(Bytes::from_static(b"{\"messages\":[\"\xff\"]}"), 128).unwrap_err();
    assert_eq!(not_utf8.to_string(), "the body is not UTF-8 at byte 14");
}

#[test]
fn s6_the_number_of_things_in_a_body_is_limited() {
    type Row<'a> = (&'a dyn Fn(usize) -> String, usize, &'a str);
    let list = |item: &str, count: usize| format!("[{}]", vec![item; count].join(","));
    let with = |field: &str, item: &str, count| {
        let value = list(item, count);
        format!(r#"{{"messages":[],"{field}":{value}}}"#)
    };
    let messages = |item: &str, count| format!(r#"{{"messages":{}}}"#, list(item, count));
    let parts = |count| messages(&format!(r#"{{"content":{}}}"#, list("0", count / 64)), 64);
    #[rustfmt::skip]
    let rows: [Row<'_>; 6] = [
        (&|n| with("tools", "{}", n),     MAX_TOOLS,    "\"tools\" has more than 4096 entries"),
        (&|n| with("functions", "1", n),  MAX_TOOLS,    "\"functions\" has more than 4096 entries"),
        (&|n| with("stop", "\"\"", n),    MAX_STOPS,    "\"stop\" has more than 1024 entries"),
        (&|n| messages("{}", n),          MAX_MESSAGES, "\"messages\" has more than 16384 entries"),
        (&parts,                          MAX_PARTS,    "\"messages\" has more than 65536 parts in all"),
        (&|n| format!("{{{}\"messages\":[]}}", (1..n).map(|n| format!("\"x{n}\":0,")).collect::<String>()),
                                          MAX_FIELDS,   "the body has more than 1024 fields"),
    ];
    for (body, limit, expected) in rows {
        assert!(read(&body(limit)).is_ok(), "{expected}");
        let over = if limit == MAX_PARTS {
            limit + 64
        } else {
            limit + 1
        };
        assert_eq!(read(&body(over)).unwrap_err().to_string(), expected);
    }
}

proptest! {
    /// Promise 12: everything but `model` is byte-equal.
    #[test]
    fn whatever_the_fields_only_model_changes(
        fields in prop::collection::btree_map("[a-z_]{1,12}", "[1-9][0-9]{0,29}|\"[a-zé ]{0,20}\"|true|null|\\[1 , 2\\]", 0..8),
        model in prop::option::of(0..8_usize),
        extra in prop::sample::subsequence(vec!["models", "route"], 0..=2),
    ) {
        let mut members: Vec<(String, String)> = fields.into_iter()
            .filter(|(k, _)| !["model", "models", "route", "messages", "stream"].contains(&k.as_str())).collect();
        members.push(("messages".into(), "[ ]".into()));
        let kept = members.clone();
        for name in &extra {
            members.insert(members.len() / 2, ((*name).into(), "[1]".into()));
        }
        if let Some(at) = model {
            members.insert(at.min(members.len()), ("model".into(), "\"x\"".into()));
        }
        let text: Vec<String> = members.iter().map(|(k, v)| format!("\"{k}\" : {v}")).collect();
        let got = sent(&format!("{{{}}}", text.join(" , ")));
        let raw = Raw::parse(got.as_bytes(), 128).unwrap();
        let rest: Vec<(String, String)> = raw.members().filter(|(k, _)| k != "model")
            .map(|(k, v)| (k.into_owned(), v.text().to_owned())).collect();
        prop_assert_eq!(rest, kept);
        prop_assert_eq!(raw.members().filter(|(k, _)| k == "model").count(), 1);
        prop_assert_eq!(raw.get("model").unwrap().text(), "\"a/b:free\"");
    }
}

#[test]
fn s4_1_images_and_size_are_needs() {
    use Capability::Images;
    #[rustfmt::skip]
    let rows: &[(&str, &[Capability])] = &[
        (r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:..."}}]}]"#, &[Images]),
        (r#"[{"role":"user","content":[{"type":"text","text":"a"},{"image_url":"http://x"}]}]"#,  &[Images]),
        (r#"[{"role":"user","content":[{"type":"text","text":"an image_url"}]}]"#,               &[]),
        (r#"[{"role":"user","content":"an image"}]"#,                                            &[]),
        (r#"[{"role":"user","content":null}, 7, "image"]"#,                                      &[]),
    ];
    for (messages, expected) in rows {
        let request = read(&format!(r#"{{"messages":{messages}}}"#)).unwrap();
        assert_eq!(request.needs.capabilities(), *expected, "{messages}");
    }
    let text = "x".repeat(8_000);
    #[rustfmt::skip]
    let rows = [
        (format!(r#"[{{"content":"{text}"}}]"#),                                           1_000, true),
        (format!(r#"[{{"content":"{text}"}}]"#),                                           999,   false),
        (format!(r#"[{{"content":[{{"type":"text","text":"{text}"}}]}},{{"content":"{text}"}}]"#), 1_999, false),
        (format!(r#"[{{"content":[{{"type":"image_url","image_url":{{"url":"{text}"}}}}]}}]"#), 999, true),
        (format!(r#"[{{"content":"{}"}}]"#, "\\n".repeat(8_000)),                         1_000, true),
    ];
    for (messages, context, fits) in rows {
        let request = read(&format!(r#"{{"messages":{messages}}}"#)).unwrap();
        assert_eq!(
            request.needs.fits_into(context),
            fits,
            "{context} {messages:.60}"
        );
    }
}

#[test]
fn s4_5_a_request_that_interferes_with_routing_is_recognised() {
    use Routing::{Asks, Ours, Steers};
    #[rustfmt::skip]
    let rows = [
        (r#""provider":{"order":["X"],"allow_fallbacks":false}"#,  Steers),
        (r#""pro\u0076ider":{"only":["X"]}"#,                      Steers),
        (r#""plugins":[{"id":"web"}]"#,                            Steers),
        (r#""web_search_options":{"search_context_size":"low"}"#,  Steers),
        (r#""preset":"mine""#,                                     Steers),
        (r#""tools":[{"type":"function"},{"type":"openrouter:web_search"}]"#, Steers),
        (r#""tools":[{"type":"web_search_preview"}]"#,             Steers),
        (r#""tools":[{"type":7}]"#,                                Steers),
        (r#""models":["a"]"#,                                      Asks),
        (r#""route":"fallback""#,                                  Asks),
        (r#""transforms":["middle-out"]"#,                         Asks),
        (r#""service_tier":"flex""#,                               Asks),
        (r#""tool_choice":"banana""#,                              Asks),
        (r#""tool_choice":{"type":"allowed_tools"}"#,              Asks),
        (r#""transforms":["x"],"provider":{"sort":"price"}"#,      Steers),
        (r#""provider":null,"plugins":[],"transforms":[],"models":[]"#, Ours),
        (r#""provider":{ }"#,                                      Ours),
        (r#""tools":[{"type":"function","function":{"parameters":{"type":"object"}}}]"#, Ours),
        (r#""tools":[{"function":{"name":"f"}}]"#,                 Asks),
        (r#""tools":[{"type":"function"},7]"#,                     Asks),
        (r#""tools":[]"#,                                          Ours),
        (r#""tools":"none""#,                                      Ours),
        (r#""tool_choice":"required""#,                            Ours),
        (r#""tool_choice":{"type":"function","function":{"name":"f"}}"#, Ours),
        (r#""session_id":"s","prompt_cache_key":"k","metadata":{"user_id":"u"},"user":"u""#, Ours),
        (r#""x":{"provider":{"only":["X"]}}"#,                     Ours),
    ];
    for (fields, expected) in rows {
        let body = format!(r#"{{"messages":[],{fields}}}"#);
        assert_eq!(read(&body).unwrap().routing, expected, "{fields}");
    }
}

#[test]
fn s4_4_whether_the_usage_of_a_stream_is_wanted() {
    #[rustfmt::skip]
    let rows = [
        (r#"{"messages":[]}"#,                                             false),
        (r#"{"messages":[],"stream_options":null}"#,                       false),
        (r#"{"messages":[],"stream_options":{"include_usage":"yes"}}"#,    false),
        (r#"{"messages":[],"stream_options":{"include_usage":true}}"#,     true),
    ];
    for (body, expected) in rows {
        assert_eq!(read(body).unwrap().wants_usage, expected, "{body}");
    }
}

#[test]
fn s10_4_where_no_router_reads_it_only_what_is_asked_of_the_model_counts() {
    use Routing::{Asks, Ours, Steers};
    #[rustfmt::skip]
    let rows = [
        // the request                                     at a router  elsewhere
        (r#""provider":{"sort":"price"}"#,                 Steers,      Ours),
        (r#""plugins":[{"id":"web"}]"#,                    Steers,      Ours),
        (r#""web_search_options":{"a":1}"#,                Steers,      Ours),
        (r#""models":["a"]"#,                              Asks,        Ours),
        (r#""service_tier":"flex""#,                       Asks,        Asks),
        (r#""tool_choice":{"type":"odd"}"#,                Asks,        Asks),
        (r#""tools":[{"type":"web_search"}]"#,             Steers,      Asks),
        (r#""provider":{"sort":"price"},"tools":[{}]"#,    Steers,      Asks),
        (r#""temperature":1"#,                             Ours,        Ours),
    ];
    for (fields, at_a_router, elsewhere) in rows {
        let body = format!(r#"{{"messages":[],{fields}}}"#);
        let request = ChatRequest::read(body.into(), 128).unwrap();
        let found = [true, false].map(|is_router| request.routing_at(|| is_router));
        assert_eq!(found, [at_a_router, elsewhere], "{fields}");
    }
}
