//! The open connections: how many there may be (spec §6), and how each learns that the proxy is
//! stopping (spec §8).
//!
//! Each connection has flags and a waker of its own, and a list holds them: stopping walks the list
//! once, so that requests share no state.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Face;
use super::phases::Phases;

/// `/metrics` at an address of its own has this many connections in addition: a scraper gets in
/// while the proxy is full.
const MAX_METRICS: usize = 64;

/// The open connections, and whether they are to end.
#[derive(Debug)]
pub(super) struct Open {
    /// `MAX_CONNECTIONS`.
    max: AtomicUsize,
    begun: AtomicBool,
    /// A std lock, held for an insert, or for one walk over the list.
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    next: u64,
    main: HashMap<u64, Phases>,
    metrics: HashMap<u64, Phases>,
}

impl List {
    fn of(&mut self, face: Face) -> &mut HashMap<u64, Phases> {
        match face {
            Face::Main => &mut self.main,
            Face::Metrics => &mut self.metrics,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Phases> {
        self.main.values().chain(self.metrics.values())
    }
}

impl Open {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max: AtomicUsize::new(max),
            begun: AtomicBool::new(false),
            list: Mutex::default(),
        }
    }

    /// There may be this many from now on; those that are open stay.
    pub(super) fn allow(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
    }

    /// Whether the proxy is stopping.
    pub(super) fn is_draining(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// From now on idle and half-sent connections close, and the others do once they are idle.
    pub(super) fn drain(&self) {
        let list = self.lock();
        self.begun.store(true, Ordering::Relaxed);
        list.all().for_each(Phases::drain);
    }

    /// What is still open ends now, with an error.
    pub(super) fn cut(&self) {
        self.lock().all().for_each(Phases::cut);
    }

    /// How many connections of the main listener there are.
    pub(super) fn count(&self) -> usize {
        self.lock().main.len()
    }

    /// Takes a new connection, for which the longest idle one may be closed; `None` if there are
    /// too many and none is idle.
    pub(super) fn admit(&self, face: Face, phases: &Phases) -> Option<u64> {
        let max = match face {
            Face::Main => self.max.load(Ordering::Relaxed),
            Face::Metrics => MAX_METRICS,
        };
        let mut list = self.lock();
        if list.of(face).len() >= max && !dismiss_one(list.of(face).values()) {
            return None;
        }
        Some(self.add(&mut list, face, phases))
    }

    /// Adds a connection that already exists.
    pub(super) fn enter(&self, face: Face, phases: &Phases) -> u64 {
        self.add(&mut self.lock(), face, phases)
    }

    fn add(&self, list: &mut List, face: Face, phases: &Phases) -> u64 {
        if self.is_draining() {
            phases.drain();
        }
        let number = list.next;
        list.next += 1;
        list.of(face).insert(number, phases.clone());
        number
    }

    /// Removes a connection that has closed.
    pub(super) fn leave(&self, face: Face, number: u64) {
        self.lock().of(face).remove(&number);
    }

    /// Closes the longest idle connection: the system has no socket left.
    pub(super) fn make_room(&self) {
        dismiss_one(self.lock().all());
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the longest idle connection; returns whether there was one.
fn dismiss_one<'a>(open: impl Iterator<Item = &'a Phases>) -> bool {
    let idle = open.filter_map(|phases| Some((phases.idle_since()?, phases)));
    let longest = idle.min_by_key(|(since, _)| *since);
    longest.map(|(_, phases)| phases.dismiss()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::phases::Busy;

    #[test]
    fn s6_the_longest_idle_connection_is_closed_when_there_are_too_many() {
        #[rustfmt::skip]
        let rows: [(&str, &[char], Option<usize>); 5] = [
            // what the three are doing        which is closed for a fourth
            ("all idle",          &['i', 'i', 'i'], Some(0)),
            ("the first busy",    &['b', 'i', 'i'], Some(1)),
            ("two of them busy",  &['b', 'h', 'i'], Some(2)),
            ("all busy",          &['b', 'b', 'b'], None),
            ("all in a head",     &['h', 'h', 'h'], None),
        ];
        for (what, doing, goes) in rows {
            let open = Open::new(3);
            let (all, _busy) = crowd(doing);
            for phases in &all {
                assert!(open.admit(Face::Main, phases).is_some(), "{what}");
            }
            let fourth = Phases::new();
            assert_eq!(
                open.admit(Face::Main, &fourth).is_some(),
                goes.is_some(),
                "{what}"
            );
            let gone = all.iter().position(Phases::is_dismissed);
            assert_eq!(gone, goes, "{what}");
            assert!(!fourth.is_dismissed() && !fourth.is_draining(), "{what}");
        }
    }

    #[test]
    fn s6_no_connection_is_closed_twice_and_a_closed_one_frees_its_place() {
        let open = Open::new(2);
        let (all, _busy) = crowd(&['i', 'i', 'i', 'i']);
        let numbers: Vec<_> = all
            .iter()
            .map(|phases| open.admit(Face::Main, phases))
            .collect();
        assert!(numbers.iter().all(Option::is_some));
        let gone: Vec<_> = all.iter().map(Phases::is_dismissed).collect();
        assert_eq!(gone, [true, true, false, false]);
        for number in numbers.iter().take(3).flatten() {
            open.leave(Face::Main, *number);
        }
        assert_eq!(open.count(), 1);
        assert!(open.admit(Face::Main, &Phases::new()).is_some());
        assert!(!all[3].is_dismissed(), "there was room");
    }

    #[test]
    fn s6_a_metrics_listener_has_a_limit_of_its_own() {
        let open = Open::new(1);
        let (all, _busy) = crowd(&['b', 'b', 'b']);
        assert!(open.admit(Face::Main, &all[0]).is_some());
        assert!(open.admit(Face::Main, &all[1]).is_none());
        assert!(open.admit(Face::Metrics, &all[2]).is_some());
        assert_eq!(open.count(), 1);
    }

    #[test]
    fn s8_a_connection_opened_while_draining_drains_as_well() {
        let open = Open::new(1);
        let (early, late) = (Phases::new(), Phases::new());
        open.enter(Face::Main, &early);
        open.drain();
        open.enter(Face::Metrics, &late);
        assert!(early.is_draining() && late.is_draining() && open.is_draining());
    }

    /// Connections that are idle, in a head or busy, the longest idle first.
    fn crowd(doing: &[char]) -> (Vec<Phases>, Vec<Busy>) {
        let mut busy = Vec::new();
        let begun = |doing: &char| {
            let phases = Phases::new();
            match doing {
                'h' => phases.in_head(),
                'b' => busy.push(phases.busy()),
                _ => {}
            }
            phases
        };
        (doing.iter().map(begun).collect(), busy)
    }
}
