//! What a person types: the commands, their flags, and what they print.
//!
//! No decision about a request is made in this room, and no key of the user's is ever printed
//! by it.

mod args;
mod ask;
pub mod check;
#[cfg(feature = "demo")]
pub mod demo;
mod door;
pub mod explain;
pub mod health;
pub mod init;
pub mod key;
mod key_test;
pub mod launch;
mod local;
pub mod providers;
mod running;
pub mod say;
pub mod serve;
pub mod setup;
mod signals;
pub mod status;
mod when;

use std::process::ExitCode;

pub use args::{Command, Parsed, completions, parse, settings};
pub use clap_complete::Shell;
pub use local::Local;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// As it should.
    Fine,
    /// Something does not work: the port is taken, the key is refused, nobody answers.
    Fault,
    /// The settings or the flags are wrong.
    Settings,
}

impl Exit {
    /// What the shell gets.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Fault => 1,
            Self::Settings => 2,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(ending: Exit) -> Self {
        Self::from(ending.code())
    }
}
