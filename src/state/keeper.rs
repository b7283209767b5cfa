//! When the file is read and written: once at the start, every 30 s if something has changed, and at the end.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::file::{StateFile, Unwritable};
use super::form::Form;
use super::roll::Roll;
use crate::clock::Now;
use crate::config::{Account, LogLevel, State};
use crate::learnt::Salt;
use crate::registry::Registry;
use crate::telemetry::{Log, Metrics};

/// A crash loses no more than this.
const PERIOD: Duration = Duration::from_secs(30);

/// What the operator is shown of it.
#[derive(Debug)]
pub struct Noted {
    /// Where it is kept; `None`: nowhere.
    pub path: Option<PathBuf>,
    said: Mutex<Said>,
}

#[derive(Clone, Debug, Default)]
struct Said {
    written_at: Option<SystemTime>,
    problem: Option<String>,
}

impl Noted {
    /// Nothing is kept.
    #[must_use]
    pub fn nowhere() -> Self {
        Self {
            path: None,
            said: Mutex::default(),
        }
    }

    /// How `STATE` calls it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        if self.path.is_some() {
            "file"
        } else {
            "memory"
        }
    }

    /// When it was last written.
    #[must_use]
    pub fn written_at(&self) -> Option<SystemTime> {
        self.said().written_at
    }

    /// Why it is not being written now, in words.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.said().problem.clone()
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        // Each of the two is complete in itself.
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file at the start: what was in it, and what was odd about it.
#[derive(Debug)]
pub struct Opened {
    file: StateFile,
    form: Form,
}

impl Opened {
    /// Opens what `STATE` names; `None` if that is nothing. What cannot be read is put aside, and said.
    ///
    /// # Errors
    /// Why nothing can be kept there.
    pub fn of(state: &State, log: &Log) -> Result<Option<Self>, Unwritable> {
        let State::File(path) = state else {
            return Ok(None);
        };
        let (mut file, text) = StateFile::open(path)?;
        let form = match (text.is_empty(), Form::read(&text)) {
            (false, Ok(form)) => form,
            (true, _) => Form::empty(new_salt()?, Now::read()),
            (false, Err(why)) => {
                let aside = file.put_aside()?;
                let fields = json!({
                    "path": file.path(),
                    "error": why.to_string(),
                    "put_aside": aside,
                });
                log.emit(LogLevel::Warning, "state_unreadable", &fields);
                Form::empty(new_salt()?, Now::read())
            }
        };
        Ok(Some(Self { file, form }))
    }

    /// The file's own secret.
    #[must_use]
    pub fn salt(&self) -> Salt {
        self.form.salt
    }
}

fn new_salt() -> Result<Salt, Unwritable> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| Unwritable::NoRandomness)?;
    Ok(Salt::new(salt))
}

/// Keeps the file.
#[derive(Debug)]
pub struct Keeper {
    registry: Arc<Registry>,
    /// Held while it is written, by a thread that may wait for the disk.
    file: Mutex<StateFile>,
    salt: Salt,
    roll: ArcSwap<Roll>,
    history: Option<Box<RawValue>>,
    noted: Arc<Noted>,
    log: Log,
    metrics: Arc<Metrics>,
}

impl Keeper {
    /// Takes over into `registry` what the file says of these accounts, and writes it for the first time, which shows
    /// whether it can be written.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn begin(
        opened: Opened,
        accounts: &[Account],
        registry: Arc<Registry>,
        log: Log,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, Unwritable> {
        let Opened { file, mut form } = opened;
        let salt = form.salt;
        let roll = Roll::of(accounts, salt);
        let history = form.take_history();
        let (lasting, written_at) = form.lasting(&roll);
        registry.merge(lasting, written_at, Now::read());
        let noted = Noted {
            path: Some(file.path().to_owned()),
            said: Mutex::default(),
        };
        let keeper = Self {
            registry,
            file: Mutex::new(file),
            salt,
            roll: ArcSwap::from_pointee(roll),
            history,
            noted: Arc::new(noted),
            log,
            metrics,
        };
        keeper.put()?;
        Ok(Arc::new(keeper))
    }

    /// What the operator is shown.
    #[must_use]
    pub fn noted(&self) -> &Arc<Noted> {
        &self.noted
    }

    /// The accounts are these now.
    pub fn accounts(&self, accounts: &[Account]) {
        self.roll.store(Arc::new(Roll::of(accounts, self.salt)));
    }

    /// Writes it every 30 s if something has changed, and when the proxy is told to stop: draining may take longer
    /// than it is given.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        loop {
            let stops = tokio::select! {
                () = tokio::time::sleep(PERIOD) => false,
                stopped = stop.wait_for(|stop| *stop) => {
                    drop(stopped);
                    true
                }
            };
            if self.registry.is_unkept() || self.noted.problem().is_some() {
                self.write().await;
            }
            if stops {
                return;
            }
        }
    }

    /// Writes it now; trouble is told.
    pub async fn write(self: &Arc<Self>) {
        let keeper = Arc::clone(self);
        let write = tokio::task::spawn_blocking(move || keeper.write_now());
        // A panic was logged.
        drop(write.await);
    }

    /// The same on this thread, which may wait for the disk.
    pub fn write_now(&self) {
        let had_problem = self.noted.problem().is_some();
        let path = self.noted.path.as_deref().unwrap_or(Path::new(""));
        match self.put() {
            Ok(()) if had_problem => {
                let fields = json!({"path": path});
                self.log
                    .emit(LogLevel::Info, "state_written_again", &fields);
            }
            Ok(()) => {}
            Err(why) => {
                let problem = why.to_string();
                self.metrics.state_not_written();
                // One log line per outage, however long it lasts.
                if !had_problem {
                    let fields = json!({"path": path, "error": problem});
                    self.log
                        .emit(LogLevel::Warning, "state_not_written", &fields);
                }
                self.noted.said().problem = Some(problem);
            }
        }
    }

    fn put(&self) -> Result<(), Unwritable> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (lasting, now) = self.registry.export();
        let history = self.history.clone();
        let form = Form::of(lasting, &self.roll.load(), self.salt, history, now);
        let text = form.text().map_err(std::io::Error::from)?;
        file.write(&text)?;
        *self.noted.said() = Said {
            written_at: Some(now.wall),
            problem: None,
        };
        Ok(())
    }
}
