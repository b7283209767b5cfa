//! The ledger as shown to people and as used for routing (spec §10.8, §11.1).

use std::time::SystemTime;

use super::book::BucketId;
use super::bucket::{Bucket, Whose};
use super::time::Moment;
use super::{Counted, Ends, Ledger, LimitSource, Per, Slot, Unit};
use crate::clock::Now;
use crate::model::{AccountId, ModelId};

/// A bucket whose limit is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketView {
    /// What is counted.
    pub unit: Unit,
    /// How much there is.
    pub limit: u64,
    /// How much of it is used, by everything we know of.
    pub used: u64,
    /// Within which window.
    pub per: Per,
    /// Who shares it.
    pub of: Counted,
    /// The model's id there, for a limit per model.
    pub model: Option<ModelId>,
    /// The clock of a fixed window.
    pub ends: Option<Ends>,
    /// When everything used is back; `None` if nothing is used, or time alone brings nothing back.
    pub resets_at: Option<SystemTime>,
    /// How the limit is known.
    pub source: LimitSource,
}

impl Ledger {
    /// The account's buckets, those of each of its models, and those that it shares by this machine's address;
    /// in a stable order.
    #[must_use]
    pub fn buckets_of(&self, account: &AccountId, now: Now) -> Vec<BucketView> {
        let at = self.running.at(now);
        let mut found: Vec<_> = self
            .buckets
            .iter()
            .filter(|(_, bucket)| match &bucket.whose {
                Whose::Account(whose) | Whose::Model(whose, _) => whose == account,
                Whose::Address(provider) => *provider == account.provider,
            })
            .filter_map(|(_, bucket)| bucket.view(at))
            .collect();
        found.sort_by(|a, b| {
            let key = |view: &BucketView| (view.unit, view.per, view.ends);
            a.model.cmp(&b.model).then(key(a).cmp(&key(b)))
        });
        found
    }

    /// A bucket that said no, for explanations; `None` once it is gone.
    #[must_use]
    pub fn bucket_view(&self, bucket: BucketId, now: Now) -> Option<BucketView> {
        let at = self.running.at(now);
        self.buckets.get(bucket.0 as usize)?.view(at)
    }

    /// How near its buckets are to their limits, 0 to 1 (`tight` of spec §11.1). A limit that is unknown,
    /// or whose window has no fixed end, adds nothing.
    #[must_use]
    pub fn tight(&self, slot: Slot, now: Now) -> f64 {
        let at = self.running.at(now);
        let of = |bucket: &Bucket| match (bucket.kind.per, bucket.shares(at)?) {
            (Per::Minute, (used, Some(_))) => Some(2.0 * (used - 0.5)),
            (Per::Day, (used, Some(over))) => Some((used - over) / 0.1),
            _ => None,
        };
        self.of_slot(slot)
            .filter_map(of)
            .fold(0.0, f64::max)
            .min(1.0)
    }

    /// The share left of the candidate's tightest daily limit; `None` while no daily limit is known
    /// (spec §11.3).
    #[must_use]
    pub fn day_left(&self, slot: Slot, now: Now) -> Option<f64> {
        let at = self.running.at(now);
        let days = self.of_slot(slot).filter(|b| b.kind.per == Per::Day);
        let left = days.filter_map(|bucket| Some((1.0 - bucket.shares(at)?.0).max(0.0)));
        left.reduce(f64::min)
    }

    fn of_slot(&self, slot: Slot) -> impl Iterator<Item = &Bucket> {
        let line = self.line(slot).into_iter();
        let indices = line.flat_map(|line| &line.buckets);
        indices.filter_map(|index| self.buckets.get(*index as usize))
    }

    /// How many buckets there are: bounded by offers times accounts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buckets.len()
    }

    /// Whether nothing is counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

impl Bucket {
    fn view(&self, at: Moment) -> Option<BucketView> {
        let number = self.numbers.now(at)?;
        let used = self.used(at);
        Some(BucketView {
            unit: self.kind.unit,
            limit: number.amount,
            used,
            per: self.kind.per,
            of: self.of(),
            model: match &self.whose {
                Whose::Model(_, model) => Some(model.clone()),
                Whose::Account(_) | Whose::Address(_) => None,
            },
            ends: self.kind.ends,
            resets_at: self.resets_at(at).filter(|_| used > 0),
            source: number.source,
        })
    }
}
