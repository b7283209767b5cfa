//! What is known now, in one struct that feeds `/ready`, `/metrics` and `/admin/state`, and thereby
//! the page and the terminal. `condition` says what it amounts to.

mod account;

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use super::App;
use crate::clock::Now;
use crate::condition::{Condition, Known, Listed, Tally};
use crate::model::{AccountId, Candidate, Capabilities, Capability, ModelId, Offer, Subject};
use crate::registry::{InLine, Knowledge, RestView, Rests, Snapshot, Standing};
use crate::request::Needs;
use crate::select::{
    Awake, By, LeftOut, Next, Preference, Unavailable, Wants, Why, awake, costs, left_out, next,
    ruled,
};
use crate::telemetry::Gauges;
use crate::units;
use crate::verdict::Because;
pub(super) use account::{AccountIs, AccountState, limit_of};

/// The state of models and accounts at one moment.
pub(super) struct State {
    pub(super) now: Now,
    /// The snapshot; `None` before the first.
    pub(super) list: Option<ListState>,
    pub(super) accounts: Vec<AccountState>,
    /// All that is known of candidates.
    pub(super) known: Knowledge,
    /// Who waits.
    pub(super) in_line: InLine,
    pub(super) draining: bool,
}

pub(super) struct ListState {
    pub(super) snapshot: Arc<Snapshot>,
    /// Every model that may be asked, in order: the listed models, then the fallback router.
    pub(super) models: Vec<ModelState>,
    /// The model that would be asked first by a request without special needs.
    first_choice: Option<ModelId>,
    /// Whether any model could be asked, and why not.
    numbers: Listed,
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
    /// A request without special needs could be sent there now, or would wait for what is under way.
    pub(super) is_available: bool,
    pub(super) standing: Standing,
    pub(super) rest: Option<RestState>,
}

