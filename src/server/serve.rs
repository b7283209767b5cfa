//! Accepts connections until told to stop, then lets what is open finish (spec §8).

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::App;
use super::connection::Guarded;
use crate::config::LogLevel;

/// Which routes a listener offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// All of them.
    Main,
    /// `/metrics` alone (`METRICS_ADDR`).
    Metrics,
}

/// How long the last words of what is cut may take to be read.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long to wait when the system has no socket left to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` is done. Then the listener closes at once, idle and half-sent
/// connections are closed, and open answers may finish within `DRAIN_TIMEOUT_SEC`; those that
/// do not are ended with an error. Answers whether all of them finished.
pub async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    face: Face,
    stop: impl Future<Output = ()>,
) -> bool {
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    // A small answer must not wait for the next one.
                    drop(socket.set_nodelay(true));
                    connections.spawn(serve_connection(socket, Arc::clone(&app), face));
                }
                Err(error) => {
                    app.log.emit(LogLevel::Warning, "accept_failed", &serde_json::json!({"error": error.to_string()}));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    app.drain.begin();
    let drained = all_end_within(app.drain_timeout, &mut connections).await;
    if !drained {
        app.drain.cut();
        all_end_within(LAST_WORDS, &mut connections).await;
    }
    // Who does not read its last words still leaves its log line.
    connections.shutdown().await;
    drained
}

async fn all_end_within(limit: Duration, connections: &mut JoinSet<()>) -> bool {
    let ended = async { while connections.join_next().await.is_some() {} };
    tokio::time::timeout(limit, ended).await.is_ok()
}

/// Serves one connection to its end.
pub async fn serve_connection<S>(socket: S, app: Arc<App>, face: Face)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let socket = Guarded::new(socket, &app.limits, &app.cors);
    let phases = socket.phases();
    let service = service_fn(|request| {
        // At once, not when the future is first polled: hyper reads on in between.
        let busy = phases.busy();
        Arc::clone(&app)
            .answer(face, request, phases.clone(), busy)
            .map(Ok::<_, Infallible>)
    });
    let mut connection = pin!(
        http1::Builder::new()
            // The limits of each phase are kept by `Guarded`.
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(socket), service)
    );
    let _listed = app.drain.list(&phases);
    // A broken connection is the peer's affair; what it broke off is in the request's record.
    drop(phases.watched(connection.as_mut()).await);
}
