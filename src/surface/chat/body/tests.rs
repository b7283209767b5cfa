use serde_json::{Value, json};

use super::super::part::Url;
use super::*;

const IMAGE: Part<'_> = Part::Image {
    url: Url::Data {
        media_type: "image/png",
        base64: "AA==",
    },
    detail: None,
};

fn messages(say: impl FnOnce(&mut Body)) -> Value {
    let mut body = Body::default();
    say(&mut body);
    let whole: Value = serde_json::from_slice(&body.finish()).unwrap();
    whole["messages"].clone()
}

#[test]
fn one_system_message_stands_first_and_no_other_anywhere() {
    let got = messages(|body| {
        body.system(["Be", "good."]);
        body.user(&[Part::Text("Hi")]);
        body.system(["Agents: none."]);
        body.text("Hello");
        body.system(["", "Hurry."]);
        body.user(&[Part::Text("Bye")]);
        body.system([""]);
    });
    let expected = json!([
        {"role": "system", "content": "Be\n\ngood.\n\nAgents: none."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "<system-reminder>\nHurry.\n</system-reminder>"},
        {"role": "user", "content": "Bye"},
    ]);
    assert_eq!(got, expected);
}

#[test]
fn a_turn_is_one_message_with_its_calls() {
    let got = messages(|body| {
        body.reasoning(b"Hm.", br#",{"type":"reasoning.text","text":"Hm."}"#);
        body.text("Let me ");
        body.text("see.");
        body.call("a", "f", Arguments::Text(r#"{\"x\":1}"#));
        body.reasoning(b"And?", b"");
        body.call("b", "g", Arguments::Json(r#"{"y" : "\n"}"#));
        body.call("c", "h", Arguments::Input(r#"say \"hi\"\n"#));
        body.result("a", &[Part::Text("1")], false);
        body.result("b", &[], false);
        body.result("c", &[Part::Text("no"), Part::Text("way")], true);
        body.begin_turn();
        body.end_turn();
        body.refusal("I won't.");
        body.end_turn();
        body.reasoning(b"broken off", b"");
    });
    let call = |id, name, arguments| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let expected = json!([
        {"role": "assistant", "content": "Let me see.", "reasoning": "Hm.\n\nAnd?",
         "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}],
         "tool_calls": [call("a", "f", r#"{"x":1}"#), call("b", "g", r#"{"y" : "\n"}"#), call("c", "h", r#"{"input":"say \"hi\"\n"}"#)]},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": ""},
        {"role": "tool", "tool_call_id": "c", "content": "Error: no\nway"},
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": null, "refusal": "I won't."},
    ]);
    assert_eq!(got, expected);
}

#[test]
fn what_tools_show_follows_their_results() {
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}});
    let note = json!({"type": "text", "text": "What the tools above have returned:"});
    let result = |id, content| json!({"role": "tool", "tool_call_id": id, "content": content});
    let attached = "(attached to the next user message)";
    let shown = |body: &mut Body| {
        body.result("a", &[IMAGE], false);
        body.result("b", &[Part::Text("x"), IMAGE], false);
    };
    let results = [
        result("a", attached.to_owned()),
        result("b", format!("x\n{attached}")),
    ];
    let got = messages(|body| {
        shown(body);
        body.user(&[Part::Text("See?")]);
    });
    let user =
        json!({"role": "user", "content": [note, image, image, {"type": "text", "text": "See?"}]});
    assert_eq!(got, json!([results[0], results[1], user]));

    let alone = json!({"role": "user", "content": [note, image, image]});
    let said = json!({"role": "assistant", "content": "I see."});
    let got = messages(|body| {
        shown(body);
        body.text("I see.");
    });
    assert_eq!(got, json!([results[0], results[1], alone, said]));
    assert_eq!(messages(shown), json!([results[0], results[1], alone]));
}

#[test]
fn what_the_user_says_is_as_plain_as_can_be() {
    #[rustfmt::skip]
    let rows = [
        (vec![],                                        json!("")),
        (vec![Part::Text("")],                          json!("")),
        (vec![Part::Text("a")],                         json!("a")),
        (vec![Part::Text("a"), Part::Text("")],         json!("a")),
        (vec![Part::Text("a"), Part::Text("b")],        json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])),
        (vec![Part::Text(""), IMAGE],                   json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}])),
        (vec![Part::Image { url: Url::Whole("https://a"), detail: Some("low") }],
             json!([{"type": "image_url", "image_url": {"url": "https://a", "detail": "low"}}])),
        (vec![Part::File { name: Some("a.pdf"), data: Url::Whole("https://a") }],
             json!([{"type": "file", "file": {"filename": "a.pdf", "file_data": "https://a"}}])),
        (vec![Part::File { name: None, data: Url::Whole("https://a") }],
             json!([{"type": "file", "file": {"file_data": "https://a"}}])),
        (vec![Part::Audio(r#"{"data":"A","format":"wav"}"#)],
             json!([{"type": "input_audio", "input_audio": {"data": "A", "format": "wav"}}])),
    ];
    for (parts, content) in rows {
        let got = messages(|body| body.user(&parts));
        assert_eq!(got, json!([{"role": "user", "content": content}]));
    }
}

#[test]
fn fields_stand_beside_the_messages() {
    let mut body = Body::default();
    body.field("temperature", "0.50");
    body.field("stop", r#"["x"]"#);
    let got = body.finish();
    assert_eq!(got, r#"{"messages":[],"temperature":0.50,"stop":["x"]}"#);
}
