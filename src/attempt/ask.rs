//! Asks one candidate and reads its answer until it has really begun. The request body is made in
//! `fields`.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::asking::Asking;
use super::fields::taught;
use super::heard::Heard;
use super::listened::Listened;
use super::opened::{Opened, PlainAnswer, StreamAnswer, Unanswered};
use super::walk::{Times, Walker};
use crate::answer::{
    AnswerHead, Said, UpstreamError, Usage, as_stream, read as read_answer, read_counted,
    without_heartbeat,
};
use crate::ledger::{Correction, QuotaHeaders, read_headers};
use crate::request::{ChatRequest, Dropped, Endpoint, UpstreamBody};
use crate::sse::{Data, Event, Framer};
use crate::upstream::{AnswerBody, Answered, ReadError, SendError, read_body};
use crate::verdict::{Cause, Failure, Rest};

/// How long to wait for the body of an error answer; its status already says most of what matters.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);

impl Walker {
    /// Asks one candidate with this body. Its time limits run from the moment there is a connection:
    /// connecting has its own limit and says nothing about the model (spec §4.6).
    pub(super) async fn ask_with(
        &self,
        asking: Asking<'_>,
        body: UpstreamBody,
    ) -> Result<Opened, Unanswered> {
        let Asking {
            account, request, ..
        } = asking;
        let times = self.times.at(&account.provider);
        let limit = match times.plain {
            Some(whole) if !request.stream => whole,
            Some(_) | None => times.first_event,
        };
        let failed = |cause| Unanswered::Failed(self.rules.broken(None, cause));
        let answered = account
            .upstream
            .complete(request.endpoint, body, request.stream, limit, || {
                asking.sent.notify_one();
            })
            .await
            .map_err(|e| match e {
                SendError::Connect(error) => Unanswered::Unreached(error),
                SendError::Late => failed(Cause::Timeout),
                SendError::Broken(_) => failed(Cause::Broken),
            })?;
        self.open(asking, answered).await.map_err(|failure| {
            Unanswered::Failed(match request.endpoint {
                Endpoint::Chat => failure,
                Endpoint::Completions => failure.at_the_legacy_endpoint(),
            })
        })
    }

    async fn open(
        &self,
        asking: Asking<'_>,
        Answered { response, asked_at }: Answered,
    ) -> Result<Opened, Failure> {
        let request = asking.request;
        let (heard, body) = Heard::new(asking, response);
        if !(200..300).contains(&heard.status) {
            return Err(self.refused(&heard, body, request).await);
        }
        asking.drawn.correct(&quota(&heard));
        if !request.stream {
            return self.plain(&heard, body, asked_at).await.map(Opened::Plain);
        }
        let stream = if is_event_stream(&heard.headers) {
            let begun = self.first_useful_event(heard, body, request.wants_usage);
            let limit = self.times.at(&asking.account.provider).first_event;
            timeout_at(asked_at + limit, begun)
                .await
                .unwrap_or_else(|_| Err(self.rules.broken(None, Cause::Timeout)))?
        } else {
            let plain = self.plain(&heard, body, asked_at).await?;
            StreamAnswer::of(plain, heard, request.wants_usage)
        };
        Ok(Opened::Stream(Box::new(stream)))
    }

    /// The verdict on an answer with an error status.
    async fn refused(&self, heard: &Heard, body: AnswerBody, request: &ChatRequest) -> Failure {
        let read = timeout(
            ERROR_BODY_TIMEOUT,
            read_body(&heard.headers, body, self.limits.max_held_bytes),
        )
        .await;
        // Without its body the status still says whose fault it is.
        let body = read.ok().and_then(Result::ok).unwrap_or_default();
        let cause = if (300..400).contains(&heard.status) {
            Cause::Redirect
        } else {
            Cause::Status
        };
        let failure = self.classify(heard, heard.status, &body, cause);
        taught(failure, heard, &body, request)
    }

    fn classify(&self, heard: &Heard, status: u16, body: &Bytes, cause: Cause) -> Failure {
        self.rules
            .classify(heard.asked(), status, &heard.headers, body, cause, heard.at)
    }

