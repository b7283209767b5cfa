//! §3: routes, methods and spellings, with and without the key. Errors and headers:
//! `s3_errors`; models and refreshing: `s3_models`.

use crate::rig::{Answer, PROXY_KEY, Rig};
use crate::wire::{answers, only, say};
use free_llm_proxy::server::Face;
use simulator::Script;
use tokio::net::TcpStream;

#[tokio::test]
async fn s3_every_route_with_no_key_the_wrong_one_and_the_right_one() {
    let rig = Rig::start(Script::new()).await;
    let (none, wrong) = ("401 missing_api_key", "401 invalid_api_key");
    let (not_get, not_found) = ("405 method_not_allowed", "404 not_found");
    #[rustfmt::skip]
    let rows = [
        //          path                            no key    wrong key  right key
        ("GET",     "/",                            "200",    "200",     "200"),
        ("GET",     "/v1",                          "200",    "200",     "200"),
        ("GET",     "/api/v1",                      "200",    "200",     "200"),
        ("GET",     "/health",                      "200",    "200",     "200"),
        ("GET",     "/ready",                       "200",    "200",     "200"),
        ("GET",     "/metrics",                     "200",    "200",     "200"),
        ("OPTIONS", "/v1/chat/completions",         "204",    "204",     "204"),
        ("OPTIONS", "/no/such/path",                "204",    "204",     "204"),
        ("POST",    "/v1/chat/completions",         none,     wrong,     "200"),
        ("POST",    "/api/v1/chat/completions",     none,     wrong,     "200"),
        ("POST",    "/chat/completions",            none,     wrong,     "200"),
        ("GET",     "/models",                      none,     wrong,     "200"),
        ("GET",     "/v1/models",                   none,     wrong,     "200"),
        ("GET",     "/api/v1/models",               none,     wrong,     "200"),
        ("GET",     "/v1/models/auto",              none,     wrong,     "200"),
        ("GET",     "/api/v1/models/auto",          none,     wrong,     "200"),
        ("GET",     "/v1/models/none",              none,     wrong,     "404 model_not_found"),
        ("POST",    "/admin/refresh",               none,     wrong,     "200"),
        ("GET",     "/no/such/path",                none,     wrong,     not_found),
        ("POST",    "/no/such/path",                none,     wrong,     not_found),
        ("GET",     "/v2",                          none,     wrong,     not_found),
        ("GET",     "/api",                         none,     wrong,     not_found),
        ("GET",     "/api/health",                  none,     wrong,     not_found),
        ("GET",     "/admin",                       none,     wrong,     not_found),
        ("POST",    "/v1/embeddings",               none,     wrong,     not_found),
        ("GET",     "/V1/models",                   none,     wrong,     not_found),
        ("GET",     "/v1/../v1/models",             none,     wrong,     not_found),
        ("GET",     "/v1/chat/completions",         none,     wrong,     not_get),
        ("DELETE",  "/v1/models",                   none,     wrong,     not_get),
        ("PUT",     "/v1/models/auto",              none,     wrong,     not_get),
        ("GET",     "/admin/refresh",               none,     wrong,     not_get),
        ("FROB",    "/v1/models",                   none,     wrong,     not_get),
        ("POST",    "/health",                      not_get,  not_get,   not_get),
        ("POST",    "/ready",                       not_get,  not_get,   not_get),
        ("POST",    "/metrics",                     not_get,  not_get,   not_get),
        // Only reading is open.
        ("POST",    "/",                            none,     wrong,     not_get),
        ("POST",    "/v1",                          none,     wrong,     not_get),
        ("DELETE",  "/api/v1",                      none,     wrong,     not_get),
    ];
    for (method, path, no_key, wrong_key, right_key) in rows {
        let keys = [("", no_key), ("Bearer wrong", wrong_key)];
        let right = format!("Bearer {PROXY_KEY}");
        for (authorization, expected) in keys.into_iter().chain([(right.as_str(), right_key)]) {
            let headers = [("authorization", authorization)];
            let body = if method == "POST" {
                Rig::hello().to_string()
            } else {
                String::new()
            };
            let answer = rig.send(method, path, &headers, body).await;
            assert_eq!(
                verdict(&answer),
                expected,
                "{method} {path} with {authorization:?}"
            );
            let in_vain = if answer.status == 401 { "false" } else { "" };
            assert_eq!(answer.header("x-should-retry"), in_vain, "{method} {path}");
            let challenge = if answer.status == 401 { "Bearer" } else { "" };
            assert_eq!(
                answer.header("www-authenticate"),
                challenge,
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn s3_every_way_to_present_a_key() {
    let settings = [("PROXY_API_KEY", " new-key-0123 ,old-key-0123")];
    let rig = Rig::with(Script::new(), &settings).await;
    let (missing, invalid) = ("401 missing_api_key", "401 invalid_api_key");
    #[rustfmt::skip]
    let rows = [
        ("Authorization: Bearer new-key-0123",                  "200"),
        ("Authorization: Bearer old-key-0123",                  "200"),
        ("authorization: bearer old-key-0123",                  "200"),
        ("AUTHORIZATION: BEARER old-key-0123",                  "200"),
        ("Authorization:   Bearer   old-key-0123   ",           "200"),
        ("Authorization: Bearer OLD-KEY-0123",                  invalid),
        ("Authorization: Bearer old-key-012",                   invalid),
        ("Authorization: Bearer old-key-01234",                 invalid),
        ("Authorization: Bearer new-key-0123,old-key-0123",     invalid),
        ("Authorization: Bearer  new-key-0123 ,old-key-0123",   invalid),
        ("Authorization: Bearer old-key-0123 x",                invalid),
        ("Authorization: Bearer \"old-key-0123\"",              invalid),
        ("Authorization: Bearer Bearer old-key-0123",           invalid),
        ("Authorization: Bearer ключ",                          invalid),
        ("Authorization: Bearer ,",                             invalid),
        ("Authorization: Bearer old-key-0123\r\nAuthorization: Bearer wrong", invalid),
        ("Authorization: Bearer wrong\r\nAuthorization: Bearer old-key-0123", invalid),
        ("Authorization: Bearer",                               missing),
        ("Authorization: Bearer ",                              missing),
        ("Authorization:",                                      missing),
        ("Authorization: old-key-0123",                         missing),
        ("Authorization: Basic old-key-0123",                   missing),
        ("Authorization: Basic OnNlY3JldA==",                   missing),
        ("Authorization: Token old-key-0123",                   missing),
        ("Authorization: Bearerold-key-0123",                   missing),
        // Anthropic's header; either counts.
        ("X-API-Key: old-key-0123",                             "200"),
        ("x-api-key:  old-key-0123 ",                           "200"),
        ("X-API-Key: wrong",                                    invalid),
        ("X-API-Key:",                                          missing),
        ("X-API-Key: old-key-0123\r\nX-API-Key: wrong",         invalid),
        ("X-API-Key: wrong\r\nAuthorization: Bearer old-key-0123", "200"),
        ("X-API-Key: old-key-0123\r\nAuthorization: Bearer wrong", "200"),
        ("X-API-Key: old-key-0123\r\nAuthorization: Bearer wrong\r\nAuthorization: Bearer wrong", "200"),
        ("X-API-Key: wrong\r\nX-API-Key: wrong\r\nAuthorization: Bearer old-key-0123", "200"),
        ("X-API-Key: wrong\r\nX-API-Key: wrong",              invalid),
        ("X-API-Key: wrong\r\nAuthorization: Bearer wrong",       invalid),
        ("X-API-Key: old-key-0123\r\nAuthorization: Basic x",   "200"),
        ("Cookie: Authorization=Bearer old-key-0123",           missing),
        ("X-Nothing: 1",                                        missing),
    ];
    for (line, expected) in rows {
        let request = format!(
            "GET /v1/models?key=old-key-0123 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{line}\r\n\r\n"
        );
        let said = say(socket(&rig).await, request.as_bytes()).await;
        assert_eq!(verdict(&only(&said)), expected, "{line}");
    }
}

#[tokio::test]
async fn s3_head_is_answered_wherever_get_is_with_its_headers_and_no_body() {
    let rig = Rig::start(Script::new()).await;
    #[rustfmt::skip]
    let rows = [
        "/", "/v1", "/api/v1", "/health", "/ready", "/metrics", "/v1/models", "/api/v1/models",
        "/v1/models/auto", "/v1/models/none", "/no/such/path", "/v1/chat/completions", "/admin/refresh",
    ];
    for path in rows {
        let get = rig.get(path).await;
        let request = format!(
            "HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {PROXY_KEY}\r\n\r\n"
        );
        let said = String::from_utf8(say(socket(&rig).await, request.as_bytes()).await).unwrap();
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "", "HEAD {path}");
        let head = head.to_lowercase();
        assert!(
            head.starts_with(&format!("http/1.1 {}", get.status)),
            "HEAD {path}: {head}"
        );
        let names = ["content-type", "access-control-allow-origin", "allow"];
        for name in names
            .into_iter()
            .filter(|name| get.headers.contains_key(*name))
        {
            let line = format!("\r\n{name}: {}", get.header(name).to_lowercase());
            assert!(head.contains(&line), "HEAD {path}: {line:?} in {head}");
        }
        assert!(head.contains("\r\nx-request-id: "), "HEAD {path}: {head}");
    }
}

#[tokio::test]
async fn s3_a_405_names_what_is_allowed() {
    let rig = Rig::start(Script::new()).await;
    #[rustfmt::skip]
    let rows = [
        ("GET",    "/v1/chat/completions",     "POST, OPTIONS"),
        ("HEAD",   "/v1/chat/completions",     "POST, OPTIONS"),
        ("PUT",    "/api/v1/chat/completions", "POST, OPTIONS"),
        ("GET",    "/admin/refresh",           "POST, OPTIONS"),
        ("POST",   "/v1/models",               "GET, HEAD, OPTIONS"),
        ("DELETE", "/v1/models/a/b",           "GET, HEAD, OPTIONS"),
        ("POST",   "/health",                  "GET, HEAD, OPTIONS"),
        ("PATCH",  "/",                        "GET, HEAD, OPTIONS"),
    ];
    for (method, path, allow) in rows {
        let answer = rig.send(method, path, &[], "").await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, allow),
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn s3_slashes_and_queries_do_not_matter() {
    let rig = Rig::start(Script::new()).await;
    #[rustfmt::skip]
    let rows = [
        ("GET",  "/health/"),
        ("GET",  "/health?probe=1"),
        ("GET",  "//health"),
        ("GET",  "/ready/?x"),
        ("GET",  "/metrics//"),
        ("GET",  "/?x=/v1/models"),
        ("GET",  "//"),
        ("GET",  "/v1/"),
        ("GET",  "/api//v1//"),
        ("GET",  "/v1/models/"),
        ("GET",  "/v1//models?limit=100&after=a/b"),
        ("GET",  "/api/v1/models//?"),
        ("GET",  "//v1/models/auto/?x"),
        ("POST", "/v1/chat/completions/"),
        ("POST", "//v1//chat//completions//"),
        ("POST", "/api/v1/chat/completions?stream=true&model=x"),
        ("POST", "/api/v1/chat/completions/?x"),
        ("POST", "/admin//refresh/?now"),
    ];
    for (method, path) in rows {
        let body = if path.contains("chat") {
            Rig::hello().to_string()
        } else {
            String::new()
        };
        let answer = rig.send(method, path, &[], body).await;
        assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
    }
}

#[tokio::test]
async fn s3_the_base_url_tells_name_and_version() {
    let rig = Rig::start(Script::new()).await;
    for path in ["/", "/v1", "/api/v1"] {
        let about = rig.send("GET", path, &[("authorization", "")], "").await;
        assert_eq!(about.header("content-type"), "application/json");
        assert_eq!(about.json()["name"], "free-llm-proxy");
        assert_eq!(about.json()["version"], env!("CARGO_PKG_VERSION"));
    }
}

#[tokio::test]
async fn s3_ready_says_what_could_be_served() {
    let rig = Rig::start(Script::new()).await;
    let ready = rig.get("/ready").await;
    assert_eq!(ready.status, 200);
    let told = ready.json();
    assert_eq!(
        (&told["status"], &told["models"]),
        (&"ready".into(), &6.into())
    );
    assert!(told["available"].as_u64() >= Some(6), "{told}");
    assert!(
        told["fetched_at"].as_str().unwrap().ends_with('Z'),
        "{told}"
    );
    assert_eq!(rig.get("/health").await.text(), r#"{"status":"ok"}"#);
}

#[tokio::test(start_paused = true)]
async fn s3_metrics_may_want_the_key_or_have_an_address_of_its_own() {
    let (none, wrong) = ("401 missing_api_key", "401 invalid_api_key");
    let (gone, refused) = ("404 not_found", "405 method_not_allowed");
    let behind_key: &[(&str, &str)] = &[("METRICS_AUTH", "true")];
    let elsewhere: &[(&str, &str)] = &[("METRICS_ADDR", "127.0.0.1:9090")];
    let both: &[(&str, &str)] = &[("METRICS_ADDR", "127.0.0.1:9090"), ("METRICS_AUTH", "on")];
    use Face::{Main, Metrics};
    #[rustfmt::skip]
    let rows = [
        // settings                         asked              no key    wrong key  right key
        ("",          &[][..],     Main,    "GET /metrics",    "200",    "200",     "200"),
        ("key",       behind_key,  Main,    "GET /metrics",    none,     wrong,     "200"),
        ("key",       behind_key,  Main,    "POST /metrics",   none,     wrong,     refused),
        ("addr",      elsewhere,   Main,    "GET /metrics",    none,     wrong,     gone),
        ("addr",      elsewhere,   Main,    "POST /metrics",   none,     wrong,     gone),
        ("addr",      elsewhere,   Main,    "GET /health",     "200",    "200",     "200"),
        ("addr",      elsewhere,   Metrics, "GET /metrics",    "200",    "200",     "200"),
        ("addr",      elsewhere,   Metrics, "GET /metrics/?x", "200",    "200",     "200"),
        ("addr",      elsewhere,   Metrics, "GET /v1/models",  none,     wrong,     gone),
        ("addr",      elsewhere,   Metrics, "POST /v1/chat/completions", none, wrong, gone),
        ("addr",      elsewhere,   Metrics, "POST /admin/refresh", none, wrong,     gone),
        ("addr, key", both,        Metrics, "GET /metrics",    none,     wrong,     "200"),
        ("addr, key", both,        Main,    "GET /metrics",    none,     wrong,     gone),
    ];
    for (what, settings, face, asked, no_key, wrong_key, right_key) in rows {
        let rig = Rig::paused(Script::new(), settings).await;
        let right = format!("Authorization: Bearer {PROXY_KEY}\r\n");
        let keys = [("", no_key), ("Authorization: Bearer wrong\r\n", wrong_key)];
        for (key, expected) in keys.into_iter().chain([(right.as_str(), right_key)]) {
            let request = format!("{asked} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{key}\r\n");
            let said = say(rig.pipe_to(face), request.as_bytes()).await;
            assert_eq!(
                verdict(&only(&said)),
                expected,
                "{what}: {face:?} {asked}, {key:?}"
            );
        }
    }
}

#[tokio::test]
async fn s3_several_requests_share_a_connection() {
    let rig = Rig::start(Script::new()).await;
    let get = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n");
    let request =
        get("/health", "") + &get("/v1/models", "") + &get("/ready", "Connection: close\r\n");
    let said = answers(&say(socket(&rig).await, request.as_bytes()).await);
    let told: Vec<_> = said.iter().map(verdict).collect();
    assert_eq!(told, ["200", "401 missing_api_key", "200"]);
}

/// The status, and an error's code.
fn verdict(answer: &Answer) -> String {
    if answer.status < 400 {
        return answer.status.to_string();
    }
    answer.is_error(answer.status, &answer.code());
    format!("{} {}", answer.status, answer.code())
}

async fn socket(rig: &Rig) -> TcpStream {
    TcpStream::connect(rig.address()).await.unwrap()
}
