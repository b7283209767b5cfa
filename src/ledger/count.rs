//! How much of a bucket is used: in a rolling window, in a calendar window, or under way.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::calendar::window;
use super::rolling::Rolling;
use super::time::{Moment, Until};
use super::{Ends, Per, Unit, Window};
use crate::clock::{from_unix_millis, unix_millis};

/// A counter for one kind of window.
#[derive(Clone, Debug)]
pub(super) enum Count {
    /// Requests under way.
    UnderWay(u64),
    /// A rolling window.
    Rolling(Rolling),
    /// A calendar window.
    Fixed {
        per: Per,
        ends: Ends,
        /// The one that `used` was used in, and when it is over: as an answer said, where one did.
        window: Option<(Window, Until)>,
        used: u64,
        /// The part of it that succeeded.
        well: u64,
    },
}

impl Count {
    pub(super) fn new(unit: Unit, per: Per, ends: Option<Ends>) -> Self {
        match (unit, ends) {
            (Unit::AtOnce, _) => Self::UnderWay(0),
            (_, None) => Self::Rolling(Rolling::new(per.length())),
            (_, Some(ends)) => Self::Fixed {
                per,
                ends,
                window: None,
                used: 0,
                well: 0,
            },
        }
    }

    /// An upper bound on usage at any later moment, if nothing more is used.
    pub(super) fn at_most(&self) -> u64 {
        match self {
            Self::UnderWay(used) | Self::Fixed { used, .. } => *used,
            Self::Rolling(rolling) => rolling.at_most(),
        }
    }

    pub(super) fn used(&self, at: Moment) -> u64 {
        match self {
            Self::UnderWay(used) => *used,
            Self::Rolling(rolling) => rolling.used(at),
            Self::Fixed { window, used, .. } => {
                let is_over = window.is_some_and(|(_, until)| until.is_past(at));
                if is_over { 0 } else { *used }
            }
        }
    }

    /// The part of a fixed window's usage that succeeded. For a rolling window that proves nothing: it may
    /// include what has come back since.
    pub(super) fn well(&self, at: Moment) -> u64 {
        match self {
            Self::UnderWay(_) | Self::Rolling(_) => 0,
            Self::Fixed { window, well, .. } => {
                let is_over = window.is_some_and(|(_, until)| until.is_past(at));
                if is_over { 0 } else { *well }
            }
        }
    }

    /// This much succeeded.
    pub(super) fn answered(&mut self, amount: u64, at: Moment) {
        self.roll(at);
        if let Self::Fixed { well, .. } = self {
            *well = well.saturating_add(amount);
        }
    }

    /// An answer reported when this calendar window ends.
    pub(super) fn ends_at(&mut self, end: SystemTime, at: Moment) {
        self.roll(at);
        if let Self::Fixed {
            window: Some((window, until)),
            ..
        } = self
        {
            window.end = end;
            *until = Until::Wall { end, given: at };
        }
    }

    /// How long until no more than `most` is used; `None` if time alone brings nothing back.
    pub(super) fn until(&self, most: u64, at: Moment) -> Option<Duration> {
        match self {
            Self::UnderWay(used) => (*used <= most).then_some(Duration::ZERO),
            Self::Rolling(rolling) => Some(rolling.until(most, at)),
            Self::Fixed { .. } if self.used(at) <= most => Some(Duration::ZERO),
            Self::Fixed { .. } => Some(self.window_ends(at).left(at)),
        }
    }

    /// When this window is over; for a rolling window, when what is used now no longer counts.
    pub(super) fn window_ends(&self, at: Moment) -> Until {
        match self {
            Self::UnderWay(_) => Until::Running(at.running),
            Self::Rolling(rolling) => Until::Running(at.running.saturating_add(rolling.length())),
            Self::Fixed { window: known, .. } => {
                let known = known.map(|(_, until)| until);
                let ours = known.filter(|until| !until.is_past(at));
                let end = || self.window(at).map_or(at.wall, |window| window.end);
                ours.unwrap_or_else(|| Until::Wall {
                    end: end(),
                    given: at,
                })
            }
        }
    }

    /// When the window after this one is over.
    pub(super) fn second_end(&self, at: Moment) -> Until {
        match (self.window_ends(at), self) {
            (Until::Wall { end, given }, Self::Fixed { per, ends, .. }) => Until::Wall {
                end: window(*per, *ends, end).end,
                given,
            },
            (end, _) => {
                let twice = end.left(at).saturating_mul(2);
                Until::Running(at.running.saturating_add(twice))
            }
        }
    }

