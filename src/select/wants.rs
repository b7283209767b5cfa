//! What a request wants, and what it has ruled out so far.

use std::sync::Arc;

use super::by::By;
use crate::config::{Client, ModelField};
use crate::model::{Candidate, CanonicalKey, Place, Subject, Tier};
use crate::registry::{Rests, Snapshot};
use crate::request::{Asked, Needs};
use crate::verdict::AccountLimit;

/// What a request wants, and how far it has got.
#[derive(Clone, Copy, Debug)]
pub struct Wants<'a> {
    /// What a model must be able to do.
    pub needs: &'a Needs,
    /// What its own `model` field means.
    pub preference: Preference<'a>,
    /// What its own attempts have ruled out.
    pub out: &'a [Out],
    /// The prompt was too long for a window of this many tokens: of the known windows, only larger ones
    /// are tried after that.
    pub above_context: Option<u64>,
    /// How the candidates of a tier are ordered.
    pub by: By<'a>,
    /// Whose request it is; `None` if it is nobody's, for whom no rule for clients holds.
    pub client: Option<&'a Client>,
}

/// What an attempt has ruled out for its request, whatever rests beyond it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Out {
    /// A candidate, an offer, an account, one of its keys, or a provider.
    pub subject: Subject,
    /// Why.
    pub by: OutBy,
}

/// Why a subject is ruled out for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutBy {
    /// It has been asked.
    Tried,
    /// An account is out of this.
    Limit(AccountLimit),
    /// A quota is used up; of an account, this one. It rests until that returns, so that a request that
    /// waits may ask it once more (spec §11.5).
    Spent(Option<AccountLimit>),
    /// There is no connection.
    Unreached,
}

/// Whether a candidate can do what these needs mean at its provider (spec §10.6).
pub(super) fn are_met(needs: &Needs, candidate: &Candidate, known: &Rests) -> bool {
    needs.met_at(&candidate.offer.provider, known.abilities(candidate))
}

impl<'a> Wants<'a> {
    /// Whether its client may ask this candidate.
    pub(super) fn may_ask(&self, candidate: &Candidate) -> bool {
        self.client
            .is_none_or(|client| client.may_ask(&candidate.offer))
    }

    /// Whether it is its client alone that keeps it from every model.
    pub(super) fn is_barred(&self) -> bool {
        let names_one = matches!(self.preference, Preference::Only(_));
        !names_one && self.client.is_some_and(|client| !client.models.is_empty())
    }

    /// The candidates that it may ask, in its order, with their places. One that it puts first is met again in its
    /// own place, where the same rules find the same.
    pub(super) fn placed<'s>(
        &self,
        snapshot: &'s Snapshot,
    ) -> impl Iterator<Item = Placed<'s>> + use<'a, 's> {
        let client = self.client.filter(|client| !client.models.is_empty());
        let may_ask = move |(candidate, ..): &InTier<'s>| {
            client.is_none_or(|client| client.may_ask(&candidate.offer))
        };
        let all = self.preference.in_tiers(snapshot, self.needs);
        let placed = all.filter(may_ask).enumerate();
        placed.map(|(at, (candidate, tier, place))| Placed {
            candidate,
            at,
            tier,
            place,
        })
    }

    /// The same without places.
    pub(super) fn candidates<'s>(
        &self,
        snapshot: &'s Snapshot,
    ) -> impl Iterator<Item = &'s Arc<Candidate>> + use<'a, 's> {
        self.placed(snapshot).map(|placed| placed.candidate)
    }

    /// Whether a candidate can do what this request needs.
    pub(super) fn are_met(&self, candidate: &Candidate, known: &Rests) -> bool {
        are_met(self.needs, candidate, known)
    }

    /// Whether this request has ruled a candidate out.
    pub(super) fn rules_out(&self, candidate: &Candidate) -> bool {
        let concerns = |out: &Out| candidate.subjects().contains(&out.subject);
        self.out.iter().any(concerns)
    }

    /// What this request has found the candidate's account to be out of.
    pub(super) fn found_out_of(&self, candidate: &Candidate) -> Option<AccountLimit> {
        self.out.iter().find_map(|out| match out.by {
            OutBy::Limit(limit) | OutBy::Spent(Some(limit))
                if out.subject == *candidate.of_account() =>
            {
                Some(limit)
            }
            OutBy::Limit(_) | OutBy::Spent(_) | OutBy::Tried | OutBy::Unreached => None,
        })
    }

    /// Whether the prompt may fit into what a candidate can hold. An unknown window rules nothing out.
    pub(super) fn fit(&self, candidate: &Candidate, known: &Rests) -> bool {
        self.fit_into(known.window(candidate))
    }

    /// Whether it may fit into this window.
    pub(super) fn fit_into(&self, window: Option<u64>) -> bool {
        let holds = |window| self.needs.fits_into(window) && self.is_above(window);
        window.is_none_or(holds)
    }

    /// Whether a window is larger than those that the prompt was too long for.
    pub(super) fn is_above(&self, window: u64) -> bool {
        self.above_context.is_none_or(|small| window > small)
    }
}

