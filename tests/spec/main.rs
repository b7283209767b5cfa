//! The contract, rule by rule: a test's name begins with the section of `docs/spec.md` it is a
//! row of. Everything here talks to the real server, with the simulator as its upstream: over
//! loopback sockets, or over in-memory pipes where the clock is paused.

#[expect(unreachable_pub, reason = "a test binary has no outside")]
mod rig;

mod s2_list;
mod s3_surface;
mod s4_chat;
mod s5_streaming;
mod s6_limits;
mod s7_telemetry;
mod s9_world;
