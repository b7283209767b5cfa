//! §3: the page at `/ui`, as files. What it does in a browser: `e2e/ui`.

use std::collections::BTreeSet;

use free_llm_proxy::simulator::Script;

use crate::rig::{PROXY_KEY, Rig};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const NO_KEY: [(&str, &str); 1] = [("authorization", "")];

#[tokio::test]
async fn s3_the_page_and_its_files_are_open_and_hold_to_a_policy() {
    let rig = Rig::start(Script::new()).await;
    let (html, css, js) = ("text/html", "text/css", "text/javascript");
    #[rustfmt::skip]
    let rows = [
        ("/ui",                                  html),
        ("//ui?x=1",                             html),
        ("/ui/style.css",                        css),
        ("/ui/main.js",                          js),
        ("/ui/i18n/ru.js",                       js),
        ("/ui/icon.svg",                         "image/svg+xml"),
        ("/ui/vendor/uplot/uPlot.iife.min.js",   js),
        ("/ui/vendor/uplot/uPlot.min.css",       css),
        ("/ui/vendor/uplot/LICENSE",             "text/plain"),
    ];
    for (path, kind) in rows {
        for method in ["GET", "HEAD"] {
            let answer = rig.send(method, path, &NO_KEY, String::new()).await;
            assert_eq!(answer.status, 200, "{method} {path}");
            let got = answer.header("content-type").split(';').next();
            assert_eq!(got, Some(kind), "{method} {path}");
            assert_eq!(answer.header("content-security-policy"), POLICY, "{path}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
            assert_eq!(answer.header("cache-control"), "no-cache", "{path}");
            assert_ne!(answer.header("content-length"), "0", "{path}");
            assert_eq!(
                answer.text().is_empty(),
                method == "HEAD",
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn s3_a_page_that_is_known_is_not_sent_again() {
    let rig = Rig::start(Script::new()).await;
    let tag = rig.get("/ui").await.header("etag").to_owned();
    assert!(tag.len() > 10, "{tag}");
    let weak = format!("W/{tag}");
    let among = format!("\"other\", {tag}");
    #[rustfmt::skip]
    let rows = [
        (tag.as_str(),   304),
        (weak.as_str(),  304),
        (among.as_str(), 304),
        ("*",            304),
        ("\"other\"",    200),
        ("",             200),
    ];
    for (known, status) in rows {
        for path in ["/ui", "/ui/main.js"] {
            let headers = [("if-none-match", known)];
            let answer = rig.send("GET", path, &headers, String::new()).await;
            assert_eq!(answer.status, status, "{path} {known}");
            assert_eq!(answer.header("etag"), tag, "{path} {known}");
            assert_eq!(answer.text().is_empty(), status == 304, "{path} {known}");
        }
    }
}

#[tokio::test]
async fn s3_the_page_stands_at_one_place_and_nothing_else_is_below_it() {
    let rig = Rig::start(Script::new()).await;
    let key = format!("Bearer {PROXY_KEY}");
    #[rustfmt::skip]
    let rows = [
        ("GET",    "/ui/",                   308, 308),
        ("GET",    "/ui/index.html",         401, 404),
        ("GET",    "/ui/nothing.js",         401, 404),
        ("GET",    "/ui/../Cargo.toml",      401, 404),
        ("GET",    "/ui/%2e%2e/Cargo.toml",  401, 404),
        ("GET",    "/ui/vendor",             401, 404),
        ("GET",    "/uix",                   401, 404),
        ("GET",    "/v1/ui",                 401, 404),
        ("POST",   "/ui",                    405, 405),
        ("DELETE", "/ui/main.js",            405, 405),
    ];
    for (method, path, no_key, right_key) in rows {
        let answer = rig.send(method, path, &NO_KEY, String::new()).await;
        assert_eq!(answer.status, no_key, "{method} {path}");
        let headers = [("authorization", key.as_str())];
        let answer = rig.send(method, path, &headers, String::new()).await;
        assert_eq!(answer.status, right_key, "{method} {path} with the key");
    }
    let moved = rig.get("/ui/").await;
    assert_eq!(moved.header("location"), "../ui");
}

#[test]
fn s3_both_languages_say_the_same_things() {
    let [english, russian] = [
        include_str!("../../src/ui/i18n/en.js"),
        include_str!("../../src/ui/i18n/ru.js"),
    ]
    .map(keys);
    assert!(english.len() > 100, "{}", english.len());
    assert_eq!(english, russian);
    let page = include_str!("../../src/ui/index.html");
    for attribute in ["data-t=\"", "data-t-label=\"", "data-t-placeholder=\""] {
        for used in page.split(attribute).skip(1) {
            let key = used.split('"').next().unwrap();
            assert!(english.contains(key), "{key} in index.html");
        }
    }
}

/// The keys of a book of words: each begins a line.
fn keys(book: &str) -> BTreeSet<String> {
    let lines = book.lines().filter_map(|line| line.strip_prefix("  "));
    let found: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(key, _)| key.trim_matches('\'').to_owned())
        .collect();
    let set: BTreeSet<_> = found.iter().cloned().collect();
    assert_eq!(set.len(), found.len(), "a key stands there twice");
    set
}
