//! Accepts connections, up to the limit (spec §6), until stopped, then lets what is open finish
//! (spec §8).

use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::connection::{Guarded, LINGER, in_bytes};
use super::error::ProxyError;
use super::phases::Phases;
use super::seldom::Seldom;
use super::{App, Current};
use crate::config::LogLevel;

/// Which routes a listener offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// All of them.
    Main,
    /// `/metrics` alone (`METRICS_ADDR`).
    Metrics,
}

/// How long the last words of answers that are cut off may take to be read.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A request's head: ten times what a browser sends, and more than any server of note accepts.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// How many clients are answered at once that there are too many; a further one is closed without a
/// word.
const TOLD: usize = 64;

/// How long to wait when the system has no socket left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` is done. Then the listener closes at once, idle and half-sent connections
/// are closed, and open answers may finish within `DRAIN_TIMEOUT_SEC`; those that do not are ended
/// with an error. Returns whether all of them finished.
pub async fn serve(
    listener: TcpListener,
    app: Arc<Current>,
    face: Face,
    stop: impl Future<Output = ()>,
) -> bool {
    let mut connections = JoinSet::new();
    let mut door = Door::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((socket, peer)) => {
                    // A small answer must not wait for the next one.
                    drop(socket.set_nodelay(true));
                    let phases = Phases::new();
                    let now = app.load();
                    if let Some(number) = now.open.admit(face, &phases) {
                        let listed = Listed { app: Arc::clone(&app), face, number };
                        connections.spawn(run(socket, phases, listed, peer.ip()));
                    } else if let Some(permit) = door.refuse(&now) {
                        connections.spawn(tell(socket, now, permit));
                    }
                }
                Err(error) => {
                    let now = app.load();
                    now.log.emit(LogLevel::Warning, "accept_failed", &json!({"error": error.to_string()}));
                    now.open.make_room();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let app = app.load();
    app.open.drain();
    let drained = all_end_within(app.drain_timeout, &mut connections).await;
    if !drained {
        app.open.cut();
        all_end_within(LAST_WORDS, &mut connections).await;
    }
    // A client that does not read its last words still leaves its log line.
    connections.shutdown().await;
    drained
}

async fn all_end_within(limit: Duration, connections: &mut JoinSet<()>) -> bool {
    let ended = async { while connections.join_next().await.is_some() {} };
    tokio::time::timeout(limit, ended).await.is_ok()
}

/// Where connections beyond the limit are turned away.
struct Door {
    told: Arc<Semaphore>,
    seldom: Seldom,
}

impl Door {
    fn new() -> Self {
        Self {
            told: Arc::new(Semaphore::new(TOLD)),
            seldom: Seldom::default(),
        }
    }

    /// Counts one, and returns a permit if it may be told why.
    fn refuse(&mut self, app: &App) -> Option<OwnedSemaphorePermit> {
        app.metrics.connection_refused();
        if let Some(count) = self.seldom.happened(Instant::now()) {
            let fields = json!({"count": count, "max_connections": app.limits.max_connections});
            app.log
                .emit(LogLevel::Warning, "connections_refused", &fields);
        }
        Arc::clone(&self.told).try_acquire_owned().ok()
    }
}

/// Says that there are too many, whatever was asked.
async fn tell(mut socket: TcpStream, app: Arc<App>, _permit: OwnedSemaphorePermit) {
    let answer = in_bytes(&ProxyError::TooManyConnections, None, &app.cors);
    let said = async {
        socket.write_all(&answer).await?;
        socket.shutdown().await?;
        // What is still being sent would reset the connection before the answer was read.
        let mut scratch = [0_u8; 1024];
        while socket.read(&mut scratch).await? > 0 {}
        std::io::Result::Ok(())
    };
    // A peer that does not read is not waited for.
    drop(tokio::time::timeout(LINGER, said).await);
}

/// Serves one connection to its end, regardless of how many there are.
pub async fn serve_connection<S>(socket: S, app: Arc<Current>, face: Face, peer: IpAddr)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let phases = Phases::new();
    let number = app.load().open.enter(face, &phases);
    run(socket, phases, Listed { app, face, number }, peer).await;
}

async fn run<S>(socket: S, phases: Phases, listed: Listed, peer: IpAddr)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (app, face) = (&listed.app, listed.face);
    let socket = {
        let now = app.load();
        Guarded::new(socket, phases.clone(), &now.limits, &now.cors)
    };
    let service = service_fn(|request| {
        // At once, not when the future is first polled: hyper reads on in between.
        let busy = phases.busy();
        // A request keeps the settings that it began with (spec §12.2).
        app.load().answer(face, peer, request, phases.clone(), busy)
    });
    let mut connection = pin!(
        http1::Builder::new()
            // The limits of each phase are kept by `Guarded`.
            .header_read_timeout(None)
            .max_header_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(socket), service)
    );
    // A broken connection is the peer's concern; what it interrupted is in the request's record.
    drop(phases.watched(connection.as_mut()).await);
}

/// A connection's place on the list.
struct Listed {
    app: Arc<Current>,
    face: Face,
    number: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.app.load().open.leave(self.face, self.number);
    }
}
