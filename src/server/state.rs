//! What is known now, in one struct that feeds `/ready`, `/metrics`, `/admin/state` and so the
//! page and the terminal. What it comes to, `condition` says.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::App;
use crate::clock::Now;
use crate::condition::{Condition, Known, Listed};
use crate::model::{AccountId, Candidate, Capabilities, Capability, ModelId, Offer, Subject};
use crate::registry::{RestView, Rests, Snapshot, Standing};
use crate::request::Needs;
use crate::select::{Preference, Wants, next};
use crate::telemetry::{AccountGauges, Gauges};
use crate::units;
use crate::verdict::{AccountLimit, Because, FreeRequests, Outcome};

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
}

pub(super) struct AccountState {
    pub(super) account: Arc<AccountId>,
    pub(super) standing: Standing,
    pub(super) rest: Option<RestState>,
    /// What is used up, while it rests.
    pub(super) limit: Option<AccountLimit>,
    pub(super) free_requests: Option<FreeRequests>,
}

/// A rest that stands.
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
        Self {
            now,
            list: snapshot.map(|snapshot| ListState::of(snapshot, known, now)),
            accounts: accounts.map(|a| AccountState::of(a, known, now)).collect(),
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
        let through = |candidate: &Arc<Candidate>| {
            let subjects = [candidate.model(), candidate.itself()];
            let last = |subject: &&Subject| match known.standing(subject, now) {
                Standing::Awake => (0, Duration::ZERO),
                Standing::Probing => (1, Duration::ZERO),
                Standing::Resting(wake) => (2, wake.left(now)),
            };
            // The model before the candidate where both stand alike.
            let which = if last(&subjects[1]) > last(&subjects[0]) {
                subjects[1]
            } else {
                subjects[0]
            };
            (last(&which), which.clone())
        };
        let (_, whose) = own
            .iter()
            .map(through)
            .min_by_key(|(standing, _)| *standing)?;
        Some(Self {
            offer: Arc::clone(&first.offer),
            fallback: !first.is_listed,
            able: known.abilities(first),
            found_lacking: known.found_lacking(first.model()).to_vec(),
            standing: known.standing(&whose, now),
            rest: known
                .rest_of(&whose, now)
                .map(|view| RestState::of(view, now)),
        })
    }
}

impl AccountState {
    fn of(account: &Arc<AccountId>, known: &Rests, now: Now) -> Self {
        let subject = Subject::account(account);
        let rest = known.rest_of(&subject, now);
        let out = rest.and_then(|rest| rest.because.out_of.as_ref());
        Self {
            account: Arc::clone(account),
            standing: known.standing(&subject, now),
            rest: rest.map(|view| RestState::of(view, now)),
            limit: out.map(|out| out.limit),
            free_requests: out.and_then(|out| out.free_requests),
        }
    }

    fn gauges(&self) -> AccountGauges {
        let rest = self.rest.as_ref();
        let used = |free: FreeRequests| (free.limit.saturating_sub(free.remaining), free.limit);
        AccountGauges {
            account: (*self.account).clone(),
            cooldown_seconds: rest.map_or(0.0, |rest| rest.left.as_secs_f64()),
            free_requests: self.free_requests.map(used),
        }
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