/// An active rest.
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
        let (known, in_line, now) = app.registry.copy();
        Self::of(app, snapshot, (known, in_line), app.is_draining(), now)
    }

    pub(super) fn of(
        app: &App,
        snapshot: Option<Arc<Snapshot>>,
        (known, in_line): (Knowledge, InLine),
        draining: bool,
        now: Now,
    ) -> Self {
        let accounts = app.walker.accounts();
        let mut refused = app.key_is_refused();
        let full = snapshot
            .as_ref()
            .map(|snapshot| account::full(snapshot, &known, now));
        let full = full.unwrap_or_default();
        let accounts = accounts.map(|account| {
            let facts = app.accounts.get(account).cloned();
            let buckets = known.ledger.buckets_of(account, now);
            // The key endpoint is asked about the first of OpenRouter's accounts.
            let refused = account.provider.is_openrouter() && std::mem::take(&mut refused);
            AccountState::of(
                account,
                facts,
                &known,
                buckets,
                full.get(account),
                refused,
                now,
            )
        });
        let accounts = accounts.collect();
        Self {
            now,
            list: snapshot.map(|snapshot| ListState::of(snapshot, app.walker.by(), &known, now)),
            accounts,
            known,
            in_line,
            draining,
        }
    }

    /// The account that represents all: the first that is awake, else the first to return.
    pub(super) fn account(&self) -> Option<&AccountState> {
        self.accounts.iter().min_by_key(|account| account.until)
    }

    /// Whether requests are answered, and why not.
    pub(super) fn condition(&self, app: &App) -> Condition {
        let now = self.now;
        let outside = app.registry.outside();
        let (streak, last_answer) = app.traffic.read(|live| (live.streak(), live.last_answer()));
        let accounts = self.tally();
        let alone = (!accounts.is_of_several())
            .then(|| self.account())
            .flatten();
        let next_list = app.registry.with_rests(Rests::next_read);
        Condition::of(&Known {
            now: now.wall,
            draining: self.draining,
            list: self.list.as_ref().map(|list| list.numbers),
            accounts,
            openrouter_alone: alone.is_some_and(|account| account.account.provider.is_openrouter()),
            account: alone.and_then(|account| {
                let (limit, until) = account.limit.zip(account.until)?;
                Some((limit, until, account.requests))
            }),
            outside: &outside,
            streak,
            last_answer,
            first_choice: self.first_choice(),
            next_read: next_list.map(|wake| wake.date(now)),
        })
    }

    /// How many accounts are unavailable for now.
    fn tally(&self) -> Tally {
        let count = |is: fn(&AccountState) -> bool| self.accounts.iter().filter(|a| is(a)).count();
        Tally {
            of: self.accounts.len(),
            out_today: count(|account| account.is == AccountIs::Out && account.is_for_today()),
            out: count(|account| account.is == AccountIs::Out && !account.is_for_today()),
            keys_refused: count(|account| account.is == AccountIs::KeyRefused),
            resting: count(|account| account.is == AccountIs::Resting && !account.probing),
        }
    }

    /// The model that would be asked first by a request without special needs.
    pub(super) fn first_choice(&self) -> Option<ModelId> {
        self.list.as_ref()?.first_choice.clone()
    }

    /// The first candidates that a request without special needs and without a session would ask.
    pub(super) fn next(&self, app: &App) -> Vec<Awake> {
        /// How many are shown.
        const SHOWN: usize = 3;
        let list = self.list.as_ref();
        let wants = wants_nothing(app.walker.by());
        let awake = list.map(|list| awake(&list.snapshot, wants, &self.known, self.now));
        let mut awake = awake.unwrap_or_default();
        awake.truncate(SHOWN);
        awake
    }

    /// What such a request would cost at each model.
    fn costs(&self, app: &App) -> Vec<(ModelId, f64)> {
        let list = self.list.as_ref();
        let wants = wants_nothing(app.walker.by());
        let costs = list.map(|list| costs(&list.snapshot, wants, &self.known, self.now));
        let costs = costs.into_iter().flatten();
        costs.map(|(id, cost)| (id.clone(), cost)).collect()
    }

    pub(super) fn gauges(&self, app: &App) -> Gauges {
        let list = self.list.as_ref();
        Gauges {
            learnt_costs: self.costs(app),
            waiting_requests: self.in_line.requests(),
            open_connections: app.open.count(),
            active_models: list.map_or(0, ListState::listed),
            cooldown_models: list.map_or(0, |list| list.resting()),
            snapshot_age_seconds: list.map(|list| list.age(self.now).as_secs_f64()),
            accounts: self
                .accounts
                .iter()
                .map(|one| one.gauges(self.now))
                .collect(),
            quotas: self
                .accounts
                .iter()
                .flat_map(AccountState::quotas)
                .collect(),
        }
    }
}

impl ListState {
    fn of(snapshot: Arc<Snapshot>, by: By<'_>, known: &Knowledge, now: Now) -> Self {
        let same = |a: &Arc<Candidate>, b: &Arc<Candidate>| Arc::ptr_eq(&a.offer, &b.offer);
        let offers = snapshot.candidates().chunk_by(same);
        let unavailable = unavailable(&snapshot, known, now);
        let models = offers
            .filter_map(|own| ModelState::of(own, &unavailable, known, now))
            .collect();
        let (first_choice, numbers) = chosen(&snapshot, by, known, now);
        Self {
            snapshot,
            models,
            first_choice,
            numbers,
        }
    }

    /// How many models are listed, without the fallback router.
    pub(super) fn listed(&self) -> usize {
        self.snapshot.offers().len()
    }

    /// How many of them could be asked now, through any account.
    pub(super) fn available(&self) -> usize {
        let listed = self.models.iter().filter(|model| !model.fallback);
        listed.filter(|model| model.is_available()).count()
    }

    /// How many of them rest themselves, whatever their accounts do.
    fn resting(&self) -> usize {
        let listed = self.models.iter().filter(|model| !model.fallback);
        listed.filter(|model| model.rest.is_some()).count()
    }

    pub(super) fn age(&self, now: Now) -> Duration {
        let age = now.wall.duration_since(self.snapshot.fetched_at);
        age.unwrap_or_default()
    }
}

