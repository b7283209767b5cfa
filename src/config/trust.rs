//! Where a key may be sent, given who set the key and who set the address (spec §12.1). Pure.

use super::accounts::Variable;

/// Where a value was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Built into the program.
    BuiltIn,
    /// A flag, or the demo.
    Flag,
    /// The real environment.
    Environment,
    /// The file given with `--env-file`.
    EnvFile,
    /// The file in the user's home directory.
    UserFile,
    /// `.env` in the working directory, which may be anyone's: a cloned repository has one, too.
    WorkingDir,
}

impl Source {
    #[cfg(test)]
    const ALL: [Self; 6] = [
        Self::BuiltIn,
        Self::Flag,
        Self::Environment,
        Self::EnvFile,
        Self::UserFile,
        Self::WorkingDir,
    ];
}

/// Whether a key from `key` may be sent to an address from `address`: an address in the working
/// directory's `.env` gets no key but that file's own.
#[must_use]
pub fn may_go(key: Source, address: Source) -> bool {
    match address {
        Source::BuiltIn
        | Source::Flag
        | Source::Environment
        | Source::EnvFile
        | Source::UserFile => true,
        Source::WorkingDir => key == Source::WorkingDir,
    }
}

/// Something that is set, and by which source.
#[derive(Clone, Debug)]
pub(super) struct Set {
    pub name: String,
    pub source: Source,
    pub place: String,
    /// Its value is in a file that is named.
    pub is_file: bool,
}

impl Set {
    pub(super) fn of(variable: &Variable) -> Self {
        Self {
            name: variable.name.clone(),
            source: variable.source,
            place: variable.place.clone(),
            is_file: variable.is_file(),
        }
    }
}

/// What is wrong with these addresses, given who set them and who set these keys. A file named in a
/// folder's `.env` is not that `.env`: a key in it is not sent to its addresses either.
pub(super) fn misled(keys: &[Set], addresses: &[Set]) -> Vec<String> {
    let misled = addresses.iter().filter_map(|address| {
        let mut keys = keys.iter().filter(|key| key.name != address.name);
        let from_file = |key: &Set| {
            key.is_file && !address.is_file && address.source == Source::WorkingDir
        };
        let key = keys.find(|key| !may_go(key.source, address.source) || from_file(key))?;
        let (name, here) = (&address.name, &address.place);
        let (key, there) = (&key.name, &key.place);
        let says = match name.as_str() {
            "TRACE_FILE" | "STATE" => "which file is written",
            _ => "where a key goes",
        };
        Some(format!(
            "{name} is set by {here} in this folder, and {key} by {there}: a folder's {here} may be \
             anybody's and does not say {says}. Set both in one place or, if you trust this \
             one, add --env-file {here}"
        ))
    });
    misled.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s12_1_a_key_is_sent_only_where_an_equally_trusted_source_says() {
        use Source::{BuiltIn, EnvFile, Environment, Flag, UserFile, WorkingDir};
        // In the order of the addresses: y is allowed, - is not.
        #[rustfmt::skip]
        let rows = [
            // key           BuiltIn Flag Environment EnvFile UserFile WorkingDir
            (BuiltIn,       "y       y    y           y       y        -"),
            (Flag,          "y       y    y           y       y        -"),
            (Environment,   "y       y    y           y       y        -"),
            (EnvFile,       "y       y    y           y       y        -"),
            (UserFile,      "y       y    y           y       y        -"),
            (WorkingDir,    "y       y    y           y       y        y"),
        ];
        for (key, expected) in rows {
            let told = Source::ALL.map(|address| if may_go(key, address) { "y" } else { "-" });
            let expected: Vec<_> = expected.split_whitespace().collect();
            assert_eq!(told.to_vec(), expected, "{key:?}");
        }
    }
}
