//! A condition in the JSON of `/ready` and `/admin/state`: a code and its parameters, for readers
//! that phrase it themselves (the page, in its reader's language), and the sentence in English.

use serde::Serialize;

use super::words::Names;
use super::{Condition, Listed, Quota, Tally, Tone};
use crate::clock::{Now, rfc3339};
use crate::model::ModelId;

/// The JSON of a condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Which condition it is.
    pub code: &'static str,
    /// `good`, `warn` or `bad`.
    pub tone: &'static str,
    /// In a sentence, or two.
    pub sentence: String,
    /// What to do about it.
    pub next_step: Option<String>,
    /// The parameters of the sentence, for other languages.
    pub about: About,
}

/// The parts of the sentence that are not words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct About {
    /// The upstream's name, or its host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// The upstream's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The tail of our key there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The ranking's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranking: Option<String>,
    /// An HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What went wrong: the log's term for a failed read or attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'static str>,
    /// How many models, requests or failures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Of all that rest: how many are gone, rate limited, or failing for another reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rests: Option<[usize; 3]>,
    /// Of several accounts: how many are unavailable, by reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accounts: Option<AccountsAbout>,
    /// The model that answered last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<ModelId>,
    /// The model that is asked first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<ModelId>,
    /// When it was found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// The state of several accounts, as counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AccountsAbout {
    /// The number of accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<usize>,
    /// Out for today.
    pub out_today: usize,
    /// Out of another quota, or of credit.
    pub out: usize,
    /// With a refused key.
    pub keys_refused: usize,
    /// At a provider that refuses everything from here.
    pub resting: usize,
}

impl AccountsAbout {
    /// `None` while all are awake, or there is only one.
    fn of(tally: &Tally) -> Option<Self> {
        tally.sentence()?;
        Some(Self {
            of: Some(tally.of),
            out_today: tally.out_today,
            out: tally.out,
            keys_refused: tally.keys_refused,
            resting: tally.resting,
        })
    }
}

impl Condition {
    /// As JSON.
    #[must_use]
    pub fn shown(&self, names: &Names, now: Now) -> Shown {
        Shown {
            code: self.name(),
            tone: match self.tone() {
                Tone::Good => "good",
                Tone::Warn => "warn",
                Tone::Bad => "bad",
            },
            sentence: self.sentence(names, now),
            next_step: self.next_step(names, now),
            about: self.about(names),
        }
    }

    /// Its name in the JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::Starting => "starting",
            Self::NoList { .. } => "no_list",
            Self::KeyRefused { .. } => "key_refused",
            Self::QuotaGone { quota, .. } => match quota {
                Quota::Day => "quota_day",
                Quota::Minute => "quota_minute",
                Quota::Other => "quota",
            },
            Self::AccountsOut { .. } => "accounts_out",
            Self::NoCredit { .. } => "no_credit",
            Self::NoneThere { .. } => "none_there",
            Self::NotReached { fresh: true, .. } => "not_reached",
            Self::NotReached { fresh: false, .. } => "was_not_reached",
            Self::Refused { .. } => "refused",
            Self::AllRest { .. } => "all_rest",
            Self::Probing => "probing",
            Self::Failing { .. } => "failing",
            Self::Answering { .. } => "answering",
            Self::Ready { .. } => "ready",
        }
    }

    fn about(&self, names: &Names) -> About {
        let upstream = names.upstream.is_some().then(|| names.host.clone());
        let rest = |list: &Listed| About {
            count: Some(list.models as u64),
            rests: Some([list.why.gone, list.why.rate_limited, list.why.failing]),
            until: list.first_back.map(rfc3339),
            ..About::default()
        };
        let none = About::default();
        match self {
            Self::Draining | Self::Starting | Self::Probing => none,
            Self::NoList { ranking, next, .. } => About {
                upstream,
                ranking: Some(names.ranking.clone()),
                status: ranking.as_ref().and_then(|failed| failed.status),
                cause: ranking.as_ref().map(|failed| failed.kind),
                until: next.map(rfc3339),
                ..none
            },
            Self::KeyRefused { status } => About {
                upstream,
                key: names.key.clone(),
                status: *status,
                ..none
            },
            Self::QuotaGone { limit, until, .. } => About {
                count: *limit,
                until: Some(rfc3339(*until)),
                ..none
            },
            Self::NoCredit { until } => About {
                upstream,
                until: until.map(rfc3339),
                ..none
            },
            Self::NoneThere { of } => About {
                base: Some(names.base.clone()),
                count: Some(*of as u64),
                ..none
            },
            Self::NotReached { cause, at, .. } => About {
                upstream,
                cause: Some(cause.as_str()),
                at: Some(rfc3339(*at)),
                ..none
            },
            Self::Refused { status, count, .. } => About {
                status: Some(*status),
                count: Some((*count).into()),
                ..none
            },
            Self::AllRest { list } => rest(list),
            Self::AccountsOut { list } => About {
                accounts: Some(AccountsAbout {
                    of: None,
                    out_today: list.why.out_today,
                    out: list.why.out,
                    keys_refused: list.why.keys_refused,
                    resting: list.why.providers,
                }),
                ..rest(list)
            },
            Self::Failing { count, next } => About {
                count: Some((*count).into()),
                next: Some(next.clone()),
                ..none
            },
            Self::Answering {
                last,
                at,
                next,
                accounts,
            } => About {
                last: Some(last.clone()),
                next: Some(next.clone()),
                at: Some(rfc3339(*at)),
                accounts: AccountsAbout::of(accounts),
                ..none
            },
            Self::Ready { next, accounts } => About {
                next: Some(next.clone()),
                accounts: AccountsAbout::of(accounts),
                ..none
            },
        }
    }
}
