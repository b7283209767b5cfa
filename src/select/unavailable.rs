//! Why no model can answer a request, counted for people.

use super::{LeftOut, Wants, left_out};
use crate::clock::Now;
use crate::model::ModelId;
use crate::registry::{Cooldowns, Snapshot};
use crate::verdict::Outcome;

/// How many of the models that could serve a request cannot do so now, by the reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unavailable {
    /// They rest because they were asked too often.
    pub rate_limited: usize,
    /// They rest because they failed.
    pub failing: usize,
    /// They are withdrawn, until the next list at least.
    pub gone: usize,
    /// Another request is finding out whether they are well again.
    pub probing: usize,
    /// They failed on this request, or refused it, and do not rest for it.
    pub refused: usize,
}

impl Unavailable {
    /// Counts the listed models; `wants` names those that were asked.
    #[must_use]
    pub fn count(snapshot: &Snapshot, wants: Wants<'_>, known: &Cooldowns, now: Now) -> Self {
        let mut count = Self::default();
        let untried = Wants {
            tried: &[],
            ..wants
        };
        let out = left_out(snapshot, untried, known, now);
        for model in &snapshot.models {
            let why = out.iter().find(|(left_out, _)| left_out.id == model.id);
            match why.map(|(_, why)| why) {
                None if wants.tried.contains(&model.id) => count.refused += 1,
                Some(LeftOut::Resting) => count.rests(known, &model.id, now),
                Some(LeftOut::Probing) => count.probing += 1,
                None
                | Some(
                    LeftOut::NotWanted
                    | LeftOut::Lacks(_)
                    | LeftOut::TooSmall { .. }
                    | LeftOut::Tried
                    | LeftOut::Account,
                ) => {}
            }
        }
        count
    }

    fn rests(&mut self, known: &Cooldowns, id: &ModelId, now: Now) {
        match known.rest_of(id, now) {
            Some(rest) if rest.until_next_list => self.gone += 1,
            Some(rest) if rest.because.outcome == Outcome::RateLimited => self.rate_limited += 1,
            Some(_) | None => self.failing += 1,
        }
    }

    /// In words: "5 models are rate limited, 1 is gone". `None` if none is counted.
    #[must_use]
    pub fn in_words(self) -> Option<String> {
        let counts = [
            (self.rate_limited, "rate limited"),
            (self.failing, "failing"),
            (self.gone, "gone"),
            (self.probing, "being tried again"),
        ];
        let mut words = Vec::new();
        let mut say = |count: usize, what: [&str; 2]| {
            let noun = match (words.is_empty(), count) {
                (false, _) => "",
                (true, 1) => " model",
                (true, _) => " models",
            };
            let what = what[usize::from(count > 1)];
            words.push(format!("{count}{noun} {what}"));
        };
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            say(count, [&format!("is {what}"), &format!("are {what}")]);
        }
        if self.refused > 0 {
            say(self.refused, ["failed on this request"; 2]);
        }
        (!words.is_empty()).then(|| words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_4_the_reasons_are_counted_in_words() {
        let none = Unavailable::default();
        #[rustfmt::skip]
        let rows = [
            (none,                                                   None),
            (Unavailable { rate_limited: 5, gone: 1, ..none },       Some("5 models are rate limited, 1 is gone")),
            (Unavailable { rate_limited: 1, failing: 2, ..none },    Some("1 model is rate limited, 2 are failing")),
            (Unavailable { probing: 1, ..none },                     Some("1 model is being tried again")),
            (Unavailable { failing: 1, refused: 3, ..none },         Some("1 model is failing, 3 failed on this request")),
            (Unavailable { refused: 1, ..none },                     Some("1 model failed on this request")),
        ];
        for (count, expected) in rows {
            assert_eq!(count.in_words().as_deref(), expected);
        }
    }
}
