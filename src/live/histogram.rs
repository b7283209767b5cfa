//! Durations, counted in classes.

/// Four classes per octave from [`FIRST`] on, one below, one above.
const CLASSES: usize = 62;
/// Where the octaves begin: 4 ms is 2 to the power of this.
const FIRST: u32 = 2;

/// How many durations fell into which class. A class is a quarter of its octave wide, so its middle
/// is accurate to within an eighth, from 4 ms to two minutes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Histogram([u32; CLASSES]);

impl Default for Histogram {
    fn default() -> Self {
        Self([0; CLASSES])
    }
}

impl Histogram {
    pub(super) fn add(&mut self, ms: u64) {
        if let Some(count) = self.0.get_mut(class(ms)) {
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_add(more);
        }
    }

    /// The duration that `percent` of all do not exceed, in milliseconds; `None` while there are
    /// none.
    pub(super) fn percentile(&self, percent: u64) -> Option<u64> {
        let total: u64 = self.0.iter().copied().map(u64::from).sum();
        // Rounded up: the median of two is the first of them.
        let rank = (total * percent).div_ceil(100).max(1);
        let mut so_far = 0;
        let found = self.0.iter().position(|count| {
            so_far += u64::from(*count);
            so_far >= rank
        })?;
        Some(middle(found))
    }
}

fn class(ms: u64) -> usize {
    let Some(octave) = ms.checked_ilog2().filter(|octave| *octave >= FIRST) else {
        return 0;
    };
    let quarter = (ms >> (octave - FIRST)) & 3;
    let class = u64::from((octave - FIRST) * 4) + quarter + 1;
    usize::try_from(class).map_or(CLASSES - 1, |class| class.min(CLASSES - 1))
}

/// The shortest duration of a class.
fn begin(class: usize) -> u64 {
    let Some(behind) = class.checked_sub(1) else {
        return 0;
    };
    (4 + behind as u64 % 4) << (behind / 4)
}

fn middle(class: usize) -> u64 {
    if class + 1 == CLASSES {
        return begin(class);
    }
    begin(class).midpoint(begin(class + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn s3_the_median_of_few_is_one_of_them() {
        #[rustfmt::skip]
        let rows: &[(&[u64], u64, Option<u64>)] = &[
            (&[],                   50, None),
            (&[0],                  50, Some(2)),
            (&[1000],               50, Some(960)),
            (&[1000],               95, Some(960)),
            (&[10, 1000],           50, Some(11)),
            (&[10, 1000],           95, Some(960)),
            (&[10, 1000, 9_000_000], 95, Some(131_072)),
        ];
        for (lengths, percent, expected) in rows {
            let mut histogram = Histogram::default();
            lengths.iter().for_each(|ms| histogram.add(*ms));
            assert_eq!(histogram.percentile(*percent), *expected, "{lengths:?}");
        }
    }

    proptest! {
        #[test]
        fn s3_a_percentile_is_accurate_to_within_an_eighth(
            mut lengths in prop::collection::vec(4..131_072_u64, 1..200),
            percent in 1..=100_u64,
        ) {
            let mut histogram = Histogram::default();
            lengths.iter().for_each(|ms| histogram.add(*ms));
            lengths.sort_unstable();
            let rank = (lengths.len() as u64 * percent).div_ceil(100) as usize;
            let right = lengths[rank - 1];
            let told = histogram.percentile(percent).unwrap();
            prop_assert!(told.abs_diff(right) * 8 <= right + 8, "{told} for {right}");
        }

        #[test]
        fn s3_every_duration_has_a_class_and_longer_ones_no_earlier(a: u64, b: u64) {
            let (short, long) = (a.min(b), a.max(b));
            prop_assert!(class(short) <= class(long));
            prop_assert!(class(long) < CLASSES);
        }
    }
}
