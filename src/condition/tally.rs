//! How many of several accounts are unavailable for now, and why (spec §10.8).

use super::words::capitalised;

/// The accounts, counted. A single account is not: the condition itself covers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many there are.
    pub of: usize,
    /// Those whose quota of the day is used up.
    pub out_today: usize,
    /// Those that are out of another quota, or of credit.
    pub out: usize,
    /// Those whose key is refused.
    pub keys_refused: usize,
    /// Those whose provider refuses everything from here.
    pub resting: usize,
}

impl Tally {
    /// Whether there is more than one.
    #[must_use]
    pub fn is_of_several(&self) -> bool {
        self.of > 1
    }

    /// A sentence: "2 of 5 accounts are out for today, 1 key is refused." `None` if all are awake,
    /// or there is only one.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        #[rustfmt::skip]
        let counts = [
            (self.out_today,    "account", ["is out for today", "are out for today"]),
            (self.out,          "account", ["is out of its quota", "are out of their quota"]),
            (self.resting,      "account", ["is resting", "are resting"]),
            (self.keys_refused, "key",     ["is refused", "are refused"]),
        ];
        let some = counts.into_iter().filter(|(count, ..)| *count > 0);
        let mut words: Vec<String> = Vec::new();
        for (count, noun, [one, many]) in some {
            let is = if count > 1 { many } else { one };
            let s = |count| if count == 1 { "" } else { "s" };
            words.push(match (noun, words.is_empty()) {
                ("account", true) => format!("{count} of {} accounts {is}", self.of),
                ("account", false) => format!("{count} {is}"),
                (noun, _) => format!("{count} {noun}{} {is}", s(count)),
            });
        }
        let told = !words.is_empty() && self.is_of_several();
        told.then(|| format!("{}.", capitalised(words.join(", "))))
    }
}
