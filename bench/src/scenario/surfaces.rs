//! The same stream in the words of each API: the cost of a translation.

use anyhow::Result;

use super::saturated::cost;
use super::{Outcome, Pace};
use crate::figure::Figure;
use crate::request::Api;
use crate::script::Script;
use crate::target::{Behind, Kind, Stand, Target};

const BODY_BYTES: usize = 1000;

/// Only our proxy speaks them all.
pub(super) fn measure(
    stand: &mut Stand,
    target: &Target,
    answer: Script,
    pace: Pace,
) -> Result<Option<Outcome>> {
    if !matches!(target.kind, Kind::Ours(_)) {
        return Ok(None);
    }
    let running = stand.running(target, Behind::Plain)?;
    let mut micros = Vec::new();
    let mut errors = 0;
    let mut trouble = None;
    for api in Api::ALL {
        let cost = cost(&running, api, &answer, BODY_BYTES, pace)?;
        micros.push(cost.micros.unwrap_or_default());
        errors += cost.errors;
        trouble = trouble.or(cost.trouble);
    }
    let mut figures = Vec::new();
    for (name, micros) in COSTS.into_iter().zip(&micros) {
        figures.push(Figure::alone(name, "us", *micros));
    }
    if let [chat, others @ ..] = micros.as_slice() {
        for (name, other) in RATIOS.into_iter().zip(others) {
            figures.push(Figure::alone(name, "x", other / chat));
        }
    }
    Ok(Some(Outcome {
        figures,
        errors,
        trouble,
        note: None,
    }))
}

const COSTS: [&str; 3] = [
    "CPU per chat stream",
    "CPU per responses stream",
    "CPU per messages stream",
];
const RATIOS: [&str; 2] = ["responses to chat", "messages to chat"];
