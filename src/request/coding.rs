//! A compressed body (`Content-Encoding`, RFC 9110 §8.4), and its decompression.
//!
//! Pure. The output is bounded however small the input is, and so is a decoder's memory.

use std::fmt;
use std::io::{self, Read};

use brotli_decompressor::{BrotliDecoderParameter, Decompressor};
use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use ruzstd::decoding::StreamingDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

/// How far back HTTP lets a zstd frame refer (RFC 9659 §3).
const ZSTD_WINDOW: u64 = 8 << 20;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// `gzip`, `x-gzip`
    Gzip,
    /// `deflate`: zlib's format, or the raw stream that some send.
    Deflate,
    /// `zstd`
    Zstd,
    /// `br`
    Brotli,
}

/// An unknown coding, or several, by the name the client gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCoding(pub String);

/// Why decompression failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpackable {
    /// More than the limit.
    TooLarge,
    /// It is not what it claims to be, or is incomplete.
    Broken,
}

impl Coding {
    /// The supported codings, as named in `Accept-Encoding`.
    pub const ALL: &str = "gzip, deflate, zstd, br";

    /// The coding named in `Content-Encoding`; `identity` is no coding.
    ///
    /// # Errors
    /// When it is unknown, or more than one.
    pub fn of<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<Option<Self>, UnknownCoding> {
        let values: Vec<_> = values.collect();
        let named = values.iter().flat_map(|value| value.split(|b| *b == b','));
        let mut named = named
            .map(<[u8]>::trim_ascii)
            .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"identity"));
        let (Some(first), more) = (named.next(), named.next()) else {
            return Ok(None);
        };
        let known = match first.to_ascii_lowercase().as_slice() {
            b"gzip" | b"x-gzip" => Some(Self::Gzip),
            b"deflate" => Some(Self::Deflate),
            b"zstd" => Some(Self::Zstd),
            b"br" => Some(Self::Brotli),
            _ => None,
        };
        match (known, more) {
            (Some(coding), None) => Ok(Some(coding)),
            (Some(_) | None, _) => Err(UnknownCoding::quoting(&values)),
        }
    }

    /// The contents of `packed`, if they are at most `limit` bytes.
    ///
    /// # Errors
    /// See [`Unpackable`].
    pub fn unpack(self, packed: &[u8], limit: usize) -> Result<Bytes, Unpackable> {
        match self {
            Self::Gzip => all(MultiGzDecoder::new(packed), limit, |_| true),
            Self::Deflate if has_zlib_head(packed) => all(ZlibDecoder::new(packed), limit, |d| {
                d.into_inner().is_empty()
            }),
            Self::Deflate => all(DeflateDecoder::new(packed), limit, |d| {
                d.into_inner().is_empty()
            }),
            Self::Zstd => all(Zstd::new(packed), limit, |_| true),
            Self::Brotli => {
                let mut decoder = Decompressor::new(packed, 4_096);
                // Windows of up to a gigabyte are not part of `br`.
                let large = BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW;
                decoder.set_parameter(large, 0);
                all(decoder, limit, |_| true)
            }
        }
    }
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Zstd => "zstd",
            Self::Brotli => "br",
        })
    }
}

impl UnknownCoding {
    /// Long enough for every known name.
    fn quoting(values: &[&[u8]]) -> Self {
        let all = values.join(&b", "[..]);
        let shown = |b: &u8| b.is_ascii_graphic() || *b == b' ';
        let shown = all.into_iter().filter(shown).map(char::from);
        Self(shown.take(64).collect())
    }
}

/// Reads everything; `ended` says whether nothing follows.
fn all<R: Read>(
    mut decoder: R,
    limit: usize,
    ended: impl FnOnce(R) -> bool,
) -> Result<Bytes, Unpackable> {
    let mut plain = Vec::new();
    let one_more = limit as u64 + 1;
    let read = (&mut decoder).take(one_more).read_to_end(&mut plain);
    if plain.len() > limit {
        return Err(Unpackable::TooLarge);
    }
    match read {
        Ok(_) if ended(decoder) => Ok(plain.into()),
        Ok(_) | Err(_) => Err(Unpackable::Broken),
    }
}

/// RFC 1950 §2.2: the method is 8, and the two bytes are a multiple of 31.
fn has_zlib_head(packed: &[u8]) -> bool {
    let [method, flags, ..] = packed else {
        return false;
    };
    method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0
}

/// The frames of a zstd body, one after the other (RFC 8878 §3.1).
struct Zstd<'a> {
    rest: &'a [u8],
    frame: Option<StreamingDecoder<&'a [u8], ruzstd::decoding::FrameDecoder>>,
}

impl<'a> Zstd<'a> {
    fn new(packed: &'a [u8]) -> Self {
        Self {
            rest: packed,
            frame: None,
        }
    }

    /// Opens the next non-empty frame; returns whether there is one.
    fn open(&mut self) -> io::Result<bool> {
        let broken = || io::Error::from(io::ErrorKind::InvalidData);
        while !self.rest.is_empty() {
            let skipped = match StreamingDecoder::new_with_max_window_size(self.rest, ZSTD_WINDOW) {
                Ok(frame) => {
                    self.frame = Some(frame);
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => usize::try_from(length).map_err(|_| broken())?,
                Err(_) => return Err(broken()),
            };
            self.rest = self.rest.get(8 + skipped..).ok_or_else(broken)?;
        }
        Ok(false)
    }
}

impl Read for Zstd<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let count = frame.read(buf)?;
                if count > 0 || buf.is_empty() {
                    return Ok(count);
                }
                self.rest = self.frame.take().map_or(&[], StreamingDecoder::into_inner);
            }
            if !self.open()? {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests;
