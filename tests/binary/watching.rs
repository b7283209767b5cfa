//! `status --watch` at a terminal: what is drawn, what ends it, and the terminal afterwards.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};
use simulator::{Script, Step};
use tokio::process::Child;
use tokio::sync::mpsc;

use crate::program::{LONG, PROXY_KEY, Program, Serving, terminal};
use crate::upstream::Outside;

const COLUMNS: u16 = 70;

/// A person who watches.
struct Person {
    child: Child,
    /// Types and reads here.
    own: File,
    /// The program's end.
    terminal: File,
    before: Termios,
    read: mpsc::UnboundedReceiver<Vec<u8>>,
    seen: String,
}

impl Person {
    fn watching(port: u16, key: &str) -> Self {
        let (own, terminal) = terminal();
        let size = Winsize {
            ws_col: COLUMNS,
            ws_row: 40,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&own, size).unwrap();
        let before = tcgetattr(&terminal).unwrap();
        let program = Program::new("status --watch")
            .env("PORT", &port.to_string())
            .env("PROXY_API_KEY", key);
        let child = program.start_at(terminal.try_clone().unwrap());
        let mut reading = own.try_clone().unwrap();
        let (tell, read) = mpsc::unbounded_channel();
        // It ends with the terminal.
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reading.read(&mut bytes) {
                if tell.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            own,
            terminal,
            before,
            read,
            seen: String::new(),
        }
    }

    /// Waits until this is drawn.
    async fn sees(&mut self, text: &str) {
        let reading = async {
            while !self.seen.contains(text) {
                let bytes = self.read.recv().await.expect("it draws");
                self.seen += &String::from_utf8_lossy(&bytes);
            }
        };
        let read = tokio::time::timeout(LONG, reading).await;
        assert!(read.is_ok(), "{text} in {:?}", self.seen);
    }

    fn types(&mut self, keys: &str) {
        self.own.write_all(keys.as_bytes()).unwrap();
    }

    fn signals(&self, signal: Signal) {
        let id = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()));
        kill_process(id.unwrap(), signal).unwrap();
    }

    fn keys_are_taken(&self) -> bool {
        let modes = tcgetattr(&self.terminal).unwrap().local_modes;
        !modes.intersects(LocalModes::ICANON | LocalModes::ECHO)
    }

    fn terminal_is_as_before(&self) -> bool {
        let now = tcgetattr(&self.terminal).unwrap();
        let codes = |modes: &Termios| format!("{:?}", modes.special_codes);
        (now.local_modes, now.input_modes, now.output_modes)
            == (
                self.before.local_modes,
                self.before.input_modes,
                self.before.output_modes,
            )
            && codes(&now) == codes(&self.before)
    }

    /// Waits for the terminal, which a signal changes from within the program.
    async fn until(&self, what: impl Fn(&Self) -> bool) {
        let wait = async {
            while !what(self) {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, wait).await.expect("it changes");
    }

    async fn ends(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(LONG, self.child.wait()).await;
        ended.expect("it ends").unwrap()
    }
}

async fn serving() -> (Outside, Serving) {
    let limited = Step::status(429, &[("Retry-After", "600")], "no");
    let best = "inclusionai/ling-2.6-flash:free";
    let outside = Outside::with(Script::new().model(best, limited)).await;
    let serving = outside.program("").ready().await;
    (outside, serving)
}

#[tokio::test]
async fn s8_q_ends_it_and_seventy_columns_hold_it() {
    let (_outside, serving) = serving().await;
    let mut person = Person::watching(serving.address.port(), PROXY_KEY);
    person.sees("q ends it").await;
    assert!(person.keys_are_taken());
    person.types("x\n");
    let asked = serving.chat(&serde_json::json!({"messages": []})).await;
    assert_eq!(asked.status(), 200);
    person.sees("rate_limited").await;
    person.types("q");
    assert_eq!(person.ends().await.code(), Some(0));
    assert!(person.terminal_is_as_before());
    for line in plain(&person.seen).lines() {
        let wide = line.chars().count();
        assert!(wide <= usize::from(COLUMNS), "{wide}: {line}");
    }
    assert!(
        !person.seen.contains("\nx"),
        "keys are not shown: {}",
        person.seen
    );
}

#[tokio::test]
async fn s8_signals_leave_the_terminal_as_it_was() {
    let (_outside, serving) = serving().await;
    #[rustfmt::skip]
    let rows = [
        (Signal::INT,  130),
        (Signal::QUIT, 131),
        (Signal::TERM, 143),
        (Signal::HUP,  129),
    ];
    for (signal, code) in rows {
        let mut person = Person::watching(serving.address.port(), PROXY_KEY);
        person.sees("q ends it").await;
        person.signals(signal);
        assert_eq!(person.ends().await.code(), Some(code), "{signal:?}");
        assert!(person.terminal_is_as_before(), "{signal:?}");
    }
}

#[tokio::test]
async fn s8_while_it_is_stopped_the_terminal_is_the_shells() {
    let (_outside, serving) = serving().await;
    let mut person = Person::watching(serving.address.port(), PROXY_KEY);
    person.sees("q ends it").await;
    for _ in 0..2 {
        person.signals(Signal::TSTP);
        person.until(Person::terminal_is_as_before).await;
        person.signals(Signal::CONT);
        person.until(Person::keys_are_taken).await;
    }
    person.types("q");
    assert_eq!(person.ends().await.code(), Some(0));
    assert!(person.terminal_is_as_before());
}

#[tokio::test]
async fn s8_an_error_leaves_the_terminal_as_it_was_and_a_proxy_that_is_gone_is_waited_for() {
    let (_outside, serving) = serving().await;
    let port = serving.address.port();
    let mut person = Person::watching(port, "wrong");
    assert_eq!(person.ends().await.code(), Some(1));
    assert!(person.terminal_is_as_before());
    let mut person = Person::watching(port, PROXY_KEY);
    person.sees("q ends it").await;
    drop(serving);
    person.sees("Asking again.").await;
    person.types("q");
    assert_eq!(person.ends().await.code(), Some(0));
    assert!(person.terminal_is_as_before());
}

/// Without cursor movements and colours; each drawing begins a line.
fn plain(drawn: &str) -> String {
    let mut parts = drawn.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| {
        let end = part.find(|c: char| c.is_ascii_alphabetic());
        let (escape, text) = part.split_at(end.map_or(0, |at| at + 1));
        let moved = if escape.ends_with('H') { "\n" } else { "" };
        format!("{moved}{text}")
    });
    first + &rest.collect::<String>()
}
