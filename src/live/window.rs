//! The last hour, or the last day, in steps of equal length.

use std::collections::VecDeque;

/// Counts of the last `steps` steps; empty steps take no space.
#[derive(Clone, Debug)]
pub(super) struct Window<T> {
    /// The length of a step, in seconds.
    step: u64,
    steps: usize,
    /// By the number of the step since 1970, oldest first.
    slots: VecDeque<(u64, T)>,
}

impl<T: Default> Window<T> {
    pub(super) fn new(step: u64, steps: usize) -> Self {
        Self {
            step,
            steps,
            slots: VecDeque::new(),
        }
    }

    /// The counts of the step that the second `now` is in.
    pub(super) fn at(&mut self, now: u64) -> &mut T {
        let step = now / self.step;
        // Two threads may arrive slightly out of order; a clock that was set back is believed.
        while self.slots.back().is_some_and(|(last, _)| *last > step + 1) {
            self.slots.pop_back();
        }
        if self.slots.back().is_none_or(|(last, _)| *last < step) {
            let first = step.saturating_sub(self.steps as u64 - 1);
            while self.slots.front().is_some_and(|(step, _)| *step < first) {
                self.slots.pop_front();
            }
            self.slots.push_back((step, T::default()));
        }
        let last = self.slots.len() - 1;
        &mut self.slots[last].1
    }

    /// The counts of the window that ends with the second `now`, each with the index of its step,
    /// from 0.
    pub(super) fn until(&self, now: u64) -> impl Iterator<Item = (usize, &T)> {
        let first = self.first(now);
        self.slots.iter().filter_map(move |(step, counts)| {
            let place = usize::try_from(step.checked_sub(first)?).ok()?;
            (place < self.steps).then_some((place, counts))
        })
    }

    /// The second at which that window begins.
    pub(super) fn begin(&self, now: u64) -> u64 {
        self.first(now) * self.step
    }

    pub(super) fn step(&self) -> u64 {
        self.step
    }

    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    fn first(&self, now: u64) -> u64 {
        (now / self.step).saturating_sub(self.steps as u64 - 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn s3_what_is_older_than_the_window_does_not_count() {
        let mut window: Window<u32> = Window::new(10, 3);
        for now in [100, 105, 119, 129] {
            *window.at(now) += 1;
        }
        #[rustfmt::skip]
        let rows: &[(u64, &[(usize, u32)])] = &[
            (129, &[(0, 2), (1, 1), (2, 1)]),
            (130, &[(0, 1), (1, 1)]),
            (149, &[(0, 1)]),
            (150, &[]),
            (90,  &[]),
        ];
        for (now, expected) in rows {
            let got: Vec<_> = window.until(*now).map(|(at, n)| (at, *n)).collect();
            assert_eq!(got, *expected, "{now}");
        }
        assert_eq!(window.begin(129), 100);
    }

    #[test]
    fn s3_a_clock_that_was_set_back_is_believed_and_a_moment_out_of_order_is_not_lost() {
        let mut window: Window<u32> = Window::new(10, 3);
        *window.at(1000) += 1;
        *window.at(999) += 1;
        assert_eq!(window.until(1000).collect::<Vec<_>>(), [(2, &2)]);
        *window.at(100) += 1;
        assert_eq!(window.until(100).collect::<Vec<_>>(), [(2, &1)]);
    }

    proptest! {
        #[test]
        fn s3_it_never_grows_beyond_its_steps(seconds in prop::collection::vec(any::<u32>(), 0..200)) {
            let mut window: Window<u32> = Window::new(60, 4);
            for now in seconds {
                *window.at(now.into()) += 1;
                prop_assert!(window.slots.len() <= 4);
                prop_assert!(window.slots.iter().zip(window.slots.iter().skip(1)).all(|(a, b)| a.0 < b.0));
            }
        }
    }
}
