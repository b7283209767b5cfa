//! §3: the page at `/ui`, as files. What it does in a browser: `e2e/ui`.

use std::collections::{BTreeMap, BTreeSet};

use simulator::Script;

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
async fn s3_at_the_base_address_a_browser_gets_the_page_and_a_client_a_description() {
    let rig = Rig::start(Script::new()).await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    #[rustfmt::skip]
    let rows = [
        ("/",        browser,             307),
        ("/",        "*/*;q=0.1, TEXT/HTML;q=0.9", 307),
        ("/",        "*/*",               200),
        ("/",        "application/json",  200),
        ("/",        "text/html5",        200),
        ("/",        "",                  200),
        ("/v1",      browser,             200),
        ("/api/v1/", browser,             200),
        ("//",       browser,             200),
    ];
    for (path, accept, status) in rows {
        for method in ["GET", "HEAD"] {
            let headers = [("accept", accept), ("authorization", "")];
            let answer = rig.send(method, path, &headers, String::new()).await;
            assert_eq!(answer.status, status, "{method} {path} {accept}");
            if status == 307 {
                assert_eq!(answer.header("location"), "ui", "{path} {accept}");
            } else {
                assert_eq!(
                    answer.header("content-type"),
                    "application/json",
                    "{path} {accept}"
                );
            }
            if path == "/" {
                assert_eq!(answer.header("vary"), "accept", "{path} {accept}");
            }
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
async fn s3_the_page_is_at_one_path_and_nothing_else_is_below_it() {
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
    .map(book);
    assert!(english.len() > 100, "{}", english.len());
    assert_eq!(english, russian);
    let page = include_str!("../../src/ui/index.html");
    for attribute in ["data-t=\"", "data-t-label=\"", "data-t-placeholder=\""] {
        for used in page.split(attribute).skip(1) {
            let key = used.split('"').next().unwrap();
            assert!(english.contains_key(key), "{key} in index.html");
        }
    }
}

/// The keys of a book of words, each of which begins a line, with the places for values in its text.
fn book(words: &str) -> BTreeMap<String, BTreeSet<&str>> {
    let mut found = BTreeMap::new();
    let lines = words.lines().filter_map(|line| line.strip_prefix("  "));
    for (key, text) in lines.filter_map(|line| line.split_once(": ")) {
        let pieces = text.split('{').skip(1);
        let places = pieces.filter_map(|piece| piece.split_once('}'));
        let names = places
            .map(|(name, _)| name)
            .filter(|name| !name.contains(' '));
        let before = found.insert(key.trim_matches('\'').to_owned(), names.collect());
        assert_eq!(before, None, "{key} stands there twice");
    }
    found
}

/// None of these ways of turning outside data into markup or code is used, and nothing leads to
/// another host.
#[test]
fn s3_the_page_cannot_turn_text_into_markup_or_code() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui");
    let mut looked_at = 0;
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        #[rustfmt::skip]
        let ways = [
            "innerHTML", "outerHTML", "insertAdjacentHTML", "setHTML", "document.write", "DOMParser",
            "createContextualFragment", "eval(", "new Function", " style=\"", " onclick=\"", "javascript:",
            "src=\"http", "href=\"http", "url(http", "document.cookie",
        ];
        for way in ways {
            assert!(!text.contains(way), "{way} in {}", path.display());
        }
        looked_at += 1;
    }
    assert!(looked_at > 20, "{looked_at}");
}
