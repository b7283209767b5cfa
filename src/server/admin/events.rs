//! `GET /admin/events`: what happens, as it happens.
//!
//! A listener slows down no one: if it reads too slowly it loses the oldest events and is told so,
//! and a flood of events is written a few times a second, not event by event.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::Response;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::clock::{Now, rfc3339};
use crate::live::AttemptRecord;
use crate::server::App;
use crate::server::error::ProxyError;
use crate::server::gate::Pass;
use crate::server::phases::Phases;
use crate::server::reply::{Flow, ReplyBody};
use crate::telemetry::{Happening, Heard, Listener};

/// How often a comment shows that the connection is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long events are gathered after a write: the first goes out at once, and people do not see the
/// difference. With a wake-up and a write for each, one open page cost a busy proxy a tenth of its CPU.
const GATHER: Duration = Duration::from_millis(100);
/// The maximum number of events in one write.
const AT_ONCE: usize = 256;
const COMMENT: Bytes = Bytes::from_static(b": nothing has happened for a while\n\n");

/// Adds a listener, for as long as its pass is good.
pub(super) fn listen(
    app: &App,
    pass: Pass,
    phases: &Phases,
) -> Result<Response<ReplyBody>, ProxyError> {
    if app.is_draining() {
        return Err(ProxyError::ShuttingDown);
    }
    let listener = app.traffic.listen().ok_or(ProxyError::TooManyListeners)?;
    let hello = Hello {
        now: rfc3339(Now::read().wall),
        version: env!("CARGO_PKG_VERSION"),
        started_at: rfc3339(app.traffic.started().wall),
    };
    let flow = Events {
        ready: Some(event("hello", &hello)),
        next: next(Sources {
            listener,
            changes: app.registry.changes(),
            pass,
        }),
        heartbeat: Box::pin(sleep_until(Instant::now() + HEARTBEAT)),
        gathered: Box::pin(sleep_until(Instant::now())),
        phases: phases.clone(),
        ended: false,
    };
    Ok(super::event_stream(ReplyBody::flowing(flow)))
}

/// The events on their way to one listener.
struct Events {
    ready: Option<Bytes>,
    next: Next,
    heartbeat: Pin<Box<Sleep>>,
    gathered: Pin<Box<Sleep>>,
    phases: Phases,
    ended: bool,
}

/// The sources of events.
struct Sources {
    listener: Listener,
    changes: watch::Receiver<()>,
    pass: Pass,
}

/// The next event; without one if nothing more will come.
type Next = Pin<Box<dyn Future<Output = (Option<Bytes>, Sources)> + Send>>;

fn next(mut sources: Sources) -> Next {
    Box::pin(async move {
        let heard = tokio::select! {
            // Whoever is an admin no longer hears nothing more.
            biased;
            () = sources.pass.ends() => None,
            heard = sources.listener.next() => heard.map(|heard| tell(&heard)),
            changed = sources.changes.changed() => {
                changed.is_ok().then(|| event("changed", &Nothing {}))
            }
        };
        (heard, sources)
    })
}

impl Flow for Events {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        // The drain waits for answers, and this one would never end.
        if self.ended || self.phases.is_draining() {
            return Poll::Ready(None);
        }
        if let Some(bytes) = self.ready.take() {
            return Poll::Ready(Some(bytes));
        }
        if self.gathered.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        let events = self.take_all(cx);
        if !events.is_empty() {
            self.gathered.as_mut().reset(Instant::now() + GATHER);
            self.rest();
            return Poll::Ready(Some(events));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        if self.heartbeat.as_mut().poll(cx).is_ready() {
            self.rest();
            return Poll::Ready(Some(COMMENT));
        }
        Poll::Pending
    }

    fn cut(&mut self) {
        self.ended = true;
    }
}

impl Events {
    /// What has happened so far.
    fn take_all(&mut self, cx: &mut Context<'_>) -> Bytes {
        let mut all = BytesMut::new();
        for _ in 0..AT_ONCE {
            let Poll::Ready((heard, sources)) = self.next.as_mut().poll(cx) else {
                break;
            };
            self.next = next(sources);
            let Some(event) = heard else {
                self.ended = true;
                break;
            };
            all.extend_from_slice(&event);
        }
        all.freeze()
    }

    fn rest(&mut self) {
        self.heartbeat.as_mut().reset(Instant::now() + HEARTBEAT);
    }
}

#[derive(Serialize)]
struct Hello {
    now: String,
    version: &'static str,
    started_at: String,
}

#[derive(Serialize)]
struct Attempt<'a> {
    request_id: &'a str,
    #[serde(serialize_with = "super::view::moment")]
    at: SystemTime,
    number: usize,
    #[serde(flatten)]
    record: &'a AttemptRecord,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    of_account: bool,
}

#[derive(Serialize)]
struct Lost {
    count: u64,
}

#[derive(Serialize)]
struct Nothing {}

fn tell(heard: &Heard) -> Bytes {
    match heard {
        Heard::Lost(count) => event("lost", &Lost { count: *count }),
        Heard::Happening(Happening::Request(request)) => event("request", &**request),
        Heard::Happening(Happening::Attempt {
            request_id,
            number,
            at,
            record,
            of_account,
        }) => event(
            "attempt",
            &Attempt {
                request_id,
                at: *at,
                number: *number,
                record,
                of_account: *of_account,
            },
        ),
    }
}

/// One server-sent event. Single-line JSON contains no line end.
fn event(name: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n").into()
}
