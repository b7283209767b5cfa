//! The drill: every fault of an upstream, every kind of client misbehaviour, and a long day's load,
//! against the real server. The result is a table: `cargo test --test drill -- --nocapture
//! upstream` prints it as Markdown.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

#[expect(dead_code, reason = "shared with `spec`, which uses all of it")]
#[path = "../spec/rig/mod.rs"]
mod rig;
#[expect(dead_code, reason = "shared with `spec`, which uses all of it")]
#[path = "../spec/scripts.rs"]
mod scripts;
#[expect(dead_code, reason = "shared with `spec`, which uses all of it")]
#[path = "../spec/wire.rs"]
mod wire;

mod clients;
mod faults;
mod load;
mod soak;
mod upstream;
