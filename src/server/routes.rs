//! From method and path to a route (spec §3).
//!
//! Pure.

use std::borrow::Cow;

use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

use super::admin::Admin;
use super::dialect::Dialect;
use super::ui;
use crate::surface::Surface;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Preflight,
    About,
    Health,
    Ready,
    Metrics,
    /// A request for a completion, in the words of one API.
    Complete(Surface),
    CountTokens,
    Models,
    Model(String),
    Refresh,
    Admin(Admin),
    /// The page, or one of its files.
    Ui(&'static str),
    NotFound,
    /// The route exists, but not for this method.
    MethodNotAllowed {
        wanted: Box<Self>,
        allow: &'static str,
    },
}

impl Route {
    /// Whether it is `/metrics`, with any method.
    pub(super) fn is_metrics(&self) -> bool {
        match self {
            Self::Metrics => true,
            Self::MethodNotAllowed { wanted, .. } => wanted.is_metrics(),
            Self::Preflight
            | Self::About
            | Self::Health
            | Self::Ready
            | Self::Complete(_)
            | Self::CountTokens
            | Self::Models
            | Self::Model(_)
            | Self::Refresh
            | Self::Admin(_)
            | Self::Ui(_)
            | Self::NotFound => false,
        }
    }

    /// Whether it answers without a key. `/metrics` has a setting of its own.
    pub(super) fn is_open(&self, metrics_auth: bool) -> bool {
        match self {
            Self::Preflight | Self::About | Self::Health | Self::Ready | Self::Ui(_) => true,
            Self::Metrics => !metrics_auth,
            // The base URL is open to GET and HEAD only.
            Self::MethodNotAllowed { wanted, .. } => {
                **wanted != Self::About && wanted.is_open(metrics_auth)
            }
            Self::Complete(_)
            | Self::CountTokens
            | Self::Models
            | Self::Model(_)
            | Self::Refresh
            | Self::Admin(_)
            | Self::NotFound => false,
        }
    }
}

const GET: &str = "GET, HEAD, OPTIONS";
const POST: &str = "POST, OPTIONS";

/// Finds the route. A trailing or doubled slash does not matter; the query is not in `path`.
pub(super) fn route(method: &Method, path: &str) -> Route {
    if method == Method::OPTIONS {
        return Route::Preflight;
    }
    let path = tidy(path);
    let (route, allow) = match path.as_ref() {
        "" | "/api/v1" => (Route::About, GET),
        "/health" => (Route::Health, GET),
        "/ready" => (Route::Ready, GET),
        "/metrics" => (Route::Metrics, GET),
        "/admin/refresh" => (Route::Refresh, POST),
        "/admin/state" => (Route::Admin(Admin::State), GET),
        "/admin/events" => (Route::Admin(Admin::Events), GET),
        "/admin/explain" => (Route::Admin(Admin::Explain), POST),
        "/admin/clear" => (Route::Admin(Admin::Clear), POST),
        path => match of_the_page(path).or_else(|| of_an_api(within_v1(path))) {
            Some(found) => found,
            None => return Route::NotFound,
        },
    };
    let fits = match *method {
        Method::GET | Method::HEAD => allow == GET,
        Method::POST => allow == POST,
        _ => false,
    };
    if fits {
        route
    } else {
        Route::MethodNotAllowed {
            wanted: Box::new(route),
            allow,
        }
    }
}

