//! Whatever TRACE_FILE contains: each line is read or counted as skipped, and what is read can be replayed, with
//! the same figures each time, all of them numbers.
#![no_main]

use free_llm_proxy::clock::Now;
use free_llm_proxy::model::{Capability, Wish};
use free_llm_proxy::replay::{Settings, Trace, report};
use free_llm_proxy::trace::{Asked, Ended, Line, Rests, VERSION, Whom};
use libfuzzer_sys::fuzz_target;

fn check(file: &[u8]) {
    let mut trace = Trace::default();
    trace.take_all(file).expect("a slice can be read");
    let trace = trace.ordered();
    let read = trace.read();
    let lines = file.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.trim_ascii().is_empty()).count();
    assert_eq!(read.lines + read.skipped + read.beyond, lines);
    let left_out = read.left_out;
    let left_out = left_out.named + left_out.left + left_out.refused + left_out.torn;
    assert!(trace.requests() + left_out <= read.lines + read.skipped);
    let (settings, now) = (Settings::default(), Now::read());
    let told = report(&trace, &settings, now);
    assert!(!told.contains("NaN") && !told.contains("inf"), "{told}");
    assert_eq!(report(&trace, &settings, now), told);
}

/// Lines as a proxy could have written them, each from the next bytes: so that many are valid, and differ in
/// few figures, the largest among them.
fn written(bytes: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    for of_line in bytes.chunks_exact(12) {
        serde_json::to_writer(&mut lines, &line(of_line)).expect("a line is JSON");
        lines.push(b'\n');
    }
    lines
}

fn line(bytes: &[u8]) -> Line {
    let one = |at: usize| bytes[at];
    let bit = |at: usize, bit: u8| one(at) >> bit & 1 == 1;
    let millis = |at: usize| AMOUNTS[usize::from(one(at) & 15)];
    let share = |at: usize| SHARES[usize::from(one(at) >> 4 & 7)];
    let offers = ["groq/a", "groq/b", "mistral/a", "a/b:free", "not an offer"];
    let asked = Asked {
        number: u32::from(one(0) & 3),
        after_ms: millis(1),
        offer: offers[usize::from(one(2)) % offers.len()].to_owned(),
        provider: if bit(2, 7) { "groq" } else { "openrouter" }.to_owned(),
        account: if bit(2, 6) { "groq" } else { "groq#2" }.to_owned(),
        tier: u32::from(one(3) & 1),
        place: if bit(3, 1) {
            u32::MAX
        } else {
            u32::from(one(3) >> 6)
        },
        context: bit(3, 2).then(|| millis(4)),
        tight: share(4),
        day_left: bit(3, 3).then(|| share(1)),
        first_ms: bit(3, 4).then(|| millis(5)),
        total_ms: millis(6),
        prompt_tokens: bit(3, 5).then(|| millis(7)),
        output_tokens: bit(0, 2).then(|| millis(7)),
        status: bit(0, 3).then_some(429),
        cause: None,
        scope: SCOPES[usize::from(one(8)) % SCOPES.len()],
        teaches: bit(8, 6),
        by_limit: bit(8, 7),
        rests: [Rests::No, Rests::Told, Rests::Unadvised, Rests::Gone]
            [usize::from(one(0) >> 4 & 3)],
        wait_ms: bit(0, 6).then(|| millis(9)),
    };
    let session = usize::from(one(9) >> 6);
    Line {
        version: VERSION,
        run: if bit(9, 4) { "a" } else { "b" }.to_owned(),
        request: u64::from(one(10) & 7),
        at_ms: millis(11),
        session: ["a", "b", "c"].get(session).map(|name| (*name).to_owned()),
        stream: bit(9, 5),
        named: one(10) >> 5 == 7,
        wish: Wish::ALL
            .get(usize::from(one(11) >> 4 & 7))
            .map(|wish| wish.as_str().to_owned()),
        needs: bit(10, 3)
            .then(|| Capability::Tools.as_str().to_owned())
            .into_iter()
            .collect(),
        prompt_tokens: millis(7),
        ended: ENDS[usize::from(one(7) >> 4) % ENDS.len()],
        asked: (!bit(11, 7)).then_some(asked),
    }
}

const AMOUNTS: [u64; 16] = [
    0,
    1,
    250,
    499,
    501,
    1_000,
    2_500,
    4_000,
    30_000,
    60_000,
    120_001,
    3_600_000,
    86_400_000,
    86_400_001,
    253_402_300_799_999,
    u64::MAX,
];

const SHARES: [f64; 8] = [0.0, 0.1, 0.5, 1.0, 2.0, -1.0, f64::MAX, f64::MIN_POSITIVE];

const SCOPES: [Option<Whom>; 7] = [
    None,
    Some(Whom::Request),
    Some(Whom::Candidate),
    Some(Whom::Model),
    Some(Whom::Account),
    Some(Whom::Key),
    Some(Whom::Provider),
];

const ENDS: [Ended; 6] = [
    Ended::Whole,
    Ended::Broken,
    Ended::Failed,
    Ended::Refused,
    Ended::Left,
    Ended::Unasked,
];

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    check(&written(bytes));
});
