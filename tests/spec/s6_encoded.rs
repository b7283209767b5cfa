//! §6: a body may be compressed, and its contents have the limits of any other.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use simulator::Script;

use crate::rig::Rig;

/// `{"messages":[]}` as compressed by node's zlib.
const BROTLI: &[u8] =
    b"\x0b\x07\x80\x7b\x22\x6d\x65\x73\x73\x61\x67\x65\x73\x22\x3a\x5b\x5d\x7d\x03";

/// Every route that reads a body, with a valid one.
const ROUTES: [(&str, &str); 7] = [
    ("/v1/chat/completions", r#"{"messages":[]}"#),
    ("/v1/completions", r#"{"prompt":"Hello!"}"#),
    ("/v1/responses", r#"{"input":"Hello!"}"#),
    (
        "/v1/messages",
        r#"{"max_tokens":9,"messages":[{"role":"user","content":"Hello!"}]}"#,
    ),
    (
        "/v1/messages/count_tokens",
        r#"{"messages":[{"role":"user","content":"Hello!"}]}"#,
    ),
    ("/admin/explain", r#"{"messages":[]}"#),
    ("/admin/clear", r#"{"all":true}"#),
];

#[tokio::test]
async fn s6_every_route_unpacks_its_body() {
    let rig = Rig::start(Script::new()).await;
    for (path, body) in ROUTES {
        #[rustfmt::skip]
        let rows = [
            ("",         body.as_bytes().to_vec()),
            ("identity", body.as_bytes().to_vec()),
            ("gzip",     gzip(body.as_bytes())),
            ("deflate",  zlib(body.as_bytes())),
            ("zstd",     zstd(body.as_bytes())),
        ];
        for (coding, packed) in rows {
            let answer = rig
                .send("POST", path, &[("content-encoding", coding)], packed)
                .await;
            assert_eq!(answer.status, 200, "{path} {coding}: {answer:?}");
        }
    }
    let answer = rig
        .send("POST", ROUTES[0].0, &[("content-encoding", "br")], BROTLI)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let sent = rig.sent_up();
    assert!(
        sent.iter().all(|body| body.starts_with('{')),
        "it goes up unpacked"
    );
    for seen in rig.simulator.requests() {
        assert!(
            !format!("{seen:?}")
                .to_lowercase()
                .contains("content-encoding"),
            "{seen:?}"
        );
    }
}

#[tokio::test]
async fn s6_what_cannot_be_decompressed_is_reported() {
    let rig = Rig::with(Script::new(), &[("MAX_BODY_BYTES", "50000")]).await;
    let good = r#"{"messages":[]}"#.as_bytes();
    let large = format!(r#"{{"messages":["{}"]}}"#, "x".repeat(49_983)).into_bytes();
    let larger = format!(r#"{{"messages":["{}"]}}"#, "x".repeat(49_984)).into_bytes();
    let bomb = vec![b' '; 10 << 20];
    #[rustfmt::skip]
    let rows = [
        // Content-Encoding     sent                status  code
        ("gzip",                gzip(&large),       200,    ""),
        ("zstd",                zstd(&large),       200,    ""),
        ("gzip",                gzip(&larger),      413,    "request_too_large"),
        ("zstd",                zstd(&larger),      413,    "request_too_large"),
        ("gzip",                gzip(&bomb),        413,    "request_too_large"),
        ("deflate",             zlib(&bomb),        413,    "request_too_large"),
        ("zstd",                zstd(&bomb),        413,    "request_too_large"),
        ("gzip",                good.to_vec(),      400,    "invalid_request"),
        ("br",                  good.to_vec(),      400,    "invalid_request"),
        ("gzip",                gzip(b"hello"),     400,    "invalid_json"),
        ("gzip, zstd",          good.to_vec(),      415,    "unsupported_encoding"),
        ("compress",            good.to_vec(),      415,    "unsupported_encoding"),
        ("aes128gcm",           vec![b'x'; 40_000], 415,    "unsupported_encoding"),
    ];
    for (coding, sent, status, code) in rows {
        let headers = [("content-encoding", coding)];
        let answer = rig.send("POST", ROUTES[0].0, &headers, sent).await;
        assert_eq!(answer.status, status, "{coding}: {answer:?}");
        if status == 200 {
            continue;
        }
        answer.is_error(status, code);
        assert_eq!(rig.line(&answer)["reason"], code, "{coding}");
        if status == 415 {
            assert!(answer.text().contains(coding), "{answer:?}");
            assert_eq!(answer.header("accept-encoding"), "gzip, deflate, zstd, br");
        }
    }
    for (path, body) in ROUTES {
        for (coding, status) in [("compress", 415), ("gzip", 400)] {
            let headers = [("content-encoding", coding)];
            let answer = rig.send("POST", path, &headers, body).await;
            assert_eq!(answer.status, status, "{path} {coding}: {answer:?}");
        }
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(plain).unwrap();
    packer.finish().unwrap()
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
    packer.write_all(plain).unwrap();
    packer.finish().unwrap()
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    compress_to_vec(plain, CompressionLevel::Fastest)
}
