//! Exact bytes as a step of a script.

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

/// Exact bytes, and how the connection ends after them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raw {
    /// What is sent.
    pub send: Vec<RawPart>,
    /// What follows.
    #[serde(default)]
    pub then: Then,
}

/// A piece of exact bytes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", rename_all = "snake_case")]
pub enum RawPart {
    /// A text.
    Text(String),
    /// Bytes in hexadecimal.
    #[serde(deserialize_with = "hex")]
    Hex(Bytes),
    /// A pause.
    SleepMs(u64),
    /// A text many times.
    Repeat(String, usize),
}

/// What happens to a connection after exact bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// It is closed.
    #[default]
    Close,
    /// It is reset.
    Reset,
    /// It stays open, in silence.
    Hang,
    /// It takes the next request.
    Keep,
}

impl<'de> Deserialize<'de> for RawPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Value::deserialize(deserializer)?;
        match written.as_str() {
            Some(text) => Ok(Self::Text(text.to_owned())),
            None => Self::deserialize(written).map_err(D::Error::custom),
        }
    }
}

fn hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits: Option<Vec<u32>> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0);
    let digits = digits.ok_or_else(|| D::Error::custom("hex wants pairs of hexadecimal digits"))?;
    let byte = |pair: &[u32]| pair.iter().fold(0, |byte, digit| byte * 16 + digit);
    Ok(digits
        .chunks(2)
        .map(|pair| u8::try_from(byte(pair)).unwrap_or(0))
        .collect::<BytesMut>()
        .freeze())
}
