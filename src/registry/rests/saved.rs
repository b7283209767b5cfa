//! Rests and lessons as they outlive the process (spec §12.3): rests as dates, with why, and lessons until the
//! next list was due.
//!
//! What comes back is hostile until it is checked: no rest lasts longer than an answer or a calendar may make it.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::{Cooling, Rests, Wake};
use crate::clock::{Now, from_unix_millis, unix_millis};
use crate::learnt::Growing;
use crate::model::{Capability, ModelId, Subject, Whom};
use crate::request::FieldName;
use crate::verdict::{AccountLimit, Because, Cause, FreeRequests, OutOf, Outcome};

/// The longest rest that an answer may advise (spec §4.3).
const ADVISED: Duration = Duration::from_secs(26 * 3600);

/// The longest until a quota is known to be back: a month by any clock.
const QUOTA: Duration = Duration::from_secs(32 * 24 * 3600);

/// The table, by whom each entry concerns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::registry) struct SavedRests<W> {
    rests: Vec<(W, SavedRest)>,
    lessons: Vec<(W, SavedLessons)>,
    /// When the list was due that ends lessons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_list_ms: Option<u64>,
}

impl<W> Default for SavedRests<W> {
    fn default() -> Self {
        Self {
            rests: Vec::new(),
            lessons: Vec::new(),
            next_list_ms: None,
        }
    }
}

impl<W> SavedRests<W> {
    /// The same about others: those that `whom` does not know are left out.
    pub(in crate::registry) fn about<V>(
        self,
        mut whom: impl FnMut(W) -> Option<V>,
    ) -> SavedRests<V> {
        let (rests, lessons) = (self.rests.into_iter(), self.lessons.into_iter());
        SavedRests {
            rests: rests
                .filter_map(|(about, rest)| Some((whom(about)?, rest)))
                .collect(),
            lessons: lessons
                .filter_map(|(about, lessons)| Some((whom(about)?, lessons)))
                .collect(),
            next_list_ms: self.next_list_ms,
        }
    }
}

/// A rest that is not over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SavedRest {
    until_ms: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    until_next_list: bool,
    /// How long it is, if the next one is to be longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grown_ms: Option<u64>,
    /// Which it is in a row of those that nothing advised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step: Option<u32>,
    because: SavedBecause,
}

/// The failure that led to it. What the upstream answered is not kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SavedBecause {
    model: String,
    outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    cause: Cause,
    at_ms: u64,
    #[serde(default, skip_serializing_if = "is_false")]
    of_quota: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    out_of: Option<AccountLimit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    free_requests: Option<SavedFree>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct SavedFree {
    limit: u64,
    remaining: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resets_at_ms: Option<u64>,
}

/// What an offer, or all of a provider, has taught.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SavedLessons {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lacks: Vec<Capability>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refuses: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(it: &bool) -> bool {
    !it
}

impl Rests {
    /// What is to outlive the process.
    pub(in crate::registry) fn save(&self, now: Now) -> SavedRests<Whom> {
        let rests = self.table.iter();
        let rests = rests.filter(|(_, cooling)| !cooling.is_over(now));
        let lessons = self.lessons.0.iter();
        SavedRests {
            rests: rests
                .map(|(subject, cooling)| (subject.whom().clone(), SavedRest::of(cooling, now)))
                .collect(),
            lessons: lessons
                .map(|(subject, learnt)| {
                    let saved = SavedLessons {
                        lacks: learnt.lacks.clone(),
                        refuses: learnt.refuses.iter().map(FieldName::to_string).collect(),
                        window: learnt.window,
                    };
                    (subject.whom().clone(), saved)
                })
                .collect(),
            next_list_ms: self
                .restored_until
                .or_else(|| Some(self.next_list?.date(now)))
                .or(Some(now.plus(super::NEXT_LIST).wall))
                .map(unix_millis),
        }
    }

