//! §6, promises 1 and 19: what is not HTTP, or HTTP that can be interpreted in two ways.

use simulator::{Script, Step};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::rig::{Answer, Rig, abc};
use crate::scripts::in_bytes;
use crate::wire::{answers, chat_head, only, say};

/// What an attacker would like to be taken for a separate request.
const SMUGGLED: &str = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn s6_a_request_that_could_end_in_two_places_is_refused_and_nothing_behind_it_is_read() {
    let rig = rig().await;
    #[rustfmt::skip]
    let rows = [
        // header lines                                                   body
        ("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",           "0\r\n\r\nX"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",           "0\r\n\r\nX"),
        ("CONTENT-LENGTH:6\r\ntransfer-encoding:\tchunked\r\n",           "0\r\n\r\nX"),
        ("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",           "0\r\n\r\n"),
        ("Content-Length: 5\r\nTransfer-Encoding: identity\r\n",          "0\r\n\r\n"),
        ("Content-Length: 5\r\nContent-Length: 6\r\n",                    "{}    "),
        ("Content-Length: 5, 6\r\n",                                      "{}    "),
        ("Content-Length: +5\r\n",                                        "{}   "),
        ("Content-Length: -1\r\n",                                        ""),
        ("Content-Length: 0x5\r\n",                                       "{}   "),
        ("Content-Length: 5 5\r\n",                                       "{}   "),
        ("Content-Length: 5.0\r\n",                                       "{}   "),
        ("Content-Length: five\r\n",                                      "{}   "),
        ("Content-Length:\r\n",                                           ""),
        ("Content-Length: 99999999999999999999999\r\n",                   ""),
        ("Content-Length : 5\r\n",                                        "{}   "),
        ("Transfer-Encoding : chunked\r\n",                               "0\r\n\r\n"),
        ("Transfer-Encoding: xchunked\r\n",                               "0\r\n\r\n"),
        ("Transfer-Encoding: chunked, gzip\r\n",                          "0\r\n\r\n"),
        ("Transfer-Encoding: gzip\r\n",                                   "0\r\n\r\n"),
        ("Transfer-Encoding: gzip, chunked\r\n",                          "0\r\n\r\n"),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",    "0\r\n\r\n"),
        ("Transfer-Encoding: chunked, chunked\r\n",                       "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: identity\r\n",                               "{}"),
        ("Transfer-Encoding:\r\n chunked\r\n",                            "0\r\n\r\n"),
    ];
    for (lines, body) in rows {
        let sent = chat_head(lines) + body + SMUGGLED;
        let said = answers(&say(socket(&rig).await, sent.as_bytes()).await);
        assert_eq!(said.len(), 1, "{lines:?}: {said:?}");
        refused(&said[0]);
    }
    for lines in ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"] {
        let sent = format!("GET /health HTTP/1.1\r\nHost: x\r\n{lines}\r\n0\r\n\r\n{SMUGGLED}");
        let said = answers(&say(socket(&rig).await, sent.as_bytes()).await);
        assert_eq!(said.len(), 1, "a GET with {lines:?}: {said:?}");
        refused(&said[0]);
    }
    assert_eq!(rig.simulator.models_asked(), [""; 0]);
}

#[tokio::test]
async fn s6_nothing_is_read_after_such_a_request_whatever_its_position_on_the_connection() {
    let rig = rig().await;
    let body = Rig::hello().to_string();
    let length = body.len();
    let chat = chat_head(&format!("Content-Length: {length}\r\n")) + &body;
    let in_chunks = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    let chunked = chat_head("Transfer-Encoding: chunked\r\n") + &in_chunks;
    let both = chat_head("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n") + &in_chunks;
    for first in [SMUGGLED, &chat, &chunked] {
        let sent = format!("{first}{both}{SMUGGLED}");
        let said = answers(&say(socket(&rig).await, sent.as_bytes()).await);
        assert_eq!((said.len(), said[0].status), (2, 200), "{said:?}");
        assert_eq!(
            said[1].header("connection"),
            "close",
            "refused or not: {said:?}"
        );
    }
}

#[tokio::test]
async fn s6_two_good_requests_in_one_write_are_no_ambiguity() {
    let rig = rig().await;
    let body = Rig::hello().to_string();
    let by_length = chat_head(&format!("Content-Length: {}\r\n", body.len())) + &body;
    let in_chunks = chat_head("Transfer-Encoding: chunked\r\n")
        + &format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let last = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for first in [[&by_length, &in_chunks], [&in_chunks, &by_length]] {
        let sent = format!("{}{}{last}", first[0], first[1]);
        let said = answers(&say(socket(&rig).await, sent.as_bytes()).await);
        let told: Vec<_> = said.iter().map(|answer| answer.status).collect();
        assert_eq!(told, [200, 200, 200], "{said:?}");
    }
}

