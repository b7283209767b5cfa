//! From method and path to a route (spec §3).
//!
//! Pure.

use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode_str;

use super::admin::Admin;

/// Where a request wants to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Preflight,
    About,
    Health,
    Ready,
    Metrics,
    Chat,
    Models,
    Model(String),
    Refresh,
    Admin(Admin),
    NotFound,
    /// The route is there, but not for this method.
    MethodNotAllowed {
        wanted: Box<Self>,
        allow: &'static str,
    },
}

impl Route {
    /// Whether it is `/metrics`, by whatever method.
    pub(super) fn is_metrics(&self) -> bool {
        match self {
            Self::Metrics => true,
            Self::MethodNotAllowed { wanted, .. } => wanted.is_metrics(),
            Self::Preflight
            | Self::About
            | Self::Health
            | Self::Ready
            | Self::Chat
            | Self::Models
            | Self::Model(_)
            | Self::Refresh
            | Self::Admin(_)
            | Self::NotFound => false,
        }
    }

    /// Whether it answers without a key. `/metrics` has a setting of its own.
    pub(super) fn is_open(&self, metrics_auth: bool) -> bool {
        match self {
            Self::Preflight | Self::About | Self::Health | Self::Ready => true,
            Self::Metrics => !metrics_auth,
            // The base URL is open to GET and HEAD alone.
            Self::MethodNotAllowed { wanted, .. } => {
                **wanted != Self::About && wanted.is_open(metrics_auth)
            }
            Self::Chat
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
        "" | "/v1" | "/api/v1" => (Route::About, GET),
        "/health" => (Route::Health, GET),
        "/ready" => (Route::Ready, GET),
        "/metrics" => (Route::Metrics, GET),
        "/admin/refresh" => (Route::Refresh, POST),
        "/admin/state" => (Route::Admin(Admin::State), GET),
        "/admin/events" => (Route::Admin(Admin::Events), GET),
        "/admin/explain" => (Route::Admin(Admin::Explain), POST),
        "/admin/clear" => (Route::Admin(Admin::Clear), POST),
        other => match other.strip_prefix("/api").unwrap_or(other) {
            "/v1/chat/completions" => (Route::Chat, POST),
            "/v1/models" => (Route::Models, GET),
            other => match other.strip_prefix("/v1/models/") {
                Some(id) => (
                    Route::Model(percent_decode_str(id).decode_utf8_lossy().into_owned()),
                    GET,
                ),
                None => return Route::NotFound,
            },
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
    fn s3_every_route_by_every_spelling() {
        use Route::{About, Chat, Health, Metrics, Models, NotFound, Preflight, Ready, Refresh};
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
            ("POST",    "/v1/chat/completions",          Chat),
            ("POST",    "/api/v1/chat/completions",      Chat),
            ("POST",    "/api/v1/chat/completions/",     Chat),
            ("POST",    "//v1//chat///completions//",    Chat),
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
            ("OPTIONS", "/anything",                     Preflight),
            ("GET",     "/nothing",                      NotFound),
            ("GET",     "/api",                          NotFound),
            ("GET",     "/api/health",                   NotFound),
            ("POST",    "/v1/embeddings",                NotFound),
            ("GET",     "/v1/chat/completions",          not(Chat, POST)),
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
}
