//! §3: a conversation can always go on. Any history is sent upstream as a chat completion that
//! strict hosts accept; answers that only a translation cannot use lead to the next model.

use serde_json::{Value, json};
use simulator::Step;

use crate::rig::{Answer, Rig, abc};
use crate::scripts::{JSON, STREAM, pieces};

const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/v1/messages";

/// The chat completion that was sent upstream.
fn went_up(rig: &Rig) -> Value {
    let requests = rig.simulator.requests();
    let chat = requests
        .iter()
        .rfind(|seen| seen.path.ends_with("/chat/completions"));
    serde_json::from_slice(&chat.expect("a model was asked").body).unwrap()
}

/// What a strict host requires: every call answered once and right after its message, no other
/// results, and no empty message by the model.
fn check_strictly(chat: &Value) {
    let mut waiting: Vec<&Value> = Vec::new();
    for message in chat["messages"].as_array().unwrap() {
        if message["role"] == "tool" {
            let id = &message["tool_call_id"];
            let at = waiting.iter().position(|known| *known == id);
            waiting.remove(at.unwrap_or_else(|| panic!("no call of {id}: {chat}")));
            assert!(message["content"].is_string());
            continue;
        }
        assert!(waiting.is_empty(), "no result of {waiting:?}: {chat}");
        if message["role"] == "assistant" {
            let calls = message["tool_calls"].as_array();
            waiting = calls
                .into_iter()
                .flatten()
                .map(|call| &call["id"])
                .collect();
            let said = message["content"].as_str().is_some_and(|c| !c.is_empty());
            assert!(said || !waiting.is_empty(), "{chat}");
        }
    }
    assert!(waiting.is_empty(), "no result of {waiting:?}: {chat}");
}

#[tokio::test]
async fn s3_a_thread_with_openais_own_tools_can_continue() {
    let rig = Rig::start(abc()).await;
    let mut input = json!([
        {"type": "additional_tools", "role": "developer", "tools": [{"type": "function", "name": "ls", "parameters": {}}]},
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be good."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}, {"type": "input_image", "file_id": "f"}]},
        {"type": "compaction", "encrypted_content": "gAAAA"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "local_shell_call", "id": "l", "call_id": "c1", "status": "completed", "action": {"type": "exec", "command": ["ls"]}},
        {"type": "function_call", "call_id": "c2", "name": "ls", "arguments": "{}"},
        {"type": "message", "role": "user", "content": "Hurry."},
        {"type": "function_call_output", "call_id": "c2", "output": "a.txt"},
        {"type": "local_shell_call_output", "id": "c1", "output": "a.txt"},
        {"type": "function_call_output", "call_id": "gone", "output": "x"},
        {"type": "function_call", "call_id": "c3", "name": "ls", "arguments": "{}"},
        {"type": "telepathy", "thought": 1},
        {"type": "message", "role": "user", "content": "Go on."},
    ]);
    for turn in 0..3 {
        let body = json!({"input": input, "tools": [{"type": "tool_search", "execution": "client"}, {"type": "web_search"}]});
        let answer = rig.post(RESPONSES, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let dropped = answer.header("x-free-llm-proxy-dropped");
        assert_eq!(dropped, "input_image, compaction, telepathy, web_search");
        let chat = went_up(&rig);
        check_strictly(&chat);
        let names = chat["tools"].as_array().unwrap().iter();
        let names: Vec<&Value> = names.map(|tool| &tool["function"]["name"]).collect();
        assert_eq!(names, ["tool_search", "ls"]);
        let items = input.as_array_mut().unwrap();
        items.extend(answer.json()["output"].as_array().unwrap().clone());
        items.push(json!({"role": "user", "content": format!("And {turn}?")}));
    }
}

#[tokio::test]
async fn s3_a_thread_with_anthropics_own_tools_can_continue() {
    let rig = Rig::start(abc()).await;
    let mut messages = json!([
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "container_upload", "file_id": "f"}]},
        {"role": "assistant", "content": [
            {"type": "redacted_thinking", "data": "EqQB"}, {"type": "text", "text": "Let me see."},
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
            {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"type": "web_search_result", "url": "https://a", "encrypted_content": "E"}]},
            {"type": "tool_use", "id": "t1", "name": "ToolSearch", "input": {"query": "q"}},
            {"type": "tool_use", "id": "t2", "name": "ls", "input": {}}]},
        {"role": "user", "content": [
            {"type": "text", "text": "Hurry."},
            {"type": "tool_result", "tool_use_id": "t2", "content": "a.txt"},
            {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "tool_reference", "tool_name": "ls"}]},
            {"type": "tool_result", "tool_use_id": "gone", "content": "x"}]},
        {"role": "assistant", "content": []},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t3", "name": "ls", "input": {}}, {"type": "telepathy"}]},
        {"role": "user", "content": "Go on."},
    ]);
    for turn in 0..3 {
        let body = json!({"max_tokens": 99, "messages": messages});
        let answer = rig.post(MESSAGES, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let dropped = answer.header("x-free-llm-proxy-dropped");
        assert_eq!(dropped, "container_upload, telepathy");
        check_strictly(&went_up(&rig));
        let said = messages.as_array_mut().unwrap();
        said.push(json!({"role": "assistant", "content": answer.json()["content"]}));
        said.push(json!({"role": "user", "content": format!("And {turn}?")}));
    }
}