#[tokio::test]
async fn s6_a_broken_body_is_400_and_the_connection_closes() {
    let rig = rig().await;
    let chunks = |text: &str| chat_head("Transfer-Encoding: chunked\r\n") + text;
    #[rustfmt::skip]
    let rows = [
        ("a size that is no number",   chunks("zz\r\n{}\r\n0\r\n\r\n")),
        ("no size",                    chunks("\r\n{}\r\n0\r\n\r\n")),
        ("a size beyond all numbers",  chunks("fffffffffffffffffff\r\n{}")),
        ("a negative size",            chunks("-2\r\n{}\r\n0\r\n\r\n")),
        ("a chunk longer than said",   chunks("2\r\n{}{}{}\r\n0\r\n\r\n")),
        ("an endless extension",       chunks(&format!("2;{}", "x".repeat(100_000)))),
    ];
    for (what, sent) in rows {
        let sent = sent + SMUGGLED;
        let said = answers(&say(socket(&rig).await, sent.as_bytes()).await);
        assert_eq!(said.len(), 1, "{what}: {said:?}");
        refused(&said[0]);
    }
    // A body that ends too soon: the client has shut down its sending half.
    let cut = chat_head("Content-Length: 100\r\n") + "{\"mess";
    let mut socket = socket(&rig).await;
    socket.write_all(cut.as_bytes()).await.unwrap();
    socket.shutdown().await.unwrap();
    for answer in answers(&crate::wire::rest(&mut socket).await) {
        refused(&answer);
    }
    alive(&rig).await;
}

#[tokio::test]
async fn s6_what_is_not_http_gets_an_error_or_a_closed_connection() {
    let rig = rig().await;
    let get =
        |line: &str, headers: &str| format!("{line}\r\nHost: x\r\n{headers}\r\n").into_bytes();
    let ok = "GET /health HTTP/1.1";
    let many: String = (0..200).map(|n| format!("X-{n}: 1\r\n")).collect();
    let huge = format!("X-Huge: {}\r\n", "h".repeat(2_000_000));
    let long = format!("GET /{} HTTP/1.1", "a".repeat(100_000));
    #[rustfmt::skip]
    let rows: [(&str, Vec<u8>, &[u16]); 23] = [
        // sent                      bytes                                              statuses; closed is fine too
        ("a word",                   b"hello\r\n\r\n".to_vec(),                         &[400]),
        ("zeros",                    vec![0; 64],                                       &[400]),
        ("0xff",                     vec![0xff; 1000],                                  &[400]),
        ("TLS",                      b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), &[400]),
        ("HTTP/2",                   b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec(), &[400, 505]),
        ("SSH",                      b"SSH-2.0-OpenSSH_9.9\r\n\r\n".to_vec(),           &[400]),
        ("HTTP/0.9",                 b"GET /health\r\n\r\n".to_vec(),                   &[400]),
        ("HTTP/9.9",                 get("GET /health HTTP/9.9", ""),                   &[400, 505]),
        ("HTTP/1.x",                 get("GET /health HTTP/1.x", ""),                   &[400, 505]),
        ("no version",               get("GET /health HTTP", ""),                       &[400]),
        ("no path",                  get("GET HTTP/1.1", ""),                           &[400]),
        ("a path with blanks",       get("GET /he alth HTTP/1.1", ""),                  &[400]),
        ("no method",                get(" /health HTTP/1.1", ""),                      &[400]),
        ("a method with a brace",    get("G{T /health HTTP/1.1", ""),                   &[400]),
        ("a header with no colon",   get(ok, "X-Nothing\r\n"),                          &[400]),
        ("a header with no name",    get(ok, ": 1\r\n"),                                &[400]),
        ("a name with a blank",      get(ok, "X Y: 1\r\n"),                             &[400]),
        ("a value with a zero",      get(ok, "X: a\0b\r\n"),                            &[400]),
        ("a lone CR in a value",     get(ok, "X: a\rb\r\n"),                            &[400]),
        ("a folded header",          get(ok, "X: a\r\n b\r\n"),                         &[400]),
        ("200 headers",              get(ok, &many),                                    &[431]),
        ("two megabytes of head",    get(ok, &huge),                                    &[431]),
        ("a path of 100 KB",         get(&long, ""),                                    &[431]),
    ];
    for (what, sent, statuses) in rows {
        let said = answers(&say(socket(&rig).await, &[&sent, SMUGGLED.as_bytes()].concat()).await);
        assert!(said.len() <= 1, "{what}: {said:?}");
        for answer in said {
            assert!(statuses.contains(&answer.status), "{what}: {answer:?}");
            answer.is_error(answer.status, &answer.code());
        }
        alive(&rig).await;
    }
}

