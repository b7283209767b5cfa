//! No connection to a candidate's provider: whether another could be asked, and who is told (spec §4.2, §10.4).

use std::time::Duration;

use super::progress::Progress;
use super::walk::Walker;
use crate::config::LogLevel;
use crate::model::Candidate;
use crate::registry::{Knowledge, Snapshot};
use crate::select::{Out, OutBy, Wants, next};
use crate::telemetry::RequestRecord;
use crate::upstream::ConnectError;

impl Walker {
    /// A connection to the candidate's provider was made.
    pub(super) fn reached(&self, candidate: &Candidate, progress: &mut Progress) {
        progress.way_opens(candidate.provider());
        if progress.was_unreached {
            self.registry.way_opens(candidate.provider());
        }
    }

    /// Whether a candidate at another provider could be asked instead.
    pub(super) fn is_elsewhere(
        &self,
        snapshot: Option<&Snapshot>,
        wants: Wants<'_>,
        candidate: &Candidate,
    ) -> bool {
        let here = Out {
            subject: candidate.provider().clone(),
            by: OutBy::Unreached,
        };
        let out = [wants.out, &[here]].concat();
        let wants = Wants { out: &out, ..wants };
        let reachable = |known: &Knowledge, now| {
            let other = next(snapshot, wants, known, now).candidate();
            other.is_some_and(|other| !known.is_unreached(other.provider(), now))
        };
        self.registry.with_known_now(reachable)
    }

    /// Logs and records that there was no connection.
    pub(super) fn unreached(
        &self,
        error: &ConnectError,
        candidate: &Candidate,
        wait: Option<Duration>,
        record: &mut RequestRecord,
    ) {
        self.log.emit(
            LogLevel::Debug,
            "connect_failed",
            &serde_json::json!({
                "provider": candidate.account.provider,
                "cause": error.why.as_str(), "error": error.said,
                "again_in_ms": wait.map(|wait| wait.as_millis() as u64),
            }),
        );
        record.unreached(error.why);
    }
}
