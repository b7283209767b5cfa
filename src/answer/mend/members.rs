//! An object whose members are visited in turn, and what is added after them.

use crate::json::{Cuts, Patch, Raw};

/// A required member.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Absent,
    There,
}

impl Slot {
    /// It is present; null, which is the same as absent, gets a value.
    pub(super) fn fill(&mut self, patch: &mut Patch<'_>, value: Raw<'_>, made: &str) {
        if value.is_null() {
            self.put(patch, value, made);
        }
        *self = Self::There;
    }

    /// It is present, and gets another value.
    pub(super) fn put(&mut self, patch: &mut Patch<'_>, value: Raw<'_>, made: &str) {
        let place = patch.place(value);
        // The same value again would not be a change.
        if value.text() != made {
            patch.replace(place, made.as_bytes());
        }
        *self = Self::There;
    }

    /// The member to be added after the others, if it is absent.
    pub(super) fn entry(self, name: &str, value: &str) -> Option<String> {
        (self == Self::Absent).then(|| format!("\"{name}\":{value}"))
    }
}

/// Where members can be added to an object.
pub(super) struct Tail(Option<(Cuts, usize)>);

/// Visits each member of an object; anything else is left alone.
pub(super) fn walk<'t>(
    patch: &mut Patch<'_>,
    object: Raw<'t>,
    mut see: impl FnMut(&mut Patch<'_>, &str, Raw<'t>),
) -> Tail {
    let base = patch.place(object).start;
    let Some(mut members) = object.object() else {
        return Tail(None);
    };
    let mut cuts = Cuts::default();
    while let Ok(Some(member)) = members.next() {
        see(patch, &member.key, member.value);
        cuts.kept(base + member.end);
    }
    Tail(Some((cuts, base + 1)))
}

impl Tail {
    /// Adds those that exist after the others.
    pub(super) fn put<const N: usize>(self, patch: &mut Patch<'_>, more: [Option<String>; N]) {
        if let Some((cuts, inside)) = self.0 {
            let more = more.iter().flatten().map(String::as_bytes);
            cuts.end(patch, inside, more);
        }
    }
}
