//! What accounts have used of their limits. It knows no clock and no provider: `at` is passed in.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::limit::{Limit, Unit};
use super::window::span;

/// One window of one limit: provider, account, the limit's position among the account's, and the
/// model if each has its own.
type Window = (String, String, usize, String);

/// The account of a request, and its limits.
#[derive(Clone, Copy)]
pub(crate) struct Who<'a> {
    pub(crate) provider: &'a str,
    pub(crate) account: &'a str,
    pub(crate) limits: &'a [Limit],
}

/// What a request costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) tokens_in: u64,
    pub(crate) tokens_out: u64,
}

impl Cost {
    fn of(self, unit: Unit) -> u64 {
        let tokens = self.tokens_in.saturating_add(self.tokens_out);
        match unit {
            Unit::Requests | Unit::AtOnce => 1,
            Unit::Tokens => tokens,
            Unit::TokensIn => self.tokens_in,
            Unit::TokensOut => self.tokens_out,
            Unit::Neurons => tokens.div_ceil(20),
        }
    }
}

/// The state of a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) limit: Limit,
    pub(crate) used: u64,
    /// How much of it the request would use.
    pub(crate) requested: u64,
    /// How long until it may be used; for a limit with headroom, until the window is empty again.
    pub(crate) wait: Duration,
}

impl State {
    /// No window can ever fit such a request.
    pub(crate) fn is_too_large(&self) -> bool {
        self.limit.unit != Unit::Requests && self.requested > self.limit.amount
    }

    pub(crate) fn is_over(&self) -> bool {
        self.used.saturating_add(self.requested) > self.limit.amount
    }
}

/// Everything that was used, as milliseconds since 1970 and amounts.
#[derive(Default)]
pub(crate) struct Quotas {
    used: Mutex<HashMap<Window, VecDeque<(u64, u64)>>>,
    running: Arc<Mutex<HashMap<Window, u64>>>,
}

