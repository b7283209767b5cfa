//! The program as a child process: settings, commands, signals, exit codes, what it prints. The
//! simulator it talks to runs in the test.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what cannot go on fails its test"
)]

mod program;
mod secured;
mod upstream;

mod check;
mod commands;
mod connections;
mod demo;
mod log;
mod operator;
mod providers;
mod reloading;
mod replay;
mod settings;
mod setup;
mod shown;
mod sockets;
mod sources;
mod state;
mod stopping;
mod watching;
