//! An object whose members are looked at in turn, and what is put behind them.

use crate::json::{Cuts, Patch, Raw};

/// A member that has to be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Absent,
    There,
}

impl Slot {
    /// It is there; null, which is as good as absent, gets a value.
    pub(super) fn fill(&mut self, patch: &mut Patch<'_>, value: Raw<'_>, made: &str) {
        if value.is_null() {
            self.put(patch, value, made);
        }
        *self = Self::There;
    }

    /// It is there, and gets another value.
    pub(super) fn put(&mut self, patch: &mut Patch<'_>, value: Raw<'_>, made: &str) {
        let place = patch.place(value);
        // The same again would be no change.
        if value.text() != made {
            patch.replace(place, made.as_bytes());
        }
        *self = Self::There;
    }

    /// The member to be put behind the others, if it is absent.
    pub(super) fn entry(self, name: &str, value: &str) -> Option<String> {
        (self == Self::Absent).then(|| format!("\"{name}\":{value}"))
    }
}

/// Where members can be put behind those of an object.
pub(super) struct Tail(Option<(Cuts, usize)>);

/// Shows each member of an object; what is no object is left alone.
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
    /// Puts those that there are behind the others.
    pub(super) fn put<const N: usize>(self, patch: &mut Patch<'_>, more: [Option<String>; N]) {
        if let Some((cuts, inside)) = self.0 {
            let more = more.iter().flatten().map(String::as_bytes);
            cuts.end(patch, inside, more);
        }
    }
}
