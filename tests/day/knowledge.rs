//! What can be known from the answers received: what rests until when.
//!
//! The tests' own bookkeeping, based on what the upstream sent, not on what the proxy made of it.

use super::schedule::*;
use simulator::Failure;

/// What a failure reveals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tells {
    /// The model rests until then.
    Model(Ms),
    /// The model is gone until the list is read again.
    Gone,
    /// It accepts no tools, until the list is read again.
    NoTools,
    /// The account rests until then.
    Account(Ms),
    /// Nothing about other requests.
    Nothing,
}

/// What this fault reveals to a reader at `now`.
pub fn tells(fault: Fault, now: Ms, until: Ms) -> Tells {
    let seconds = (until.saturating_sub(now)).div_ceil(SECOND) * SECOND;
    match fault {
        Fault::Limited(Wait::Unnamed) => Tells::Model(now + RATE_LIMIT_COOLDOWN),
        Fault::Limited(Wait::Header | Wait::Metadata) => Tells::Model(now + seconds),
        Fault::Limited(Wait::Reset) => Tells::Model(until),
        Fault::Limited(Wait::Absurd) => Tells::Model(now + LONGEST_COOLDOWN),
        Fault::Limited(Wait::Zero) | Fault::Answers(Failure::ProviderRefused) => Tells::Nothing,
        Fault::Answers(Failure::OkError) => Tells::Model(now + RATE_LIMIT_COOLDOWN),
        Fault::Answers(Failure::Harness) => Tells::Model(now + HARNESS_COOLDOWN),
        Fault::Answers(_) | Fault::Closed | Fault::Stalls | Fault::Slow(_) => {
            Tells::Model(now + GENERIC_COOLDOWN)
        }
        Fault::Gone => Tells::Gone,
        Fault::NoTools => Tells::NoTools,
    }
}

/// The clocks of proxy and upstream agree to within this: dates are written in milliseconds.
const TOLERANCE: Ms = 20;

/// No probe is late earlier than this after it began.
const SOONEST_LATE: Ms = 250 - TOLERANCE;

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    until: Ms,
    told_at: Ms,
    gone: bool,
    no_tools: bool,
    /// It failed, and has not been seen working since; this many have been sent to find out.
    suspect: bool,
    probes: u32,
    /// The last of them began then.
    probed_at: Ms,
}

#[derive(Debug, Default)]
pub struct Knowledge {
    models: [Known; MODELS],
    account: Known,
}

/// An attempt in progress: which model it probes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Probing {
    model: bool,
    account: bool,
}

impl Knowledge {
    /// Whether the account is known to rest.
    pub fn account_rests(&self, now: Ms) -> bool {
        now + TOLERANCE < self.account.until && self.account.told_at < now
    }

    /// Whether such a request to this model is known to fail.
    pub fn rests(&self, model: usize, now: Ms, tools: bool) -> bool {
        let known = &self.models[model];
        known.told_at < now
            && (now + TOLERANCE < known.until || known.gone || (tools && known.no_tools))
    }

    /// The same for a request that gave up now: what has just been reported counts, and a rest that
    /// is ending.
    pub fn may_rest(&self, model: usize, now: Ms, tools: bool) -> bool {
        let known = &self.models[model];
        now < known.until + TOLERANCE || known.gone || (tools && known.no_tools)
    }

    /// What is known, for people.
    pub fn known(&self, model: usize) -> String {
        format!("{:?}, the account {:?}", self.models[model], self.account)
    }

    /// The same for the account.
    pub fn account_may_rest(&self, now: Ms) -> bool {
        now < self.account.until + TOLERANCE
    }

    /// An attempt begins; also returns how many are already finding out whether that model works
    /// again, except those that may be late.
    pub fn begins(&mut self, model: usize, now: Ms) -> (Probing, u32) {
        let probing = Probing {
            model: self.models[model].suspect,
            account: self.account.suspect,
        };
        let (model, account) = (&mut self.models[model], &mut self.account);
        let in_time = now < account.probed_at + SOONEST_LATE;
        let already = u32::from(probing.model && model.probes > 0)
            + u32::from(probing.account && account.probes > 0 && in_time);
        model.probes += u32::from(probing.model);
        account.probes += u32::from(probing.account);
        if probing.account {
            account.probed_at = now;
        }
        (probing, already)
    }

    /// An attempt ends, successfully (`None`) or with a failure.
    pub fn ends(&mut self, model: usize, probing: Probing, now: Ms, told: Option<Tells>) {
        let known = &mut self.models[model];
        if probing.model {
            known.probes = known.probes.saturating_sub(1);
        }
        if probing.account {
            self.account.probes = self.account.probes.saturating_sub(1);
        }
        let account_told = matches!(told, Some(Tells::Account(_)));
        if probing.account && !account_told {
            self.account.suspect = false;
        }
        match told {
            None => known.suspect &= !probing.model,
            Some(Tells::Nothing) => known.suspect &= !probing.model,
            Some(Tells::Model(until)) => {
                if known.until < now {
                    known.told_at = now;
                }
                known.until = known.until.max(until);
                known.suspect |= until > now;
            }
            Some(Tells::Gone) => {
                (known.gone, known.told_at) = (true, now);
                known.suspect = false;
            }
            Some(Tells::NoTools) => {
                (known.no_tools, known.told_at) = (true, now);
                known.suspect &= !probing.model;
            }
            Some(Tells::Account(until)) => {
                if self.account.until < now {
                    self.account.told_at = now;
                }
                self.account.until = self.account.until.max(until);
                self.account.suspect = true;
            }
        }
    }

    /// The list was read: models that are not in it are forgotten.
    pub fn new_list(&mut self, lists: impl Fn(usize) -> bool) {
        for (n, known) in self.models.iter_mut().enumerate() {
            (known.gone, known.no_tools) = (false, false);
            if !lists(n) {
                *known = Known::default();
            }
        }
    }
}
