//! Lines on their way out: written by one thread off the request path.
//!
//! The queue is bounded; what does not fit is counted, and the writer is told.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Lines waiting to be written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// A std lock, held to add a line or to take all of them.
    waiting: Mutex<Waiting>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Whole lines, one after the other.
    lines: Vec<u8>,
    /// How many lines were dropped for lack of space.
    dropped: u64,
    /// The writer is asleep, and must be woken.
    writer_sleeps: bool,
    stop: bool,
}

/// The thread that writes the lines of one queue; [`Writer::finish`] writes what is still queued.
#[derive(Debug)]
pub struct Writer {
    queue: Arc<Queue>,
    thread: JoinHandle<()>,
}

/// How many bytes may wait for the writer: some 20,000 lines.
const QUEUE_BYTES: usize = 8 << 20;

/// How long the writer lets lines gather after a write. A single line is written at once; under load
/// this saves a write and a context switch for each line.
const GATHER: Duration = Duration::from_millis(5);

/// How long the end of the process waits for a reader of the lines, checking every moment.
const PATIENCE: Duration = Duration::from_secs(2);
const MOMENT: Duration = Duration::from_millis(1);

/// How much of a buffer is kept from one write to the next.
const BUFFER_KEPT: usize = 64 * 1024;

impl Queue {
    /// A queue whose lines a thread passes to `write`, as many as have gathered, with how many were
    /// dropped since the last time. It may change the lines: they are its own.
    pub(super) fn written_by(
        write: impl FnMut(&mut Vec<u8>, u64) + Send + 'static,
    ) -> (Arc<Self>, Writer) {
        let queue = Arc::new(Self::default());
        let lines = Arc::clone(&queue);
        let writer = Writer {
            queue: Arc::clone(&queue),
            thread: std::thread::spawn(move || lines.write_all_with(write)),
        };
        (queue, writer)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line. Never waits for the writer.
    pub(super) fn add(&self, line: &[u8]) {
        let mut waiting = self.lock();
        if waiting.lines.len() + line.len() > QUEUE_BYTES {
            waiting.dropped += 1;
            return;
        }
        waiting.lines.extend_from_slice(line);
        let tell = std::mem::take(&mut waiting.writer_sleeps);
        drop(waiting);
        if tell {
            self.more.notify_one();
        }
    }

    /// Takes what is waiting, in exchange for an empty buffer; `None` once all is written and the
    /// writer is to stop.
    fn take(&self, empty: Vec<u8>) -> Option<(Vec<u8>, u64)> {
        let mut waiting = self.lock();
        while waiting.lines.is_empty() && waiting.dropped == 0 {
            if waiting.stop {
                return None;
            }
            waiting.writer_sleeps = true;
            waiting = self
                .more
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let lines = std::mem::replace(&mut waiting.lines, empty);
        Some((lines, std::mem::take(&mut waiting.dropped)))
    }

    fn write_all_with(&self, mut write: impl FnMut(&mut Vec<u8>, u64)) {
        let mut buffer = Vec::new();
        while let Some((mut lines, dropped)) = self.take(std::mem::take(&mut buffer)) {
            write(&mut lines, dropped);
            lines.clear();
            lines.shrink_to(BUFFER_KEPT);
            buffer = lines;
            let waiting = self.lock();
            if !waiting.stop {
                let wait = self.more.wait_timeout(waiting, GATHER);
                drop(wait.unwrap_or_else(PoisonError::into_inner));
            }
        }
    }
}

impl Writer {
    /// Writes what is queued and ends the thread; a stuck reader is not waited for.
    pub fn finish(self) {
        self.queue.lock().stop = true;
        self.queue.more.notify_one();
        let until = Instant::now() + PATIENCE;
        while !self.thread.is_finished() && Instant::now() < until {
            std::thread::sleep(MOMENT);
        }
    }
}