#[tokio::test]
async fn s6_unusual_requests_that_are_fine() {
    let rig = rig().await;
    let at = rig.address();
    let body = Rig::hello().to_string();
    let length = body.len();
    let close = |line: &str| format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let upgrade =
        "Connection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk";
    #[rustfmt::skip]
    let rows = [
        // sent                                                                                status
        ("\r\n\r\n".to_owned() + &close("GET /health"),                                         200),
        (close(&format!("GET http://{at}/health")),                                              200),
        ("GET /health HTTP/1.0\r\n\r\n".to_owned(),                                             200),
        (close("OPTIONS *"),                                                                     204),
        (format!("GET /health HTTP/1.1\r\nHost: x\r\n{upgrade}\r\n\r\n"),                       200),
        (close("GET /health").replace("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\n{}"),            200),
        (close("CONNECT upstream.test:443"),                                                     401),
        (close("TRACE /health"),                                                                 405),
        (chat_head(&format!("Connection: close\r\nContent-Length: {length}\r\nContent-Length: {length}\r\n")) + &body, 200),
        (chat_head("Connection: close\r\nTransfer-Encoding: chunked\r\n") + &format!("{length:X};a=b\r\n{body}\r\n0\r\nX-Trailer: 1\r\n\r\n"), 200),
    ];
    for (sent, status) in rows {
        let said = say(socket(&rig).await, sent.as_bytes()).await;
        assert_eq!(only(&said).status, status, "{sent}");
    }
}

#[tokio::test]
async fn s6_expect_100_is_answered_once_the_key_is_right() {
    let rig = rig().await;
    let body = Rig::hello().to_string();
    let head = chat_head(&format!(
        "Connection: close\r\nExpect: 100-continue\r\nContent-Length: {}\r\n",
        body.len()
    ));
    let said = say(socket(&rig).await, (head.clone() + &body).as_bytes()).await;
    let told: Vec<_> = answers(&said).iter().map(|answer| answer.status).collect();
    assert_eq!(told, [100, 200]);
    let keyless = head.replace("Authorization: ", "X-Ignored: ") + &body;
    let said = say(socket(&rig).await, keyless.as_bytes()).await;
    only(&said).is_error(401, "missing_api_key");
}

/// A proxy that does not wait long for what never arrives.
async fn rig() -> Rig {
    let settings = [
        ("IDLE_TIMEOUT_SEC", "5"),
        ("BODY_IDLE_TIMEOUT_SEC", "5"),
        ("HEADER_TIMEOUT_SEC", "5"),
    ];
    Rig::with(Script::new(), &settings).await
}

/// A 4xx in the usual shape, after which the connection closes.
#[track_caller]
fn refused(answer: &Answer) {
    assert_eq!(answer.status, 400, "{answer:?}");
    answer.is_error(400, "invalid_request");
}

async fn alive(rig: &Rig) {
    assert_eq!(rig.get("/health").await.status, 200);
    assert!(rig.log.of("handler_panicked").is_empty());
}

async fn socket(rig: &Rig) -> TcpStream {
    TcpStream::connect(rig.address()).await.unwrap()
}

#[tokio::test]
async fn s6_http_1_1_wants_exactly_one_host() {
    let rig = Rig::start(Script::new()).await;
    #[rustfmt::skip]
    let rows = [
        ("GET /health HTTP/1.1\r\nConnection: close\r\n\r\n",                       "HTTP/1.1 400 "),
        ("GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n", "HTTP/1.1 400 "),
        ("GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",            "HTTP/1.1 200 "),
        ("GET /health HTTP/1.0\r\n\r\n",                                            "HTTP/1.0 200 "),
    ];
    for (request, expected) in rows {
        let said = rig.raw(request.as_bytes()).await;
        assert!(said.starts_with(expected), "{request:?}: {said}");
    }
}

#[tokio::test]
async fn s6_garbage_behind_a_large_answer_gets_the_error_shape_all_the_same() {
    let rig = Rig::start(abc().others(Step::ok("x".repeat(300_000).as_str()))).await;
    let said = rig
        .raw(format!("{}\0\0garbage\r\n\r\n", in_bytes(&Rig::hello())).as_bytes())
        .await;
    let said = answers(said.as_bytes());
    assert_eq!(said[0].status, 200);
    assert!(said.len() == 1 || said[1].status == 400, "{said:?}");
}
