//! Tiers, and places in them (spec §10.3).

/// The tiers, best first. What a request itself names comes before all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// `MODEL_ORDER` names it, with this entry: what one entry names comes before what the next does,
    /// whatever is known of it.
    Ordered(usize),
    /// All others.
    Rest,
    /// The router that the ranking falls back on.
    Fallback,
    /// The user's own server.
    Local,
}

/// An offer's place among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Its tier.
    pub tier: Tier,
    /// How many models come before it there.
    pub place: u32,
}