/// Counts as in progress until it is dropped.
pub(crate) struct Running {
    all: Arc<Mutex<HashMap<Window, u64>>>,
    windows: Vec<Window>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut all = locked(&self.all);
        for window in &self.windows {
            if let Some(count) = all.get_mut(window) {
                *count = count.saturating_sub(1);
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn window_of(who: Who<'_>, at: usize, limit: &Limit, model: &str) -> Window {
    let model = if limit.of_model { model } else { "" };
    (who.provider.into(), who.account.into(), at, model.into())
}

impl Quotas {
    /// Every limit that a request for this model counts towards.
    pub(crate) fn states(
        &self,
        who: Who<'_>,
        model: &str,
        cost: Cost,
        at: SystemTime,
    ) -> Vec<State> {
        let now = millis(at);
        let mut used = locked(&self.used);
        let running = locked(&self.running);
        let mut state = |(place, limit): (usize, &Limit)| {
            let window = window_of(who, place, limit, model);
            let requested = cost.of(limit.unit);
            let Some(per) = limit.per else {
                return State {
                    limit: limit.clone(),
                    used: running.get(&window).copied().unwrap_or(0),
                    requested,
                    wait: Duration::from_secs(1),
                };
            };
            let (start, end) = span(per, limit.ends, now);
            let log = used.entry(window).or_default();
            while log.front().is_some_and(|(then, _)| *then <= start) {
                log.pop_front();
            }
            let spent: u64 = log.iter().map(|(_, amount)| amount).sum();
            let room = limit.amount.saturating_sub(requested);
            let until = if limit.ends.is_some() {
                end
            } else {
                let length = now.saturating_sub(start);
                frees(log, spent, room).map_or(now, |then| then.saturating_add(length))
            };
            State {
                limit: limit.clone(),
                used: spent,
                requested,
                wait: Duration::from_millis(until.saturating_sub(now)),
            }
        };
        let about = |(_, limit): &(usize, &Limit)| limit.is_about(model);
        let limits = who.limits.iter().enumerate();
        limits.filter(about).map(&mut state).collect()
    }

    /// Charges this cost to every limit.
    pub(crate) fn charge(&self, who: Who<'_>, model: &str, cost: Cost, at: SystemTime) {
        let mut used = locked(&self.used);
        for (place, limit) in who.limits.iter().enumerate() {
            if limit.per.is_some() && limit.is_about(model) {
                let window = window_of(who, place, limit, model);
                let log = used.entry(window).or_default();
                log.push_back((millis(at), cost.of(limit.unit)));
            }
        }
    }

    /// Starts a request that is in progress until the returned value is dropped.
    pub(crate) fn begin(&self, who: Who<'_>, model: &str) -> Option<Running> {
        let limits = who.limits.iter().enumerate();
        let windows: Vec<Window> = limits
            .filter(|(_, limit)| limit.per.is_none() && limit.is_about(model))
            .map(|(place, limit)| window_of(who, place, limit, model))
            .collect();
        if windows.is_empty() {
            return None;
        }
        let mut all = locked(&self.running);
        for window in &windows {
            *all.entry(window.clone()).or_default() += 1;
        }
        drop(all);
        Some(Running {
            all: Arc::clone(&self.running),
            windows,
        })
    }
}

/// The entry that has to leave a rolling window so that no more than `room` is used; the newest if
/// there is room already.
fn frees(log: &VecDeque<(u64, u64)>, mut spent: u64, room: u64) -> Option<u64> {
    if spent <= room {
        return log.back().map(|(then, _)| *then);
    }
    log.iter().find_map(|(then, amount)| {
        spent = spent.saturating_sub(*amount);
        (spent <= room).then_some(*then)
    })
}

fn millis(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn at(text: &str) -> SystemTime {
        text.parse::<Timestamp>().unwrap().try_into().unwrap()
    }

    fn limit(json: &str) -> Limit {
        serde_json::from_str(json).unwrap()
    }

    /// The state of this limit at the last moment, after one request of this cost at each of the
    /// earlier ones.
    fn after(limit: &Limit, cost: u64, moments: &[&str]) -> State {
        let quotas = Quotas::default();
        let who = Who {
            provider: "p",
            account: "a",
            limits: std::slice::from_ref(limit),
        };
        let cost = Cost {
            tokens_in: cost,
            tokens_out: 0,
        };
        let (last, before) = moments.split_last().unwrap();
        for moment in before {
            quotas.charge(who, "m", cost, at(moment));
        }
        quotas.states(who, "m", cost, at(last)).pop().unwrap()
    }

    #[test]
    fn s10_5_windows_roll_or_end_by_their_clock() {
        #[rustfmt::skip]
        let rows = [
            // limit                                                        each  at                                                                                used  over   wait, s
            (r#"{"requests": 2, "per": "minute"}"#,                         1,    &["2026-11-29T12:00:00Z", "2026-11-29T12:00:20Z", "2026-11-29T12:00:50Z"][..],    2,    true,  10),
            (r#"{"requests": 2, "per": "minute"}"#,                         1,    &["2026-11-29T12:00:00Z", "2026-11-29T12:00:20Z", "2026-11-29T12:01:00Z"],        1,    false, 20),
            (r#"{"tokens": 8000, "per": "minute"}"#,                        3000, &["2026-11-29T12:00:00Z", "2026-11-29T12:00:20Z", "2026-11-29T12:00:50Z"],        6000, true,  10),
            (r#"{"tokens": 8000, "per": "minute"}"#,                        9000, &["2026-11-29T12:00:00Z"],                                                       0,    true,  0),
            (r#"{"neurons": 100, "per": "day", "ends": "utc"}"#,            1000, &["2026-11-29T12:00:00Z", "2026-11-29T13:00:00Z", "2026-11-29T23:59:50Z"],        100,  true,  10),
            (r#"{"neurons": 100, "per": "day", "ends": "utc"}"#,            1000, &["2026-11-29T12:00:00Z", "2026-11-30T00:00:00Z"],                                0,    false, 86_400),
            // Midnight Pacific is 08:00 UTC in winter, 07:00 in summer; the days of change have 25 and 23 hours.
            (r#"{"requests": 1, "per": "day", "ends": "pacific"}"#,         1,    &["2026-11-29T08:00:00Z", "2026-11-30T07:59:00Z"],                                1,    true,  60),
            (r#"{"requests": 1, "per": "day", "ends": "pacific"}"#,         1,    &["2026-07-01T07:30:00Z", "2026-07-02T06:59:00Z"],                                1,    true,  60),
            (r#"{"requests": 1, "per": "day", "ends": "pacific"}"#,         1,    &["2026-11-01T07:00:00Z", "2026-11-01T07:00:00Z"],                                1,    true,  90_000),
            (r#"{"requests": 1, "per": "day", "ends": "pacific"}"#,         1,    &["2026-03-08T08:00:00Z", "2026-03-08T08:00:00Z"],                                1,    true,  82_800),
            (r#"{"requests": 1, "per": "day", "ends": "shanghai"}"#,        1,    &["2026-11-29T15:59:00Z", "2026-11-29T16:00:00Z"],                                0,    false, 86_400),
            (r#"{"requests": 1, "per": "week", "ends": "utc"}"#,            1,    &["2026-11-23T00:00:00Z", "2026-11-29T23:59:59Z"],                                1,    true,  1),
            (r#"{"requests": 1, "per": "month", "ends": "utc"}"#,           1,    &["2026-11-01T00:00:00Z", "2026-11-30T23:59:00Z"],                                1,    true,  60),
            (r#"{"requests": 1, "per": {"hours": 5}}"#,                     1,    &["2026-11-29T12:00:00Z", "2026-11-29T16:59:00Z"],                                1,    true,  60),
        ];
        for (written, each, moments, used, over, wait) in rows {
            let state = after(&limit(written), each, moments);
            let told = (state.used, state.is_over(), state.wait.as_secs());
            assert_eq!(told, (used, over, wait), "{written} {moments:?}");
        }
    }

    #[test]
    fn s10_5_each_model_has_its_own_window_if_the_limit_says_so() {
        let quotas = Quotas::default();
        let limits = [
            limit(r#"{"requests": 1, "per": "day", "of": "model", "models": ["*flash"]}"#),
            limit(r#"{"at_once": 1}"#),
        ];
        let who = Who {
            provider: "p",
            account: "a",
            limits: &limits,
        };
        let now = at("2026-11-29T12:00:00Z");
        let over = |model: &str| {
            let states = quotas.states(who, model, Cost::default(), now);
            let over: Vec<Unit> = states
                .iter()
                .filter(|s| s.is_over())
                .map(|s| s.limit.unit)
                .collect();
            over
        };
        quotas.charge(who, "a-flash", Cost::default(), now);
        let running = quotas.begin(who, "pro");
        assert_eq!(over("a-flash"), [Unit::Requests, Unit::AtOnce]);
        assert_eq!(over("b-flash"), [Unit::AtOnce]);
        drop(running);
        assert_eq!(over("pro"), []);
    }

    #[test]
    fn limits_that_make_no_sense_are_refused() {
        #[rustfmt::skip]
        let rows = [
            (r#"{"per": "day"}"#,                               "one of"),
            (r#"{"requests": 1, "tokens": 1, "per": "day"}"#,   "one of"),
            (r#"{"requests": 1}"#,                              "`per`"),
            (r#"{"at_once": 1, "per": "day"}"#,                 "`per`"),
            (r#"{"requests": 1, "per": "fortnight"}"#,          "fortnight"),
            (r#"{"requests": 1, "per": "day", "of": "planet"}"#, "`of`"),
            (r#"{"requests": 1, "per": "day", "ends": "mars"}"#, "mars"),
        ];
        for (written, expected) in rows {
            let error = serde_json::from_str::<Limit>(written)
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{written}: {error}");
        }
    }
}