    /// Reads a plain answer to its end: a 200 alone is not yet a success.
    async fn plain(
        &self,
        heard: &Heard,
        body: AnswerBody,
        asked_at: Instant,
    ) -> Result<PlainAnswer, Failure> {
        let body = self.whole(heard, body, asked_at).await?;
        self.judged(heard, without_heartbeat(&body))
    }

    /// The body as a plain answer, or why it is not one.
    fn judged(&self, heard: &Heard, body: Bytes) -> Result<PlainAnswer, Failure> {
        let body = match heard.mender() {
            Some(mut mender) => mender.plain(body),
            None => body,
        };
        let broken = |cause| self.rules.broken(Some(heard.status), cause);
        match read_counted(&body, heard.endpoint) {
            Ok((said @ (Said::Useful { .. } | Said::Stopped), usage)) => {
                let body = heard.account.without_key(body);
                Ok(PlainAnswer {
                    candidate: Arc::clone(&heard.candidate),
                    head: AnswerHead::of(&heard.headers, &self.rules.redactor),
                    body,
                    usage,
                    dropped: Dropped::default(),
                    silent: said == Said::Stopped,
                })
            }
            Ok((Said::Nothing, _)) => Err(broken(Cause::NotACompletion)),
            Ok((Said::Error(error), _)) => Err(self.error_inside(heard, &error, &body)),
            Err(_) => Err(broken(Cause::NotJson)),
        }
    }

    /// The whole body of a plain answer. If `PLAIN_TIMEOUT_SEC` is set, it is the only limit; otherwise
    /// `STREAM_IDLE_TIMEOUT_SEC` limits each silence and `REQUEST_BUDGET_SEC` the whole.
    async fn whole(
        &self,
        heard: &Heard,
        body: AnswerBody,
        asked_at: Instant,
    ) -> Result<Bytes, Failure> {
        let Times {
            plain,
            idle,
            budget,
            ..
        } = self.times.at(&heard.account.provider);
        let due = asked_at + plain.unwrap_or(budget);
        let mut body = Listened::new(body, idle, plain.is_none());
        let read = read_body(&heard.headers, &mut body, self.limits.max_answer_bytes);
        let broken = |cause| self.rules.broken(Some(heard.status), cause);
        match timeout_at(due, read).await {
            Ok(Ok(whole)) => Ok(whole),
            Ok(Err(ReadError::Broken)) if body.is_cut() => Err(broken(Cause::Idle)),
            Ok(Err(ReadError::Broken)) => Err(broken(Cause::Broken)),
            Ok(Err(ReadError::TooLarge)) => Err(broken(Cause::TooLarge)),
            Ok(Err(ReadError::Packed)) => Err(broken(Cause::NotJson)),
            // The model was working, and its answer was long: our own limit is no reason for it to rest.
            Err(_) if body.flows() => Err(Failure {
                rest: Rest::None,
                ..broken(Cause::Overrun)
            }),
            Err(_) => Err(broken(Cause::Timeout)),
        }
    }

    /// The verdict on an error inside a 200: the same as for the status it stands for.
    pub(super) fn error_inside(
        &self,
        heard: &Heard,
        error: &UpstreamError,
        body: &Bytes,
    ) -> Failure {
        self.rules
            .error_inside(heard.asked(), error, &heard.headers, body, heard.at)
    }

