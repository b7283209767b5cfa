//! What `ROUTING=balanced` is made of, a part at a time.

/// Which of its parts are used. Without any it is `rank`.
#[derive(Clone, Copy, Debug)]
pub struct Steps {
    pub rests: bool,
    pub first_token: bool,
    pub failures: bool,
    pub breaks: bool,
    pub silent: bool,
    pub sessions: bool,
    pub forgiving: bool,
    pub quota: bool,
    pub hold: bool,
    pub limit: bool,
}
impl Steps {
    pub const NONE: Self = Self {
        rests: false,
        first_token: false,
        failures: false,
        breaks: false,
        silent: false,
        sessions: false,
        forgiving: false,
        quota: false,
        hold: false,
        limit: false,
    };

    pub const ALL: Self = Self::EACH[10].1;

    /// From none to all, each with those before it.
    pub const EACH: [(&'static str, Self); 11] = {
        let mut steps = Self::NONE;
        let none = steps;
        steps.rests = true;
        let rests = steps;
        steps.first_token = true;
        let first_token = steps;
        steps.failures = true;
        let failures = steps;
        steps.breaks = true;
        let breaks = steps;
        steps.silent = true;
        let silent = steps;
        steps.sessions = true;
        let sessions = steps;
        steps.forgiving = true;
        let forgiving = steps;
        steps.quota = true;
        let quota = steps;
        steps.hold = true;
        let hold = steps;
        steps.limit = true;
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
