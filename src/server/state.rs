//! What is known now, in one struct that feeds `/ready`, `/metrics`, `/admin/state` and so the
//! page and the terminal. What it comes to, `condition` says.

mod account;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::App;
use crate::clock::Now;
use crate::condition::{Condition, Known, Listed};
use crate::model::{AccountId, Candidate, Capabilities, Capability, ModelId, Offer};
use crate::registry::{RestView, Rests, Snapshot, Standing};
use crate::request::Needs;
use crate::select::{Preference, Wants, next};
use crate::telemetry::Gauges;
use crate::units;
use crate::verdict::{Because, Outcome};
pub(super) use account::AccountState;

/// The state of models and accounts at one moment.
pub(super) struct State {
    pub(super) now: Now,
    /// The snapshot; `None` before the first.
    pub(super) list: Option<ListState>,
    pub(super) accounts: Vec<AccountState>,
    pub(super) draining: bool,
}

pub(super) struct ListState {
    pub(super) snapshot: Arc<Snapshot>,
    /// All that may be asked, in order: the listed models, then the fallback router.
    pub(super) models: Vec<ModelState>,
}

pub(super) struct ModelState {
    pub(super) offer: Arc<Offer>,
    /// It is the fallback router.
    pub(super) fallback: bool,
    /// What it can do, less what it was found to lack.
    pub(super) able: Capabilities,
    pub(super) found_lacking: Vec<Capability>,
    pub(super) standing: Standing,
    pub(super) rest: Option<RestState>,
    /// The same through each of its accounts.
    pub(super) through: Vec<ThroughState>,
}

/// An offer through one account.
pub(super) struct ThroughState {
    pub(super) account: Arc<AccountId>,
    pub(super) standing: Standing,
    pub(super) rest: Option<RestState>,
}

/// A rest that stands.
#[derive(Clone)]
pub(super) struct RestState {
    pub(super) until: SystemTime,
    pub(super) left: Duration,
    pub(super) until_next_list: bool,
    pub(super) because: Because,
}

impl State {
    pub(super) fn read(app: &App) -> Self {
        let snapshot = app.registry.snapshot();
        // A copy: a thousand models are too many to look at under the lock.
        let copy = |known: &Rests, now| (known.clone(), now);
        let (known, now) = app.registry.with_rests_now(copy);
        Self::of(app, snapshot, &known, app.is_draining(), now)
    }

    pub(super) fn of(
        app: &App,
        snapshot: Option<Arc<Snapshot>>,
        known: &Rests,
        draining: bool,
        now: Now,
    ) -> Self {
        let accounts = app.walker.accounts();
        let mut refused = app.key_is_refused();
        let accounts = accounts.map(|account| {
            let facts = app.accounts.get(account).cloned();
            let buckets = account::buckets(&app.registry, account, now);
            // The key endpoint is asked about the first of OpenRouter's.
            let refused = account.provider.is_openrouter() && std::mem::take(&mut refused);
            AccountState::of(account, facts, known, buckets, refused, now)
        });
        let accounts = accounts.collect();
        Self {
            now,
            list: snapshot.map(|snapshot| ListState::of(snapshot, known, now)),
            accounts,
            draining,
        }
    }

    /// The account that speaks for all: the first that is awake, else the one that returns first.
    pub(super) fn account(&self) -> Option<&AccountState> {
        let left = |account: &&AccountState| account.rest.as_ref().map(|rest| rest.left);
        self.accounts.iter().min_by_key(left)
    }

    /// Whether requests are answered, and why not.
    pub(super) fn condition(&self, app: &App) -> Condition {
        let now = self.now;
        let outside = app.registry.outside();
        let (streak, last_answer) = app.traffic.read(|live| (live.streak(), live.last_answer()));
        let account = self.account();
        let rest = account.and_then(|account| account.rest.as_ref());
        let next_list = app.registry.with_rests(Rests::next_list);
        Condition::of(&Known {
            now: now.wall,
            draining: self.draining,
            list: self.list.as_ref().map(ListState::in_numbers),
            account: account.and_then(|account| {
                let free = account.free_requests;
                let (limit, rest) = account.limit.zip(rest)?;
                Some((limit, rest.until, free.map(|free| free.limit)))
            }),
            today: outside.today(now),
            outside: &outside,
            streak,
            last_answer,
            first_choice: self.first_choice(app),
            next_read: next_list.map(|wake| wake.date(now)),
        })
    }

    /// Who would be asked first by a request that needs nothing special.
    pub(super) fn first_choice(&self, app: &App) -> Option<ModelId> {
        let wants = Wants {
            needs: &Needs::default(),
            preference: Preference::None,
            out: &[],
            above_context: None,
        };
        let snapshot = self.list.as_ref().map(|list| &*list.snapshot);
        let rests = &app.registry;
        let next = rests.with_known_now(|known, _| next(snapshot, wants, known, self.now));
        next.candidate()
            .map(|candidate| candidate.offer.public_id.clone())
    }

