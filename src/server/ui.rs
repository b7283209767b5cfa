//! The page at `/ui`, as files embedded in the binary (spec §3).
//!
//! They contain no secret and are open to all: the page fetches what it shows with the key.

use std::hash::{DefaultHasher, Hasher as _};
use std::sync::LazyLock;

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::reply::{self, ReplyBody};

/// The page itself.
pub(super) const INDEX: &str = "index.html";

/// Nothing is loaded from or sent anywhere but here, and no other page may frame it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

macro_rules! files {
    ($($name:literal)*) => {
        const FILES: &[(&str, &[u8])] = &[
            $(($name, include_bytes!(concat!("../ui/", $name)))),*
        ];
    };
}

files! {
    "index.html"
    "accounts.js"
    "act.js"
    "addkey.js"
    "agents.js"
    "api.js"
    "banner.js"
    "buckets.js"
    "charts.js"
    "clients.js"
    "colours.css"
    "cost.js"
    "dom.js"
    "explain.js"
    "format.js"
    "i18n.js"
    "icon.svg"
    "keyed.js"
    "live.js"
    "main.js"
    "models.js"
    "next.js"
    "parts.css"
    "play.js"
    "quota.js"
    "requests.js"
    "sse.js"
    "style.css"
    "theme.js"
    "tiles.js"
    "trail.js"
    "words.js"
    "i18n/en.js"
    "i18n/ru.js"
    "vendor/uplot/LICENSE"
    "vendor/uplot/uPlot.iife.min.js"
    "vendor/uplot/uPlot.min.css"
}

/// The tag of all files: they change together, with the binary.
static TAG: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    for (name, bytes) in FILES {
        hasher.write(name.as_bytes());
        hasher.write(bytes);
    }
    HeaderValue::try_from(format!("\"{:016x}\"", hasher.finish())).ok()
});

/// The file for the part of a path after `/ui`.
pub(super) fn find(rest: &str) -> Option<&'static str> {
    // The page refers to its files relative to `/ui`, so it is served there and nowhere else.
    let wanted = match rest {
        "" => INDEX,
        rest => rest.strip_prefix('/').filter(|name| *name != INDEX)?,
    };
    let (name, _) = FILES.iter().find(|(name, _)| *name == wanted)?;
    Some(name)
}

/// Answers with a file; `path` is as the client wrote it.
pub(super) fn file(name: &str, path: &str, headers: &HeaderMap) -> Response<ReplyBody> {
    if name == INDEX && path.ends_with('/') {
        // Relative, because a proxy in front of this one may have put a prefix to the path.
        let mut response = Response::new(ReplyBody::full(""));
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        let there = HeaderValue::from_static("../ui");
        response.headers_mut().insert(LOCATION, there);
        return response;
    }
    let found = FILES.iter().find(|(other, _)| *other == name);
    let bytes = found.map_or(&[][..], |(_, bytes)| bytes);
    let mut response = if is_known(headers) {
        let mut response = reply::with_room(ReplyBody::full(""));
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        reply::text(StatusCode::OK, content_type(name), bytes)
    };
    let out = response.headers_mut();
    out.insert(CONTENT_SECURITY_POLICY, POLICY);
    out.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    out.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // Stored, but revalidated each time: another binary's page is never shown.
    out.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    out.extend(TAG.clone().map(|tag| (ETAG, tag)));
    response
}

fn is_known(headers: &HeaderMap) -> bool {
    let Some(Ok(tag)) = TAG.as_ref().map(HeaderValue::to_str) else {
        return false;
    };
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

fn content_type(name: &str) -> HeaderValue {
    HeaderValue::from_static(match name.rsplit_once('.') {
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn walk(folder: &Path, found: &mut BTreeSet<String>, root: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found, root);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                found.insert(name.replace('\\', "/"));
            }
        }
    }

    #[test]
    fn every_file_of_the_page_is_in_the_binary() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui");
        let mut on_disk = BTreeSet::new();
        walk(&root, &mut on_disk, &root);
        let embedded = FILES.iter().map(|(name, _)| (*name).to_owned());
        assert_eq!(embedded.collect::<BTreeSet<_>>(), on_disk);
    }
}
