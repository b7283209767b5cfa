//! One attempt: one model is asked, and its answer read until it has really begun to speak.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::response::Parts;
use http::{HeaderMap, Response};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use super::opened::{Opened, PlainAnswer, StreamAnswer};
use super::walk::Walker;
use crate::clock::Now;
use crate::model::Model;
use crate::request::{ChatRequest, Endpoint};
use crate::sse::{Data, Event, Framer};
use crate::upstream::{
    AnswerBody, AnswerHead, Cause, Failure, ReadError, Rest, Said, SendError, UpstreamError,
    read_answer, read_body, read_counted, without_heartbeat, without_key,
};

/// How long the body of an error answer is waited for: the status says the most of it.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);

impl Walker {
    /// Asks one model. Bounded by `UPSTREAM_TIMEOUT_SEC` for a stream, `PLAIN_TIMEOUT_SEC`
    /// for a plain answer, from the start of the attempt.
    pub(super) async fn ask(
        &self,
        model: &Arc<Model>,
        request: &ChatRequest,
    ) -> Result<Opened, Failure> {
        let limit = if request.stream {
            self.times.first_event
        } else {
            self.times.plain
        };
        timeout(limit, self.open(model, request))
            .await
            .unwrap_or_else(|_| Err(self.rules.broken(None, Cause::Timeout)))
    }

    async fn open(&self, model: &Arc<Model>, request: &ChatRequest) -> Result<Opened, Failure> {
        let body = request.body_for(&model.id);
        let response = self
            .upstream
            .complete(request.endpoint, body, request.stream)
            .await
            .map_err(|e| match e {
                SendError::Connect(_) => self.rules.broken(None, Cause::Connect),
                SendError::NoSocket(_) => Failure {
                    rest: Rest::None,
                    ..self.rules.broken(None, Cause::NoSocket)
                },
                SendError::Broken(_) => self.rules.broken(None, Cause::Broken),
            })?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.refused(model, request.endpoint, response).await);
        }
        if request.stream && is_event_stream(response.headers()) {
            self.first_useful_event(model, request.endpoint, response)
                .await
                .map(Opened::Stream)
        } else {
            let answer = self.plain(model, request.endpoint, response).await?;
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
    ) -> Result<PlainAnswer, Failure> {
        let (
            Parts {
                status, headers, ..
            },
            body,
        ) = response.into_parts();
        let status = status.as_u16();
        let head = AnswerHead::of(&headers, &self.rules.upstream_key);
        let body = read_body(&headers, body, self.limits.max_answer_bytes)
            .await
            .map_err(|e| {
                let cause = match e {
                    ReadError::TooLarge => Cause::TooLarge,
                    ReadError::Broken => Cause::Broken,
                    ReadError::Packed => Cause::NotJson,
                };
                self.rules.broken(Some(status), cause)
            })?;
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
