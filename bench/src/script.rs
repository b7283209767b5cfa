//! What the upstream is to answer. It travels at the beginning of a request's first message: every
//! proxy passes a prompt on unchanged, while some drop fields and headers.

use std::fmt;
use std::time::Duration;

/// One answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// Events of a streamed answer; 0 is a plain one.
    pub(crate) chunks: u32,
    /// Bytes of text in each event.
    pub(crate) text_bytes: usize,
    /// How many events are sent back to back, each in a write of its own.
    pub(crate) burst: u32,
    /// The pause between two bursts.
    pub(crate) gap: Duration,
    /// All events of a burst in one write instead.
    pub(crate) together: bool,
    /// The connection is closed after the answer.
    pub(crate) close: bool,
}

/// The beginning of a script. Nothing else in a request starts like this.
const MARK: &[u8] = b"bench:";

impl Script {
    /// A plain answer.
    pub(crate) const PLAIN: Self = Self {
        chunks: 0,
        text_bytes: 24,
        burst: 1,
        gap: Duration::ZERO,
        together: false,
        close: false,
    };

    /// A stream of this many events with a pause between every two.
    pub(crate) const fn stream(chunks: u32, gap: Duration) -> Self {
        Self {
            chunks,
            gap,
            ..Self::PLAIN
        }
    }

    /// The same, all of it in one write.
    pub(crate) const fn in_one_write(self) -> Self {
        Self {
            burst: self.chunks,
            together: true,
            ..self
        }
    }

    /// Finds the script within these bytes.
    pub(crate) fn find(bytes: &[u8]) -> Option<Self> {
        let start = memchr::memmem::find(bytes, MARK)? + MARK.len();
        let rest = bytes.get(start..)?;
        let text = rest.get(..memchr::memchr2(b' ', b'"', rest)?)?;
        let mut script = Self::PLAIN;
        for part in std::str::from_utf8(text).ok()?.split(',') {
            let (name, value) = part.split_once('=')?;
            let value: u64 = value.parse().ok()?;
            match name {
                "chunks" => script.chunks = value.try_into().ok()?,
                "text" => script.text_bytes = value.try_into().ok()?,
                "burst" => script.burst = value.try_into().ok()?,
                "gap_us" => script.gap = Duration::from_micros(value),
                "together" => script.together = value != 0,
                "close" => script.close = value != 0,
                _ => return None,
            }
        }
        Some(script)
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "bench:chunks={},text={},burst={},gap_us={},together={},close={}",
            self.chunks,
            self.text_bytes,
            self.burst,
            self.gap.as_micros(),
            u8::from(self.together),
            u8::from(self.close),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_found_as_it_was_written() {
        let burst = Script {
            burst: 20,
            together: true,
            close: true,
            ..Script::stream(200, Duration::from_micros(5000))
        };
        for script in [Script::PLAIN, burst] {
            let body = format!(r#"{{"messages":[{{"content": "{script} Hello"}}]}}"#);
            assert_eq!(Script::find(body.as_bytes()), Some(script));
        }
    }

    #[test]
    fn what_is_not_a_script_is_none() {
        for body in [
            r#"{"content":"me"}"#,
            r#"{"content":"bench:"}"#,
            r#"{"content":"bench:chunks=x"}"#,
            r#"{"content":"bench:chunks=1"#,
            r#"{"content":"bench:colour=1"}"#,
        ] {
            assert_eq!(Script::find(body.as_bytes()), None, "{body}");
        }
    }
}
