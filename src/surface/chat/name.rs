//! The name of a tool, in a form that every upstream accepts.
//!
//! Clients join a server's name and a tool's, and the result may be longer than the 64 characters
//! that strict hosts allow, or have characters other than letters, digits, `_` and `-`. Such a name
//! is cut in the middle, where a digest replaces what is lost, so that no two names become the
//! same.

use std::borrow::Cow;

use super::digest::{DIGEST, digest};
use crate::json::Unescape;

/// The maximum length of a function's name.
const MAX_NAME: usize = 64;

/// How much is kept of each end of a name that is cut.
const END: usize = (MAX_NAME - DIGEST - 2) / 2;

/// The name to send upstream for a given one, both escaped.
pub(in crate::surface) fn fitting(name: &str) -> Cow<'_, str> {
    if name.len() <= MAX_NAME && name.bytes().all(is_plain) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(cut(name))
    }
}

/// The name with its digest, whether it would fit or not: used when another tool already has the
/// name.
pub(in crate::surface) fn cut(name: &str) -> String {
    let name: String = Unescape::new(name).collect();
    let digest = digest(&[&name], DIGEST);
    let plain: String = name
        .chars()
        .map(|c| {
            if u8::try_from(c).is_ok_and(is_plain) {
                c
            } else {
                '_'
            }
        })
        .collect();
    if plain.len() <= 2 * END {
        return format!("{plain}_{digest}");
    }
    let head = plain.get(..END).unwrap_or_default();
    let tail = plain.get(plain.len() - END..).unwrap_or_default();
    format!("{head}_{digest}_{tail}")
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_fits_is_left_alone_and_any_other_is_cut() {
        let (fits, long) = ("n".repeat(64), "n".repeat(65));
        let mcp = format!("mcp__{}read_file", "server__".repeat(10));
        #[rustfmt::skip]
        let rows = [
            ("Bash",        "Bash".to_owned()),
            ("a-b_C9",      "a-b_C9".to_owned()),
            (&fits,         fits.clone()),
            ("",            String::new()),
            ("a.b",         "a_b_#".to_owned()),
            ("é",           "__#".to_owned()),
            (r"\u00e9",     "__#".to_owned()),
            (&long,         format!("{0}_#_{0}", "n".repeat(27))),
            (&mcp,          "mcp__server__server__server_#___server__server__read_file".to_owned()),
        ];
        for (name, expected) in rows {
            let got = fitting(name);
            assert!(got.len() <= MAX_NAME && got.bytes().all(is_plain), "{got}");
            let plain: String = Unescape::new(name).collect();
            assert_eq!(
                got,
                expected.replace('#', &digest(&[&plain], DIGEST)),
                "{name}"
            );
        }
        let other = "n".repeat(66);
        assert_ne!(
            fitting(&long),
            fitting(&other),
            "cut alike, they stay distinct"
        );
        assert_ne!(fitting("a.b"), fitting("a/b"));
    }
}
