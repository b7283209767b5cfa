//! The measured figures, and their statistics.

use crate::clock::Nanos;

/// How a figure is compared with that of another target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Versus {
    /// As a ratio to nginx's in the same round.
    Ratio,
    /// As what a proxy adds to the direct connection in the same round, and as the difference to
    /// nginx.
    Added,
    /// Not at all.
    Nothing,
}

/// One measured value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) value: f64,
    pub(crate) versus: Versus,
}

impl Figure {
    pub(crate) fn ratio(name: &'static str, unit: &'static str, value: f64) -> Self {
        Self {
            name,
            unit,
            value,
            versus: Versus::Ratio,
        }
    }

    pub(crate) fn added(name: &'static str, unit: &'static str, value: f64) -> Self {
        Self {
            versus: Versus::Added,
            ..Self::ratio(name, unit, value)
        }
    }

    pub(crate) fn alone(name: &'static str, unit: &'static str, value: f64) -> Self {
        Self {
            versus: Versus::Nothing,
            ..Self::ratio(name, unit, value)
        }
    }
}

/// The median of these values; `None` if there are none.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 {
        upper
    } else {
        (sorted.get(middle - 1)? + upper) / 2.0
    })
}

/// Quantiles of many times. Every value is kept: there are never enough for that to matter, and
/// nothing is rounded into buckets.
pub(crate) struct Quantiles(Vec<Nanos>);

impl Quantiles {
    pub(crate) fn of(mut values: Vec<Nanos>) -> Self {
        values.sort_unstable();
        Self(values)
    }

    /// The smallest value that this share of all does not exceed, in microseconds; NaN if there are
    /// none.
    pub(crate) fn micros(&self, share: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a length is a length"
        )]
        let rank = (share * self.0.len() as f64).ceil() as usize;
        let value = self.0.get(rank.saturating_sub(1)).copied();
        value.map_or(f64::NAN, |value| value as f64 / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        #[rustfmt::skip]
        let rows: [(&[f64], Option<f64>); 4] = [
            (&[],                   None),
            (&[3.0],                Some(3.0)),
            (&[9.0, 1.0, 2.0],      Some(2.0)),
            (&[9.0, 1.0, 2.0, 4.0], Some(3.0)),
        ];
        for (values, expected) in rows {
            assert_eq!(median(values), expected);
        }
    }

    #[test]
    fn a_quantile_is_a_value_that_was_measured() {
        let quantiles = Quantiles::of((1..=100).rev().map(|n| n * 1000).collect());
        #[rustfmt::skip]
        let rows = [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.0, 1.0), (0.991, 100.0)];
        for (share, expected) in rows {
            assert_eq!(quantiles.micros(share), expected);
        }
        assert!(Quantiles::of(Vec::new()).micros(0.5).is_nan());
    }
}
