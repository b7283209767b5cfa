//! One block of a message, and what it says: a text, an image, a document, or a search result.

use crate::json::Raw;
use crate::request::MAX_PARTS;
use crate::surface::chat::{Part, Url};
use crate::surface::place::{Invalid, Place};
use crate::surface::unfit::Unfit;

const STORED: &str = "names a stored file, and nothing is stored here: send the data itself";

/// A block of the user's or a tool's, with the fields that any kind of block may have.
pub(super) struct Block<'a> {
    pub(super) kind: &'a str,
    pub(super) source: Option<Raw<'a>>,
    pub(super) title: Option<Raw<'a>>,
    pub(super) context: Option<Raw<'a>>,
    pub(super) citations: Option<Raw<'a>>,
    pub(super) content: Option<Raw<'a>>,
    text: Option<Raw<'a>>,
    pub(super) tool_use_id: Option<Raw<'a>>,
    pub(super) is_error: Option<Raw<'a>>,
}

impl<'a> Block<'a> {
    pub(super) fn read(block: Raw<'a>, place: &Place<'_>) -> Result<Self, Invalid> {
        let keys = [
            "type",
            "source",
            "title",
            "context",
            "citations",
            "text",
            "tool_use_id",
            "content",
            "is_error",
        ];
        let [
            kind,
            source,
            title,
            context,
            citations,
            text,
            tool_use_id,
            content,
            is_error,
        ] = place.object(block)?.pick(keys);
        Ok(Self {
            kind: place.required("type", kind)?,
            source,
            title,
            context,
            citations,
            content,
            text,
            tool_use_id,
            is_error,
        })
    }

    /// The result of a tool: the client's own, or one that a server ran.
    pub(super) fn is_result(&self) -> bool {
        self.kind.ends_with("tool_result")
    }
}

/// A text, an image, a document, or a search result.
pub(super) fn part<'a>(
    block: &Block<'a>,
    place: &Place<'_>,
    parts: &mut Vec<Part<'a>>,
    unfit: &mut Unfit<'_>,
) -> Result<(), Invalid> {
    match block.kind {
        "text" => parts.push(Part::Text(place.required("text", block.text)?)),
        "image" => parts.push(image(block, place)?),
        "document" => document(block, place, parts, unfit)?,
        "search_result" => search_result(block, place, parts)?,
        other => return Err(place.field("type").not_carried(other)),
    }
    Ok(())
}

/// An `image` block.
fn image<'a>(block: &Block<'a>, place: &Place<'_>) -> Result<Part<'a>, Invalid> {
    let place = place.field("source");
    let source = place.object(block.source.ok_or_else(|| place.missing())?)?;
    let kind = place.required("type", source.get("type"))?;
    let url = match kind {
        "base64" => data(source, &place)?,
        "url" => url(source, &place)?,
        "file" => return Err(place.cannot(STORED)),
        other => return Err(place.field("type").not_carried(other)),
    };
    Ok(Part::Image { url, detail: None })
}

/// A `document` block: its title and context are written before it, unless it can carry a name.
fn document<'a>(
    block: &Block<'a>,
    place: &Place<'_>,
    parts: &mut Vec<Part<'a>>,
    unfit: &mut Unfit<'_>,
) -> Result<(), Invalid> {
    let enabled = block.citations.and_then(|c| c.get("enabled")?.as_bool());
    if enabled == Some(true) {
        unfit.name("citations");
    }
    let text = |name, value: Option<Raw<'a>>| {
        let place = place.field(name);
        value.map(|value| place.string(value)).transpose()
    };
    let (title, context) = (text("title", block.title)?, text("context", block.context)?);
    let place = place.field("source");
    let source = place.object(block.source.ok_or_else(|| place.missing())?)?;
    let [kind, inner] = source.pick(["type", "content"]);
    let file = match place.required("type", kind)? {
        "base64" => Some(data(source, &place)?),
        "url" => Some(url(source, &place)?),
        "text" | "content" => None,
        "file" => return Err(place.cannot(STORED)),
        other => return Err(place.field("type").not_carried(other)),
    };
    if file.is_none() {
        parts.extend(title.map(Part::Text));
    }
    parts.extend(context.map(Part::Text));
    if let Some(data) = file {
        let name = title.or(Some("document.pdf"));
        parts.push(Part::File { name, data });
        return Ok(());
    }
    if let Some(text) = source.get("data") {
        parts.push(Part::Text(place.field("data").string(text)?));
        return Ok(());
    }
    let place = place.field("content");
    let inner = inner.ok_or_else(|| place.missing())?;
    if let Some(text) = inner.escaped() {
        parts.push(Part::Text(text));
        return Ok(());
    }
    for block in place.each(place.array(inner)?, MAX_PARTS) {
        let (place, block) = block?;
        let block = Block::read(block, &place)?;
        // A document has no documents in it.
        if block.kind == "document" {
            return Err(place.field("type").not_carried(block.kind));
        }
        part(&block, &place, parts, unfit)?;
    }
    Ok(())
}

/// A `search_result` block: its title and address are written before its texts.
fn search_result<'a>(
    block: &Block<'a>,
    place: &Place<'_>,
    parts: &mut Vec<Part<'a>>,
) -> Result<(), Invalid> {
    for (name, value) in [("title", block.title), ("source", block.source)] {
        let text = value.map(|value| place.field(name).string(value));
        parts.extend(text.transpose()?.map(Part::Text));
    }
    let place = place.field("content");
    let content = place.array(block.content.ok_or_else(|| place.missing())?)?;
    for text in place.each(content, MAX_PARTS) {
        let (place, text) = text?;
        parts.push(Part::Text(place.required("text", text.get("text"))?));
    }
    Ok(())
}

fn data<'a>(source: Raw<'a>, place: &Place<'_>) -> Result<Url<'a>, Invalid> {
    let [media_type, data] = source.pick(["media_type", "data"]);
    Ok(Url::Data {
        media_type: place.required("media_type", media_type)?,
        base64: place.required("data", data)?,
    })
}

fn url<'a>(source: Raw<'a>, place: &Place<'_>) -> Result<Url<'a>, Invalid> {
    Url::read(
        place.required("url", source.get("url"))?,
        &place.field("url"),
    )
}