    /// When some quota comes back, for display; `None` while nothing is used.
    pub(super) fn resets_at(&self, at: Moment) -> Option<SystemTime> {
        match self {
            Self::UnderWay(_) => None,
            Self::Rolling(rolling) => at.wall.checked_add(rolling.until_empty(at)?),
            Self::Fixed { .. } => at.wall.checked_add(self.window_ends(at).left(at)),
        }
    }

    /// The current calendar window.
    pub(super) fn window(&self, at: Moment) -> Option<Window> {
        match self {
            Self::UnderWay(_) | Self::Rolling(_) => None,
            Self::Fixed { per, ends, .. } => Some(window(*per, *ends, at.wall)),
        }
    }

    pub(super) fn add(&mut self, amount: u64, at: Moment) {
        self.roll(at);
        match self {
            Self::UnderWay(used) | Self::Fixed { used, .. } => *used = used.saturating_add(amount),
            Self::Rolling(rolling) => rolling.add(amount, at),
        }
    }

    /// What was added at `then` as `from` was really `to`. Usage that has left the window is left alone.
    pub(super) fn correct(&mut self, from: u64, to: u64, then: Moment, at: Moment) {
        self.roll(at);
        match self {
            Self::UnderWay(used) => *used = used.saturating_sub(from).saturating_add(to),
            Self::Rolling(rolling) => rolling.correct(from, to, then.running, at),
            Self::Fixed { window, used, .. } => {
                if window.is_some_and(|(window, _)| window.start <= then.wall) {
                    *used = used.saturating_sub(from).saturating_add(to);
                }
            }
        }
    }

    /// Gives this much back, the oldest first.
    pub(super) fn give_back(&mut self, amount: u64, at: Moment) {
        self.roll(at);
        match self {
            Self::UnderWay(_) => {}
            Self::Rolling(rolling) => rolling.give_back(amount, at),
            Self::Fixed { used, .. } => *used = used.saturating_sub(amount),
        }
    }

    /// Moves on to the window that contains `at`. Setting a clock back brings no quota back.
    fn roll(&mut self, at: Moment) {
        if let Self::Fixed {
            per,
            ends,
            window: known,
            used,
            well,
        } = self
            && known.is_none_or(|(known, until)| at.wall < known.start || until.is_past(at))
        {
            if known.is_some_and(|(_, until)| until.is_past(at)) {
                (*used, *well) = (0, 0);
            }
            let window = window(*per, *ends, at.wall);
            let until = Until::Wall {
                end: window.end,
                given: at,
            };
            *known = Some((window, until));
        }
    }
}

/// What was used, as it outlives the process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SavedCount {
    /// See [`Rolling::save`].
    Rolling(Vec<u64>),
    /// In a calendar window.
    Fixed {
        start_ms: u64,
        end_ms: u64,
        used: u64,
        #[serde(default)]
        well: u64,
    },
}

impl Count {
    /// What is used now; `None` if that is nothing.
    pub(super) fn save(&self, at: Moment) -> Option<SavedCount> {
        match self {
            Self::UnderWay(_) => None,
            Self::Rolling(rolling) => {
                let pieces = rolling.save(at);
                (!pieces.is_empty()).then_some(SavedCount::Rolling(pieces))
            }
            Self::Fixed {
                window, used, well, ..
            } => {
                let (window, _) = window.filter(|(_, until)| !until.is_past(at))?;
                Some(SavedCount::Fixed {
                    start_ms: unix_millis(window.start),
                    end_ms: unix_millis(window.end),
                    used: *used,
                    well: *well,
                })
            }
        }
    }

    /// Takes that over, if its window, which lasts no longer than `longest`, is not over.
    pub(super) fn restore(&mut self, saved: SavedCount, longest: Duration, at: Moment) {
        match (self, saved) {
            (Self::Rolling(rolling), SavedCount::Rolling(pieces)) => rolling.restore(&pieces, at),
            (
                Self::Fixed {
                    window, used, well, ..
                },
                SavedCount::Fixed {
                    start_ms,
                    end_ms,
                    used: saved,
                    well: saved_well,
                },
            ) => {
                let latest = at.wall.checked_add(longest).unwrap_or(at.wall);
                let start = from_unix_millis(start_ms).unwrap_or(at.wall).min(at.wall);
                let end = from_unix_millis(end_ms).unwrap_or(at.wall).min(latest);
                if end > at.wall {
                    let until = Until::Wall { end, given: at };
                    *window = Some((Window { start, end }, until));
                    (*used, *well) = (saved, saved_well.min(saved));
                }
            }
            // What is counted otherwise now.
            (Self::UnderWay(_), _)
            | (Self::Rolling(_), SavedCount::Fixed { .. })
            | (Self::Fixed { .. }, SavedCount::Rolling(_)) => {}
        }
    }
}
