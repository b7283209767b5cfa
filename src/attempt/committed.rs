//! A stream that has begun to flow to the client: it can be ended, never replaced (spec §5).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt as _;

use tokio::time::Instant;

use super::heard::Heard;
use super::idle::{Idle, Silence};
use super::learning::Learning;
use super::opened::StreamAnswer;
use super::outgoing::Outgoing;
use super::rendering::Rendering;
use super::walk::Walker;
use crate::answer::{Mender, Said, UpstreamError};
use crate::clock::Now;
use crate::json::{self, Raw};
use crate::model::Candidate;
use crate::registry::Drawn;
use crate::sse::{Data, Event, Framer};
use crate::telemetry::{Attempt, Ending, RequestRecord};
use crate::upstream::AnswerBody;
use crate::verdict::{Cause, Failure, Outcome, Rest, Scope};

/// How long, and how far, to read on after an upstream's `[DONE]`, so that its connection can be reused.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 64 * 1024;

/// How often to look for more of a burst: hyper's server looks twice within one turn of its task,
/// and the upstream's connection needs a turn of its own in between.
const LOOKS: u8 = 2;

/// Events that come closer together than this go out together.
const BURST: Duration = Duration::from_millis(1);

/// A stream on its way to the client. Whole events are passed on as they arrive; dropping it drops the
/// upstream's connection.
pub struct Committed {
    walker: Arc<Walker>,
    candidate: Arc<Candidate>,
    heard: Box<Heard>,
    /// Declared before the record, so that it is dropped first.
    attempt: Option<Attempt>,
    record: RequestRecord,
    /// What it draws from quotas; `None` once it has ended.
    drawn: Option<Drawn>,
    /// What its end teaches; `None` once it has ended.
    learning: Option<Learning>,
    /// `None` once the stream has ended.
    body: Option<AnswerBody>,
    framer: Framer,
    mender: Option<Box<Mender>>,
    rendering: Rendering,
    ready: Outgoing,
    idle: Idle,
    /// When bytes were last handed on: until the next poll, any delay is the client's.
    handed: Option<Instant>,
    /// When something was last handed on.
    flowing: Option<Instant>,
    /// How many looks have found nothing since the upstream last brought something.
    looks: u8,
    /// Whether a finish reason has gone by.
    finished: bool,
}

impl StreamAnswer {
    /// The point of no return: from here on the client gets this stream and no other. After each `keepalive`
    /// of silence it is told that the stream is alive.
    #[must_use]
    pub fn commit(
        self,
        rendering: Rendering,
        walker: Arc<Walker>,
        keepalive: Option<Duration>,
        attempt: Option<Attempt>,
        mut record: RequestRecord,
    ) -> Committed {
        record.stream_begins(attempt.as_ref().map(Attempt::begun));
        let times = walker.times.at(&self.heard.account.provider);
        let idle = Idle::new(times.idle, keepalive);
        let drawn = self.drawn.map(|mut drawn| {
            drawn.told(self.usage);
            drawn
        });
        let mut committed = Committed {
            walker,
            candidate: self.candidate,
            heard: self.heard,
            attempt,
            record,
            drawn,
            learning: self.learning,
            body: Some(self.body),
            framer: self.framer,
            mender: self.mender,
            rendering,
            ready: Outgoing::default(),
            idle,
            handed: None,
            flowing: None,
            looks: 0,
            finished: self.finished,
        };
        committed.take_held(self.held, self.events);
        // The chunk with the first useful event may hold more events.
        committed.take_events();
        committed
    }
}

