//! What is refused, and in which words.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{read, translate};

fn refusal(body: &Value) -> (String, String) {
    let invalid = translate(body).expect_err(&body.to_string());
    assert_eq!(invalid.code(), "invalid_request");
    (
        invalid.param().unwrap_or_default().to_owned(),
        invalid.to_string(),
    )
}

#[test]
fn what_needs_memory_is_refused() {
    #[rustfmt::skip]
    let rows = [
        (json!({"input": "x", "previous_response_id": "resp_1"}), "previous_response_id", "asks for what is kept"),
        (json!({"input": "x", "conversation": "conv_1"}),         "conversation",         "asks for what is kept"),
        (json!({"input": "x", "store": true}),                    "store",                "must be false or absent"),
        (json!({"input": "x", "background": true}),               "background",           "must be false or absent"),
        (json!({"prompt": {"id": "pmpt_1"}}),                     "prompt",               "template stored at OpenAI"),
        (json!({"input": [{"type": "item_reference", "id": "msg_1"}]}), "input[0].type",  "is \"item_reference\""),
        (json!({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}),
                                                                  "input[0].content[0].file_id", "send the data itself"),
    ];
    for (body, param, words) in rows {
        let (got, text) = refusal(&body);
        assert_eq!(got, param, "{body}");
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let part = |part: Value| json!({"input": [{"role": "user", "content": [part]}]});
    let item = |item: Value| json!({"input": [item]});
    #[rustfmt::skip]
    let rows = [
        (json!({}),                                             r#""input" is required"#),
        (json!({"input": 7}),                                   r#""input" must be a string or a list of items"#),
        (item(json!(7)),                                        r#""input[0]" must be an object"#),
        (item(json!({"type": 7})),                              r#""input[0].type" must be a string"#),
        (item(json!({"content": "x"})),                         r#""input[0].role" is required"#),
        (item(json!({"role": "tool", "content": "x"})),         r#""input[0].role" must be user, assistant, system or developer"#),
        (item(json!({"role": "user"})),                         r#""input[0].content" is required"#),
        (item(json!({"role": "user", "content": 7})),           r#""input[0].content" must be an array"#),
        (part(json!("x")),                                      r#""input[0].content[0]" must be an object"#),
        (part(json!({"type": "input_text"})),                   r#""input[0].content[0].text" is required"#),
        (part(json!({"type": "input_video"})),
            r#""input[0].content[0].type" is "input_video", which a free model behind chat completions cannot be given"#),
        (part(json!({"type": "input_image", "image_url": "file:///etc/passwd"})),
            r#""input[0].content[0].image_url" must be an http, https or data URL"#),
        (part(json!({"type": "input_file", "filename": "a"})),  r#""input[0].content[0].file_data" is required"#),
        (json!({"input": "x", "stream": "yes"}),                r#""stream" must be a boolean"#),
        (json!({"input": "x", "store": 1}),                     r#""store" must be a boolean"#),
        (json!({"input": "x", "include": "all"}),               r#""include" must be an array"#),
        (json!({"input": "x", "text": {"format": {"type": "grammar"}}}),
            r#""text.format.type" is "grammar", which a free model behind chat completions cannot be given"#),
        (json!({"input": "x", "tools": {}}),                    r#""tools" must be an array"#),
        (json!({"input": "x", "tools": [{"type": "function"}]}), r#""tools[0].name" is required"#),
        (json!({"input": "x", "tools": [{"type": "functoin", "name": "f"}]}),
            r#""tools[0].type" is "functoin", which a free model behind chat completions cannot be given"#),
        (json!({"input": "x", "tool_choice": "always"}),        r#""tool_choice" must be auto, none or required"#),
        (json!({"input": "x", "tools": [{"type": "function", "name": "f"}], "tool_choice": {"type": "web_search"}}),
            r#""tool_choice.type" is "web_search", which a free model behind chat completions cannot be given"#),
        (json!({"input": "x", "tools": [{"type": "web_search"}], "tool_choice": "required"}),
            r#""tool_choice" demands a call, and none of the tools is carried"#),
    ];
    for (body, expected) in rows {
        assert_eq!(refusal(&body).1, expected, "{body}");
    }
    for (body, expected) in [
        ("", "the body is cut short at byte 0"),
        ("[]", "the body must be a JSON object"),
        (
            r#"{"input":"x","input":"y"}"#,
            "a field appears twice in the body",
        ),
        (
            r#"{"input":[[[[[[[]]]]]]]}"#,
            "the body nests deeper than 4 levels",
        ),
    ] {
        let invalid = read(&Bytes::from(body), 4).unwrap_err();
        assert_eq!(invalid.to_string(), expected);
    }
}
