//! The providers' dialects over real sockets; the name of a test begins with its section of
//! `docs/spec.md`.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod rig;

mod answers;
mod errors;
mod fields;
mod keys;
mod lists;
mod quotas;
mod scripts;