/// What a request's own `model` means under `MODEL_FIELD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preference<'a> {
    /// The proxy chooses.
    None,
    /// This one first, if it is there.
    First(&'a str),
    /// This one alone.
    Only(&'a str),
}

impl<'a> Preference<'a> {
    /// Applies the setting to what the request says.
    #[must_use]
    pub fn new(setting: ModelField, asked: &'a Asked) -> Self {
        match (setting, asked) {
            (_, Asked::Wish(_)) | (ModelField::Ignore, Asked::Named(_)) => Self::None,
            (ModelField::Prefer, Asked::Named(name)) => Self::First(name),
            (ModelField::Pin, Asked::Named(name)) => Self::Only(name),
        }
    }

    /// Whether it allows this candidate.
    pub(super) fn takes(self, candidate: &Arc<Candidate>, snapshot: &Snapshot) -> bool {
        match self {
            Self::None | Self::First(_) => true,
            Self::Only(name) => snapshot.named(name).any(|one| Arc::ptr_eq(one, candidate)),
        }
    }

    /// How many models come before a candidate in its tier; `None` if it is not allowed.
    #[must_use]
    pub fn place_of(
        self,
        candidate: &Arc<Candidate>,
        snapshot: &Snapshot,
        needs: &Needs,
    ) -> Option<u32> {
        let mut all = self.in_tiers(snapshot, needs);
        let its = all.find(|(one, ..)| Arc::ptr_eq(one, candidate));
        its.map(|(_, _, place)| place)
    }

    /// The candidates it allows, with their places. What the request names is a tier before all others.
    fn in_tiers<'s>(
        self,
        snapshot: &'s Snapshot,
        needs: &Needs,
    ) -> impl Iterator<Item = InTier<'s>> + use<'a, 's> {
        let all = snapshot.in_order(needs.had_tools);
        let (name, all) = match self {
            Self::None => (None, all),
            Self::First(name) => (Some(name), all),
            Self::Only(name) => (Some(name), &[][..]),
        };
        let named = name.into_iter().flat_map(|name| snapshot.named(name));
        let mut place = 0;
        let mut before: Option<&CanonicalKey> = None;
        let named = named.map(move |candidate| {
            let model = &candidate.offer.canonical;
            let is_other = before.replace(model).is_some_and(|before| before != model);
            place += u32::from(is_other);
            (candidate, None, place)
        });
        let places = snapshot.places(needs.had_tools);
        let all = all.iter().zip(places);
        let all = all.map(|(candidate, &Place { tier, place })| (candidate, Some(tier), place));
        named.chain(all)
    }
}

/// A candidate, its tier, and how many models come before it there.
type InTier<'s> = (&'s Arc<Candidate>, Option<Tier>, u32);

/// A candidate, and its place for a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed<'s> {
    pub(super) candidate: &'s Arc<Candidate>,
    /// How many candidates come before it in the order.
    pub(super) at: usize,
    /// `None` for those that the request names.
    pub(super) tier: Option<Tier>,
    /// How many models come before it there.
    pub(super) place: u32,
}