    /// Holds events back until one carries something a client would use.
    async fn first_useful_event(
        &self,
        heard: Heard,
        mut body: AnswerBody,
        wants_usage: bool,
    ) -> Result<StreamAnswer, Failure> {
        let broken = |cause| self.rules.broken(Some(heard.status), cause);
        let mut framer = Framer::new(self.limits.max_event_bytes);
        let mut mender = heard.mender();
        let mut held = BytesMut::new();
        let mut events = 0;
        loop {
            while let Some(event) = framer.next().map_err(|_| broken(Cause::TooLarge))? {
                let event = match &mut mender {
                    Some(mender) => mender.event(event),
                    None => event,
                };
                let began = self.look(&heard, &event)?;
                let carries = event.data() != Data::None;
                if carries || event.is_comment() {
                    events += u64::from(carries);
                    // One buffer: many small pieces would take many times their size.
                    held.extend_from_slice(&heard.account.without_key(event.raw));
                }
                if let Some(Began { finished, silent }) = began {
                    return Ok(StreamAnswer {
                        candidate: Arc::clone(&heard.candidate),
                        head: AnswerHead::of(&heard.headers, &self.rules.redactor),
                        dropped: Dropped::default(),
                        body,
                        framer,
                        mender,
                        held: held.freeze(),
                        events,
                        finished,
                        silent,
                        usage: Usage::default(),
                        drawn: None,
                        learning: None,
                        heard: Box::new(heard.in_mid_stream()),
                    });
                }
                if held.len() > self.limits.max_held_bytes {
                    return Err(broken(Cause::TooLarge));
                }
            }
            match body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        framer.push(data);
                    }
                }
                Some(Err(_)) => return Err(broken(Cause::Broken)),
                None => {
                    if let Some(last) = framer.finish() {
                        // Nothing follows it, so even a useful event is not an answer; an error still
                        // says whose fault it is.
                        self.look(&heard, &last)?;
                        return self.bare(heard, &last, wants_usage);
                    }
                    return Err(broken(Cause::CutShort));
                }
            }
        }
    }

    /// A body that claims to be a stream but is not made of events: an error, or a plain answer.
    fn bare(&self, heard: Heard, rest: &Event, wants_usage: bool) -> Result<StreamAnswer, Failure> {
        match self.judged(&heard, without_heartbeat(&rest.raw)) {
            Ok(plain) => Ok(StreamAnswer::of(plain, heard, wants_usage)),
            Err(failure) if matches!(failure.cause, Cause::NotJson | Cause::NotACompletion) => {
                Err(self.rules.broken(Some(heard.status), Cause::CutShort))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Looks at an event before the commit: how the answer begins, if it begins with this event.
    fn look(&self, heard: &Heard, event: &Event) -> Result<Option<Began>, Failure> {
        let broken = |cause| Err(self.rules.broken(Some(heard.status), cause));
        let began = |finished, silent| Ok(Some(Began { finished, silent }));
        match event.data() {
            Data::None => Ok(None),
            Data::Done => broken(Cause::NotACompletion),
            Data::Payload(payload) => match read_answer(&payload, heard.endpoint) {
                Ok(Said::Useful { finished }) => began(finished, false),
                Ok(Said::Stopped) => began(true, true),
                Ok(Said::Nothing) => Ok(None),
                Ok(Said::Error(error)) => {
                    let body = Bytes::copy_from_slice(&payload);
                    Err(self.error_inside(heard, &error, &body))
                }
                Err(_) => broken(Cause::NotJson),
            },
        }
    }
}

impl StreamAnswer {
    /// Turns a plain answer into the stream that was asked for.
    fn of(plain: PlainAnswer, heard: Heard, wants_usage: bool) -> Self {
        let events = as_stream(&plain.body, wants_usage);
        let mut framer = Framer::new(events.len());
        framer.push(events);
        Self {
            candidate: plain.candidate,
            head: AnswerHead {
                content_type: None,
                ..plain.head
            },
            dropped: plain.dropped,
            body: AnswerBody::ended(),
            framer,
            // The plain answer was mended as a whole.
            mender: None,
            held: Bytes::new(),
            events: 0,
            finished: false,
            silent: plain.silent,
            usage: plain.usage,
            drawn: None,
            learning: None,
            heard: Box::new(heard.in_mid_stream()),
        }
    }
}

/// What the headers of a good answer say about quotas. `OpenRouter`'s say nothing, so nothing is searched.
fn quota(heard: &Heard) -> Vec<Correction> {
    let provider = &heard.account.id.provider;
    if provider.is_openrouter() {
        return Vec::new();
    }
    read_headers(QuotaHeaders::of(provider), &heard.headers, heard.at)
}

/// How an answer begins.
struct Began {
    /// It has a finish reason already.
    finished: bool,
    /// There is nothing else in it.
    silent: bool,
}

/// Whether an answer claims to be a stream. An upstream that names no type is taken to send what it was
/// asked for.
fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_none_or(|value| {
        value
            .as_bytes()
            .to_ascii_lowercase()
            .starts_with(b"text/event-stream")
    })
}