/// The needs of a request without special needs.
fn wants_nothing(by: By<'_>) -> Wants<'_> {
    static NEEDS: LazyLock<Needs> = LazyLock::new(Needs::default);
    Wants {
        needs: &NEEDS,
        preference: Preference::None,
        out: &[],
        above_context: None,
        by,
        client: None,
    }
}

/// The candidates, by index, that could not answer a request without special needs now. One that is being
/// probed, or busy, is not among them: the request waits for that.
fn unavailable(snapshot: &Snapshot, known: &Knowledge, now: Now) -> HashSet<usize> {
    // Who is left out is so in any order.
    let left_out = left_out(snapshot, wants_nothing(By::Rank), known, now);
    let rests = |subject: &Subject| known.rest_of(subject, now).is_some();
    let is_out = |why: &LeftOut| match why {
        LeftOut::Probing | LeftOut::Busy(_) => false,
        LeftOut::Account(whose) => rests(whose),
        LeftOut::NotWanted
        | LeftOut::NotAllowed
        | LeftOut::Lacks(_)
        | LeftOut::TooSmall { .. }
        | LeftOut::Tried
        | LeftOut::Resting(_)
        | LeftOut::Spent { .. }
        | LeftOut::ShareUsed { .. }
        | LeftOut::OverLimit(_) => true,
    };
    let out = left_out.iter().filter(|(_, why)| is_out(why));
    out.map(|(candidate, _)| candidate.index).collect()
}

/// The model that would be asked first by a request without special needs, or why there is none.
fn chosen(
    snapshot: &Snapshot,
    by: By<'_>,
    known: &Knowledge,
    now: Now,
) -> (Option<ModelId>, Listed) {
    let wants = wants_nothing(by);
    let next = next(Some(snapshot), wants, known, now);
    let mut numbers = Listed {
        models: snapshot.offers().len(),
        ..Listed::default()
    };
    let first = next
        .candidate()
        .map(|candidate| candidate.offer.public_id.clone());
    match next {
        Next::Ask(_) | Next::Wait { .. } => numbers.somebody_is_awake = true,
        Next::None(why) => {
            let ruled = ruled(snapshot, wants, known, now);
            let first_back = match (&ruled, why) {
                (Some(ruled), _) => Some(ruled.left),
                (None, Why::Resting { wakes_in }) => Some(wakes_in),
                (None, _) => None,
            };
            numbers.first_back = first_back.map(|left| now.plus(left).wall);
            numbers.accounts_out = snapshot.accounts().len() > 1 && ruled.is_some();
            numbers.why = Unavailable::count(snapshot, wants, known, now);
        }
    }
    (first, numbers)
}

impl ModelState {
    /// An offer, through all its accounts: it rests only if it rests through each of them.
    fn of(
        own: &[Arc<Candidate>],
        unavailable: &HashSet<usize>,
        known: &Rests,
        now: Now,
    ) -> Option<Self> {
        let first = own.first()?;
        let through: Vec<_> = own
            .iter()
            .map(|c| ThroughState::of(c, !unavailable.contains(&c.index), known, now))
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

    /// A request without special needs could be sent to it, through some account.
    pub(super) fn is_available(&self) -> bool {
        self.through.iter().any(|through| through.is_available)
    }
}

impl ThroughState {
    /// The rest of the candidate or, if that is longer, of its model.
    fn of(candidate: &Candidate, is_available: bool, known: &Rests, now: Now) -> Self {
        let [model, own] = [candidate.model(), candidate.itself()];
        let order = |subject| order(known.standing(subject, now), now);
        // The model takes precedence if both are equal.
        let whose = if order(own) > order(model) {
            own
        } else {
            model
        };
        let rest = known.rest_of(whose, now);
        Self {
            account: Arc::clone(&candidate.account),
            is_available,
            standing: known.standing(whose, now),
            rest: rest.map(|view| RestState::of(view, now)),
        }
    }

    fn order(&self, now: Now) -> (u8, Duration) {
        order(self.standing, now)
    }
}

/// How far a standing is from being awake.
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

    /// How long it still lasts, rounded up: at 0 it is over.
    pub(super) fn seconds_left(&self) -> u64 {
        units::whole_seconds(self.left)
    }

    /// The reason, in a few words for people.
    pub(super) fn reason(&self) -> String {
        let why = self.because.in_words();
        if self.until_next_list {
            format!("gone until the next list: {why}")
        } else {
            why
        }
    }
}
