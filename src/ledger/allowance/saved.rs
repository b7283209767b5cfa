//! What clients have used, as it outlives the process (spec §13). What they may use, the settings say anew.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::Allowances;
use crate::clock::Now;
use crate::ledger::charge::SavedRatio;
use crate::ledger::count::SavedCount;
use crate::ledger::saved::whole_nanos;
use crate::ledger::{Ends, Per, Unit};
use crate::model::ClientName;

/// All that was used, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedAllowances {
    /// The own time of the counts when this was saved.
    running_ns: u64,
    clients: Vec<SavedAllowance>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SavedAllowance {
    name: ClientName,
    used: Vec<SavedUse>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ratio: Option<SavedRatio>,
}

/// What was used of one limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SavedUse {
    unit: Unit,
    per: Per,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends: Option<Ends>,
    count: SavedCount,
}

impl SavedAllowances {
    /// Whether nothing was used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }
}

impl Allowances {
    /// What is to outlive the process.
    #[must_use]
    pub fn save(&self, now: Now) -> SavedAllowances {
        let at = self.running.at(now);
        let clients = self.clients.iter();
        let clients = clients.map(|(name, allowance)| {
            let buckets = allowance.buckets.iter();
            let used = buckets.filter_map(|bucket| {
                Some(SavedUse {
                    unit: bucket.limit.unit,
                    per: bucket.limit.per,
                    ends: bucket.limit.ends,
                    count: bucket.count.save(at)?,
                })
            });
            SavedAllowance {
                name: name.clone(),
                used: used.collect(),
                ratio: allowance.ratio.save(),
            }
        });
        let is_known = |one: &SavedAllowance| !one.used.is_empty() || one.ratio.is_some();
        SavedAllowances {
            running_ns: whole_nanos(at.running),
            clients: clients.filter(is_known).collect(),
        }
    }

    /// Takes over what an earlier process has saved at `saved_at`, for the limits that there are. Where requests were
    /// admitted already, nothing is taken.
    pub fn restore(&mut self, saved: SavedAllowances, saved_at: SystemTime, now: Now) {
        if self.admitted > 0 {
            return;
        }
        let running = Duration::from_nanos(saved.running_ns);
        let at = self.running.resume(running, saved_at, now);
        for SavedAllowance { name, used, ratio } in saved.clients {
            let Some(allowance) = self.clients.get_mut(&name) else {
                continue;
            };
            allowance.ratio = ratio.and_then(SavedRatio::back).unwrap_or_default();
            for SavedUse {
                unit,
                per,
                ends,
                count,
            } in used
            {
                let kind = (unit, per, ends);
                let mut buckets = allowance.buckets.iter_mut();
                if let Some(bucket) = buckets.find(|bucket| bucket.kind() == kind) {
                    bucket.count.restore(count, per.longest(), at);
                }
            }
        }
    }
}
