//! The real program in these worlds: server, walk, registry and ledger, with their default settings but
//! for `ROUTING`, between in-memory connections under a paused clock.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use free_llm_proxy::clock::Now;
use free_llm_proxy::server::{self, Face};
use free_llm_proxy::upstream::Connector;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::TaskTracker;

use super::records::{Record, answer};
use super::upstream::{self, Upstream};
use super::world::{Request, World};
use crate::day::proxy;

/// Milliseconds.
const A_DAY: u64 = 86_400_000;

/// What became of every request of this world.
pub fn play(world: &Arc<World>, routing: &'static str) -> Vec<Record> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(episode(Arc::clone(world), routing))
}

async fn episode(world: Arc<World>, routing: &'static str) -> Vec<Record> {
    // Quotas know the time of day: episodes begin at noon, a minute after the program.
    let wall = Now::read().wall.duration_since(std::time::UNIX_EPOCH);
    let since_noon = (wall.unwrap().as_millis() as u64 + A_DAY / 2) % A_DAY;
    let noon = Instant::now() + Duration::from_millis(A_DAY - since_noon);
    sleep_until(noon - Duration::from_secs(60)).await;
    let upstream = Upstream::new(world, noon);
    let tasks = TaskTracker::new();
    let (dialled, serving) = (Arc::clone(&upstream), tasks.clone());
    let connector = Connector::memory(move || {
        let (near, far) = duplex(64 * 1024);
        serving.spawn(Arc::clone(&dialled).serve(far));
        Ok(near)
    });
    let mut key = tempfile::NamedTempFile::new().unwrap();
    key.write_all(b"sk-or-v1-second-key-of-the-day").unwrap();
    let file = second_provider(&upstream.world, key.path());
    let (app, _log, _refresh) = proxy(connector, routing, &file);
    while app.registry().snapshot().is_none() {
        sleep(Duration::from_millis(1)).await;
    }
    let mut clients = JoinSet::new();
    for (number, request) in upstream.world.requests.iter().enumerate() {
        sleep_until(upstream.moment(request.at)).await;
        let (near, far) = duplex(64 * 1024);
        let (app, from) = (Arc::clone(&app), Ipv4Addr::LOCALHOST.into());
        tasks.spawn(server::serve_connection(far, app, Face::Main, from));
        clients.spawn(asks(number, Arc::clone(&upstream), near, tasks.clone()));
    }
    clients.join_all().await;
    std::mem::take(&mut upstream.state().records)
}

/// A `CONFIG_FILE` with the provider of the second account, if there is one: by its key a relay of the
/// first one's, as it has the same words for refusals.
fn second_provider(world: &World, key: &Path) -> String {
    let models = world.models.iter().enumerate();
    let models = models
        .filter(|(_, model)| model.account == 1)
        .map(|(n, model)| {
            let (id, tools) = (upstream::id(n), model.tools);
            format!("{{ id = \"{id}\", context = 262144, tools = {tools}, tool_choice = {tools} }}")
        });
    let models: Vec<_> = models.collect();
    if models.is_empty() {
        return String::new();
    }
    format!(
        "[providers.second]\nbase_url = \"http://world.test/second/v1\"\nkeys = [{{ file = {key:?} }}]\nmodels = [{}]\n",
        models.join(", "),
    )
}

/// One client: its answer is written down when it begins, and when it turns out to be broken.
async fn asks(number: usize, upstream: Arc<Upstream>, io: DuplexStream, tasks: TaskTracker) {
    let request = &upstream.world.requests[number];
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(io)).await;
    let (mut client, connection) = handshake.unwrap();
    tasks.spawn(async move { drop(connection.await) });
    let response = client.send_request(wire(number, request)).await.unwrap();
    let good = response.status() == 200;
    let (mut body, mut text, mut begun) = (response.into_body(), String::new(), false);
    while let Some(frame) = body.frame().await {
        let Ok(Ok(data)) = frame.map(hyper::body::Frame::into_data) else {
            break;
        };
        text.push_str(std::str::from_utf8(&data).unwrap());
        let spoken = text.split_once("\"content\":\"world/model-");
        let spoken = spoken.and_then(|(_, rest)| rest.split_once(':'));
        if let (true, false, Some((model, _))) = (good, begun, spoken) {
            begun = true;
            let model: usize = model.parse().unwrap();
            let now = upstream.now();
            let state = &mut *upstream.state();
            let wait = now - request.at;
            let answer = answer(&upstream.world, request, &state.sessions, model, wait);
            state.records[number].answer = Some(answer);
            state.sessions.served(&request.plain(), model, now);
        }
    }
    let whole = if request.stream {
        text.ends_with("data: [DONE]\n\n") && !text.contains("\"error\"")
    } else {
        serde_json::from_str::<Value>(&text).is_ok()
    };
    if let Some(answer) = &mut upstream.state().records[number].answer {
        answer.broken = !whole;
    }
}

/// The request as it is sent. Its first message is as long as its prompt, and ends in its number.
fn wire(number: usize, request: &Request) -> http::Request<Full<Bytes>> {
    let padding = "word ".repeat((request.prompt_tokens * 4.0 / 5.0) as usize);
    let content = format!("{padding}{number}");
    let mut body =
        json!({"messages": [{"role": "user", "content": content}], "stream": request.stream});
    if request.tools {
        let function = json!({"name": "f", "parameters": {"type": "object"}});
        body["tools"] = json!([{"type": "function", "function": function}]);
    }
    let mut asked = http::Request::post("/v1/chat/completions")
        .header("host", "proxy.test")
        .header("authorization", "Bearer proxy-key");
    // What belongs to no session is one of its own.
    let session = request.session.map_or_else(
        || format!("alone-{number}"),
        |session| format!("agent-{session}"),
    );
    asked = asked.header("x-session-id", session);
    asked
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap()
}
