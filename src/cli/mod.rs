//! What a person types: the commands, their flags, and what they print.
//!
//! Nothing in this module decides anything about a request, and it never prints any of the user's
//! keys.

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
pub mod replay;
mod running;
pub mod say;
pub mod serve;
pub mod setup;
mod signals;
pub mod status;
mod when;
mod words;

use std::process::ExitCode;

pub use args::{Command, Parsed, completions, parse, settings};
pub use clap_complete::Shell;
pub use local::Local;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Successfully.
    Fine,
    /// Something does not work: the port is taken, the key is refused, there is no answer.
    Fault,
    /// The settings or the flags are wrong.
    Settings,
}

impl Exit {
    /// The exit code.
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
