//! How each item is handled.

use serde_json::{Value, json};

use super::chat;

fn messages(input: Value) -> Value {
    chat(&json!({"input": input}))["messages"].clone()
}

#[test]
fn items_become_messages() {
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    #[rustfmt::skip]
    let rows = [
        (json!("Hi"), json!([{"role": "user", "content": "Hi"}])),
        (json!([]),   json!([])),
        (json!([{"role": "user", "content": "a"}, {"type": "message", "role": "assistant", "content": "b"}]),
         json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])),
        (json!([{"role": "user", "content": [{"type": "input_text", "text": "See"}, {"type": "input_image", "image_url": "https://a", "detail": "original"}]}]),
         json!([{"role": "user", "content": [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": "https://a", "detail": "high"}}]}])),
        (json!([{"role": "user", "content": [{"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"}]}]),
         json!([{"role": "user", "content": [{"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"}}]}])),
        (json!([{"role": "user", "content": [{"type": "input_file", "file_url": "https://a/b.pdf"}]}]),
         json!([{"role": "user", "content": [{"type": "file", "file": {"file_data": "https://a/b.pdf"}}]}])),
        // Text and the calls after it are one message; so are adjacent calls.
        (json!([{"role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]},
                {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
                {"type": "function_call", "call_id": "2", "name": "g", "arguments": "{\"a\":1}"},
                {"type": "function_call_output", "call_id": "1", "output": "x"},
                {"type": "function_call_output", "call_id": "2", "output": [{"type": "input_text", "text": "y"}]}]),
         json!([{"role": "assistant", "content": "Let me see.", "tool_calls": [call("1", "f", "{}"), call("2", "g", "{\"a\":1}")]},
                {"role": "tool", "tool_call_id": "1", "content": "x"}, {"role": "tool", "tool_call_id": "2", "content": "y"}])),
        // Text after calls belongs to them as well: results must follow calls immediately.
        (json!([{"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
                {"role": "assistant", "content": "Now wait."},
                {"type": "function_call_output", "call_id": "1", "output": "x"}]),
         json!([{"role": "assistant", "content": "Now wait.", "tool_calls": [call("1", "f", "{}")]},
                {"role": "tool", "tool_call_id": "1", "content": "x"}])),
        // Two texts are two messages.
        (json!([{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}]),
         json!([{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}])),
        (json!([{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}]),
         json!([{"role": "assistant", "content": "No.", "refusal": "No."}])),
        // Freeform calls, and calls of a namespace's tools.
        (json!([{"type": "custom_tool_call", "call_id": "1", "name": "apply_patch", "input": "*** Begin\n\"x\""},
                {"type": "custom_tool_call_output", "call_id": "1", "output": "Done."},
                {"type": "function_call", "call_id": "2", "namespace": "multi_agent_v1", "name": "close_agent", "arguments": "{}"}]),
         json!([{"role": "assistant", "content": null, "tool_calls": [call("1", "apply_patch", "{\"input\":\"*** Begin\\n\\\"x\\\"\"}")]},
                {"role": "tool", "tool_call_id": "1", "content": "Done."},
                {"role": "assistant", "content": null, "tool_calls": [call("2", "multi_agent_v1__close_agent", "{}")]},
                {"role": "tool", "tool_call_id": "2", "content": "No result of this call is known."}])),
        // A result whose call is missing becomes text; a message between the two comes after.
        (json!([{"type": "function_call_output", "call_id": "1", "output": "x"}]),
         json!([{"role": "user", "content": [{"type": "text", "text": "The result of an earlier tool call:"}, {"type": "text", "text": "x"}]}])),
        (json!([{"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
                {"type": "function_call", "call_id": "2", "name": "g", "arguments": "{}"},
                {"role": "user", "content": "Hurry."},
                {"type": "function_call_output", "call_id": "2", "output": "y"},
                {"role": "developer", "content": "Be quick."},
                {"type": "function_call_output", "call_id": "1", "output": "x"}]),
         json!([{"role": "assistant", "content": null, "tool_calls": [call("1", "f", "{}"), call("2", "g", "{}")]},
                {"role": "tool", "tool_call_id": "1", "content": "x"}, {"role": "tool", "tool_call_id": "2", "content": "y"},
                {"role": "user", "content": "Hurry."}, {"role": "user", "content": "<system-reminder>\nBe quick.\n</system-reminder>"}])),
        // Nothing was said, so there is no message.
        (json!([{"role": "user", "content": "a"}, {"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"}, {"role": "user", "content": "b"}]),
         json!([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}])),
        (json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": []}, {"role": "assistant", "content": [{"type": "output_text", "text": ""}]}]),
         json!([{"role": "user", "content": "a"}])),
    ];
    for (input, expected) in rows {
        assert_eq!(messages(input.clone()), expected, "{input}");
    }
    let both = chat(&json!({"instructions": "Be good.", "input": [
        {"role": "developer", "content": [{"type": "input_text", "text": "Be quick."}]}, {"role": "user", "content": "Hi"}]}));
    let system = json!({"role": "system", "content": "Be good.\n\nBe quick."});
    assert_eq!(
        both["messages"],
        json!([system, {"role": "user", "content": "Hi"}])
    );
}

#[test]
fn reasoning_comes_back_before_what_it_led_to() {
    let reasoning = |fields: Value| {
        let mut item = json!({"type": "reasoning", "id": "rs_1", "summary": []});
        item.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        messages(json!([item, {"role": "assistant", "content": "x"}]))[0].clone()
    };
    let sealed = r#"flp1.[{"type":"reasoning.text","text":0,"format":"f","index":0}]"#;
    let other = r#"flp1.[{"type":"reasoning.encrypted","data":"d"}]"#;
    #[rustfmt::skip]
    let rows = [
        (json!({"summary": [{"type": "summary_text", "text": "Hm."}]}), json!({"reasoning": "Hm."})),
        (json!({"summary": [{"type": "summary_text", "text": "short"}], "content": [{"type": "reasoning_text", "text": "long"}]}),
                                                                        json!({"reasoning": "long"})),
        (json!({"summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": sealed}),
         json!({"reasoning": "Hm.", "reasoning_details": [{"type": "reasoning.text", "text": "Hm.", "format": "f", "index": 0}]})),
        (json!({"encrypted_content": other}), json!({"reasoning_details": [{"type": "reasoning.encrypted", "data": "d"}]})),
        (json!({"encrypted_content": "gAAAA somebody else's", "summary": [{"type": "summary_text", "text": "Hm."}]}), json!({"reasoning": "Hm."})),
        (json!({"encrypted_content": null}), json!({})),
    ];
    for (item, expected) in rows {
        let mut message = json!({"role": "assistant", "content": "x"});
        message
            .as_object_mut()
            .unwrap()
            .extend(expected.as_object().unwrap().clone());
        assert_eq!(reasoning(item.clone()), message, "{item}");
    }
}
