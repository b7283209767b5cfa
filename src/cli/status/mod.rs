//! `status`: the state of a running proxy, in the terminal.

mod keys;
mod look;
mod table;

use std::io::{IsTerminal as _, stdout};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::running::{Answer, Running};
use super::{Exit, Local, say};
use crate::config::Sources;
use keys::{Ended, Keys};
use look::{Line, Look, Tone};

/// A countdown changes once a second.
const SECOND: Duration = Duration::from_secs(1);
/// A person watching learns within three seconds that the proxy is gone: the second between two
/// questions, and this.
const PATIENCE: Duration = Duration::from_secs(2);
/// Events that come closer together than this are drawn together.
const TOGETHER: Duration = Duration::from_millis(100);

/// How the state is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// As a table, once.
    Once,
    /// As a table, again and again.
    Watch,
    /// As the proxy's own JSON.
    Json,
}

/// Asks the running proxy, and shows its state.
pub async fn run(sources: &Sources, show: Show, local: Local) -> Exit {
    let running = match Running::of(sources) {
        Ok(running) => running,
        Err(trouble) => return trouble.end(),
    };
    let running = if show == Show::Watch {
        running.within(PATIENCE)
    } else {
        running
    };
    let terminal = stdout().is_terminal();
    let look = Look::new(terminal && !sources.wants_no_color());
    match show {
        Show::Watch if terminal => watch(&running, look, local).await,
        Show::Watch => draw(&running, look, local, None).await,
        Show::Once | Show::Json => {
            match running.ask(Method::GET, "/admin/state", Bytes::new()).await {
                Ok(state) if show == Show::Json => say::json(&state),
                Ok(state) if terminal => {
                    let (columns, _) = look::size();
                    let lines = table::table(&state, local, columns);
                    say::line(look.paint(&look::fitted(&lines, columns)));
                }
                Ok(state) => say::line(look.paint(&table::table(&state, local, usize::MAX))),
                Err(trouble) => return trouble.end(),
            }
            Exit::Fine
        }
    }
}

/// Draws in the terminal until `q` or a signal.
async fn watch(running: &Running, look: Look, local: Local) -> Exit {
    let foot = |text: &str| Some(vec![(Tone::Faint, text.to_owned())]);
    let Some(mut keys) = Keys::take() else {
        return draw(running, look, local, foot("Ctrl-C ends it")).await;
    };
    let ended = tokio::select! {
        ended = keys.ended() => ended,
        ending = draw(running, look, local, foot("q ends it")) => return ending,
    };
    say::line("");
    drop(keys);
    match ended {
        Ended::AsWished => Exit::Fine,
        // What a shell would have reported.
        Ended::Signalled(signal) => std::process::exit(128 + signal),
    }
}

/// Draws at each event and, on a terminal, for which there is a `foot` to put below, each second.
async fn draw(running: &Running, look: Look, local: Local, foot: Option<Line>) -> Exit {
    let mut events = None;
    let mut told = Told::Nothing;
    let mut last = Vec::new();
    loop {
        let drawn = Instant::now();
        let asked = running.ask(Method::GET, "/admin/state", Bytes::new()).await;
        let answered = asked.is_ok();
        let size = foot.as_ref().map(|foot| (foot, look::size()));
        match asked {
            Ok(state) => {
                let is_new = told.is_new(Told::State(news(&state)));
                let columns = size.map_or(usize::MAX, |(_, (columns, _))| columns);
                last = table::table(&state, local, columns);
                if let Some((foot, size)) = size {
                    look.redraw(&last, foot, size);
                } else if is_new {
                    say::line(format_args!("{}\n", look.paint(&last)));
                }
            }
            Err(trouble) if !trouble.may_pass() => return trouble.end(),
            Err(trouble) => {
                let trouble = trouble.to_string();
                let is_new = told.is_new(Told::Trouble(trouble.clone()));
                if let Some((foot, size)) = size {
                    let lines = look::outdated(&format!("{trouble}. Asking again."), &last);
                    look.redraw(&lines, foot, size);
                } else if is_new {
                    say::problem(trouble);
                }
            }
        }
        if events.is_none() && answered {
            let asked = running.open(Method::GET, "/admin/events", Bytes::new());
            // If no listener is allowed, the seconds remain.
            events = asked.await.ok();
        }
        events = until_something_happens(events, drawn + SECOND).await;
    }
}

/// What was last written to a file or a pipe: its reader wants news, not seconds.
#[derive(Debug, PartialEq)]
enum Told {
    Nothing,
    State(Value),
    Trouble(String),
}

impl Told {
    /// Whether this differs from what was last written; remembers it.
    fn is_new(&mut self, next: Self) -> bool {
        let is_new = *self != next;
        *self = next;
        is_new
    }
}

/// What changes by itself does not count.
fn news(state: &Value) -> Value {
    let keys = ["ready", "first_choice", "requests", "started_at"];
    let standings = state["models"].as_array().into_iter().flatten();
    let standings = standings.map(|model| model["state"].clone());
    let mut news: Vec<Value> = keys.iter().map(|key| state[*key].clone()).collect();
    news.extend(standings);
    let accounts = state["accounts"].as_array().into_iter().flatten();
    news.extend(accounts.map(table::news_of_account));
    news.push(state["condition"]["code"].clone());
    news.into()
}

/// Waits for an event or for `at`. Returns the events, unless they ended.
async fn until_something_happens(events: Option<Answer>, at: Instant) -> Option<Answer> {
    let Some(mut events) = events else {
        sleep_until(at).await;
        return None;
    };
    match tokio::time::timeout_at(at, events.body.frame()).await {
        Err(_) => Some(events),
        Ok(Some(Ok(_))) => {
            sleep(TOGETHER).await;
            // Everything that came meanwhile is in the state that is read next.
            while let Ok(Some(Ok(_))) = timeout(Duration::ZERO, events.body.frame()).await {}
            Some(events)
        }
        Ok(None | Some(Err(_))) => {
            sleep_until(at).await;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn s8_a_pipe_gets_only_what_is_new() {
        let state = |ready: bool, uptime: u64| {
            Told::State(news(&json!({"ready": ready, "uptime_sec": uptime})))
        };
        let trouble = |what: &str| Told::Trouble(what.to_owned());
        #[rustfmt::skip]
        let rows = [
            (trouble("refused"), true),
            (trouble("refused"), false),
            (trouble("silent"),  true),
            (state(true, 1),     true),
            (state(true, 2),     false),
            (state(false, 3),    true),
            (trouble("silent"),  true),
            (trouble("silent"),  false),
            // It is back, and nothing else is new.
            (state(false, 9),    true),
        ];
        let mut told = Told::Nothing;
        for (step, (next, expected)) in rows.into_iter().enumerate() {
            assert_eq!(told.is_new(next), expected, "step {step}");
        }
    }
}
