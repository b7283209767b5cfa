//! A day through the whole program: server, walk, registry and ledger with their default settings, between
//! in-memory connections under a paused clock. Its upstreams are the providers of a [`Day`].

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use free_llm_proxy::clock::Now;
use free_llm_proxy::config::{Config, LogLevel};
use free_llm_proxy::provider::Provider;
use free_llm_proxy::proxy::Proxy;
use free_llm_proxy::server::{self, Current, Face};
use free_llm_proxy::telemetry::Log;
use free_llm_proxy::upstream::Connector;
use http::{Request as HttpRequest, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::TaskTracker;

use super::agents::{Asked, Request};
use super::day::Day;
use super::figures::Figures;
use super::table::Row;
use super::truth::START;

/// Lives the day with the program under this `ROUTING`, its user having set all limits.
pub fn live(routing: &'static str, day: Day, asked: Vec<Asked>) -> Figures {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let world = World::at_a_start(day, asked).await;
        world.live(routing).await;
        world.day.lock().unwrap().figures.clone()
    })
}

struct World {
    day: Mutex<Day>,
    asked: Vec<Asked>,
    start: Instant,
    tasks: TaskTracker,
}

impl World {
    /// The program keeps the real calendar: the day begins at the hour and in the season of [`START`].
    async fn at_a_start(day: Day, asked: Vec<Asked>) -> Arc<Self> {
        const A_YEAR: f64 = 365.0 * 86_400.0;
        let now = Now::read().wall.duration_since(std::time::UNIX_EPOCH);
        let ahead = (START - now.unwrap().as_secs_f64()).rem_euclid(A_YEAR);
        let start = Instant::now() + Duration::from_secs_f64(ahead);
        // The program has a minute to begin.
        sleep_until(start - Duration::from_secs(60)).await;
        Arc::new(Self {
            day: Mutex::new(day),
            asked,
            start,
            tasks: TaskTracker::new(),
        })
    }

    async fn live(self: &Arc<Self>, routing: &'static str) {
        let dialled = Arc::clone(self);
        let connector = Connector::memory(move || {
            let (near, far) = duplex(64 * 1024);
            let world = Arc::clone(&dialled);
            dialled.tasks.spawn(world.serve(far));
            Ok(near)
        });
        let config = config(routing, self.day.lock().unwrap().rows());
        let (log, _lines) = Log::memory(LogLevel::Error);
        let proxy = Proxy::build(&config, connector, log).unwrap();
        let mut refresh = JoinSet::new();
        refresh.spawn(proxy.refresh.run());
        while proxy.app.registry().snapshot().is_none() {
            sleep(Duration::from_millis(1)).await;
        }
        let mut clients = JoinSet::new();
        for (number, (at, _)) in self.asked.iter().enumerate() {
            sleep_until(self.start + Duration::from_secs_f64(*at)).await;
            clients.spawn(Arc::clone(self).asks(number, Arc::clone(&proxy.app)));
        }
        clients.join_all().await;
    }

