//! What a request would cost at a candidate, in seconds (spec §11.1, §11.7).

use std::fmt;

use super::evidence::Means;
use super::fading::Fades;
use super::{Evidence, Parameters, Sticks};
use crate::clock::Now;

/// Places behind this one are no worse.
const LAST_PLACE: u32 = 15;

/// A silent attempt will take this much longer than it has.
const SILENCE: f64 = 1.5;

/// What is known of a candidate beside the evidence.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// Models before it in its tier.
    pub place: u32,
    /// What one place is worth to this request, in seconds: `RANK_WORTH_SEC`, or what its wish says.
    pub rank_worth: f64,
    /// How near its account's buckets are to their limits, 0 to 1
    /// ([`Ledger::tight`](crate::ledger::Ledger::tight)).
    pub tight: f64,
    /// Whether it gave the last answer of the request's session.
    pub sticks: Sticks,
}

/// A cost by its parts, each in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// For the models before it.
    pub place: f64,
    /// To the first token.
    pub first_token: f64,
    /// For failures, as likely as they are.
    pub failures: f64,
    /// For what a failure takes from a quota that is nearly used up.
    pub quota: f64,
    /// For answers that break off.
    pub breaks: f64,
    /// Taken off for the session's sake.
    pub session: f64,
}

impl Cost {
    /// All of it. Below zero only where more is taken off for the session than the rest comes to.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.without_quota() + self.quota
    }

    /// The same but for its quota, and so never more.
    #[must_use]
    pub fn without_quota(&self) -> f64 {
        self.place + self.first_token + self.failures + self.breaks - self.session
    }

    /// The cost where the quota is as tight as this, 0 to 1, of one where it is used up.
    #[must_use]
    pub fn at_quota(self, tight: f64) -> Self {
        let quota = self.quota * tight.clamp(0.0, 1.0);
        Self { quota, ..self }
    }
}

impl fmt::Display for Cost {
    /// "2.0 s for its place, 1.1 s to the first token, 0.4 s for failures". A part that is too small to
    /// be read is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[rustfmt::skip]
        let parts = [
            (self.place,       "for its place"),
            (self.first_token, "to the first token"),
            (self.failures,    "for failures"),
            (self.quota,       "for quota that runs low"),
            (self.breaks,      "for answers that break off"),
            (self.session,     "off for the session"),
        ];
        let told = parts.into_iter().filter(|(seconds, _)| *seconds >= 0.05);
        for (n, (seconds, what)) in told.enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{seconds:.1} s {what}")?;
        }
        Ok(())
    }
}

/// What a request would cost at a candidate; `evidence` is what is known of it, if anything is.
#[must_use]
pub fn cost(
    evidence: Option<&Evidence>,
    circumstances: Circumstances,
    parameters: &Parameters,
    now: Now,
) -> Cost {
    cost_of_one(evidence, circumstances, parameters, &mut Fades::at(now))
}

/// The same for one of many, all at one moment.
#[must_use]
pub fn cost_of_one(
    evidence: Option<&Evidence>,
    circumstances: Circumstances,
    parameters: &Parameters,
    fades: &mut Fades,
) -> Cost {
    let means = match evidence {
        Some(evidence) => evidence.means(parameters, fades),
        None => Means::unknown(parameters),
    };
    // How many attempts fail before one succeeds.
    let failures = means.pf / (1.0 - means.pf);
    let tight = circumstances.tight.clamp(0.0, 1.0);
    Cost {
        place: circumstances.rank_worth * f64::from(circumstances.place.min(LAST_PLACE)),
        first_token: means.ttft.max(SILENCE * means.silent_for),
        failures: failures * (means.tf + parameters.failure),
        quota: failures * parameters.tight * tight,
        breaks: parameters.broken * means.pb,
        session: circumstances.sticks.worth(parameters),
    }
}

/// What a request costs at the least at any candidate of this place and of those behind it, whatever is
/// known of them. Candidates are walked in the order of their places, and once one was found that costs
/// no more than this, nobody behind it can be better.
#[must_use]
pub fn cost_at_least(
    place: u32,
    rank_worth: f64,
    has_session: bool,
    parameters: &Parameters,
) -> f64 {
    let sticks = if has_session {
        Sticks::Fully
    } else {
        Sticks::No
    };
    let place = rank_worth * f64::from(place.min(LAST_PLACE));
    // Two first tokens that took no time at all.
    place + parameters.prior_ttft / 3.0 - sticks.worth(parameters)
}
