//! The upstream and the ranking of that day, on in-memory connections.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use free_llm_proxy::clock::Now;
use http::{Request as HttpRequest, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use simulator::{Failed, Failure};
use tokio::io::DuplexStream;
use tokio::time::Instant;

use super::knowledge::{Knowledge, Probing, Tells, tells};
use super::schedule::*;

pub type Answer = Response<BoxBody<Bytes, Infallible>>;

pub struct World {
    pub schedule: Schedule,
    start: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
pub struct State {
    pub knowledge: Knowledge,
    pub counts: Counts,
    /// What should not have been seen.
    pub faults: Vec<String>,
    minute: (Ms, u32),
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Attempts in all.
    pub attempts: u64,
    /// To a model or account that was known to fail.
    pub wasted: u64,
    /// That failed, including the first sign of a fault, which could not be known.
    pub failed: u64,
    /// To one that was already being probed after a rest.
    pub herd: u64,
}

/// An attempt in progress; whatever its end, that is noted.
struct Attempt {
    world: Arc<World>,
    model: usize,
    probing: Probing,
    /// What it reveals if it is dropped before it says anything.
    unspoken: Tells,
    ended: bool,
}

impl Attempt {
    fn ends(mut self, told: Option<Tells>) {
        self.end(told);
    }

    fn end(&mut self, told: Option<Tells>) {
        if !std::mem::replace(&mut self.ended, true) {
            let now = self.world.now();
            let mut state = self.world.state();
            state.counts.failed += u64::from(told.is_some());
            state.knowledge.ends(self.model, self.probing, now, told);
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let now = self.world.now();
        self.end(Some(match self.unspoken {
            Tells::Nothing => Tells::Model(now + GENERIC_COOLDOWN),
            told => told,
        }));
    }
}

impl World {
    pub fn new(schedule: Schedule) -> Arc<Self> {
        Arc::new(Self {
            schedule,
            start: Instant::now(),
            state: Mutex::default(),
        })
    }

    pub fn now(&self) -> Ms {
        u64::try_from(self.start.elapsed().as_millis()).unwrap()
    }

    pub async fn until(&self, at: Ms) {
        tokio::time::sleep_until(self.start + Duration::from_millis(at)).await;
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub async fn serve(self: Arc<Self>, io: DuplexStream) {
        let served = Arc::new(AtomicBool::new(false));
        let service = service_fn(move |request| {
            let (world, served) = (Arc::clone(&self), Arc::clone(&served));
            async move {
                let answer = world.answer(request, served.load(Ordering::Relaxed)).await;
                served.store(true, Ordering::Relaxed);
                answer
            }
        });
        drop(
            // hyper's `Date` would be the real one, hours behind the day that is played.
            hyper::server::conn::http1::Builder::new()
                .auto_date_header(false)
                .serve_connection(TokioIo::new(io), service)
                .await,
        );
    }

    /// `reused`: the connection has carried an answer before.
    async fn answer(
        self: Arc<Self>,
        request: HttpRequest<Incoming>,
        reused: bool,
    ) -> Result<Answer, Closed> {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await.map_err(|_| Closed)?;
        match path.as_str() {
            "/list" => Ok(reply(200, "application/json", self.list())),
            "/api/v1/chat/completions" => self.chat(&body.to_bytes(), reused).await,
            _ => Ok(reply(
                200,
                "application/json",
                json!({"data": []}).to_string(),
            )),
        }
    }

    fn list(&self) -> String {
        let now = self.now();
        let lists = |n: usize| self.schedule.lists(n, now);
        self.state().knowledge.new_list(lists);
        let models = self.schedule.models.iter().enumerate();
        let listed = models.filter(|(n, _)| lists(*n)).map(|(n, model)| {
            json!({
                "id": model.id, "rank": n + 1, "contextLength": 131_072, "supportsTools": model.tools,
                "supportsToolChoice": model.tools, "supportsStructuredOutputs": model.schema,
            })
        });
        json!({"models": listed.collect::<Vec<_>>()}).to_string()
    }

    async fn chat(self: Arc<Self>, body: &Bytes, reused: bool) -> Result<Answer, Closed> {
        let asked: Value = serde_json::from_slice(body).unwrap();
        let id = asked["model"].as_str().unwrap();
        let model = self.schedule.models.iter().position(|m| m.id == id);
        let model = model.unwrap_or_else(|| panic!("{id} is in no list"));
        let (stream, tools) = (asked["stream"] == true, !asked["tools"].is_null());
        let now = self.now();
        let (mut attempt, limited) = self.begins(model, now, tools);
        let wall = Now::read().wall;
        let epoch = wall.duration_since(std::time::UNIX_EPOCH).unwrap();
        let as_epoch = |at: Ms| (epoch.as_millis() as u64 + at - now).to_string();
        if let Some((failure, reset)) = limited {
            tokio::time::sleep(Duration::from_millis(80)).await;
            attempt.ends(Some(Tells::Account(reset)));
            return Ok(recorded(
                Failed::from(failure).reset(as_epoch(reset)),
                id,
                stream,
            ));
        }
        match self.schedule.meets(model, now, tools) {
            Meets::Good(latency) => {
                tokio::time::sleep(Duration::from_millis(latency)).await;
                attempt.ends(None);
                Ok(good(id, stream))
            }
            Meets::Fails {
                fault: fault @ (Fault::Stalls | Fault::Slow(_)),
                ..
            } => {
                attempt.unspoken = Tells::Nothing;
                if stream && fault == Fault::Stalls {
                    let (pause, attempt) = (tokio::time::sleep(Duration::ZERO), Some(attempt));
                    let body = Comments {
                        pause: Box::pin(pause),
                        _attempt: attempt,
                    };
                    let response = Response::builder().header("content-type", "text/event-stream");
                    return Ok(response.body(body.boxed()).unwrap());
                }
                let _held = attempt;
                std::future::pending().await
            }
            Meets::Fails {
                fault,
                after,
                until,
            } => {
                tokio::time::sleep(Duration::from_millis(after)).await;
                let now = now + after;
                // A connection from the pool that dies without a word may have been stale: the
                // proxy asks once more on a fresh one, and nothing is known yet.
                let stale = fault == Fault::Closed && reused;
                let told = if stale {
                    Tells::Nothing
                } else {
                    tells(fault, now, until)
                };
                attempt.ends(Some(told));
                let seconds = until.saturating_sub(now).div_ceil(SECOND).to_string();
                let failed = match fault {
                    Fault::Limited(Wait::Unnamed) => Failure::ProviderLimit.into(),
                    Fault::Limited(Wait::Header) => {
                        Failed::from(Failure::ProviderLimitRetryAfter).retry_after(seconds)
                    }
                    Fault::Limited(Wait::Metadata) => {
                        Failed::from(Failure::ProviderLimitMetadata).retry_after(seconds)
                    }
                    Fault::Limited(Wait::Reset) => {
                        let later = epoch.as_millis() as u64 + until - (now - after);
                        Failed::from(Failure::RateLimitedHeaders).reset(later.to_string())
                    }
                    Fault::Limited(Wait::Absurd) => {
                        Failed::from(Failure::ProviderLimitRetryAfter).retry_after("1000000000")
                    }
                    Fault::Limited(Wait::Zero) => {
                        Failed::from(Failure::ProviderLimitRetryAfter).retry_after("0")
                    }
                    Fault::Answers(failure) => failure.into(),
                    Fault::Gone => Failure::NoEndpoints.into(),
                    Fault::NoTools => Failure::NoToolUse.into(),
                    Fault::Closed | Fault::Stalls | Fault::Slow(_) => return Err(Closed),
                };
                Ok(recorded(failed, id, stream))
            }
        }
    }

    /// Counts an attempt; returns what the account says to it, if anything.
    fn begins(
        self: &Arc<Self>,
        model: usize,
        now: Ms,
        tools: bool,
    ) -> (Attempt, Option<(Failure, Ms)>) {
        let mut state = self.state();
        let rests = state.knowledge.account_rests(now) || state.knowledge.rests(model, now, tools);
        let (probing, already) = state.knowledge.begins(model, now);
        state.counts.attempts += 1;
        state.counts.wasted += u64::from(rests);
        state.counts.herd += u64::from(already > 0);
        if rests {
            let known = state.knowledge.known(model);
            let seen = format!("at {now} ms model {model} is asked, known to rest: {known}");
            state.faults.push(seen);
        }
        if already > 0 {
            let seen = format!("at {now} ms model {model} is asked although it is being probed");
            state.faults.push(seen);
        }
        let limited = limited(&self.schedule, &mut state.minute, now);
        let attempt = Attempt {
            world: Arc::clone(self),
            model,
            probing,
            unspoken: Tells::Nothing,
            ended: false,
        };
        (attempt, limited)
    }
}

/// What the account says to an attempt at that time, if it does not let it pass.
pub fn limited(schedule: &Schedule, minute: &mut (Ms, u32), now: Ms) -> Option<(Failure, Ms)> {
    if let Some((_, reset)) = schedule.quota_gone.filter(|_| schedule.is_quota_gone(now)) {
        return Some((Failure::DailyLimit, reset));
    }
    let this = now / MINUTE;
    if minute.0 != this {
        *minute = (this, 0);
    }
    if minute.1 >= A_MINUTE {
        return Some((Failure::MinuteLimit, (this + 1) * MINUTE));
    }
    minute.1 += 1;
    None
}

/// The connection ends without an answer.
#[derive(Debug)]
pub struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed")
    }
}

impl std::error::Error for Closed {}

pub fn reply(status: u16, kind: &str, body: impl Into<Bytes>) -> Answer {
    let body = Full::new(body.into()).boxed();
    let response = Response::builder()
        .status(status)
        .header("content-type", kind);
    response.body(body).unwrap()
}

pub fn recorded(failed: Failed, model: &str, stream: bool) -> Answer {
    let (status, headers, body) = failed.sent(model, Now::read().wall);
    let mut answer = if status == 200 && stream && body.starts_with("{\"error\"") {
        reply(200, "text/event-stream", format!("data: {body}\n\n"))
    } else if body.starts_with('<') {
        reply(status, "text/html", body)
    } else {
        reply(status, "application/json", body)
    };
    for (name, value) in headers {
        answer.headers_mut().insert(name, value.parse().unwrap());
    }
    answer
}

fn good(model: &str, stream: bool) -> Answer {
    if stream {
        let chunk = json!({"model": model, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "A good answer."}}]});
        let end = json!({"model": model, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
        let events =
            format!(": OPENROUTER PROCESSING\n\ndata: {chunk}\n\ndata: {end}\n\ndata: [DONE]\n\n");
        return reply(200, "text/event-stream", events);
    }
    let message = json!({"role": "assistant", "content": "A good answer."});
    let body = json!({"model": model, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
    reply(200, "application/json", body.to_string())
}

/// A comment every few seconds, and nothing else.
struct Comments {
    pause: Pin<Box<tokio::time::Sleep>>,
    _attempt: Option<Attempt>,
}

impl Body for Comments {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::ready!(self.pause.as_mut().poll(context));
        let next = Instant::now() + Duration::from_secs(7);
        self.pause.as_mut().reset(next);
        let comment = Bytes::from_static(b": OPENROUTER PROCESSING\n\n");
        Poll::Ready(Some(Ok(Frame::data(comment))))
    }
}
