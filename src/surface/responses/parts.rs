//! The content of an item: a string, or a list of parts.

use crate::json::{Kind, Raw};
use crate::surface::chat::{Part, TOO_MANY, Url};
use crate::surface::place::{Invalid, Place};
use crate::surface::unfit::Unfit;

/// What the user says. A part that cannot be carried is refused if nothing follows.
pub(super) fn asked<'a>(
    content: Raw<'a>,
    place: &Place<'_>,
    unfit: &mut Unfit<'_>,
) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    if let Some(text) = content.escaped() {
        parts.push(Part::Text(text));
    } else if let Err(invalid) = place.array(content) {
        unfit.refuse(content, invalid);
    }
    for (n, part) in content.elements().take(TOO_MANY).enumerate() {
        match read(part, &place.at(n)) {
            Ok(part) => parts.push(part),
            Err(invalid) => unfit.refuse(part, invalid),
        }
    }
    parts
}

/// What a tool returned: what is not a part is rendered as text.
pub(super) fn returned(output: Option<Raw<'_>>) -> Vec<Part<'_>> {
    let place = Place::top("output");
    let part = |value| read(value, &place).unwrap_or(Part::Foreign(value));
    match output {
        None => Vec::new(),
        Some(list) if list.kind() == Kind::Array => {
            list.elements().take(TOO_MANY).map(part).collect()
        }
        Some(value) => vec![value.escaped().map_or_else(|| part(value), Part::Text)],
    }
}

/// What the system says is text; anything else is left out.
pub(super) fn texts<'a>(content: Raw<'a>, unfit: &mut Unfit<'_>) -> Vec<&'a str> {
    if let Some(text) = content.escaped() {
        return vec![text];
    }
    let mut texts = Vec::new();
    for part in content.elements().take(TOO_MANY) {
        match read(part, &Place::top("content")) {
            Ok(Part::Text(text)) => texts.push(text),
            Ok(_) | Err(_) => unfit.leave_out(part),
        }
    }
    texts
}

/// Reads one part.
pub(super) fn read<'a>(part: Raw<'a>, place: &Place<'_>) -> Result<Part<'a>, Invalid> {
    let [kind, text] = place.object(part)?.pick(["type", "text"]);
    match place.required("type", kind)? {
        "input_text" | "output_text" | "text" => Ok(Part::Text(place.required("text", text)?)),
        // A screenshot is an image like any other.
        "input_image" | "computer_screenshot" => {
            let [url, file, detail] = part.pick(["image_url", "file_id", "detail"]);
            stored(file, place)?;
            let url = place.required("image_url", url)?;
            Ok(Part::Image {
                url: Url::read(url, &place.field("image_url"))?,
                // Chat has one level less.
                detail: match detail.and_then(Raw::escaped) {
                    Some("original") => Some("high"),
                    detail => detail.filter(|d| matches!(*d, "auto" | "low" | "high")),
                },
            })
        }
        "input_file" => {
            let keys = ["file_data", "file_url", "file_id", "filename"];
            let [data, url, file, name] = part.pick(keys);
            stored(file, place)?;
            let data = match (data, url) {
                (Some(data), _) => Url::Whole(place.field("file_data").string(data)?),
                (None, Some(url)) => {
                    let place = place.field("file_url");
                    Url::read(place.string(url)?, &place)?
                }
                (None, None) => return Err(place.field("file_data").missing()),
            };
            let name = name.map(|name| place.field("filename").string(name));
            Ok(Part::File {
                name: name.transpose()?,
                data,
            })
        }
        "input_audio" => {
            let audio = part.get("input_audio");
            let place = place.field("input_audio");
            let audio = place.object(audio.ok_or_else(|| place.missing())?)?;
            Ok(Part::Audio(audio.text()))
        }
        other => Err(place.field("type").not_carried(other)),
    }
}

fn stored(file: Option<Raw<'_>>, place: &Place<'_>) -> Result<(), Invalid> {
    match file {
        None => Ok(()),
        Some(_) => Err(place
            .field("file_id")
            .cannot("names a stored file, and nothing is stored here: send the data itself")),
    }
}
