//! One attempt: one model is asked, and its answer read until it has really begun to speak.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::response::Parts;
use http::{HeaderMap, Response};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::listened::Listened;
use super::opened::{Opened, PlainAnswer, StreamAnswer};
use super::walk::{Times, Walker};
use crate::clock::Now;
use crate::model::Model;
use crate::request::{ChatRequest, Endpoint};
use crate::sse::{Data, Event, Framer};
use crate::upstream::{
    AnswerBody, AnswerHead, Answered, Cause, ConnectError, Failure, ReadError, Rest, Said,
    SendError, UpstreamError, read_answer, read_body, read_counted, without_heartbeat, without_key,
};

/// How long the body of an error answer is waited for: the status says the most of it.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a model that was to be asked gives no answer.
pub(super) enum Unanswered {
    /// The way's failure: the model was never asked.
    Unreached(ConnectError),
    /// The attempt's.
    Failed(Failure),
}

impl Walker {
    /// Asks one model. Its limits run from the moment there is a connection: the wait for one has
    /// a limit of its own, and nothing to do with the model (spec §9.3).
    pub(super) async fn ask(
        &self,
        model: &Arc<Model>,
        request: &ChatRequest,
    ) -> Result<Opened, Unanswered> {
        let body = request.body_for(&model.id);
        let limit = match self.times.plain {
            Some(whole) if !request.stream => whole,
            Some(_) | None => self.times.first_event,
        };
        let failed = |cause| Unanswered::Failed(self.rules.broken(None, cause));
        let answered = self
            .upstream
            .complete(request.endpoint, body, request.stream, limit)
            .await
            .map_err(|e| match e {
                SendError::Connect(error) => Unanswered::Unreached(error),
                SendError::Late => failed(Cause::Timeout),
                SendError::Broken(_) => failed(Cause::Broken),
            })?;
        self.open(model, request, answered)
            .await
            .map_err(Unanswered::Failed)
    }

    async fn open(
        &self,
        model: &Arc<Model>,
        request: &ChatRequest,
        Answered { response, asked_at }: Answered,
    ) -> Result<Opened, Failure> {
        let status = response.status();
        if !status.is_success() {
            return Err(self.refused(model, request.endpoint, response).await);
        }
        if request.stream && is_event_stream(response.headers()) {
            let due = asked_at + self.times.first_event;
            let begun = self.first_useful_event(model, request.endpoint, response);
            timeout_at(due, begun)
                .await
                .unwrap_or_else(|_| Err(self.rules.broken(None, Cause::Timeout)))
                .map(Opened::Stream)
        } else {
            let answer = self
                .plain(model, request.endpoint, response, asked_at)
                .await?;
            if request.stream {
                // A completion that is no stream, although one was asked for.
                return Err(self
                    .rules
                    .broken(Some(status.as_u16()), Cause::NotACompletion));
            }
            Ok(Opened::Plain(answer))
        }
    }

    /// The verdict on an answer with an error status.
    async fn refused(
        &self,
        model: &Model,
        endpoint: Endpoint,
        response: Response<AnswerBody>,
    ) -> Failure {
        let (
            Parts {
                status, headers, ..
            },
            body,
        ) = response.into_parts();
        let read = timeout(
            ERROR_BODY_TIMEOUT,
            read_body(&headers, body, self.limits.max_held_bytes),
        )
        .await;
        // Without its body the status still says whose fault it is.
        let body = read.ok().and_then(Result::ok).unwrap_or_default();
        let cause = if status.is_redirection() {
            Cause::Redirect
        } else {
            Cause::Status
        };
        let failure = self.rules.classify(
            &model.id,
            status.as_u16(),
            &headers,
            &body,
            cause,
            Now::read(),
        );
        match endpoint {
            Endpoint::Chat => failure,
            Endpoint::Completions => failure.or_not_offered(),
        }
    }

    /// Reads a plain answer whole: a 200 is no success before that.
    async fn plain(
        &self,
        model: &Arc<Model>,
        endpoint: Endpoint,
        response: Response<AnswerBody>,
        asked_at: Instant,
    ) -> Result<PlainAnswer, Failure> {
        let (
            Parts {
                status, headers, ..
            },
            body,
        ) = response.into_parts();
        let status = status.as_u16();
        let head = AnswerHead::of(&headers, &self.rules.upstream_key);
        let body = self.whole(status, &headers, body, asked_at).await?;
        let body = without_heartbeat(&body);
        match read_counted(&body, endpoint) {
            Ok((Said::Useful { .. }, completion_tokens)) => {
                let body = without_key(body, &self.rules.upstream_key);
                Ok(PlainAnswer {
                    model: Arc::clone(model),
                    head,
                    body,
                    completion_tokens,
                })
            }
            Ok((Said::Nothing, _)) => Err(self.rules.broken(Some(status), Cause::NotACompletion)),
            Ok((Said::Error(error), _)) => Err(self.error_inside(model, &error, &headers, body)),
            Err(_) => Err(self.rules.broken(Some(status), Cause::NotJson)),
        }
    }

