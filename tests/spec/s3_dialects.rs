//! §3, §14: what clients of another API find in their usual places.

use serde_json::{Value, json};
use simulator::Script;
use tokio::net::TcpStream;

use crate::rig::{PROXY_KEY, Rig, abc};
use crate::s2_list::WISHES;
use crate::wire::{answers, say};

const ANTHROPIC: (&str, &str) = ("anthropic-version", "2023-06-01");

#[tokio::test]
async fn s3_models_have_anthropics_shape_for_clients_that_send_its_version() {
    let rig = Rig::with(abc(), &[("MODEL_FIELD", "prefer")]).await;
    let list = rig
        .send("GET", "/v1/models?limit=1000", &[ANTHROPIC], "")
        .await;
    assert_eq!(list.status, 200);
    let list = list.json();
    let ids: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["id"].clone())
        .collect();
    assert_eq!(ids[..4], WISHES);
    assert_eq!(ids[4..], ["a:free", "b:free", "c:free"]);
    assert_eq!(
        (&list["first_id"], &list["last_id"]),
        (&json!("auto"), &json!("c:free"))
    );
    assert_eq!(list["has_more"], false);
    assert_eq!(list["object"], Value::Null);
    for entry in list["data"].as_array().unwrap() {
        let names: Vec<_> = entry
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(names, ["type", "id", "display_name", "created_at"]);
        assert_eq!(entry["type"], "model");
        assert!(entry["display_name"].is_string(), "{entry}");
        assert!(
            entry["created_at"].as_str().unwrap().ends_with('Z'),
            "{entry}"
        );
        let path = format!("/v1/models/{}", entry["id"].as_str().unwrap());
        assert_eq!(
            rig.send("GET", &path, &[ANTHROPIC], "").await.json(),
            *entry
        );
    }
    let missing = rig.send("GET", "/v1/models/none", &[ANTHROPIC], "").await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.json()["error"]["type"], "not_found_error");
    assert_ne!(missing.header("request-id"), "");
    let plain = rig.get("/v1/models").await.json();
    assert_eq!(
        (&plain["object"], &plain["has_more"]),
        (&json!("list"), &Value::Null)
    );
}

#[tokio::test]
async fn s3_the_error_for_another_apis_body_says_where_it_belongs() {
    let rig = Rig::start(Script::new()).await;
    #[rustfmt::skip]
    let rows = [
        // path                  body                       it belongs to            param
        ("/v1/chat/completions", json!({"input": "hi"}),    Some("/v1/responses"),   "input"),
        ("/v1/chat/completions", json!({"prompt": "hi"}),   Some("/v1/completions"), "prompt"),
        ("/v1/completions",      json!({"messages": []}),   Some("/v1/chat/completions"), "messages"),
        ("/v1/completions",      json!({"input": []}),      Some("/v1/responses"),   "input"),
        ("/v1/chat/completions", json!({"model": "auto"}),  None,                    "messages"),
    ];
    for (path, body, belongs, param) in rows {
        let answer = rig.post(path, &body).await;
        answer.is_error(400, "invalid_request");
        let error = &answer.json()["error"];
        assert_eq!(error["param"], param, "{path} {body}");
        let message = error["message"].as_str().unwrap();
        match belongs {
            Some(other) => assert!(
                message.contains(&format!("belongs to {other}.")),
                "{message}"
            ),
            None => assert!(!message.contains("belongs"), "{message}"),
        }
    }
}

#[tokio::test]
async fn s3_a_websocket_is_refused_in_so_many_words() {
    let rig = Rig::start(Script::new()).await;
    let asks = "Connection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let key = format!("Authorization: Bearer {PROXY_KEY}\r\n");
    #[rustfmt::skip]
    let rows = [
        ("/v1/responses",        key.as_str(), 426, "upgrade_required"),
        ("/v1/chat/completions", &key,         426, "upgrade_required"),
        ("/v1/responses",        "",           401, "missing_api_key"),
        ("/v1/realtime",         &key,         404, "not_found"),
    ];
    for (path, key, status, code) in rows {
        let sent = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{asks}{key}\r\n");
        let next = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let socket = TcpStream::connect(rig.address()).await.unwrap();
        let said = answers(&say(socket, [sent.as_str(), next].concat().as_bytes()).await);
        said[0].is_error(status, code);
        assert_eq!(said[1].status, 200, "the connection goes on");
        let upgrade = if status == 426 { "HTTP/1.1" } else { "" };
        assert_eq!(said[0].header("upgrade"), upgrade, "{path}");
    }
    rig.get("/v1/responses")
        .await
        .is_error(405, "method_not_allowed");
}

#[tokio::test]
async fn s14_into_a_private_network_only_named_pages_may_call() {
    let (named, other) = ("https://chat.example", "https://other.example");
    #[rustfmt::skip]
    let rows = [
        // CORS_ALLOW_ORIGINS   Origin   asks     allowed
        (named,                 named,   "true",  "true"),
        (named,                 other,   "true",  ""),
        (named,                 named,   "",      ""),
        (named,                 "",      "true",  ""),
        ("*",                   named,   "true",  ""),
    ];
    for (allowed, origin, asks, expected) in rows {
        let rig = Rig::with(Script::new(), &[("CORS_ALLOW_ORIGINS", allowed)]).await;
        let headers = [
            ("authorization", ""),
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-private-network", asks),
        ];
        let answer = rig
            .send("OPTIONS", "/v1/chat/completions", &headers, "")
            .await;
        assert_eq!(answer.status, 204);
        let told = answer.header("access-control-allow-private-network");
        assert_eq!(told, expected, "{allowed} {origin} {asks}");
    }
}
