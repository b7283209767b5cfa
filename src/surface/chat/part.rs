//! A part of a message's content.

use super::as_text::write_text;
use super::name::fitting;
use crate::json::{Raw, write};
use crate::surface::place::{Invalid, Place};

/// A part of a message's content, still escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::surface) enum Part<'a> {
    Text(&'a str),
    Image {
        url: Url<'a>,
        detail: Option<&'a str>,
    },
    File {
        name: Option<&'a str>,
        data: Url<'a>,
    },
    /// The JSON object `{"data", "format"}`.
    Audio(&'a str),
    /// The name of a tool that a search has found, as it is known upstream.
    Tool(&'a str),
    /// Something with no equivalent among parts: rendered as text.
    Foreign(Raw<'a>),
}

/// Where the bytes of an image or a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::surface) enum Url<'a> {
    /// As a URL.
    Whole(&'a str),
    /// Inline, in two pieces.
    Data {
        media_type: &'a str,
        base64: &'a str,
    },
}

impl<'a> Url<'a> {
    /// A URL that an upstream may be asked to read; never one of a local file and the like.
    pub(in crate::surface) fn read(url: &'a str, place: &Place<'_>) -> Result<Self, Invalid> {
        let fits = |scheme: &str| {
            url.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        // A slash may be escaped.
        if ["https:", "http:", "data:"].into_iter().any(fits) {
            Ok(Self::Whole(url))
        } else {
            Err(place.must_be("an http, https or data URL"))
        }
    }

    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Whole(url) => out.extend_from_slice(url.as_bytes()),
            Self::Data { media_type, base64 } => {
                for piece in ["data:", media_type, ";base64,", base64] {
                    out.extend_from_slice(piece.as_bytes());
                }
            }
        }
    }
}

impl Part<'_> {
    /// Writes it as a part of a chat completion.
    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                out.extend_from_slice(br#"{"type":"text","text":""#);
                out.extend_from_slice(text.as_bytes());
                out.extend_from_slice(br#""}"#);
            }
            Self::Image { url, detail } => {
                out.extend_from_slice(br#"{"type":"image_url","image_url":{"url":""#);
                url.write(out);
                out.push(b'"');
                if let Some(detail) = detail {
                    out.extend_from_slice(br#","detail":""#);
                    out.extend_from_slice(detail.as_bytes());
                    out.push(b'"');
                }
                out.extend_from_slice(b"}}");
            }
            Self::File { name, data } => {
                out.extend_from_slice(br#"{"type":"file","file":{"#);
                if let Some(name) = name {
                    out.extend_from_slice(br#""filename":""#);
                    out.extend_from_slice(name.as_bytes());
                    out.extend_from_slice(br#"","#);
                }
                out.extend_from_slice(br#""file_data":""#);
                data.write(out);
                out.extend_from_slice(br#""}}"#);
            }
            Self::Audio(audio) => {
                out.extend_from_slice(br#"{"type":"input_audio","input_audio":"#);
                out.extend_from_slice(audio.as_bytes());
                out.push(b'}');
            }
            Self::Tool(_) | Self::Foreign(_) => {
                out.extend_from_slice(br#"{"type":"text","text":""#);
                self.say(out);
                out.extend_from_slice(br#""}"#);
            }
        }
    }

    /// Writes it as escaped text; returns whether it has any.
    pub(super) fn say(self, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
            Self::Tool(name) => {
                out.extend_from_slice(b"This tool can be called now: ");
                out.extend_from_slice(fitting(name).as_bytes());
            }
            Self::Foreign(value) => write_text(value, out),
            Self::Image { .. } | Self::File { .. } | Self::Audio(_) => return false,
        }
        true
    }

    /// Whether it is an empty text, which some upstreams reject beside other parts.
    pub(super) fn is_blank(self) -> bool {
        matches!(self, Self::Text(""))
    }
}

/// A text part in our own words.
pub(super) fn note(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(br#"{"type":"text","text":"#);
    write::string(out, text);
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_that_an_upstream_can_read_are_accepted() {
        #[rustfmt::skip]
        let rows = [
            ("https://a/b.png",            true),
            ("HTTP://a/b.png",             true),
            (r"https:\/\/a\/b.png",        true),
            ("data:image/png;base64,AA==", true),
            ("file:///etc/passwd",         false),
            ("ftp://a/b.png",              false),
            ("javascript:alert(1)",        false),
            ("/b.png",                     false),
            ("é",                          false),
            ("",                           false),
        ];
        for (url, fits) in rows {
            assert_eq!(Url::read(url, &Place::top("url")).is_ok(), fits, "{url}");
        }
    }
}