    /// One client.
    async fn asks(self: Arc<Self>, number: usize, app: Arc<Current>) {
        let (near, far) = duplex(64 * 1024);
        let from = Ipv4Addr::LOCALHOST.into();
        self.tasks
            .spawn(server::serve_connection(far, app, Face::Main, from));
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(near)).await;
        let (mut client, connection) = handshake.unwrap();
        self.tasks.spawn(async move { drop(connection.await) });
        let (_, request) = &self.asked[number];
        let response = client.send_request(wire(number, request)).await.unwrap();
        let answered = response.status() == 200;
        response.into_body().collect().await.unwrap();
        self.with_day(|day, at| day.ends(answered, request, at));
    }

    /// The day as it is now.
    fn with_day<T>(&self, with: impl FnOnce(&mut Day, f64) -> T) -> T {
        let at = self.start.elapsed().as_secs_f64();
        let mut day = self.day.lock().unwrap();
        day.goes_on_until(at, None);
        with(&mut day, at)
    }

    async fn serve(self: Arc<Self>, io: DuplexStream) {
        let service = service_fn(move |request: HttpRequest<Incoming>| {
            let world = Arc::clone(&self);
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                let way = head.uri.path().trim_start_matches('/').split_once('/');
                let (provider, path) = way.unwrap_or_default();
                Ok::<_, hyper::Error>(match path {
                    "chat/completions" => world.chat(provider, &body).await,
                    "ranking" => reply(200, &world.ranking(provider)),
                    // What cannot be read is as the settings say.
                    _ => reply(404, &json!({})),
                })
            }
        });
        // hyper's `Date` would be the real one.
        let mut builder = hyper::server::conn::http1::Builder::new();
        let served = builder
            .auto_date_header(false)
            .serve_connection(TokioIo::new(io), service);
        drop(served.await);
    }

    /// Its models, as the public list has them.
    fn ranking(&self, provider: &str) -> Value {
        let day = self.day.lock().unwrap();
        let row = day.rows().iter().find(|row| row.name() == provider);
        let models = row.map_or(&[][..], |row| row.models).iter().enumerate();
        let models: Vec<_> = models
            .map(|(n, id)| json!({"id": id, "rank": n + 1}))
            .collect();
        json!({"models": models})
    }

    async fn chat(&self, provider: &str, body: &Bytes) -> Response<Full<Bytes>> {
        let asked: Value = serde_json::from_slice(body).unwrap();
        let text = asked["messages"][0]["content"].as_str().unwrap();
        let number: usize = text.trim_start_matches('x').parse().unwrap();
        let (_, request) = &self.asked[number];
        let begun = Instant::now();
        let refused = self.with_day(|day, at| {
            let way = day.way(provider, asked["model"].as_str().unwrap());
            let refused = day.refuses(way, request, at);
            if refused.is_none() {
                day.takes(way, request, at);
            }
            refused
        });
        if let Some(refused) = refused {
            let mut reply = reply(429, &json!({"error": {"message": "Too Many Requests"}}));
            let wait = refused.wait.ceil().to_string();
            reply
                .headers_mut()
                .insert("retry-after", wait.parse().unwrap());
            return reply;
        }
        sleep_until(begun + Duration::from_secs_f64(request.lasts)).await;
        let message = json!({"role": "assistant", "content": "Hello!"});
        let choices = json!([{"index": 0, "message": message, "finish_reason": "stop"}]);
        let usage = json!({
            "prompt_tokens": request.needs.prompt_bytes() / 4, "completion_tokens": request.answer as u64,
        });
        reply(200, &json!({"choices": choices, "usage": usage}))
    }
}

/// The request as it is sent: its text has the length that it is to have, and ends in its number.
fn wire(number: usize, request: &Request) -> HttpRequest<Full<Bytes>> {
    let length = request.content_bytes;
    let number_width = 6;
    let content = format!("{}{number:06}", "x".repeat(length - number_width));
    let mut body = json!({"messages": [{"role": "user", "content": content}]});
    if let Some(longest) = request.needs.longest_answer() {
        body["max_tokens"] = longest.into();
    }
    HttpRequest::post("/v1/chat/completions")
        .header("host", "proxy.test")
        .header("authorization", "Bearer proxy-key")
        // No two requests are of one session.
        .header("x-session-id", number.to_string())
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap()
}

fn reply(status: u16, body: &Value) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap()
}

/// The program's default settings with these accounts, but without waiting for a quota, and not long for
/// the end of another's answer.
fn config(routing: &'static str, rows: &[Row]) -> Config {
    let names: Vec<_> = rows.iter().map(Row::name).collect();
    let key = |name: &str| {
        let own = |row: &&Row| {
            row.provider
                .key_names
                .first()
                .is_some_and(|key| key == name)
        };
        let row = rows.iter().find(own)?;
        let prefix = row.provider.key_prefix.as_deref().unwrap_or_default();
        (!row.provider.keyless).then(|| format!("{prefix}key-of-the-day-at-{}", row.name()))
    };
    let read = |name: &str| {
        let value = match name {
            "PROVIDERS" => &names.join(","),
            "ROUTING" => routing,
            "WAIT_SEC" => "0",
            // Longer than any answer takes.
            "REQUEST_BUDGET_SEC" => "15",
            "PROXY_API_KEY" => "proxy-key",
            "CLOUDFLARE_ACCOUNT_ID" => "the-account",
            "MODELS_LIST_URL" => "http://world.test/openrouter/ranking",
            "UPSTREAM_BASE_URL" => "http://world.test/openrouter",
            name => return key(name),
        };
        Some(value.to_owned())
    };
    let others = rows.iter().filter(|row| row.name() != "openrouter");
    let file = others.map(|row| {
        let (name, models) = (row.name(), row.models);
        format!("[providers.{name}]\nbase_url = 'http://world.test/{name}'\nmodels = {models:?}\n")
    });
    let mut config = Config::read_with_file(read, &file.collect::<String>()).unwrap();
    let with_limits = |provider: &Arc<Provider>| {
        let row = rows.iter().find(|row| row.provider.id == provider.id);
        Arc::new(Provider {
            limits: row.unwrap().set().limits.clone(),
            ..Provider::clone(provider)
        })
    };
    for row in &mut config.providers {
        *row = with_limits(row);
    }
    for account in &mut config.accounts {
        account.provider = with_limits(&account.provider);
    }
    config
}
