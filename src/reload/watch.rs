//! When a file has changed: it contains something else, and two looks agree on what (spec §12.2). A file that an editor
//! is just writing is then not read half. Pure.

use crate::config::Seen;

/// What was seen so far.
#[derive(Debug)]
pub(super) struct Watch {
    /// What was last dealt with, whether it is in force or was refused.
    settled: Seen,
    /// Something else, seen once.
    pending: Option<Seen>,
}

impl Watch {
    /// This is in force.
    pub(super) fn of(settled: Seen) -> Self {
        Self {
            settled,
            pending: None,
        }
    }

    /// Takes a look; returns whether the settings are to be read.
    pub(super) fn wants_reading(&mut self, seen: &Seen) -> bool {
        if *seen == self.settled {
            self.pending = None;
            return false;
        }
        let agree = self.pending.as_ref() == Some(seen);
        self.pending = Some(seen.clone());
        agree
    }

    /// It turned out to be this.
    pub(super) fn is_pending(&mut self, seen: Seen) {
        self.pending = Some(seen);
    }

    /// This was dealt with.
    pub(super) fn is_settled(&mut self, seen: Seen) {
        (self.settled, self.pending) = (seen, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s12_2_a_change_counts_when_two_looks_agree() {
        #[rustfmt::skip]
        let rows: [(&[&str], &str); 7] = [
            // what each look sees, after `a`     what is read, if anything
            (&["a", "a", "a"],                    "- - -"),
            (&["b", "b", "b"],                    "- b -"),
            // An editor that is still writing.
            (&["", "b", "c", "c"],                "- - - c"),
            (&["b", "a", "b", "b"],               "- - - b"),
            (&["b", "b", "a", "a"],               "- b - a"),
            (&["", "", "", "b", "b"],             "-  - - b"),
            (&["b", "c", "b", "c", "b"],          "- - - - -"),
        ];
        for (looks, expected) in rows {
            let mut watch = Watch::of(Seen::of("a"));
            let read = looks.iter().map(|text| {
                let seen = Seen::of(text);
                let reads = watch.wants_reading(&seen);
                if reads {
                    watch.is_settled(seen);
                }
                if reads { *text } else { "-" }
            });
            assert_eq!(read.collect::<Vec<_>>().join(" "), expected, "{looks:?}");
        }
    }
}