    /// Takes over what an earlier process has saved at `saved_at`; what is known already stays, and of two rests the
    /// longer counts.
    pub(in crate::registry) fn restore(
        &mut self,
        saved: SavedRests<Whom>,
        saved_at: SystemTime,
        now: Now,
    ) {
        // A clock that was put back meanwhile makes nothing longer.
        let given = Now {
            wall: now.wall.max(saved_at),
            ..now
        };
        for (whom, rest) in saved.rests {
            let subject = Subject::new(whom);
            let before = self.table.get(&subject).cloned();
            if let Some(rest) = super::longer(before, rest.back(given, now), now) {
                self.table.insert(subject, rest);
            }
        }
        let due = saved.next_list_ms.and_then(from_unix_millis);
        let Some(due) = due.filter(|due| *due > given.wall) else {
            return;
        };
        // The clock may have been years ahead when they were saved.
        let left = due.duration_since(given.wall).unwrap_or_default();
        self.restored_until = Some(now.plus(left.min(ADVISED)).wall);
        for (whom, lessons) in saved.lessons {
            let subject = Subject::new(whom);
            for capability in lessons.lacks {
                self.lessons.lack(&subject, capability);
            }
            for field in &lessons.refuses {
                if let Some(field) = FieldName::new(field) {
                    self.lessons.refuse(&subject, field);
                }
            }
            if let Some(window) = lessons.window.filter(|window| *window > 0) {
                self.lessons.name_window(&subject, window);
            }
        }
    }
}

impl SavedRest {
    fn of(cooling: &Cooling, now: Now) -> Self {
        let because = &cooling.because;
        let free = because.out_of.as_ref().and_then(|out| out.free_requests);
        Self {
            until_ms: unix_millis(cooling.wake.date(now)),
            until_next_list: cooling.until_next_list,
            grown_ms: cooling
                .grown
                .map(|length| u64::try_from(length.as_millis()).unwrap_or(u64::MAX)),
            step: cooling.growing.map(Growing::step),
            because: SavedBecause {
                model: because.model.as_str().to_owned(),
                outcome: because.outcome,
                status: because.status,
                cause: because.cause,
                at_ms: unix_millis(because.at),
                of_quota: because.of_quota,
                out_of: because.limit(),
                free_requests: free.map(|free| SavedFree {
                    limit: free.limit,
                    remaining: free.remaining,
                    resets_at_ms: free.resets_at.map(unix_millis),
                }),
            },
        }
    }

    /// As told at `given`; `None` if it is over.
    fn back(self, given: Now, now: Now) -> Option<Cooling> {
        let because = self.because.back(now)?;
        let longest = match because.limit() {
            Some(AccountLimit::Minute | AccountLimit::Day | AccountLimit::Key) => ADVISED,
            Some(AccountLimit::Quota) => QUOTA,
            Some(AccountLimit::Credit) | None if because.of_quota => QUOTA,
            Some(AccountLimit::Credit) | None => ADVISED,
        };
        let date = from_unix_millis(self.until_ms)?.min(given.wall.checked_add(longest)?);
        let wake = Wake::Wall { date, given };
        let left = wake.left(now);
        let growing = self
            .step
            .map(|step| Growing::resumed(step, now.plus(left).steady));
        let grown = self.grown_ms.map(Duration::from_millis);
        (!left.is_zero()).then_some(Cooling {
            wake,
            until_next_list: self.until_next_list,
            grown: grown.map(|length| length.min(ADVISED)),
            growing,
            because,
            probes: Vec::new(),
        })
    }
}

impl SavedBecause {
    /// It has happened, and a quota comes back within a month.
    fn back(self, now: Now) -> Option<Because> {
        let free = self.free_requests;
        let latest = now.plus(QUOTA).wall;
        Some(Because {
            model: ModelId::written(&self.model).ok()?,
            outcome: self.outcome,
            status: self.status,
            cause: self.cause,
            at: from_unix_millis(self.at_ms)?.min(now.wall),
            of_quota: self.of_quota,
            out_of: self.out_of.map(|limit| OutOf {
                limit,
                answer: None,
                free_requests: free.map(|free| FreeRequests {
                    limit: free.limit,
                    remaining: free.remaining,
                    resets_at: free
                        .resets_at_ms
                        .and_then(from_unix_millis)
                        .map(|at| at.min(latest)),
                }),
            }),
        })
    }
}
