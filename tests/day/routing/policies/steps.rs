//! What `ROUTING=balanced` is made of, a part at a time.

use free_llm_proxy::replay::Parts;

/// Which of its parts are used. Without any it is `rank`.
#[derive(Clone, Copy, Debug)]
pub struct Steps {
    pub parts: Parts,
    pub hold: bool,
}

impl Steps {
    pub const ALL: Self = Self::EACH[10].1;

    /// How many seconds it waits for the first to wake.
    pub fn wait(self) -> f64 {
        if self.hold { 20.0 } else { 0.0 }
    }

    /// From none to all, each with those before it.
    pub const EACH: [(&'static str, Self); 11] = {
        let mut steps = Self {
            parts: Parts::NONE,
            hold: false,
        };
        let none = steps;
        steps.parts.rests = true;
        let rests = steps;
        steps.parts.first_token = true;
        let first_token = steps;
        steps.parts.failures = true;
        let failures = steps;
        steps.parts.breaks = true;
        let breaks = steps;
        steps.parts.silent = true;
        let silent = steps;
        steps.parts.sessions = true;
        let sessions = steps;
        steps.parts.forgiving = true;
        let forgiving = steps;
        steps.parts.quota = true;
        let quota = steps;
        steps.hold = true;
        let hold = steps;
        steps.parts.limit = true;
        [
            ("rank, rests of 300 s / 60 s", none),
            ("+ rests that grow from 5 s", rests),
            ("+ order by rank and learnt first token", first_token),
            ("+ learnt failures", failures),
            ("+ learnt breaks", breaks),
            ("+ silent attempts count", silent),
            ("+ sticky sessions", sessions),
            ("+ forgiving slows", forgiving),
            ("+ price of quota", quota),
            ("+ waiting up to 20 s", hold),
            ("+ first-token limit (= ours)", steps),
        ]
    };
}