    pub(super) fn gauges(&self, app: &App) -> Gauges {
        let today = app.registry.outside().today(self.now);
        let list = self.list.as_ref();
        Gauges {
            open_connections: app.open.count(),
            active_models: list.map_or(0, ListState::listed),
            cooldown_models: list.map_or(0, |list| list.listed() - list.available()),
            snapshot_age_seconds: list.map(|list| list.age(self.now).as_secs_f64()),
            accounts: self.accounts.iter().map(AccountState::gauges).collect(),
            quota_of_the_day: today.map(|view| (view.today.used, view.today.limit)),
        }
    }
}

impl ListState {
    fn of(snapshot: Arc<Snapshot>, known: &Rests, now: Now) -> Self {
        let same = |a: &Arc<Candidate>, b: &Arc<Candidate>| Arc::ptr_eq(&a.offer, &b.offer);
        let offers = snapshot.candidates().chunk_by(same);
        let models = offers
            .filter_map(|own| ModelState::of(own, known, now))
            .collect();
        Self { snapshot, models }
    }

    /// How many models are listed; the fallback router is none of them.
    pub(super) fn listed(&self) -> usize {
        self.snapshot.offers().len()
    }

    /// How many of them do not rest.
    pub(super) fn available(&self) -> usize {
        let listed = self.models.iter().filter(|model| !model.fallback);
        listed.filter(|model| model.rest.is_none()).count()
    }

    /// How many of all that may be asked are awake, and why the others are not.
    fn in_numbers(&self) -> Listed {
        let mut numbers = Listed {
            models: self.listed(),
            ..Listed::default()
        };
        for model in &self.models {
            let Some(rest) = &model.rest else {
                numbers.somebody_is_awake = true;
                continue;
            };
            let back = numbers
                .first_back
                .map_or(rest.until, |at| at.min(rest.until));
            numbers.first_back = Some(back);
            // The counts are of the listed, as all other counts of models are.
            if model.fallback {
                continue;
            }
            match rest.because.outcome {
                _ if rest.until_next_list => numbers.why.gone += 1,
                Outcome::RateLimited => numbers.why.rate_limited += 1,
                Outcome::Success
                | Outcome::UpstreamAuthError
                | Outcome::ClientError
                | Outcome::ClientDisconnected
                | Outcome::UpstreamError => numbers.why.failing += 1,
            }
        }
        numbers
    }

    pub(super) fn age(&self, now: Now) -> Duration {
        let age = now.wall.duration_since(self.snapshot.fetched_at);
        age.unwrap_or_default()
    }
}

impl ModelState {
    /// An offer, through all its accounts: it rests while it does so through each of them.
    fn of(own: &[Arc<Candidate>], known: &Rests, now: Now) -> Option<Self> {
        let first = own.first()?;
        let through: Vec<_> = own
            .iter()
            .map(|c| ThroughState::of(c, known, now))
            .collect();
        let best = through.iter().min_by_key(|through| through.order(now))?;
        Some(Self {
            offer: Arc::clone(&first.offer),
            fallback: !first.is_listed,
            able: known.abilities(first),
            found_lacking: known.found_lacking(first.model()).to_vec(),
            standing: best.standing,
            rest: best.rest.clone(),
            through,
        })
    }
}

impl ThroughState {
    /// The rest of the candidate or, where that is longer, of its model.
    fn of(candidate: &Candidate, known: &Rests, now: Now) -> Self {
        let [model, own] = [candidate.model(), candidate.itself()];
        let order = |subject| order(known.standing(subject, now), now);
        // The model before the candidate where both stand alike.
        let whose = if order(own) > order(model) {
            own
        } else {
            model
        };
        let rest = known.rest_of(whose, now);
        Self {
            account: Arc::clone(&candidate.account),
            standing: known.standing(whose, now),
            rest: rest.map(|view| RestState::of(view, now)),
        }
    }

    fn order(&self, now: Now) -> (u8, Duration) {
        order(self.standing, now)
    }
}

/// How far a standing is from awake.
fn order(standing: Standing, now: Now) -> (u8, Duration) {
    match standing {
        Standing::Awake => (0, Duration::ZERO),
        Standing::Probing => (1, Duration::ZERO),
        Standing::Resting(wake) => (2, wake.left(now)),
    }
}

impl RestState {
    pub(super) fn of(view: RestView<'_>, now: Now) -> Self {
        Self {
            until: view.wake.date(now),
            left: view.wake.left(now),
            until_next_list: view.until_next_list,
            because: view.because.clone(),
        }
    }

    /// How long it still takes, rounded up: at 0 it is over.
    pub(super) fn seconds_left(&self) -> u64 {
        units::whole_seconds(self.left)
    }

    /// Why, in a few words for people.
    pub(super) fn reason(&self) -> String {
        let why = self.because.in_words();
        if self.until_next_list {
            format!("gone until the next list: {why}")
        } else {
            why
        }
    }
}
