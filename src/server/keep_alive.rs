//! Waiting aloud (spec §5): an agent gives up on a silent connection, so a stream that has to wait
//! sends comments while the walk continues behind them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};

use super::asker::Asker;
use super::door::{self, DROPPED_HEADER};
use super::ending::{Walk, Walked, ends};
use super::error::ProxyError;
use super::reply::Flow;
use super::{App, MODEL_HEADER, PROVIDER_HEADER};
use crate::attempt::{Answer, Committed, Opened, Rendering};

/// A stream whose 200 has gone out before a model was found.
pub(super) struct KeepAlive {
    state: State,
    ready: VecDeque<Bytes>,
    asker: Asker,
    app: Arc<App>,
}

enum State {
    Walking {
        walk: Walk,
        comment: Pin<Box<Sleep>>,
        period: Duration,
        rendering: Rendering,
    },
    Streaming(Box<Committed>),
    Ended,
}

impl KeepAlive {
    /// Continues with `walk`; the first comment goes out at once, and another one each `period`.
    pub(super) fn new(
        walk: Walk,
        period: Duration,
        rendering: Rendering,
        asker: Asker,
        app: Arc<App>,
    ) -> Self {
        let comment = Box::pin(sleep_until(Instant::now() + period));
        let ready = VecDeque::from([Bytes::from_static(rendering.waiting())]);
        Self {
            state: State::Walking {
                walk,
                comment,
                period,
                rendering,
            },
            ready,
            asker,
            app,
        }
    }

    fn walked(&mut self, walked: Walked, mut rendering: Rendering, period: Duration) -> State {
        let Walked { mut record, result } = walked;
        let error = match result {
            Ok(Answer {
                opened: Opened::Stream(stream),
                attempt,
            }) => {
                // The headers went out too early to contain it.
                let offer = &stream.candidate.offer;
                let mut comment = format!(": {MODEL_HEADER}: {}\n\n", offer.public_id);
                if !offer.provider.is_openrouter() {
                    comment.push_str(&format!(": {PROVIDER_HEADER}: {}\n\n", offer.provider));
                }
                self.ready.push_back(comment.into());
                if let Some(names) = door::in_words(&stream.dropped) {
                    let comment = format!(": {DROPPED_HEADER}: {names}\n\n");
                    self.ready.push_back(comment.into());
                }
                let walker = Arc::clone(&self.app.walker);
                let committed = stream.commit(rendering, walker, Some(period), attempt, record);
                return State::Streaming(Box::new(committed));
            }
            // A stream was asked for, so `attempt` returns nothing else.
            Ok(_) => ProxyError::Internal,
            Err(error) => error,
        };
        ends(&mut record, &error, true);
        let frame = self
            .app
            .refuse_in_stream(self.asker, &error, &mut rendering);
        self.ready.push_back(frame);
        State::Ended
    }
}

impl Flow for KeepAlive {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Some(bytes));
            }
            match &mut self.state {
                State::Walking {
                    walk,
                    comment,
                    period,
                    rendering,
                } => {
                    if let Poll::Ready(walked) = walk.as_mut().poll(cx) {
                        let State::Walking {
                            rendering, period, ..
                        } = std::mem::replace(&mut self.state, State::Ended)
                        else {
                            continue;
                        };
                        self.state = self.walked(walked, rendering, period);
                    } else if comment.as_mut().poll(cx).is_ready() {
                        comment.as_mut().reset(Instant::now() + *period);
                        self.ready
                            .push_back(Bytes::from_static(rendering.waiting()));
                    } else {
                        return Poll::Pending;
                    }
                }
                State::Streaming(committed) => return committed.poll_next(cx),
                State::Ended => return Poll::Ready(None),
            }
        }
    }

    fn cut(&mut self) {
        match &mut self.state {
            // The walk notices that itself, and ends with an error.
            State::Walking { .. } | State::Ended => {}
            State::Streaming(committed) => Flow::cut(committed.as_mut()),
        }
    }
}
