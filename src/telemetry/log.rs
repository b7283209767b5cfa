//! Log lines: one JSON object each, written by one thread off the request path.
//!
//! The log has events, not messages: a library below us cannot write a line here, so none can
//! leak a prompt. The queue is bounded; what does not fit is counted and said.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde::Serialize;

use crate::clock::{Now, rfc3339};
use crate::config::LogLevel;

/// Where log lines go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Log {
    level: LogLevel,
    sink: Sink,
}

#[derive(Clone, Debug)]
enum Sink {
    Thread {
        queue: SyncSender<Message>,
        dropped: Arc<AtomicU64>,
    },
    Memory(Lines),
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    Stop,
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

/// The thread behind a log; [`LogWriter::finish`] writes what is still queued.
#[derive(Debug)]
pub struct LogWriter {
    queue: SyncSender<Message>,
    thread: JoinHandle<()>,
}

/// How many lines may wait for the writer. A line has some 300 bytes.
const QUEUE: usize = 16_384;

/// How long the end of the process waits for a reader of the log, looking each moment.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);
const MOMENT: std::time::Duration = std::time::Duration::from_millis(1);

/// How many bytes are put together into one write at the most.
const BATCH: usize = 64 * 1024;

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
    pub fn to(out: impl Write + Send + 'static, level: LogLevel) -> (Self, LogWriter) {
        let (queue, lines) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&dropped);
        let thread = std::thread::spawn(move || write_all(out, &lines, &count));
        let writer = LogWriter {
            queue: queue.clone(),
            thread,
        };
        (
            Self {
                level,
                sink: Sink::Thread { queue, dropped },
            },
            writer,
        )
    }

    /// A log that is kept in memory, for tests.
    #[must_use]
    pub fn memory(level: LogLevel) -> (Self, Lines) {
        let lines = Lines::default();
        (
            Self {
                level,
                sink: Sink::Memory(lines.clone()),
            },
            lines,
        )
    }

    /// Whether lines of that level are written.
    #[must_use]
    pub fn wants(&self, level: LogLevel) -> bool {
        level >= self.level
    }

    /// Writes one line. Never waits.
    pub fn emit(&self, level: LogLevel, event: &str, fields: &impl Serialize) {
        if !self.wants(level) {
            return;
        }
        let Some(line) = line(level, event, fields) else {
            return;
        };
        match &self.sink {
            Sink::Thread { queue, dropped } => match queue.try_send(Message::Line(line)) {
                Ok(()) => {}
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                    dropped.fetch_add(1, Ordering::Relaxed);
                }
            },
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

impl LogWriter {
    /// Writes what is queued and ends the thread; a reader that is stuck is not waited for.
    pub fn finish(self) {
        let until = std::time::Instant::now() + PATIENCE;
        let mut stop = Message::Stop;
        while let Err(TrySendError::Full(again)) = self.queue.try_send(stop) {
            if std::time::Instant::now() >= until {
                return;
            }
            stop = again;
            std::thread::sleep(MOMENT);
        }
        while !self.thread.is_finished() && std::time::Instant::now() < until {
            std::thread::sleep(MOMENT);
        }
    }
}

fn line(level: LogLevel, event: &str, fields: &impl Serialize) -> Option<Vec<u8>> {
    let line = Line {
        ts: rfc3339(Now::read().wall),
        level: name(level),
        event,
        fields,
    };
    let mut bytes = serde_json::to_vec(&line).ok()?;
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

fn write_all(mut out: impl Write, queue: &Receiver<Message>, dropped: &AtomicU64) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut stop = false;
    while !stop {
        let Ok(message) = queue.recv() else { return };
        let mut next = Some(message);
        while let Some(message) = next.take() {
            match message {
                Message::Line(line) => batch.extend_from_slice(&line),
                Message::Stop => stop = true,
            }
            if batch.len() < BATCH && !stop {
                next = queue.try_recv().ok();
            }
        }
        let missing = dropped.swap(0, Ordering::Relaxed);
        if missing > 0 {
            let fields = serde_json::json!({"count": missing});
            batch.extend(line(LogLevel::Warning, "log_lines_dropped", &fields).unwrap_or_default());
        }
        // A reader of ours that went away must not take the proxy along.
        drop(out.write_all(&batch).and_then(|()| out.flush()));
        batch.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that is stuck until it is let go.
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
    fn s7_a_stuck_reader_holds_nobody_up_and_what_is_lost_is_said() {
        let (go, wait) = std::sync::mpsc::channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let (log, writer) = Log::to(Stuck(wait, Arc::clone(&written)), LogLevel::Info);
        let sent = QUEUE + 20_000;
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
