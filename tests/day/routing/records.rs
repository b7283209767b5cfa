//! What became of one request, and what that is worth.

pub use free_llm_proxy::replay::{Answer, Record, Taste};

use free_llm_proxy::replay::Sessions;

use super::world::{Request, World};

/// A whole answer of this model's.
pub fn answer(
    world: &World,
    request: &Request,
    sessions: &Sessions,
    model: usize,
    wait: f64,
) -> Answer {
    Answer {
        rank: world.models[model].rank as u32,
        wait,
        switched: sessions.switched(&request.plain(), model),
        broken: false,
    }
}

/// With the usual taste.
pub fn utility(record: &Record) -> f64 {
    record.worth(Taste::Usual)
}