    /// The whole body of a plain answer. `PLAIN_TIMEOUT_SEC`, where it is set, bounds it alone;
    /// else `STREAM_IDLE_TIMEOUT_SEC` each silence, and `REQUEST_BUDGET_SEC` the whole.
    async fn whole(
        &self,
        status: u16,
        headers: &HeaderMap,
        body: AnswerBody,
        asked_at: Instant,
    ) -> Result<Bytes, Failure> {
        let Times { plain, idle, .. } = self.times;
        let due = asked_at + plain.unwrap_or(self.times.budget);
        let mut body = Listened::new(body, idle, plain.is_none());
        let read = read_body(headers, &mut body, self.limits.max_answer_bytes);
        let broken = |cause| self.rules.broken(Some(status), cause);
        match timeout_at(due, read).await {
            Ok(Ok(whole)) => Ok(whole),
            Ok(Err(ReadError::Broken)) if body.is_cut() => Err(broken(Cause::Idle)),
            Ok(Err(ReadError::Broken)) => Err(broken(Cause::Broken)),
            Ok(Err(ReadError::TooLarge)) => Err(broken(Cause::TooLarge)),
            Ok(Err(ReadError::Packed)) => Err(broken(Cause::NotJson)),
            // It is well, and long: nobody has to rest for what our patience is.
            Err(_) if body.flows() => Err(Failure {
                rest: Rest::None,
                ..broken(Cause::Overrun)
            }),
            Err(_) => Err(broken(Cause::Timeout)),
        }
    }

    /// The verdict on an error inside a 200: as the status it stands for would be.
    pub(super) fn error_inside(
        &self,
        model: &Model,
        error: &UpstreamError,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Failure {
        let body = error.body.clone().unwrap_or(body);
        match error.status {
            Some(status) => self.rules.classify(
                &model.id,
                status,
                headers,
                &body,
                Cause::ErrorInside,
                Now::read(),
            ),
            None => self.rules.broken(Some(200), Cause::ErrorInside),
        }
    }

    /// Holds events back until one carries something a client would use.
    async fn first_useful_event(
        &self,
        model: &Arc<Model>,
        endpoint: Endpoint,
        response: Response<AnswerBody>,
    ) -> Result<StreamAnswer, Failure> {
        let status = response.status().as_u16();
        let broken = |cause| self.rules.broken(Some(status), cause);
        let (head, mut body) = response.into_parts();
        let mut framer = Framer::new(self.limits.max_event_bytes);
        let mut held = BytesMut::new();
        let mut events = 0;
        loop {
            while let Some(event) = framer.next().map_err(|_| broken(Cause::TooLarge))? {
                let finished = self.look(model, endpoint, &event, &head.headers, status)?;
                let carries = event.data() != Data::None;
                if carries || event.is_comment() {
                    events += u64::from(carries);
                    // In one piece: many small ones would take many times their bytes.
                    held.extend_from_slice(&without_key(event.raw, &self.rules.upstream_key));
                }
                if let Some(finished) = finished {
                    let head = AnswerHead::of(&head.headers, &self.rules.upstream_key);
                    return Ok(StreamAnswer {
                        model: Arc::clone(model),
                        head,
                        body,
                        framer,
                        held: held.freeze(),
                        events,
                        finished,
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
                        // Nothing follows it, so even a useful one is no answer; an error in it
                        // still says whose fault it is.
                        self.look(model, endpoint, &last, &head.headers, status)?;
                        self.bare_error(model, &last, &head.headers)?;
                    }
                    return Err(broken(Cause::CutShort));
                }
            }
        }
    }

    /// An error that came as it is, although under the name of a stream.
    fn bare_error(&self, model: &Model, rest: &Event, headers: &HeaderMap) -> Result<(), Failure> {
        match read_answer(&rest.raw, Endpoint::Chat) {
            Ok(Said::Error(error)) => {
                Err(self.error_inside(model, &error, headers, rest.raw.clone()))
            }
            Ok(Said::Useful { .. } | Said::Nothing) | Err(_) => Ok(()),
        }
    }

    /// Looks at an event before the commit: `Some` if it is useful, and whether it finishes.
    fn look(
        &self,
        model: &Model,
        endpoint: Endpoint,
        event: &Event,
        headers: &HeaderMap,
        status: u16,
    ) -> Result<Option<bool>, Failure> {
        let broken = |cause| Err(self.rules.broken(Some(status), cause));
        match event.data() {
            Data::None => Ok(None),
            Data::Done => broken(Cause::NotACompletion),
            Data::Payload(payload) => match read_answer(&payload, endpoint) {
                Ok(Said::Useful { finished }) => Ok(Some(finished)),
                Ok(Said::Nothing) => Ok(None),
                Ok(Said::Error(error)) => {
                    let body = Bytes::copy_from_slice(&payload);
                    Err(self.error_inside(model, &error, headers, body))
                }
                Err(_) => broken(Cause::NotJson),
            },
        }
    }
}

/// Whether an answer claims to be a stream. An upstream that names no type is believed to send
/// what it was asked for.
fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_none_or(|value| {
        value
            .as_bytes()
            .to_ascii_lowercase()
            .starts_with(b"text/event-stream")
    })
}
