//! Log lines: one JSON object each, written by one thread off the request path.
//!
//! The log has events, not messages: libraries cannot write to it, so none can leak a prompt. Lines that
//! do not fit into the queue are counted and reported.

use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

use super::queue::{Queue, Writer};
use crate::clock::{Now, rfc3339};
use crate::config::LogLevel;

/// Where log lines go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Log {
    /// All clones share it: `LOG_LEVEL` may change while the proxy runs.
    level: Arc<AtomicU8>,
    sink: Sink,
}

#[derive(Clone, Debug)]
enum Sink {
    Thread(Arc<Queue>),
    Memory(Lines),
}

/// The lines of a log kept in memory, for tests.
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    /// All lines so far.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The lines of one event, parsed.
    #[must_use]
    pub fn of(&self, event: &str) -> Vec<serde_json::Value> {
        let parsed = self
            .all()
            .iter()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect::<Vec<serde_json::Value>>();
        parsed
            .into_iter()
            .filter(|line| line["event"] == event)
            .collect()
    }
}

#[derive(Serialize)]
struct Line<'a, T> {
    ts: String,
    level: &'static str,
    event: &'a str,
    #[serde(flatten)]
    fields: &'a T,
}

impl Log {
    /// A log that a thread writes to `out`.
    pub fn to(mut out: impl Write + Send + 'static, level: LogLevel) -> (Self, Writer) {
        let (queue, writer) = Queue::written_by(move |lines, dropped| {
            if dropped > 0 {
                let fields = serde_json::json!({"count": dropped});
                let now = Now::read().wall;
                let said = line(now, LogLevel::Warning, "log_lines_dropped", &fields);
                lines.extend(said.unwrap_or_default());
            }
            // A log reader that goes away must not take the proxy down.
            drop(out.write_all(lines).and_then(|()| out.flush()));
        });
        let log = Self {
            level: Arc::new(AtomicU8::new(level as u8)),
            sink: Sink::Thread(queue),
        };
        (log, writer)
    }

    /// A log that is kept in memory, for tests.
    #[must_use]
    pub fn memory(level: LogLevel) -> (Self, Lines) {
        let lines = Lines::default();
        (
            Self {
                level: Arc::new(AtomicU8::new(level as u8)),
                sink: Sink::Memory(lines.clone()),
            },
            lines,
        )
    }

    /// Whether lines of this level are written.
    #[must_use]
    pub fn wants(&self, level: LogLevel) -> bool {
        level as u8 >= self.level.load(Ordering::Relaxed)
    }

    /// Writes lines from this level up from now on, through every clone.
    pub fn set_level(&self, level: LogLevel) {
        self.level.store(level as u8, Ordering::Relaxed);
    }

    /// Writes one line. Never waits.
    pub fn emit(&self, level: LogLevel, event: &str, fields: &impl Serialize) {
        if self.wants(level) {
            self.emit_at(Now::read().wall, level, event, fields);
        }
    }

    /// The same, for a caller that has already read the clock.
    pub fn emit_at(&self, at: SystemTime, level: LogLevel, event: &str, fields: &impl Serialize) {
        if !self.wants(level) {
            return;
        }
        let Some(line) = line(at, level, event, fields) else {
            return;
        };
        match &self.sink {
            Sink::Thread(queue) => queue.add(&line),
            Sink::Memory(lines) => {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                lines
                    .0
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(text);
            }
        }
    }
}

/// The usual length of a line, in bytes.
const USUAL_LINE: usize = 768;

fn line(at: SystemTime, level: LogLevel, event: &str, fields: &impl Serialize) -> Option<Vec<u8>> {
    let line = Line {
        ts: rfc3339(at),
        level: name(level),
        event,
        fields,
    };
    let mut bytes = Vec::with_capacity(USUAL_LINE);
    serde_json::to_writer(&mut bytes, &line).ok()?;
    bytes.push(b'\n');
    Some(bytes)
}

/// The spec's spelling of a level.
fn name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "DEBUG",
        LogLevel::Info => "INFO",
        LogLevel::Warning => "WARNING",
        LogLevel::Error => "ERROR",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that is stuck until it is released.
    struct Stuck(std::sync::mpsc::Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.recv().ok();
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn s7_one_object_a_line_whatever_is_in_it() {
        let (log, lines) = Log::memory(LogLevel::Info);
        let nasty = "a\nb\"c\\d\u{1b}[31m\u{2028}";
        log.emit(LogLevel::Info, "test", &serde_json::json!({"id": nasty}));
        log.emit(LogLevel::Debug, "unseen", &serde_json::json!({}));
        assert_eq!(lines.all().len(), 1, "LOG_LEVEL holds");
        assert!(!lines.all()[0].contains('\n'));
        let line = &lines.of("test")[0];
        assert_eq!(
            (line["id"].as_str(), line["level"].as_str()),
            (Some(nasty), Some("INFO"))
        );
        assert!(line["ts"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn s7_a_stuck_reader_blocks_nothing_and_lost_lines_are_reported() {
        let (go, wait) = std::sync::mpsc::channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let (log, writer) = Log::to(Stuck(wait, Arc::clone(&written)), LogLevel::Info);
        let sent = 200_000;
        for n in 0..sent {
            log.emit(LogLevel::Info, "n", &serde_json::json!({"n": n}));
        }
        drop(go);
        writer.finish();
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        let lost: u64 = lines.iter().filter_map(|l| l["count"].as_u64()).sum();
        let kept = lines.iter().filter(|l| l["event"] == "n").count() as u64;
        assert!(lost > 0);
        assert_eq!(kept + lost, sent as u64);
    }
}
