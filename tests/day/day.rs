//! One day: the proxy, its world, and what must hold of every request.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use free_llm_proxy::config::{Config, LogLevel};
use free_llm_proxy::proxy::Proxy;
use free_llm_proxy::server::{self, Current, Face};
use free_llm_proxy::telemetry::{Lines, Log};
use free_llm_proxy::upstream::Connector;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::duplex;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use super::plain::{Plain, plain};
use super::schedule::*;
use super::world::{Counts, World};

/// The result of a day.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    pub requests: u64,
    /// How many an all-knowing router answers.
    pub oracle: u64,
    pub answered: u64,
    /// It would have answered them, but the proxy did not.
    pub lost: u64,
    pub attempts: u64,
    pub wasted: u64,
    pub failed: u64,
    pub plain: Plain,
}

impl Figures {
    pub const HEAD: &'static str = "| seed | requests | all-knowing | answered | of it | lost | attempts/answer | failed/answer | wasted/answer | plain: answered | of it | attempts/answer | wasted/answer |\n| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

    pub fn row(&self, name: &str) -> String {
        let per = |n: u64, of: u64| n as f64 / of.max(1) as f64;
        let plain = &self.plain;
        format!(
            "| {name} | {} | {} | {} | {:.2}% | {} | {:.3} | {:.3} | {:.4} | {} | {:.2}% | {:.3} | {:.4} |",
            self.requests,
            self.oracle,
            self.answered,
            100.0 * per(self.answered, self.oracle),
            self.lost,
            per(self.attempts, self.answered),
            per(self.failed, self.answered),
            per(self.wasted, self.answered),
            plain.answered,
            100.0 * per(plain.answered, self.oracle),
            per(plain.attempts, plain.answered),
            per(plain.wasted, plain.answered),
        )
    }

    pub fn add(&mut self, day: &Self) {
        self.requests += day.requests;
        self.oracle += day.oracle;
        self.answered += day.answered;
        self.lost += day.lost;
        self.attempts += day.attempts;
        self.wasted += day.wasted;
        self.failed += day.failed;
        self.plain.answered += day.plain.answered;
        self.plain.attempts += day.plain.attempts;
        self.plain.wasted += day.plain.wasted;
    }
}

/// How a request ended for its client.
struct End {
    request: usize,
    id: String,
    answered: bool,
    attempts: Option<usize>,
    took: Ms,
    at: Ms,
    told: String,
    /// Models that were not known to be resting when it gave up.
    awake: Vec<String>,
    account_rests: bool,
}

/// Lives one day; returns the result, and what should not have happened.
pub fn live(seed: u64, count: u64) -> (Figures, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(day(seed, count))
}

async fn day(seed: u64, count: u64) -> (Figures, Vec<String>) {
    let world = World::new(Schedule::new(seed, count));
    let tasks = TaskTracker::new();
    let (dialled, serving) = (Arc::clone(&world), tasks.clone());
    let connector = Connector::memory(move || {
        let (near, far) = duplex(16 * 1024);
        serving.spawn(Arc::clone(&dialled).serve(far));
        Ok(near)
    });
    let (app, log, _refresh) = proxy(connector, "rank", "");
    while app.registry().snapshot().is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut clients = JoinSet::new();
    let mut ends = Vec::new();
    for (n, request) in world.schedule.requests.iter().enumerate() {
        world.until(request.at).await;
        clients.spawn(ask(
            n,
            *request,
            Arc::clone(&world),
            Arc::clone(&app),
            tasks.clone(),
        ));
        while let Some(end) = clients.try_join_next() {
            ends.push(end.unwrap());
        }
    }
    while let Some(end) = clients.join_next().await {
        ends.push(end.unwrap());
    }
    let oracle = world.schedule.oracle();
    let Counts {
        attempts,
        wasted,
        failed,
        ..
    } = world.state().counts;
    let many = |n: usize| u64::try_from(n).unwrap();
    let lost = ends
        .iter()
        .filter(|end| oracle[end.request] && !end.answered);
    let figures = Figures {
        requests: many(ends.len()),
        oracle: many(oracle.iter().filter(|answered| **answered).count()),
        answered: many(ends.iter().filter(|end| end.answered).count()),
        lost: many(lost.clone().count()),
        attempts,
        wasted,
        failed,
        plain: plain(&world.schedule),
    };
    let mut faults = std::mem::take(&mut world.state().faults);
    for end in lost {
        println!(
            "lost, DAY_SEED={seed}: request {} at {} ms: {}",
            end.request, end.at, end.told
        );
    }
    faults.extend(wrong(&ends, &log));
    (figures, faults)
}