#[tokio::test]
async fn s3_a_tool_result_is_never_refused() {
    let rig = Rig::start(abc()).await;
    let made = json!({"type": "tool_use", "id": "t", "name": "ToolSearch", "input": {}});
    let shown = json!({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_reference", "tool_name": "ls"}]});
    let messages = json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [made]}, {"role": "user", "content": [shown]}]);
    let body = json!({"max_tokens": 99, "messages": messages});
    let answer = rig.post(MESSAGES, &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let told = &went_up(&rig)["messages"][2]["content"];
    assert_eq!(told, "This tool can be called now: ls");
}

#[tokio::test]
async fn s3_the_line_that_changes_with_each_call_does_not_go_up() {
    let rig = Rig::start(abc()).await;
    let mut prompts = Vec::new();
    for cch in ["0f3a", "91bc"] {
        let billing = format!("x-anthropic-billing-header: cc_version=2.1; cch={cch};");
        let body = json!({"max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}],
            "system": [{"type": "text", "text": billing}, {"type": "text", "text": "Be good."}]});
        assert_eq!(rig.post(MESSAGES, &body).await.status, 200);
        prompts.push(went_up(&rig)["messages"].clone());
    }
    assert_eq!(prompts[0], prompts[1]);
    assert_eq!(prompts[0][0]["content"], "Be good.");
}

fn hello(path: &str, stream: bool) -> Value {
    match path {
        RESPONSES => json!({"input": "Hello!", "stream": stream}),
        _ => json!({"max_tokens": 99, "stream": stream,
                    "messages": [{"role": "user", "content": "Hello!"}]}),
    }
}

/// An answer of one choice with this index, and what a client should see of it.
fn at(index: u64, stream: bool) -> Step {
    let choice = |name: &str, content: &str, finish: Value| {
        let choice = json!({"index": index, name: {"content": content}, "finish_reason": finish});
        json!({"model": "a:free", "choices": [choice]}).to_string()
    };
    if !stream {
        return pieces(JSON, [choice("message", "Hi there", json!("stop"))]);
    }
    let events = [
        choice("delta", "Hi ", json!(null)),
        choice("delta", "there", json!(null)),
        choice("delta", "", json!("stop")),
        "[DONE]".to_owned(),
    ];
    pieces(STREAM, events.map(|data| format!("data: {data}\n\n")))
}

fn text(path: &str, answer: &Answer, stream: bool) -> String {
    let whole = match (path, stream) {
        (RESPONSES, true) => {
            let last: Value = serde_json::from_str(answer.events().last().unwrap()).unwrap();
            last["response"].clone()
        }
        (_, false) => answer.json(),
        _ => {
            let events = answer.events().into_iter();
            let events = events.map(|event| serde_json::from_str::<Value>(&event).unwrap());
            let pieces = events.map(|e| e["delta"]["text"].as_str().unwrap_or_default().to_owned());
            return pieces.collect();
        }
    };
    let text = match path {
        RESPONSES => &whole["output"][0]["content"][0]["text"],
        _ => &whole["content"][0]["text"],
    };
    text.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn s3_the_only_choice_counts_whatever_its_index() {
    for path in [RESPONSES, MESSAGES] {
        for stream in [false, true] {
            for index in [0, 1, 7] {
                let rig = Rig::start(abc().model("a:free", at(index, stream))).await;
                let answer = rig.post(path, &hello(path, stream)).await;
                assert_eq!(answer.status, 200, "{path} {stream} {index}: {answer:?}");
                assert_eq!(
                    text(path, &answer, stream),
                    "Hi there",
                    "{path} {stream} {index}"
                );
                assert_eq!(Rig::trail(&rig.done()), ["a:free success"]);
            }
        }
    }
}

#[tokio::test]
async fn s3_an_answer_that_cannot_be_translated_leads_to_the_next_model() {
    let call = |n: usize| json!({"id": format!("c{n}"), "function": {"name": "f"}});
    let calls: Vec<Value> = (0..2_000).map(call).collect();
    let choice = json!({"message": {"tool_calls": calls}, "finish_reason": "tool_calls"});
    let step = pieces(JSON, [json!({"choices": [choice]}).to_string()]);
    for path in [RESPONSES, MESSAGES] {
        let rig = Rig::start(abc().model("a:free", step.clone())).await;
        let answer = rig.post(path, &hello(path, false)).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.header("x-free-llm-proxy-model"), "b:free");
        let line = rig.done();
        assert_eq!(
            Rig::trail(&line),
            ["a:free upstream_error", "b:free success"]
        );
    }
}

#[tokio::test]
async fn s3_the_start_of_a_message_tells_an_estimate_of_its_tokens() {
    let rig = Rig::start(abc()).await;
    let messages = json!([{"role": "user", "content": "x".repeat(400)}]);
    let body = json!({"max_tokens": 99, "stream": true, "messages": messages});
    let answer = rig.post(MESSAGES, &body).await;
    let start: Value = serde_json::from_str(&answer.events()[0]).unwrap();
    let counted = rig
        .post("/v1/messages/count_tokens", &json!({"messages": messages}))
        .await;
    assert_eq!(
        start["message"]["usage"]["input_tokens"],
        counted.json()["input_tokens"]
    );
}
