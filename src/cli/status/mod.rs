//! `status`: what a running proxy tells of itself, in the terminal.

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
use super::{Ending, say};
use crate::config::Sources;
use keys::{Ended, Keys};
use look::{Look, Tone};

/// A countdown moves once a second.
const SECOND: Duration = Duration::from_secs(1);
/// Events that come closer together than this are drawn together.
const TOGETHER: Duration = Duration::from_millis(100);

/// How the state is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// As a table, once.
    Once,
    /// As a table, again and again.
    Watch,
    /// In the proxy's own words.
    Json,
}

/// Asks the running proxy, and shows what it tells.
pub async fn run(sources: &Sources, show: Show) -> Ending {
    let running = match Running::of(sources) {
        Ok(running) => running,
        Err(trouble) => return trouble.end(),
    };
    let terminal = stdout().is_terminal();
    let look = Look::new(terminal && !sources.wants_no_color());
    match show {
        Show::Watch if terminal => watch(&running, look).await,
        Show::Watch => draw(&running, look, None).await,
        Show::Once | Show::Json => {
            match running.ask(Method::GET, "/admin/state", Bytes::new()).await {
                Ok(state) if show == Show::Json => say::json(&state),
                Ok(state) => say::line(look.paint(&fitted(&state, terminal))),
                Err(trouble) => return trouble.end(),
            }
            Ending::Fine
        }
    }
}

/// The table, as wide as the terminal; into a file as wide as it is.
fn fitted(state: &Value, terminal: bool) -> Vec<look::Line> {
    if !terminal {
        return table::table(state, usize::MAX);
    }
    let (columns, _) = look::size();
    let lines = table::table(state, columns);
    lines
        .iter()
        .flat_map(|line| look::fit(line, columns))
        .collect()
}

/// Draws in the terminal until `q` or a signal.
async fn watch(running: &Running, look: Look) -> Ending {
    let Some(mut keys) = Keys::take() else {
        let foot = vec![(Tone::Faint, "Ctrl-C ends it".to_owned())];
        return draw(running, look, Some(foot)).await;
    };
    let foot = vec![(Tone::Faint, "q ends it".to_owned())];
    let ended = tokio::select! {
        ended = keys.ended() => ended,
        ending = draw(running, look, Some(foot)) => return ending,
    };
    say::line("");
    drop(keys);
    match ended {
        Ended::AsWished => Ending::Fine,
        // What a shell would have said of it.
        Ended::Signalled(signal) => std::process::exit(128 + signal),
    }
}

/// Draws at each event, and each second of a terminal's, which has a foot below the table.
async fn draw(running: &Running, look: Look, foot: Option<look::Line>) -> Ending {
    let mut events = None;
    let mut told = Told::Nothing;
    let redraw = |lines: &dyn Fn(usize) -> Vec<look::Line>| {
        let size = look::size();
        look.redraw(&lines(size.0), foot.as_ref(), size);
    };
    let terminal = foot.is_some();
    loop {
        let drawn = Instant::now();
        match running.ask(Method::GET, "/admin/state", Bytes::new()).await {
            Ok(state) if terminal => redraw(&|columns| table::table(&state, columns)),
            Ok(state) => {
                if told.is_new(Told::State(news(&state))) {
                    say::line(format_args!("{}\n", look.paint(&fitted(&state, false))));
                }
            }
            Err(trouble) if !trouble.may_pass() => return trouble.end(),
            Err(trouble) if terminal => {
                redraw(&|_| vec![look::line(format!("{trouble}. Asking again."))]);
            }
            Err(trouble) => {
                let trouble = trouble.to_string();
                if told.is_new(Told::Trouble(trouble.clone())) {
                    say::problem(trouble);
                }
            }
        }
        if events.is_none() {
            let asked = running.open(Method::GET, "/admin/events", Bytes::new());
            // Where none may listen, the seconds are left.
            events = asked.await.ok();
        }
        events = until_something_happens(events, drawn + SECOND).await;
    }
}

/// What a file or a pipe was told last: whoever reads one wants news, not seconds.
#[derive(Debug, PartialEq)]
enum Told {
    Nothing,
    State(Value),
    Trouble(String),
}

impl Told {
    /// Whether it says something else than what was told last; it is what was, then.
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
    news.push(state["account"]["state"].clone());
    news.into()
}

/// Waits for an event or for `at`. Answers the events, unless they ended.
async fn until_something_happens(events: Option<Answer>, at: Instant) -> Option<Answer> {
    let Some(mut events) = events else {
        sleep_until(at).await;
        return None;
    };
    match tokio::time::timeout_at(at, events.body.frame()).await {
        Err(_) => Some(events),
        Ok(Some(Ok(_))) => {
            sleep(TOGETHER).await;
            // All that came meanwhile is in the state that is read next.
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
    fn i6_6_a_pipe_is_told_what_is_new() {
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
