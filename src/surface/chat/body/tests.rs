use serde_json::{Value, json};

use super::super::part::Url;
use super::*;
use crate::json::Raw;

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
fn the_one_system_message_comes_first() {
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
        body.call("a", None, "f", Arguments::Text(r#"{\"x\":1}"#));
        body.reasoning(b"And?", b"");
        body.call("b", None, "g", Arguments::Json(r#"{"y" : "\n"}"#));
        body.call("c", None, "h", Arguments::Input(r#"say \"hi\"\n"#));
        body.result("a", &[Part::Text("1")], false);
        body.result("b", &[], false);
        body.result("c", &[Part::Text("no"), Part::Text("way")], true);
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
        {"role": "assistant", "content": "I won't.", "refusal": "I won't."},
    ]);
    assert_eq!(got, expected);
}

#[test]
fn an_empty_message_by_the_model_is_left_out() {
    const SEALED: &[u8] = br#",{"type":"reasoning.encrypted","data":"d"}"#;
    #[rustfmt::skip]
    let rows: [fn(&mut Body); 5] = [
        |body| body.text(""),
        |body| body.refusal(""),
        |body| body.reasoning(b"", b""),
        |body| body.reasoning(b"Hm.", b""),
        |body| body.reasoning(b"", SEALED),
    ];
    for (n, say) in rows.into_iter().enumerate() {
        let got = messages(|body| {
            say(body);
            body.user(&[Part::Text("Hi")]);
            say(body);
        });
        assert_eq!(got, json!([{"role": "user", "content": "Hi"}]), "{n}");
    }
    let got = messages(|body| {
        body.text("");
        body.call("a", None, "f", Arguments::Json("{}"));
    });
    assert_eq!(got[0]["content"], Value::Null);
}

/// What is said: `a+b` calls, `=a` a result, `!a` a failure, `U` the user, `S` the system, `T` the
/// model. The expected messages: an assistant's call ids, a tool message's id and content, and the
/// text of the others. `A` is one of our ids.
#[test]
fn each_call_is_answered_once_and_right_after_its_message() {
    #[rustfmt::skip]
    let rows = [
        ("a =a",              "[a] a:=a"),
        ("a+b =a =b",         "[ab] a:=a b:=b"),
        ("a+b =b =a",         "[ab] a:=a b:=b"),
        // What was said in between comes afterwards.
        ("a U =a",            "[a] a:=a U"),
        ("a S =a T",          "[a] a:=a S T"),
        ("a+b =a U =b U",     "[ab] a:=a b:=b U U"),
        ("a U b =a =b",       "[a] a:=a U [b] b:=b"),
        ("a T =a U",          "[a]T a:=a U"),
        ("a U T U =a",        "[a] a:=a U T U"),
        // No result.
        ("a U",               "[a] a:none U"),
        ("a",                 "[a] a:none"),
        ("a+b =b U",          "[ab] a:none b:=b U"),
        // No call, none yet, or one that already has its result.
        ("=a U",              "(=a) U"),
        ("!a U",              "(!a) U"),
        ("=a a U",            "(=a) [a] a:none U"),
        ("a =a =a U",         "[a] a:=a (=a) U"),
        ("U =x a =a",         "U (=x) [a] a:=a"),
        ("a !a",              "[a] a:Error: !a"),
        // Ids that come again: the last message with an unanswered one is meant, and in it the
        // first.
        ("a =a U a =a",       "[a] a:=a U [a] a:=a"),
        ("a U a =a",          "[a] a:none U [a] a:=a"),
        ("a+a =a !a",         "[aA] a:=a A:Error: !a"),
    ];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let id = |value: &Value| match text(value) {
        made if made.starts_with("flp_") => "A".to_owned(),
        id => id,
    };
    for (said, expected) in rows {
        let got = messages(|body| {
            for word in said.split(' ') {
                match word.split_at(1) {
                    ("=", id) => body.result(id, &[Part::Text(word)], false),
                    ("!", id) => body.result(id, &[Part::Text(word)], true),
                    ("U", _) => body.user(&[Part::Text("U")]),
                    ("S", _) => body.system(["S"]),
                    ("T", _) => body.text("T"),
                    _ => {
                        let call = |id| body.call(id, None, "f", Arguments::Json("{}"));
                        word.split('+').for_each(call);
                    }
                }
            }
        });
        let shown = |message: &Value| match message["role"].as_str() {
            Some("tool") => {
                let content = text(&message["content"]);
                let known = content != "No result of this call is known.";
                let content = if known { content } else { "none".to_owned() };
                format!("{}:{content}", id(&message["tool_call_id"]))
            }
            Some("assistant") => {
                let calls = message["tool_calls"].as_array().into_iter().flatten();
                let ids: String = calls.map(|call| id(&call["id"])).collect();
                let ids = if ids.is_empty() {
                    ids
                } else {
                    format!("[{ids}]")
                };
                ids + &text(&message["content"])
            }
            _ => match message["content"].as_array() {
                Some(parts) => {
                    let of = text(&parts[0]["text"]);
                    let failed = text(&parts[1]["text"]).starts_with('!');
                    assert_eq!(of.starts_with("The error"), failed, "{of}");
                    format!("({})", text(&parts[1]["text"]))
                }
                None => text(&message["content"])
                    .replace("<system-reminder>\nS\n</system-reminder>", "S"),
            },
        };
        let shown: Vec<String> = got.as_array().unwrap().iter().map(shown).collect();
        assert_eq!(shown.join(" "), expected, "{said}");
    }
}

#[test]
fn a_call_without_an_id_gets_one_and_its_result_too() {
    let got = messages(|body| {
        body.call("", None, "f", Arguments::Json("{}"));
        body.call("", None, "g", Arguments::Json("{}"));
        body.call("b", Some("own"), "h", Arguments::Json("{}"));
        body.result("", &[Part::Text("1")], false);
        body.result("own", &[Part::Text("3")], false);
        body.result("b", &[Part::Text("again")], false);
        body.result("", &[Part::Text("2")], false);
        body.result("", &[], false);
    });
    let calls = got[0]["tool_calls"].as_array().unwrap();
    let ids: Vec<&Value> = calls.iter().map(|call| &call["id"]).collect();
    assert_eq!(ids, ["call_without_id_0", "call_without_id_1", "b"]);
    for (n, content) in ["1", "2", "3"].into_iter().enumerate() {
        let result = json!({"role": "tool", "tool_call_id": ids[n], "content": content});
        assert_eq!(got[n + 1], result);
    }
    assert_eq!(got[4]["content"][1]["text"], "again");
    assert_eq!(got.as_array().unwrap().len(), 5);
}

#[test]
fn an_id_that_hosts_reject_is_replaced_in_call_and_result_alike() {
    let long = "x".repeat(65);
    let fits = "x".repeat(64);
    #[rustfmt::skip]
    let rows = [
        // ids made elsewhere                              which of them are sent
        (["call_0", "call_1", "call_2"],                  [true,  true,  true]),
        (["functions.Bash:0", "functions.Bash:1", &fits], [true,  true,  true]),
        // One of two equal ids is enough to lead to the other's result.
        (["call_0", "call_0", "call_0"],                  [true,  false, false]),
        ([&long, "a b", r"\u00e9"],                       [false, false, false]),
        (["call|item", &long, &long],                     [false, false, false]),
    ];
    for (ids, kept) in rows {
        let got = messages(|body| {
            for id in ids {
                body.call(id, None, "f", Arguments::Json("{}"));
            }
            for (n, id) in ids.into_iter().enumerate() {
                body.result(id, &[Part::Text(["0", "1", "2"][n])], false);
            }
        });
        let mut seen = std::collections::HashSet::new();
        for (n, id) in ids.into_iter().enumerate() {
            let call = got[0]["tool_calls"][n]["id"].as_str().unwrap();
            assert_eq!(call == id, kept[n], "{ids:?}: {call}");
            assert!(seen.insert(call) && fits_strict_hosts(call), "{call}");
            let result = &got[n + 1];
            assert_eq!(result["tool_call_id"], call, "{ids:?}");
            assert_eq!(result["content"], n.to_string());
        }
    }
    // In another turn the same id is a different call's.
    let got = messages(|body| {
        for n in ["0", "1"] {
            body.call("call_0", None, "f", Arguments::Json("{}"));
            body.result("call_0", &[Part::Text(n)], false);
        }
    });
    assert_eq!(got[2]["tool_calls"][0]["id"], "call_0");
    assert_eq!(got[3]["content"], "1");
}

fn fits_strict_hosts(id: &str) -> bool {
    id.len() <= 64 && id.bytes().all(|b| b.is_ascii_graphic() && b != b'|')
}

#[test]
fn an_empty_user_message_is_sent_only_if_it_is_the_last() {
    type Say = fn(&mut Body);
    const NOTHING: [Part<'_>; 1] = [Part::Text("")];
    #[rustfmt::skip]
    let rows: [(Say, Value); 5] = [
        (|body| body.user(&NOTHING),                                 json!(["user"])),
        (|body| { body.text("a"); body.user(&[]) },                  json!(["assistant", "user"])),
        (|body| { body.user(&NOTHING); body.text("a"); body.user(&[Part::Text("b")]) }, json!(["assistant", "user"])),
        (|body| { body.user(&NOTHING); body.user(&[Part::Text("b")]) }, json!(["user"])),
        (|body| { body.call("a", None, "f", Arguments::Json("{}")); body.result("a", &NOTHING, false); body.user(&NOTHING) },
            json!(["assistant", "tool"])),
    ];
    for (n, (said, expected)) in rows.into_iter().enumerate() {
        let got = messages(said);
        let roles: Vec<&Value> = got.as_array().unwrap().iter().map(|m| &m["role"]).collect();
        assert_eq!(json!(roles), expected, "{n}");
    }
}

#[test]
fn what_tools_show_follows_their_results() {
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}});
    let note = json!({"type": "text", "text": "What the tools above have returned:"});
    let result = |id, content| json!({"role": "tool", "tool_call_id": id, "content": content});
    let attached = "(attached to the next user message)";
    let shown = |body: &mut Body| {
        body.call("a", None, "f", Arguments::Json("{}"));
        body.call("b", None, "f", Arguments::Json("{}"));
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
    let without_calls = |got: Value| Value::from(&got.as_array().unwrap()[1..]);
    assert_eq!(without_calls(got), json!([results[0], results[1], user]));

    let alone = json!({"role": "user", "content": [note, image, image]});
    let said = json!({"role": "assistant", "content": "I see."});
    let got = messages(|body| {
        shown(body);
        body.text("I see.");
    });
    let expected = json!([results[0], results[1], alone, said]);
    assert_eq!(without_calls(got), expected);
    let expected = json!([results[0], results[1], alone]);
    assert_eq!(without_calls(messages(shown)), expected);
    let got = messages(|body| body.result("a", &[IMAGE], false));
    let of = json!({"type": "text", "text": "The result of an earlier tool call:"});
    assert_eq!(got, json!([{"role": "user", "content": [of, image]}]));
}

#[test]
fn user_content_is_a_string_where_possible() {
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
        (vec![Part::Foreign(Raw::parse(br#"{"type":"x","n":1}"#, 9).unwrap())],
             json!([{"type": "text", "text": r#"{"type":"x","n":1}"#}])),
    ];
    for (parts, content) in rows {
        let got = messages(|body| body.user(&parts));
        assert_eq!(got, json!([{"role": "user", "content": content}]));
    }
}

#[test]
fn fields_are_written_beside_the_messages() {
    let mut body = Body::default();
    body.field("temperature", "0.50");
    body.field("stop", r#"["x"]"#);
    let got = body.finish();
    assert_eq!(got, r#"{"messages":[],"temperature":0.50,"stop":["x"]}"#);
}
