//! Where an agent keeps its settings.

use std::ffi::OsString;
use std::path::PathBuf;

/// The variables with which agents find their own folders.
pub struct Places<'a> {
    lookup: &'a dyn Fn(&str) -> Option<OsString>,
}

/// Neither the home directory nor the agent's own folder is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("HOME is not set, so its settings cannot be found: set HOME{or}", or = otherwise.map(|name| format!(" or {name}")).unwrap_or_default())]
pub struct Homeless {
    otherwise: Option<&'static str>,
}

impl<'a> Places<'a> {
    /// Through this lookup, which has no empty variables.
    #[must_use]
    pub fn new(lookup: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self { lookup }
    }

    /// The path in this variable, if there is one.
    pub(super) fn path(&self, variable: &str) -> Option<PathBuf> {
        (self.lookup)(variable).map(PathBuf::from)
    }

    /// The folder in this variable, or else this one in the home directory.
    pub(super) fn folder(
        &self,
        variable: &'static str,
        in_home: &str,
    ) -> Result<PathBuf, Homeless> {
        match self.path(variable) {
            Some(folder) => Ok(folder),
            None => self.home(Some(variable)).map(|home| home.join(in_home)),
        }
    }

    /// The home directory; `otherwise` is the variable that could be set instead.
    pub(super) fn home(&self, otherwise: Option<&'static str>) -> Result<PathBuf, Homeless> {
        let variable = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        self.path(variable).ok_or(Homeless { otherwise })
    }
}