impl Committed {
    /// The next bytes for the client; `None` at the end, which is always a proper one.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(since) = self.handed.take() {
            self.idle.forgive(since);
        }
        loop {
            if self.ready.is_full() {
                return Poll::Ready(self.hand_on());
            }
            let Some(body) = &mut self.body else {
                return Poll::Ready(self.hand_on());
            };
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.looks = 0;
                    if let Ok(data) = frame.into_data() {
                        self.framer.push(data);
                        self.take_events();
                    }
                }
                Poll::Ready(Some(Err(_))) => self.upstream_ended(Cause::Broken),
                Poll::Ready(None) => {
                    // Half an event after a finish reason takes nothing from the answer.
                    let last = self.framer.finish();
                    if let Some(last) = last.filter(|last| !self.finished || is_whole(last)) {
                        self.take_fresh(last);
                    }
                    self.upstream_ended(Cause::CutShort);
                }
                Poll::Pending if !self.ready.is_empty() => {
                    if body.is_handed_on() && self.is_burst() && self.looks < LOOKS {
                        // hyper hands a body on chunk by chunk: the next may be there already, and getting it costs
                        // a turn of hyper's task, which is less than another write of ours.
                        self.looks += 1;
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    return Poll::Ready(self.hand_on());
                }
                Poll::Pending => match self.idle.poll(cx) {
                    Poll::Ready(Silence::Over) => self.upstream_ended(Cause::Idle),
                    Poll::Ready(Silence::Felt) => {
                        let word = Bytes::from_static(self.rendering.keepalive());
                        self.ready.push(word);
                    }
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }

    /// Whether something was handed on only a moment ago.
    fn is_burst(&self) -> bool {
        self.flowing.is_some_and(|last| last.elapsed() < BURST)
    }

    fn hand_on(&mut self) -> Option<Bytes> {
        let next = self.ready.take()?;
        let now = Instant::now();
        self.handed = Some(now);
        self.flowing = Some(now);
        Some(next)
    }

    /// Takes what was held back until the commit. Keys have been removed from it already.
    fn take_held(&mut self, held: Bytes, events: u64) {
        if let Rendering::AsItCame(_) = self.rendering {
            self.record.emitted(events);
            return self.ready.push(held);
        }
        let mut framer = Framer::new(held.len());
        framer.push(held);
        while let (Ok(Some(event)), true) = (framer.next(), self.body.is_some()) {
            self.take(event);
        }
    }

    fn take_events(&mut self) {
        while self.body.is_some() {
            match self.framer.next() {
                Ok(Some(event)) => self.take_fresh(event),
                Ok(None) => return,
                Err(_) => self.fail(&self.walker.rules.broken(Some(200), Cause::TooLarge), None),
            }
        }
    }

    /// Takes an event that has just arrived, and mends it if need be.
    fn take_fresh(&mut self, event: Event) {
        let Some(mender) = &mut self.mender else {
            return self.take(event);
        };
        let event = mender.event(event);
        let is_done = event.data() == Data::Done;
        if let Some(missing) = is_done.then(|| mender.done()).flatten() {
            self.take(missing);
        }
        if self.body.is_some() {
            self.take(event);
        }
    }

    fn take(&mut self, mut event: Event) {
        let is_translated = matches!(self.rendering, Rendering::Translated { .. });
        if is_translated {
            // A translation may encode a text so that a key in it can no longer be found.
            event.raw = self.without_key(event.raw);
            self.ready.make_room();
        }
        let start = self.ready.open().len();
        match event.data() {
            // A comment is not an event, nor a sign of progress; other events without data are dropped.
            Data::None => {
                if self.idle.is_over() {
                    return self.upstream_ended(Cause::Idle);
                }
                if event.is_comment() {
                    self.forward(event.raw);
                }
                return;
            }
            Data::Done if is_translated => return self.succeed(None),
            Data::Done => return self.succeed(Some(event.raw)),
            Data::Payload(payload) => match self.read(&payload) {
                Ok(Said::Useful { finished }) => {
                    self.finished |= finished;
                    self.progress();
                }
                Ok(Said::Stopped) => {
                    self.finished = true;
                    self.progress();
                }
                Ok(Said::Nothing) => self.progress(),
                Ok(Said::Error(error)) => {
                    let body = Bytes::copy_from_slice(&payload);
                    return self.said_error(error, body);
                }
                Err(_) => {
                    return self.fail(&self.walker.rules.broken(Some(200), Cause::NotJson), None);
                }
            },
        }
        if is_translated {
            self.search(start);
        } else {
            self.forward(event.raw);
        }
        if self.rendering.held() > self.walker.limits.max_answer_bytes {
            self.fail(&self.walker.rules.broken(Some(200), Cause::TooLarge), None);
        }
    }

    /// The upstream sent an error as an event.
    fn said_error(&mut self, error: UpstreamError, body: Bytes) {
        let walker = &self.walker;
        let failure = walker.error_inside(&self.heard, &error, &body);
        // The model took the request and then failed, whatever it calls that (spec §5).
        let failure = match failure.scope {
            Scope::Model | Scope::Candidate if failure.owed || failure.rest != Rest::None => {
                failure
            }
            Scope::Account(_) | Scope::Provider => failure,
            Scope::Model | Scope::Candidate | Scope::Request | Scope::Key => {
                walker.rules.broken(failure.status, Cause::ErrorInside)
            }
        };
        self.fail(&failure, Some(error));
    }

    fn read(&mut self, payload: &[u8]) -> Result<Said, json::Error> {
        let (said, used) = self.rendering.event(payload, self.ready.open())?;
        self.record.counted(used);
        if let Some(drawn) = &mut self.drawn {
            drawn.told(used);
            drawn.received(payload.len());
        }
        Ok(said)
    }

    fn progress(&mut self) {
        self.idle.touch();
        self.record.emitted(1);
    }

    /// Removes keys from what has been rendered from `start` on: a translation also joins what came in
    /// pieces.
    fn search(&mut self, start: usize) {
        let open = self.ready.open();
        let rendered = open.get(start..).unwrap_or_default();
        if self.heard.account.may_hold_key(rendered) {
            let rendered = open.split_off(start);
            self.forward(rendered.into());
        }
    }

    fn forward(&mut self, raw: Bytes) {
        let raw = self.without_key(raw);
        self.ready.push(raw);
    }

    fn without_key(&self, raw: Bytes) -> Bytes {
        self.heard.account.without_key(raw)
    }

    /// The upstream sends no more: a proper end after a finish reason, a failure before it.
    fn upstream_ended(&mut self, cause: Cause) {
        if self.body.is_none() {
            return;
        }
        if self.finished {
            self.succeed(None);
        } else {
            self.fail(&self.walker.rules.broken(Some(200), cause), None);
        }
    }

    /// The upstream has ended its stream properly; `end` is the event it did so with, if any.
    fn succeed(&mut self, end: Option<Bytes>) {
        let end = end.unwrap_or_else(|| self.rendering.done());
        self.forward(end);
        if let Some(body) = self.body.take() {
            self.walker
                .tasks
                .spawn(tokio::time::timeout(LINGER, read_to_end(body)));
        }
        if let Some(attempt) = self.attempt.take() {
            attempt.ends(Outcome::Success, None, None, None);
        }
        if let Some(mut drawn) = self.drawn.take() {
            drawn.is_well();
        }
        if let Some(learning) = self.learning.take() {
            learning.whole();
        }
        self.record.ends(Ending::Answered { status: 200 });
    }

    /// Ends the stream, if it has not ended, because the proxy has to; this is no candidate's failure.
    /// `error` is the error's body in OpenAI's shape, and `code` its code.
    pub fn cut_off(&mut self, error: &Bytes, code: &'static str) {
        if self.finished {
            return self.upstream_ended(Cause::ShuttingDown);
        }
        if self.body.take().is_none() {
            return;
        }
        self.drawn = None;
        let failed = self.rendering.failed(error);
        self.forward(failed);
        let cause = Some(Cause::ShuttingDown);
        if let Some(attempt) = self.attempt.take() {
            attempt.ends(Outcome::UpstreamError, None, cause, None);
        }
        self.record.ends(Ending::Failed {
            status: 200,
            mid_stream_error: Some(code),
        });
    }

    /// Ends the stream with one error.
    fn fail(&mut self, failure: &Failure, error: Option<UpstreamError>) {
        self.body = None;
        if let Some(learning) = self.learning.take() {
            learning.broke();
        }
        let mut drawn = self.drawn.take();
        if let Some(drawn) = &mut drawn {
            drawn.refused(failure);
        }
        let failure = failure.clone().owed_to(self.heard.routing);
        let now = Now::read();
        let began = self.attempt.as_ref().map_or(now.steady, Attempt::begun);
        let wish = self.heard.wish;
        let failure = &self.walker.in_mid_stream(wish, failure, began);
        let until = self.walker.let_rest(&self.candidate, None, failure, now);
        // Dropped only now: a request that waits for this place must find its candidate resting.
        drop(drawn);
        // After the commit every failure is one of these two (spec §5).
        let outcome = match failure.outcome {
            Outcome::RateLimited => Outcome::RateLimited,
            Outcome::Success
            | Outcome::UpstreamAuthError
            | Outcome::ClientError
            | Outcome::ClientDisconnected
            | Outcome::UpstreamError => Outcome::UpstreamError,
        };
        let redactor = &self.walker.rules.redactor;
        let message = error
            .and_then(|error| error.message(redactor))
            .map(|message| message.to_text())
            .unwrap_or_else(|| in_words(failure.cause).to_owned());
        let error = serde_json::json!({"error": {
            "message": message, "code": outcome.as_str(), "type": "upstream_error", "param": null,
        }});
        let failed = self.rendering.failed(error.to_string().as_bytes());
        self.forward(failed);
        if let Some(attempt) = self.attempt.take() {
            attempt.fails(outcome, failure, until);
        }
        self.record.ends(Ending::Failed {
            status: 200,
            mid_stream_error: Some(outcome.as_str()),
        });
    }
}

/// Whether an event is complete although the end of its frame is missing.
fn is_whole(event: &Event) -> bool {
    match event.data() {
        Data::None | Data::Done => true,
        Data::Payload(payload) => Raw::parse(&payload, json::MAX_DEPTH).is_ok(),
    }
}

/// What the client reads if the upstream said nothing itself.
fn in_words(cause: Cause) -> &'static str {
    match cause {
        Cause::Idle | Cause::Timeout => "the model fell silent in the middle of its answer",
        Cause::Broken | Cause::CutShort => "the model's answer broke off before its end",
        Cause::TooLarge => "the model sent an event that is too large",
        Cause::NotJson => "the model sent an event that is not JSON",
        Cause::ErrorInside
        | Cause::Silent
        | Cause::NotACompletion
        | Cause::Status
        | Cause::Redirect
        | Cause::Overrun
        | Cause::Late
        | Cause::ShuttingDown => "the model failed in the middle of its answer",
    }
}

async fn read_to_end(mut body: AnswerBody) {
    let mut left = LINGER_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            return;
        }
    }
}
