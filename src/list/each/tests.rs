//! Lists over real sockets: each provider is a server of its own: good, broken or slow.

use std::net::SocketAddr;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::config::OutboundProxy;
use crate::provider::Auth;
use crate::upstream::{Connector, mark, shown};

/// Answers each request by path and key with a status and a body, and records what was asked.
struct Server {
    listener: TcpListener,
    answers: &'static [(&'static str, u16, &'static str)],
    asked: Mutex<Vec<String>>,
}

impl Server {
    async fn new(answers: &'static [(&'static str, u16, &'static str)]) -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            answers,
            asked: Mutex::default(),
        }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    async fn serve(&self) {
        loop {
            let (mut socket, _) = self.listener.accept().await.unwrap();
            let mut text = String::new();
            let mut buffer = [0; 4096];
            while !is_whole(&text) {
                let read = socket.read(&mut buffer).await.unwrap();
                text += std::str::from_utf8(&buffer[..read]).unwrap();
            }
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let path = head.split(' ').nth(1).unwrap();
            assert!(head.contains("x-free-llm-proxy-hop: 1"), "{head}");
            let key = head
                .lines()
                .find_map(|line| line.strip_prefix("authorization: Bearer "));
            let asked = format!("{path} {}{body}", key.unwrap_or("-"));
            let answer = self.answers.iter().find(|(what, ..)| *what == asked);
            let (_, status, body) = answer.unwrap_or(&("", 404, "{}"));
            self.asked.lock().unwrap().push(asked);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    }
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() == length.map_or(0, |length| length.parse().unwrap())
}

fn each(max_bytes: usize, keys: &[&str]) -> EachList {
    let connector = Connector::network(&OutboundProxy::default(), Duration::from_secs(5));
    let client = HttpClient::new(connector).unwrap();
    EachList::new(
        client,
        max_bytes,
        keys.iter().copied().map(Secret::new).collect(),
    )
}

fn at(provider: &str, address: SocketAddr, keys: &[&str]) -> ListAt {
    let way = |key: Option<&&str>| Way {
        url: format!("http://{address}/v1/models"),
        headers: key
            .and_then(|key| shown(&Auth::Bearer, &Secret::new(*key)).unwrap())
            .into_iter()
            .chain([mark()])
            .collect(),
    };
    let ways = if keys.is_empty() {
        vec![way(None)]
    } else {
        keys.iter().map(|key| way(Some(key))).collect()
    };
    ListAt {
        provider: ProviderId::try_from(provider).unwrap(),
        ways,
    }
}

/// What was read, and from which provider: `groq: a b`.
fn told(read: &[(ProviderId, Result<ProviderList, RefreshError>)]) -> Vec<String> {
    let one = |(provider, read): &(ProviderId, Result<ProviderList, RefreshError>)| match read {
        Ok(list) => {
            let ids: Vec<_> = list.entries.iter().map(|entry| entry.id.as_str()).collect();
            format!("{provider}: {}", ids.join(" "))
        }
        Err(error) => format!("{provider}: {} ({error})", error.kind()),
    };
    read.iter().map(one).collect()
}

#[tokio::test]
async fn s10_7_a_list_that_cannot_be_read_does_not_affect_the_others() {
    let server = Server::new(&[
        ("/v1/models key-of-groq", 200, r#"{"data":[{"id":"openai/gpt-oss-120b"},{"id":"x-key-of-groq"}]}"#),
        ("/v1/models -", 200, r#"{"data":[{"id":"gpt-oss-120b","name":"key-of-groq"}]}"#),
        ("/v1/models html", 200, "<html>"),
        ("/v1/models down", 503, "{}"),
        ("/v1/models none", 200, r#"{"data":[{"id":"bge-m3"}]}"#),
        ("/v1/models large", 200, r#"{"data":[{"id":"a","x":"................................................................................................................"}]}"#),
        ("/v1/models dead-1", 401, "{}"),
        ("/v1/models dead-2", 400, "[]"),
        ("/v1/models alive", 200, r#"{"data":[{"id":"a"}]}"#),
    ])
    .await;
    let here = server.address();
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let lists = [
        at("groq", here, &["key-of-groq"]),
        at("ovh", here, &[]),
        at("html", here, &["html"]),
        at("down", here, &["down"]),
        at("none", here, &["none"]),
        at("large", here, &["large"]),
        at("closed", closed, &[]),
        at("second", here, &["dead-1", "dead-2", "alive"]),
        at("dead", here, &["dead-1", "dead-2"]),
    ];
    let each = each(100, &["key-of-groq", "a"]);
    let read = tokio::select! {
        read = each_of(&each, &lists) => read,
        () = server.serve() => unreachable!(),
    };
    let told = told(&read);
    let closed = told[6].clone();
    #[rustfmt::skip]
    assert_eq!(
        [&told[..6], &told[7..]].concat(),
        [
            "groq: openai/gpt-oss-120b",
            "ovh: gpt-oss-120b",
            "html: invalid_json (the provider's list is not valid JSON at byte 0)",
            "down: status (the answer was HTTP 503)",
            "none: no_usable_model (the provider's list has no model to chat with (1 skipped))",
            "large: network (the body is too large)",
            "second: a",
            "dead: status (the answer was HTTP 400)",
        ]
    );
    assert!(closed.starts_with("closed: network"), "{closed}");
    let ovh = read[1].1.as_ref().unwrap();
    assert_eq!(
        ovh.entries[0].name, None,
        "a name that holds a key is dropped"
    );
}

#[tokio::test]
async fn s10_1_the_users_own_server_is_asked_about_its_models() {
    let ollama = Server::new(&[
        (
            "/v1/models -",
            200,
            r#"{"data":[{"id":"qwen3:8b","owned_by":"library"},{"id":"x","owned_by":"library"}]}"#,
        ),
        (
            r#"/api/show -{"model":"qwen3:8b"}"#,
            200,
            r#"{"parameters":"num_ctx 8192","capabilities":["completion","tools"]}"#,
        ),
    ])
    .await;
    let llama = Server::new(&[
        (
            "/v1/models -",
            200,
            r#"{"data":[{"id":"x.gguf","owned_by":"llamacpp"}]}"#,
        ),
        (
            "/props -",
            200,
            r#"{"default_generation_settings":{"n_ctx":32768}}"#,
        ),
    ])
    .await;
    let vllm = Server::new(&[(
        "/v1/models -",
        200,
        r#"{"data":[{"id":"q","max_model_len":1000}]}"#,
    )])
    .await;
    let each = each(4096, &[]);
    let windows = async |server: &Server, name: &str| {
        let lists = [at(name, server.address(), &[])];
        let read = tokio::select! {
            read = each_of(&each, &lists) => read,
            () = server.serve() => unreachable!(),
        };
        let list = read[0].1.as_ref().unwrap();
        let windows: Vec<_> = list
            .entries
            .iter()
            .map(|e| e.facts.context_length)
            .collect();
        (windows, server.asked.lock().unwrap().len())
    };
    assert_eq!(windows(&ollama, "local").await, (vec![Some(8192), None], 3));
    assert_eq!(windows(&llama, "local").await, (vec![Some(32768)], 2));
    assert_eq!(windows(&vllm, "local").await, (vec![Some(1000)], 1));
    assert_eq!(
        windows(&llama, "other").await,
        (vec![None], 3),
        "only the user's own is asked more"
    );
}

#[test]
fn s10_7_a_list_that_cannot_be_read_keeps_its_last_state() {
    let list = |id: &str| {
        let body = format!(r#"{{"data":[{{"id":"{id}"}}]}}"#);
        ProviderList::read(body.as_bytes(), false, std::time::SystemTime::UNIX_EPOCH).unwrap()
    };
    let groq = ProviderId::try_from("groq").unwrap();
    let mut kept = Kept::default();
    let state = |kept: &Kept| {
        let list = kept.list(&groq).map(|list| list.entries[0].id.to_string());
        (list, kept.failed(&groq).and_then(|failed| failed.status))
    };
    let a = || Some("a".to_owned());
    let mut step = |read| (kept.note(groq.clone(), read), state(&kept));
    assert_eq!(
        step(Err(RefreshError::Status(500))),
        (false, (None, Some(500)))
    );
    assert_eq!(step(Ok(list("a"))), (true, (a(), None)));
    assert_eq!(step(Ok(list("a"))), (false, (a(), None)));
    assert_eq!(
        step(Err(RefreshError::Status(502))),
        (false, (a(), Some(502)))
    );
    assert_eq!(step(Ok(list("b"))), (true, (Some("b".to_owned()), None)));
}

/// Reads them in parallel.
async fn each_of(
    each: &EachList,
    lists: &[ListAt],
) -> Vec<(ProviderId, Result<ProviderList, RefreshError>)> {
    let one = |at: &ListAt| {
        let at = at.clone();
        async move { (at.provider.clone(), each.one(&at).await) }
    };
    futures_util::future::join_all(lists.iter().map(one)).await
}
