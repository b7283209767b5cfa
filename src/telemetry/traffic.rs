//! What real traffic shows: the live figures, behind their lock, and the feed of events.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use super::Recorder;
use crate::clock::Now;
use crate::live::{AttemptRecord, Attempted, Finished, Live};
use crate::model::ModelId;

/// How far a listener may lag behind before it loses the oldest events.
const BEHIND: usize = 256;
/// The maximum number of listeners.
const MAX_LISTENERS: usize = 16;

/// Something that has happened to a request.
#[derive(Clone, Debug)]
pub enum Happening {
    /// An attempt has ended.
    Attempt {
        /// The request's id.
        request_id: Arc<str>,
        /// Its number within the request, from 1.
        number: usize,
        /// When.
        at: std::time::SystemTime,
        /// Its result.
        record: AttemptRecord,
        /// It failed for the whole account, which rests instead of the model.
        of_account: bool,
    },
    /// A request has ended.
    Request(Arc<Finished>),
}

/// The figures, the listeners, and the recorder.
#[derive(Debug)]
pub struct Traffic {
    recorder: Recorder,
    started: Now,
    /// A std lock, held to add an attempt or a request, or to read the figures of one model.
    live: Mutex<Live>,
    feed: broadcast::Sender<Happening>,
    listeners: Arc<AtomicUsize>,
}

impl Traffic {
    /// With no traffic yet.
    #[must_use]
    pub fn new(now: Now) -> Self {
        Self {
            recorder: Recorder::default(),
            started: now,
            live: Mutex::default(),
            feed: broadcast::Sender::new(BEHIND),
            listeners: Arc::default(),
        }
    }

    /// The same, with a recorder that writes a trace.
    #[must_use]
    pub fn recorded_by(self, recorder: Recorder) -> Self {
        Self { recorder, ..self }
    }

    /// Whether a trace is written.
    #[must_use]
    pub fn is_traced(&self) -> bool {
        self.recorder.is_on()
    }

    /// The recorder that writes the trace.
    pub(super) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// When this process began to observe.
    #[must_use]
    pub fn started(&self) -> Now {
        self.started
    }

    /// An attempt has ended.
    pub fn attempt(&self, model: &ModelId, attempt: Attempted, now: Now) {
        self.lock().attempt(model, attempt, now);
    }

    /// A request has ended, and with it its last attempt, unless that was already reported.
    pub fn request(&self, last: Option<(&ModelId, Attempted)>, request: Finished, now: Now) {
        let request = Arc::new(request);
        let told = self.is_heard().then(|| Arc::clone(&request));
        let mut live = self.lock();
        if let Some((model, attempt)) = last {
            live.attempt(model, attempt, now);
        }
        let oldest = live.request(request, now);
        drop(live);
        // Dropped outside the lock.
        drop(oldest);
        // Told after the figures are updated, so that a listener who then reads them finds the request.
        if let Some(request) = told {
            self.tell(Happening::Request(request));
        }
    }

    /// Runs `read` on the figures, under the lock: it must be short.
    pub fn read<T>(&self, read: impl FnOnce(&Live) -> T) -> T {
        read(&self.lock())
    }

    /// Forgets the models that left the list.
    pub fn retain_models(&self, stays: impl Fn(&str) -> bool) {
        self.lock().retain_models(stays);
    }

    /// Whether there are listeners. Without any, no events need to be built.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.listeners.load(Ordering::Relaxed) > 0
    }

    /// Sends an event to the listeners. Never waits: a listener that is too slow loses the oldest.
    pub fn tell(&self, happening: Happening) {
        // All of them may have left by now.
        drop(self.feed.send(happening));
    }

    /// Adds a listener; `None` if the maximum is reached.
    #[must_use]
    pub fn listen(&self) -> Option<Listener> {
        let more = |count: usize| (count < MAX_LISTENERS).then_some(count + 1);
        let counted = self
            .listeners
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        counted.is_ok().then(|| Listener {
            feed: self.feed.subscribe(),
            listeners: Arc::clone(&self.listeners),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        // The counts are consistent after every change, so a panic elsewhere leaves them usable.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Receives the events from its creation on.
#[derive(Debug)]
pub struct Listener {
    feed: broadcast::Receiver<Happening>,
    listeners: Arc<AtomicUsize>,
}

/// What a listener receives.
#[derive(Clone, Debug)]
pub enum Heard {
    /// The next thing that happened.
    Happening(Happening),
    /// It was too slow, and has lost this many.
    Lost(u64),
}

impl Listener {
    /// The next event; `None` once there will be none. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Heard> {
        match self.feed.recv().await {
            Ok(happening) => Some(Heard::Happening(happening)),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(Heard::Lost(count)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.listeners.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Outcome;

    fn attempt(number: usize) -> Happening {
        Happening::Attempt {
            request_id: "id".into(),
            number,
            at: std::time::SystemTime::UNIX_EPOCH,
            record: AttemptRecord {
                model: ModelId::try_from("a").unwrap(),
                provider: crate::model::ProviderId::openrouter(),
                account: crate::model::AccountId::openrouter(),
                place: None,
                switches: false,
                outcome: Outcome::Success,
                status: None,
                cause: None,
                duration_ms: 1,
                cooldown_until: None,
            },
            of_account: false,
        }
    }

    #[tokio::test]
    async fn s3_a_slow_listener_learns_how_much_it_lost_and_blocks_nothing() {
        let traffic = Traffic::new(Now::read());
        assert!(!traffic.is_heard());
        let mut slow = traffic.listen().unwrap();
        assert!(traffic.is_heard());
        for number in 0..BEHIND + 7 {
            traffic.tell(attempt(number));
        }
        assert!(matches!(slow.next().await, Some(Heard::Lost(7))));
        for expected in 7..BEHIND + 7 {
            let next = slow.next().await;
            let Some(Heard::Happening(Happening::Attempt { number, .. })) = next else {
                panic!("{next:?}");
            };
            assert_eq!(number, expected);
        }
        drop(slow);
        assert!(!traffic.is_heard());
    }

    #[test]
    fn s3_listeners_are_limited_and_one_that_leaves_makes_room() {
        let traffic = Traffic::new(Now::read());
        let mut all: Vec<_> = (0..MAX_LISTENERS)
            .filter_map(|_| traffic.listen())
            .collect();
        assert_eq!(all.len(), MAX_LISTENERS);
        assert!(traffic.listen().is_none());
        all.pop();
        assert!(traffic.listen().is_some());
    }
}