/// Whether a path is for admins alone, whatever stands there.
pub(super) fn is_for_admins(path: &str) -> bool {
    let path = tidy(path);
    let below = path.strip_prefix("/admin");
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The API that a client at this path speaks, whether the route exists or not: its errors have that
/// API's shape. Where several APIs have the path, the headers decide.
pub(super) fn surface(path: &str, headers: &HeaderMap) -> Surface {
    let path = tidy(path);
    let path = within_v1(&path);
    let is_below = |root| {
        path.strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if is_below("/chat") {
        Surface::Chat
    } else if is_below("/messages") {
        Surface::Messages
    } else if is_below("/responses") {
        Surface::Responses
    } else if is_below("/completions") {
        Surface::Completions
    } else {
        match Dialect::of(headers) {
            Dialect::Anthropic => Surface::Messages,
            Dialect::OpenAi => Surface::Chat,
        }
    }
}

/// The routes of the APIs that clients speak.
fn of_an_api(path: &str) -> Option<(Route, &'static str)> {
    Some(match path {
        "" => (Route::About, GET),
        "/chat/completions" => (Route::Complete(Surface::Chat), POST),
        "/completions" => (Route::Complete(Surface::Completions), POST),
        "/responses" => (Route::Complete(Surface::Responses), POST),
        "/messages" => (Route::Complete(Surface::Messages), POST),
        "/messages/count_tokens" => (Route::CountTokens, POST),
        "/models" => (Route::Models, GET),
        other => {
            let id = percent_decode_str(other.strip_prefix("/models/")?);
            (Route::Model(id.decode_utf8_lossy().into_owned()), GET)
        }
    })
}

/// The page and its files.
fn of_the_page(path: &str) -> Option<(Route, &'static str)> {
    let name = ui::find(path.strip_prefix("/ui")?)?;
    Some((Route::Ui(name), GET))
}

/// The path without the prefixes that bases are configured with: `/v1` (some clients add it to a
/// base that has it, some to none), and OpenRouter's `/api/v1`.
fn within_v1(path: &str) -> &str {
    let mut rest = path;
    if let Some(after) = path.strip_prefix("/api").filter(|r| r.starts_with("/v1")) {
        rest = after;
    }
    while let Some(after) = rest.strip_prefix("/v1")
        && (after.is_empty() || after.starts_with('/'))
    {
        rest = after;
    }
    rest
}

/// The path without doubled and trailing slashes.
fn tidy(path: &str) -> Cow<'_, str> {
    if path.contains("//") {
        let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
        return Cow::Owned(parts.iter().flat_map(|part| ["/", part]).collect());
    }
    Cow::Borrowed(path.strip_suffix('/').unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_every_route_in_every_spelling() {
        use Route::{
            About, CountTokens, Health, Metrics, Models, NotFound, Preflight, Ready, Refresh,
        };
        let [chat, responses, messages, legacy] = Surface::ALL.map(Route::Complete);
        let model = |id: &str| Route::Model(id.to_owned());
        let not = |wanted, allow| Route::MethodNotAllowed {
            wanted: Box::new(wanted),
            allow,
        };
        #[rustfmt::skip]
        let rows = [
            ("GET",     "/",                             About),
            ("HEAD",    "/",                             About),
            ("GET",     "/v1",                           About),
            ("GET",     "/v1/",                          About),
            ("GET",     "/api/v1",                       About),
            ("GET",     "/api/v1/",                      About),
            ("GET",     "/health",                       Health),
            ("HEAD",    "/health",                       Health),
            ("GET",     "/ready",                        Ready),
            ("GET",     "/metrics",                      Metrics),
            ("POST",    "/v1/chat/completions",          chat.clone()),
            ("POST",    "/api/v1/chat/completions",      chat.clone()),
            ("POST",    "/api/v1/chat/completions/",     chat.clone()),
            ("POST",    "//v1//chat///completions//",    chat.clone()),
            ("POST",    "/chat/completions",             chat.clone()),
            ("POST",    "/v1/v1/chat/completions",       chat.clone()),
            ("POST",    "/v1/completions",               legacy.clone()),
            ("POST",    "/completions/",                 legacy),
            ("POST",    "/v1/responses",                 responses.clone()),
            ("POST",    "/api/v1/responses",             responses.clone()),
            ("POST",    "/responses",                    responses),
            ("POST",    "/v1/messages",                  messages.clone()),
            ("POST",    "/v1/v1/messages",               messages.clone()),
            ("POST",    "/messages",                     messages.clone()),
            ("POST",    "/v1/messages/count_tokens",     CountTokens),
            ("POST",    "/v1/messages/batches",          NotFound),
            ("GET",     "/v1/messages",                  not(messages, POST)),
            ("GET",     "/models",                       Models),
            ("GET",     "/v1/v1",                        About),
            ("GET",     "/v11/models",                   NotFound),
            ("GET",     "/apiv1/models",                 NotFound),
            ("GET",     "/v1/models",                    Models),
            ("GET",     "/api/v1/models/",               Models),
            ("GET",     "/v1/models/a/b:free",           model("a/b:free")),
            ("GET",     "/v1/models/a%2Fb%3Afree",       model("a/b:free")),
            ("GET",     "/api/v1/models/a/b:free",       model("a/b:free")),
            ("GET",     "/v1/models/auto",               model("auto")),
            ("POST",    "/admin/refresh",                Refresh),
            ("GET",     "/admin/state",                  Route::Admin(Admin::State)),
            ("HEAD",    "/admin/state/",                 Route::Admin(Admin::State)),
            ("GET",     "/admin/events",                 Route::Admin(Admin::Events)),
            ("POST",    "/admin/explain",                Route::Admin(Admin::Explain)),
            ("POST",    "/admin/clear",                  Route::Admin(Admin::Clear)),
            ("POST",    "/admin/state",                  not(Route::Admin(Admin::State), GET)),
            ("GET",     "/ui",                           Route::Ui("index.html")),
            ("HEAD",    "/ui/",                          Route::Ui("index.html")),
            ("GET",     "/ui/style.css",                 Route::Ui("style.css")),
            ("GET",     "/ui/index.html",                NotFound),
            ("GET",     "/ui/nothing",                   NotFound),
            ("GET",     "/uix",                          NotFound),
            ("GET",     "/api/ui",                       NotFound),
            ("POST",    "/ui",                           not(Route::Ui("index.html"), GET)),
            ("OPTIONS", "/anything",                     Preflight),
            ("GET",     "/nothing",                      NotFound),
            ("GET",     "/api",                          NotFound),
            ("GET",     "/api/health",                   NotFound),
            ("POST",    "/v1/embeddings",                NotFound),
            ("GET",     "/v1/chat/completions",          not(chat, POST)),
            ("DELETE",  "/v1/models",                    not(Models, GET)),
            ("POST",    "/v1/models/x",                  not(model("x"), GET)),
            ("GET",     "/admin/refresh",                not(Refresh, POST)),
            ("POST",    "/health",                       not(Health, GET)),
            ("PUT",     "/",                             not(About, GET)),
        ];
        for (method, path, expected) in rows {
            let method: Method = method.parse().unwrap();
            assert_eq!(route(&method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn s13_what_is_for_admins() {
        #[rustfmt::skip]
        let rows = [
            ("/admin",            true),
            ("/admin/",           true),
            ("/admin/state",      true),
            ("//admin//events/",  true),
            ("/admin/not/there",  true),
            ("/administer",       false),
            ("/v1/admin/state",   false),
            ("/ui",               false),
            ("/v1/models",        false),
        ];
        for (path, expected) in rows {
            assert_eq!(is_for_admins(path), expected, "{path}");
        }
    }

    #[test]
    fn s3_an_error_has_the_shape_of_the_api_that_was_meant() {
        use Surface::{Chat, Completions, Messages, Responses};
        #[rustfmt::skip]
        let rows = [
            // path                        without, and with anthropic-version
            ("/v1/chat/completions",       Chat,        Chat),
            ("/v1/messages",               Messages,    Messages),
            ("/messages/",                 Messages,    Messages),
            ("//api/v1//messages/batches", Messages,    Messages),
            ("/v1/messagesx",              Chat,        Messages),
            ("/v1/responses/resp_1",       Responses,   Responses),
            ("/v1/completions",            Completions, Completions),
            ("/v1/models/x",               Chat,        Messages),
            ("/",                          Chat,        Messages),
            ("/nothing",                   Chat,        Messages),
        ];
        let none = HeaderMap::new();
        let version = http::HeaderValue::from_static("2023-06-01");
        let anthropic =
            HeaderMap::from_iter([(http::HeaderName::from_static("anthropic-version"), version)]);
        for (path, expected, with_version) in rows {
            assert_eq!(surface(path, &none), expected, "{path}");
            assert_eq!(surface(path, &anthropic), with_version, "{path}");
        }
    }
}
