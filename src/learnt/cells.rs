//! The evidence about all candidates: every request reads it, and every attempt adds to it.
//!
//! Readers and writers never wait for each other: what is known about a candidate is one value behind one
//! pointer, and an update swaps in a new value.

use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwapOption;

use super::{Evidence, Parameters, SavedEvidence, Through};
use crate::clock::Now;
use crate::model::{Candidate, Subject, SubjectMap, Whom};

/// What is known about one candidate; empty at first.
#[derive(Debug, Default)]
struct Cell(ArcSwapOption<Evidence>);

impl Cell {
    fn change(&self, parameters: &Parameters, now: Now, change: impl Fn(&mut Evidence)) {
        self.0.rcu(|known| {
            let mut evidence = known
                .as_ref()
                .map_or_else(|| Evidence::new(parameters, now), |known| (**known).clone());
            change(&mut evidence);
            Some(Arc::new(evidence))
        });
    }
}

/// The evidence about every listed candidate, carried over from list to list.
#[derive(Debug, Default)]
pub struct Cells {
    table: SubjectMap<Arc<Cell>>,
    /// What an earlier process knew of candidates that no list has named since.
    restored: SubjectMap<Evidence>,
}

impl Cells {
    /// Takes a new list: its candidates in the order of their [`index`](Candidate::index), with those of one
    /// offer adjacent. What is known about them stays; what is known about candidates that left is dropped.
    #[must_use]
    pub fn list<'a>(
        &mut self,
        candidates: impl IntoIterator<Item = &'a Candidate>,
        parameters: &Parameters,
        now: Now,
    ) -> Evidences {
        let before = std::mem::take(&mut self.table);
        self.restored
            .retain(|_, evidence| !evidence.is_faded(parameters, now));
        let mut lines: Vec<Line> = Vec::new();
        let mut offer: Option<(&Candidate, usize)> = None;
        for (index, candidate) in candidates.into_iter().enumerate() {
            let known = before.get(candidate.itself());
            let known = known.filter(|cell| !is_faded(cell, parameters, now));
            let restored = self.restored.remove(candidate.itself());
            let cell = match (known, restored) {
                (Some(cell), _) => Arc::clone(cell),
                (None, restored) => Arc::new(Cell(ArcSwapOption::new(restored.map(Arc::new)))),
            };
            self.table
                .insert(candidate.itself().clone(), Arc::clone(&cell));
            let first = match offer {
                Some((other, first)) if other.model() == candidate.model() => first,
                Some(_) | None => index,
            };
            offer = Some((candidate, first));
            let of_offer = first..index + 1;
            for line in lines.get_mut(of_offer.start..).unwrap_or_default() {
                line.of_offer = of_offer.clone();
            }
            lines.push(Line { cell, of_offer });
        }
        Evidences(lines.into())
    }

    /// What is to outlive the process, by candidate.
    #[must_use]
    pub fn save(&self, parameters: &Parameters, now: Now) -> Vec<(Whom, SavedEvidence)> {
        let listed = self.table.iter().filter_map(|(subject, cell)| {
            let saved = cell.0.load().as_ref()?.save(parameters, now)?;
            Some((subject.whom().clone(), saved))
        });
        let others = self.restored.iter().filter_map(|(subject, evidence)| {
            Some((subject.whom().clone(), evidence.save(parameters, now)?))
        });
        listed.chain(others).collect()
    }

    /// Takes over what an earlier process has saved at `saved_at`, for candidates that the next list names.
    pub fn restore(
        &mut self,
        saved: Vec<(Whom, SavedEvidence)>,
        saved_at: SystemTime,
        parameters: &Parameters,
        now: Now,
    ) {
        for (whom, saved) in saved {
            if let Some(evidence) = saved.back(saved_at, parameters, now) {
                self.restored.insert(Subject::new(whom), evidence);
            }
        }
    }
}

fn is_faded(cell: &Cell, parameters: &Parameters, now: Now) -> bool {
    let known = cell.0.load();
    known
        .as_ref()
        .is_some_and(|evidence| evidence.is_faded(parameters, now))
}

/// The evidence about the candidates of one list, by [`index`](Candidate::index). A request that began with
/// an older list reads and writes the same cells.
#[derive(Clone, Debug, Default)]
pub struct Evidences(Arc<[Line]>);

#[derive(Debug)]
struct Line {
    cell: Arc<Cell>,
    /// All candidates of the same offer: this one, and those through other accounts.
    of_offer: Range<usize>,
}

impl Evidences {
    /// Runs `read` on what is known about a candidate, if anything.
    pub fn with<T>(&self, index: usize, read: impl FnOnce(Option<&Evidence>) -> T) -> T {
        match self.0.get(index) {
            Some(line) => read(line.cell.0.load().as_deref()),
            None => read(None),
        }
    }

    /// Records an observation: runs `learn` on the candidate's evidence and on that of the same offer
    /// through other accounts. It may run more than once if another attempt updates the evidence meanwhile.
    pub fn teach(
        &self,
        index: usize,
        parameters: &Parameters,
        now: Now,
        learn: impl Fn(&mut Evidence, Through),
    ) {
        let Some(line) = self.0.get(index) else {
            return;
        };
        for at in line.of_offer.clone() {
            let through = if at == index {
                Through::Its
            } else {
                Through::Another
            };
            if let Some(line) = self.0.get(at) {
                line.cell
                    .change(parameters, now, |evidence| learn(evidence, through));
            }
        }
    }
}
