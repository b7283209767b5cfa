//! The world as an upstream on in-memory connections, for the real program.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use free_llm_proxy::clock::Now;
use free_llm_proxy::replay::{self, Attempt, Sessions, Told};
use futures_util::stream::{self, StreamExt as _};
use http::{Request as HttpRequest, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use simulator::{Failed, Failure};
use tokio::io::DuplexStream;
use tokio::time::{Instant, sleep, sleep_until};

use super::counters::Quota;
use super::played::{self, Played, REFUSAL};
use super::records::Record;
use super::world::*;
use crate::world::{Closed, recorded, reply};

type Answer = Response<BoxBody<Bytes, Closed>>;

pub struct Upstream {
    pub world: Arc<World>,
    /// Its beginning, at a full minute of the wall clock.
    start: Instant,
    state: Mutex<State>,
}

pub struct State {
    pub sessions: Sessions,
    pub records: Vec<Record>,
    /// By request, the models that were asked.
    tried: Vec<Vec<usize>>,
    /// By account.
    quotas: Vec<Quota>,
    told: Told,
}

impl Upstream {
    pub fn new(world: Arc<World>, start: Instant) -> Arc<Self> {
        let requests = world.requests.len();
        let state = State {
            sessions: Sessions::default(),
            records: vec![Record::default(); requests],
            tried: vec![Vec::new(); requests],
            quotas: world.accounts.iter().copied().map(Quota::new).collect(),
            told: Told::new(&Played::new(&world)),
        };
        Arc::new(Self {
            world,
            start,
            state: Mutex::new(state),
        })
    }

    pub fn now(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    pub fn moment(&self, at: f64) -> Instant {
        self.start + Duration::from_secs_f64(at)
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub async fn serve(self: Arc<Self>, io: DuplexStream) {
        let service = service_fn(move |request: HttpRequest<Incoming>| {
            let upstream = Arc::clone(&self);
            async move {
                let path = request.uri().path().to_owned();
                let body = request.into_body().collect().await.map_err(|_| Closed)?;
                let told = match path.as_str() {
                    "/list" => upstream.list(),
                    "/api/v1/models" => upstream.catalogue(),
                    "/api/v1/key" => upstream.key(),
                    "/second/v1/models" => upstream.second_list(),
                    "/api/v1/chat/completions" | "/second/v1/chat/completions" => {
                        return upstream.chat(&body.to_bytes()).await;
                    }
                    _ => json!({"data": []}),
                };
                Ok(sent(reply(200, "application/json", told.to_string())))
            }
        });
        // hyper's `Date` would be the real one.
        let mut builder = hyper::server::conn::http1::Builder::new();
        let served = builder
            .auto_date_header(false)
            .serve_connection(TokioIo::new(io), service);
        drop(served.await);
    }

    /// The models of an account, with their numbers.
    fn models(&self, account: usize) -> impl Iterator<Item = (usize, &Model)> {
        let all = self.world.models.iter().enumerate();
        all.filter(move |(_, model)| model.account == account)
    }

    /// The ranking: what the first provider offers.
    fn list(&self) -> Value {
        let models = self.models(0).map(|(n, model)| {
            json!({
                "id": id(n), "rank": model.rank, "contextLength": 262_144, "supportsTools": model.tools,
                "supportsToolChoice": model.tools,
            })
        });
        json!({"models": models.collect::<Vec<_>>()})
    }

    /// How good all of them are, by which those that the ranking does not have are placed among it.
    fn catalogue(&self) -> Value {
        let rows = self.world.models.iter().enumerate().map(|(n, model)| {
            let index = 100 - model.rank;
            json!({"id": id(n).replace(":free", ""), "benchmarks": {"intelligence_index": index}})
        });
        json!({"data": rows.collect::<Vec<_>>()})
    }

    fn second_list(&self) -> Value {
        let models = self.models(1).map(|(n, _)| json!({"id": id(n)}));
        json!({"data": models.collect::<Vec<_>>()})
    }

    /// What the first account tells of its day.
    fn key(&self) -> Value {
        let left = self.state().quotas[0].day_left();
        let today =
            left.map(|left| json!({"limit": A_DAY, "remaining": left, "used": A_DAY - left}));
        json!({"data": {"label": "sk-or-v1-...", "free_model_daily_requests": today}})
    }

    async fn chat(&self, body: &Bytes) -> Result<Answer, Closed> {
        let asked: Value = serde_json::from_slice(body).unwrap();
        let number = number(asked["messages"][0]["content"].as_str().unwrap());
        let asked = asked["model"].as_str().unwrap();
        let model = (0..self.world.models.len())
            .find(|n| id(*n) == asked)
            .unwrap();
        let (at, now) = (Instant::now(), self.now());
        let after = |seconds| sleep_until(at + Duration::from_secs_f64(seconds));
        let (attempt, refused, outcome) = self.begins(number, model, now);
        if let Some(until) = refused {
            after(REFUSAL).await;
            let failure = replay::Failure::Account { until };
            self.state().told.hears(&attempt, failure, self.now());
            let wall = Now::read()
                .wall
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap();
            let left = Duration::try_from_secs_f64(until - self.now());
            let refusal = match left {
                Ok(left) => {
                    Failed::from(Failure::MinuteLimit).reset((wall + left).as_millis().to_string())
                }
                Err(_) => Failure::DailyLimitHighBalance.into(),
            };
            return Ok(sent(recorded(refusal, asked, attempt.stream)));
        }
        match outcome {
            Outcome::Fails { after: NEVER, .. } => std::future::pending().await,
            Outcome::Fails {
                fault,
                after: seconds,
                retry_after,
            } => {
                after(seconds).await;
                let failure = played::failure(fault, retry_after);
                self.state().told.hears(&attempt, failure, self.now());
                let failed = match retry_after {
                    Some(seconds) => Failed::from(Failure::ProviderLimitRetryAfter)
                        .retry_after(seconds.to_string()),
                    None => failure_of(fault).into(),
                };
                Ok(sent(recorded(failed, asked, attempt.stream)))
            }
            Outcome::Speaks {
                first,
                total,
                breaks,
            } => {
                if !attempt.stream {
                    after(total).await;
                    return Ok(if breaks { half() } else { plain(asked) });
                }
                after(first).await;
                Ok(streamed(asked, total - first, breaks))
            }
        }
    }

    /// An attempt: until when its account refuses it, if it does, and what else it comes to.
    fn begins(&self, number: usize, model: usize, now: f64) -> (Attempt, Option<f64>, Outcome) {
        let request = &self.world.requests[number];
        let attempt = Attempt {
            request: number,
            candidate: model,
            account: self.world.models[model].account,
            stream: request.stream,
            prompt_tokens: request.prompt_tokens as u64,
            at: now,
        };
        let mut state = self.state();
        let state = &mut *state;
        let record = &mut state.records[number];
        record.attempts += 1;
        record.wasted += u32::from(state.told.would_fail(&attempt, &request.plain(), now));
        let nth = state.tried[number]
            .iter()
            .filter(|tried| **tried == model)
            .count();
        state.tried[number].push(model);
        let refused = state.quotas[attempt.account].take(now);
        let cached = state.sessions.is_warm(&request.plain(), model, now);
        let outcome = self.world.outcome(model, now, number, nth, cached);
        (attempt, refused, outcome)
    }
}

/// What a model is called, at any provider.
pub fn id(model: usize) -> String {
    format!("world/model-{model}:free")
}

/// The number that the text ends in.
pub fn number(text: &str) -> usize {
    text.rsplit(' ').next().unwrap().parse().unwrap()
}

fn failure_of(fault: Fault) -> Failure {
    match fault {
        Fault::Limited => Failure::ProviderLimit,
        Fault::Unavailable => Failure::Unavailable,
        Fault::BadGateway | Fault::Late | Fault::Silent => Failure::BadGatewayHtml,
        Fault::OkError => Failure::OkErrorBadGateway,
        Fault::Empty => Failure::OkEmpty,
        Fault::Gone => Failure::NoEndpoints,
        Fault::NoTools => Failure::NoToolUse,
    }
}

fn sent(answer: Response<BoxBody<Bytes, std::convert::Infallible>>) -> Answer {
    answer.map(|body| body.map_err(|never| match never {}).boxed())
}

/// The content of every good answer is the model's id.
fn plain(model: &str) -> Answer {
    let message = json!({"role": "assistant", "content": model});
    let choices = json!([{"index": 0, "message": message, "finish_reason": "stop"}]);
    let body = json!({"model": model, "choices": choices});
    sent(reply(200, "application/json", body.to_string()))
}

/// A plain answer that breaks off.
fn half() -> Answer {
    let frames = [
        Ok(Frame::data(Bytes::from("{\"choices\": [{"))),
        Err(Closed),
    ];
    let response = Response::builder().header("content-type", "application/json");
    response
        .body(BodyExt::boxed(StreamBody::new(stream::iter(frames))))
        .unwrap()
}

/// It speaks at once, and ends or breaks off so many seconds later.
fn streamed(model: &str, seconds: f64, breaks: bool) -> Answer {
    let event = |delta: Value, reason: Value| {
        let choices = json!([{"index": 0, "delta": delta, "finish_reason": reason}]);
        format!("data: {}\n\n", json!({"model": model, "choices": choices}))
    };
    let first = event(json!({"role": "assistant", "content": model}), Value::Null);
    let last = event(json!({}), "stop".into()) + "data: [DONE]\n\n";
    let rest = stream::once(async move {
        sleep(Duration::from_secs_f64(seconds)).await;
        if breaks {
            Err(Closed)
        } else {
            Ok(Frame::data(Bytes::from(last)))
        }
    });
    let frames = stream::once(async move { Ok(Frame::data(Bytes::from(first))) }).chain(rest);
    let response = Response::builder().header("content-type", "text/event-stream");
    response
        .body(BodyExt::boxed(StreamBody::new(frames)))
        .unwrap()
}