/// What does not hold for these requests and their log.
fn wrong(ends: &[End], log: &Lines) -> Vec<String> {
    let mut faults = Vec::new();
    let mut lines: HashMap<String, Vec<Value>> = HashMap::new();
    for line in log.all() {
        let line: Value = serde_json::from_str(&line).unwrap();
        if line["event"] == "request_done" || line["event"] == "request_rejected" {
            let id = line["request_id"].as_str().unwrap().to_owned();
            lines.entry(id).or_default().push(line);
        }
    }
    if lines.len() != ends.len() {
        faults.push(format!(
            "{} requests left lines, of {}",
            lines.len(),
            ends.len()
        ));
    }
    for end in ends {
        let mut says = |what: &str| {
            let End {
                request, at, told, ..
            } = end;
            faults.push(format!(
                "request {request} that ended at {at} ms {what}: {told}"
            ));
        };
        let [line] = lines.get(&end.id).map(Vec::as_slice).unwrap_or_default() else {
            says("left not exactly one line");
            continue;
        };
        let attempts = line["attempts"].as_array().cloned().unwrap_or_default();
        // A request that waited aloud got its answer while the walk continued.
        let aloud = end.told.contains(": waiting for a model");
        if !aloud && end.attempts.unwrap_or(0) != attempts.len() {
            says("was told another number of attempts than the log");
        }
        let ts = seconds(line["ts"].as_str().unwrap());
        for until in attempts.iter().filter_map(|a| a["cooldown_until"].as_str()) {
            if seconds(until) > ts + (LONGEST_COOLDOWN / SECOND) {
                says("set a cooldown above 26 h");
            }
        }
        if attempts.len() > MAX_ATTEMPTS {
            says("made too many attempts");
        }
        let within = attempts.len() < MAX_ATTEMPTS && end.took < BUDGET;
        let tried = |id: &String| attempts.iter().any(|a| a["model"] == id.as_str());
        let spared: Vec<_> = end.awake.iter().filter(|id| !tried(id)).collect();
        if !end.answered && !end.account_rests && within && !spared.is_empty() {
            says(&format!("failed although {spared:?} could be asked"));
        }
    }
    faults
}

/// A date of the log, in seconds.
fn seconds(date: &str) -> u64 {
    let number = |from: usize, to: usize| date[from..to].parse::<u64>().unwrap();
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    // Days since 0000-03-01, after Howard Hinnant.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day;
    days * 86_400 + number(11, 13) * 3600 + number(14, 16) * 60 + number(17, 19)
}

/// The proxy of the program in front of this world, with its default settings except `ROUTING` and what
/// `file`, its `CONFIG_FILE`, says; under `rank` it does not wait either, as the study's `rank` does not.
pub fn proxy(
    world: Connector,
    routing: &'static str,
    file: &str,
) -> (Arc<Current>, Lines, JoinSet<()>) {
    let read = |name: &str| {
        let value = match name {
            "ROUTING" => routing,
            "WAIT_SEC" if routing == "rank" => "0",
            "OPENROUTER_API_KEY" => "sk-or-v1-upstream-key-of-the-day",
            "PROXY_API_KEY" => "proxy-key",
            // With several accounts it is more by default, but the study's routers ask as often as with one.
            "MAX_FALLBACK_ATTEMPTS" => "5",
            "MODELS_LIST_URL" => "http://world.test/list",
            "UPSTREAM_BASE_URL" => "http://world.test/api/v1",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let config = Config::read_with_file(read, file);
    let (log, lines) = Log::memory(LogLevel::Info);
    let proxy = Proxy::build(&config.unwrap(), world, log).unwrap();
    let mut refresh = JoinSet::new();
    refresh.spawn(proxy.refresh.run());
    (proxy.app, lines, refresh)
}

/// One client.
async fn ask(
    number: usize,
    request: Request,
    world: Arc<World>,
    app: Arc<Current>,
    tasks: TaskTracker,
) -> End {
    let (near, far) = duplex(16 * 1024);
    tasks.spawn(server::serve_connection(
        far,
        Arc::clone(&app),
        Face::Main,
        std::net::Ipv4Addr::LOCALHOST.into(),
    ));
    let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(near))
        .await
        .unwrap();
    tasks.spawn(async move { drop(connection.await) });
    let mut body = json!({"messages": [{"role": "user", "content": "Hello!"}]});
    if request.stream {
        body["stream"] = true.into();
    }
    if request.tools {
        body["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    }
    if request.schema {
        body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}});
    }
    let asked = http::Request::post("/v1/chat/completions")
        .header("host", "proxy.test")
        .header("authorization", "Bearer proxy-key")
        .body(Full::new(Bytes::from(body.to_string())));
    let response = client.send_request(asked.unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let text = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(text.to_vec()).unwrap();
    let whole =
        !request.stream || (text.ends_with("data: [DONE]\n\n") && !text.contains("\"error\""));
    let answered = head.status == 200 && text.contains("A good answer.") && whole;
    // What happened upstream at this very moment is noted first.
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
    let header = |name: &str| Some(head.headers.get(name)?.to_str().unwrap().to_owned());
    let snapshot = app.registry().snapshot().unwrap();
    let now = world.now();
    let state = world.state();
    let awake = (0..MODELS).filter(|m| {
        let listed = snapshot.offer(&world.schedule.models[*m].id).is_some();
        listed
            && world.schedule.is_capable(*m, &request)
            && !state.knowledge.may_rest(*m, now, request.tools)
    });
    End {
        request: number,
        id: header("x-request-id").unwrap_or_default(),
        answered,
        attempts: header("x-free-llm-proxy-attempts").and_then(|n| n.parse().ok()),
        took: now - request.at,
        at: now,
        awake: awake.map(|m| world.schedule.models[m].id.clone()).collect(),
        account_rests: state.knowledge.account_may_rest(now),
        told: format!(
            "{} {}",
            head.status,
            text.chars().take(300).collect::<String>()
        ),
    }
}
