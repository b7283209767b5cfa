//! What the agents ask for, and when.

use std::iter::from_fn;
use std::sync::LazyLock;

use free_llm_proxy::request::{ChatRequest, Needs};

/// So many sizes of prompts there are, from 400 bytes to 40 KB.
const SIZES: usize = 64;

/// How long the text of this size is.
fn content_bytes(size: usize) -> usize {
    (400.0 * 100_f64.powf(size as f64 / SIZES as f64)) as usize
}

/// The needs of a request of each size, without and with a longest answer.
static NEEDS: LazyLock<Vec<[Needs; 2]>> = LazyLock::new(|| {
    let needs = |size: usize, fields: &str| {
        let content = "x".repeat(content_bytes(size));
        let body = format!(r#"{{"messages":[{{"role":"user","content":"{content}"}}]{fields}}}"#);
        ChatRequest::read(body.into(), 128).unwrap().needs
    };
    let both = |size| [needs(size, ""), needs(size, r#","max_tokens":1000"#)];
    (0..SIZES).map(both).collect()
});

/// Seconds from the beginning of the day, and a request of that moment.
pub type Asked = (f64, Request);

/// A day of agents, `busy` times as busy as the usual one: five of them by day, one by night, and a storm
/// every hour.
pub fn day(busy: f64) -> impl Iterator<Item = Asked> {
    let mut dice = Dice(7);
    let mut at = 0.0;
    from_fn(move || {
        let hour = (at / 3600.0) as u64;
        let is_storm = at % 3600.0 < 300.0;
        let by_day = if (2..14).contains(&hour) { 5.0 } else { 1.0 };
        let agents = by_day * if is_storm { 3.0 } else { 1.0 };
        at += -(1.0 - dice.roll()).ln() * 20.0 / agents / busy;
        Some((at, dice.request()))
    })
    .take_while(|(at, _)| *at < 86_400.0)
}

/// A day of volleys: every forty minutes forty requests, half a second apart.
pub fn volleys() -> impl Iterator<Item = Asked> {
    let mut dice = Dice(8);
    let moments = (0..36).flat_map(move |volley| {
        (0..40).map(move |n| f64::from(volley) * 2400.0 + f64::from(n) / 2.0)
    });
    moments.map(move |at| (at, dice.request()))
}

/// A request.
pub struct Request {
    pub content_bytes: usize,
    pub needs: &'static Needs,
    /// Its real tokens, of those that its bytes suggest.
    pub noise: f64,
    /// Tokens of the answer.
    pub answer: f64,
    /// Seconds until that begins, and until it is whole.
    pub speaks_after: f64,
    pub lasts: f64,
}

/// Steele, Vigna: splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn request(&mut self) -> Request {
        // Mostly small.
        let size = (SIZES as f64 * self.roll() * self.roll()) as usize;
        let answer = 40.0 + 760.0 * self.roll().powi(2);
        let [free, bounded] = &NEEDS[size];
        Request {
            content_bytes: content_bytes(size),
            needs: if self.roll() < 0.3 { bounded } else { free },
            noise: 0.97 + 0.06 * self.roll(),
            answer,
            speaks_after: 0.3 + 0.7 * self.roll(),
            lasts: 1.0 + answer / 100.0 + 4.0 * self.roll(),
        }
    }
}
