//! The outbound proxy (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`), played by stand-ins
//! that lead every target to a simulator of their own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::rig::Rig;
use serde_json::json;
use simulator::{Script, Simulator, Step};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

#[tokio::test]
async fn s6_list_and_completions_go_through_the_proxy_that_is_set() {
    let secret = "user:p%40ss-word";
    #[rustfmt::skip]
    let rows = [
        // setting        its value (@ is the stand-in)  greeted with
        ("HTTP_PROXY",    "http://@".to_owned(),         "CONNECT upstream.test:80"),
        ("HTTP_PROXY",    "@".to_owned(),                "CONNECT upstream.test:80"),
        ("ALL_PROXY",     "http://@/".to_owned(),        "CONNECT upstream.test:80"),
        ("HTTP_PROXY",    format!("http://{secret}@@"),  "CONNECT upstream.test:80 Basic dXNlcjpwQHNzLXdvcmQ="),
        ("HTTP_PROXY",    "socks5h://@".to_owned(),      "SOCKS5 upstream.test:80"),
        ("ALL_PROXY",     "socks5h://@".to_owned(),      "SOCKS5 upstream.test:80"),
        ("ALL_PROXY",     format!("socks5h://{secret}@@"), "SOCKS5 upstream.test:80 user p@ss-word"),
    ];
    for (setting, value, expected) in rows {
        let stand_in = StandIn::start().await;
        let value = stand_in.at(&value);
        let rig = Rig::cold(Script::new(), &elsewhere(&[(setting, &value)])).await;
        soon(&rig, "snapshot_refreshed").await;
        let answer = rig.chat(&Rig::hello()).await;
        assert_eq!(answer.status, 200, "{setting}={value}: {answer:?}");
        assert_eq!(
            stand_in.simulator.models_asked().len(),
            1,
            "{setting}={value}"
        );
        let greetings = stand_in.greetings();
        assert!(
            greetings.iter().all(|g| g == expected),
            "{setting}={value}: {greetings:?}"
        );
        assert!(rig.simulator.requests().is_empty(), "nothing goes past it");
        for secret in ["p@ss-word", "p%40ss-word"] {
            assert!(
                !rig.log.all().join("").contains(secret),
                "{:#?}",
                rig.log.all()
            );
        }
    }
}

#[tokio::test]
async fn s6_which_targets_go_through_which_proxy() {
    const NAMED: (&str, &str) = ("UPSTREAM_BASE_URL", "http://upstream.test/api/v1");
    #[rustfmt::skip]
    let rows: [(&[(&str, &str)], bool); 9] = [
        // settings (@ is the stand-in; the target is http://127.0.0.1 but where it is named)     through it
        (&[NAMED, ("HTTP_PROXY", "http://@")],                                        true),
        (&[NAMED, ("ALL_PROXY", "http://@")],                                         true),
        (&[NAMED, ("ALL_PROXY", "socks5h://@")],                                      true),
        (&[NAMED, ("ALL_PROXY", "http://@"), ("NO_PROXY", "other.test,10.0.0.1")],    true),
        (&[("HTTPS_PROXY", "http://@")],                                              false),
        (&[("HTTP_PROXY", "")],                                                       false),
        // Loopback and private addresses never go through it (§10.1).
        (&[("HTTP_PROXY", "http://@")],                                               false),
        (&[("ALL_PROXY", "socks5://@")],                                              false),
        (&[("HTTP_PROXY", "http://@"), ("NO_PROXY", "a.test, 127.0.0.0/8")],          false),
    ];
    for (settings, through) in rows {
        let stand_in = StandIn::start().await;
        let filled: Vec<_> = settings
            .iter()
            .map(|(name, value)| (*name, stand_in.at(value)))
            .collect();
        let settings: Vec<_> = filled
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let rig = Rig::cold(Script::new(), &settings).await;
        soon(&rig, "snapshot_refreshed").await;
        assert_eq!(rig.chat(&Rig::hello()).await.status, 200, "{settings:?}");
        let asked = [&stand_in.simulator, &rig.simulator].map(|s| s.models_asked().len());
        assert_eq!(asked, if through { [1, 0] } else { [0, 1] }, "{settings:?}");
    }
}

#[tokio::test]
async fn s6_an_https_target_goes_through_https_proxy_as_a_tunnel() {
    let stand_in = StandIn::start().await;
    let (https, http) = (stand_in.at("http://@"), "http://127.0.0.1:9");
    let settings = [
        ("HTTPS_PROXY", https.as_str()),
        ("HTTP_PROXY", http),
        ("MODELS_LIST_URL", "https://list.test/models"),
        ("UPSTREAM_BASE_URL", "https://upstream.test/api/v1"),
    ];
    let rig = Rig::cold(Script::new(), &settings).await;
    // The stand-in's simulator has no TLS, so that is as far as it goes.
    let failed = soon(&rig, "snapshot_refresh_failed").await;
    assert_eq!(failed["type"], "network");
    let greetings = stand_in.greetings();
    assert!(
        greetings.contains(&"CONNECT list.test:443".to_owned()),
        "{greetings:?}"
    );
}

#[tokio::test]
async fn s4_2_an_unhelpful_proxy_is_not_a_models_failure_and_its_password_stays_secret() {
    #[rustfmt::skip]
    let rows = [
        // what it does               proxy                                    what it says                                           cause            tries
        ("wants a password",          "http://user:hush-hush@@",               Some("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), "proxy_407",     1),
        ("fails",                     "http://user:hush-hush@@",               Some("HTTP/1.1 502 Bad Gateway\r\n\r\n"),             "proxy_refused", 1),
        ("talks nonsense",            "http://user:hush-hush@@",               Some("hello\r\n\r\n"),                                "proxy_refused", 1),
        ("talks nonsense in SOCKS",   "socks5h://user:hush-hush@@",            Some("hello"),                                         "proxy_refused", 1),
        ("refuses SOCKS credentials", "socks5h://user:hush-hush@@",            Some("\x05\x02\x01\x01"),                              "proxy_refused", 1),
        ("hangs up",                  "http://user:hush-hush@@",               Some(""),                                              "proxy",         3),
        ("hangs up in SOCKS",         "socks5h://user:hush-hush@@",            Some(""),                                              "proxy",         3),
        ("says nothing",              "http://user:hush-hush@@",               None,                                                  "timeout",       1),
        ("says nothing in SOCKS",     "socks5h://user:hush-hush@@",            None,                                                  "timeout",       1),
    ];
    for (what, proxy, says, cause, tries) in rows {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let value = proxy.replace("@@", &format!("@{}", listener.local_addr().unwrap()));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut kept = Vec::new();
            while let Ok((mut socket, _)) = listener.accept().await {
                match says {
                    Some(says) => {
                        drop(socket.read(&mut [0; 1024]).await);
                        drop(socket.write_all(says.as_bytes()).await);
                    }
                    None => kept.push(socket),
                }
            }
        });
        let rig = behind(&value).await;
        let answer = rig.chat(&Rig::hello()).await;
        answer.is_error(503, "all_models_unavailable");
        assert_eq!(answer.header("x-free-llm-proxy-attempts"), "", "it {what}");
        let told = &rig.line(&answer)["connect_failures"];
        assert_eq!(*told, json!({"count": tries, "cause": cause}), "it {what}");
        assert!(
            rig.simulator.models_asked().is_empty(),
            "nothing goes past it"
        );
        assert!(
            !rig.log.all().join("").contains("hush-hush"),
            "{:#?}",
            rig.log.all()
        );
    }
}

#[tokio::test]
async fn s4_2_a_missing_proxy_is_distinguished_from_its_target() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let value = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let rig = behind(&value).await;
    let answer = rig.chat(&Rig::hello()).await;
    let told = &rig.line(&answer)["connect_failures"];
    assert_eq!(*told, json!({"count": 3, "cause": "proxy"}));
    let message = answer.json()["error"]["message"].clone();
    let words = "The proxy cannot reach its upstream: the outbound proxy cannot be reached.";
    assert!(message.as_str().unwrap().starts_with(words), "{message}");
}

#[tokio::test]
async fn s4_2_a_proxy_that_refuses_to_connect_rests_no_model() {
    let stand_in = StandIn::start().await;
    let value = stand_in.at("http://@");
    let settings = [
        ("HTTP_PROXY", value.as_str()),
        ("UPSTREAM_BASE_URL", "http://gone.test/api/v1"),
    ];
    let script = Script::new().catalogue(Step::status(500, &[], ""));
    let rig = Rig::cold(script, &elsewhere(&settings)).await;
    soon(&rig, "snapshot_refreshed").await;
    let answer = rig.chat(&Rig::hello()).await;
    answer.is_error(503, "all_models_unavailable");
    assert_eq!(answer.header("x-free-llm-proxy-attempts"), "");
    let ready = rig.get("/ready").await.json();
    assert_eq!(ready["available"], ready["models"]);
}

/// A proxy of ours that reads its list directly, and reaches its upstream through this one.
async fn behind(outbound: &str) -> Rig {
    let settings = [
        ("ALL_PROXY", outbound),
        ("NO_PROXY", "127.0.0.1"),
        ("UPSTREAM_BASE_URL", "http://upstream.test/api/v1"),
        ("CONNECT_TIMEOUT_SEC", "0.2"),
        // Three tries have their time in it.
        ("REQUEST_BUDGET_SEC", "0.6"),
    ];
    let rig = Rig::cold(Script::new(), &settings).await;
    soon(&rig, "snapshot_refreshed").await;
    rig
}

/// Settings with targets that only the stand-in can resolve, unless they say otherwise.
fn elsewhere<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let targets = [
        (
            "MODELS_LIST_URL",
            "http://upstream.test/api/free-llm/top-models",
        ),
        ("UPSTREAM_BASE_URL", "http://upstream.test/api/v1"),
    ];
    more.iter().copied().chain(targets).collect()
}

/// The first line of this event; it must come within seconds.
async fn soon(rig: &Rig, event: &str) -> serde_json::Value {
    let line = tokio::time::timeout(Duration::from_secs(20), rig.logged(event)).await;
    line.unwrap_or_else(|_| panic!("no {event}: {:#?}", rig.log.all()))
}

/// An HTTP and SOCKS5 proxy in one. Whatever the target, a simulator answers, except for
/// `gone.test`.
struct StandIn {
    simulator: Simulator,
    address: std::net::SocketAddr,
    greetings: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl StandIn {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let simulator = Simulator::new(Script::new());
        let greetings: Arc<Mutex<Vec<String>>> = Arc::default();
        let mut tasks = JoinSet::new();
        let (serving, told) = (simulator.clone(), Arc::clone(&greetings));
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut socket, _)) = listener.accept().await {
                let (simulator, told) = (serving.clone(), Arc::clone(&told));
                open.spawn(async move {
                    let Some(greeting) = greeted(&mut socket).await else {
                        return;
                    };
                    let lost = greeting.contains("gone.test");
                    told.lock().unwrap().push(greeting);
                    if !lost {
                        simulator.serve_connection(socket).await;
                    }
                });
            }
        });
        Self {
            simulator,
            address,
            greetings,
            _tasks: tasks,
        }
    }

    /// The value of a setting, its last `@` (or a lone one) being this stand-in.
    fn at(&self, value: &str) -> String {
        let address = self.address.to_string();
        match value.strip_suffix("@@") {
            Some(front) => format!("{front}@{address}"),
            None => value.replace('@', &address),
        }
    }

    fn greetings(&self) -> Vec<String> {
        self.greetings.lock().unwrap().clone()
    }
}

/// Lets a client in, with either protocol: returns the target it names, and its credentials.
async fn greeted(socket: &mut TcpStream) -> Option<String> {
    let first = socket.read_u8().await.ok()?;
    if first == 5 {
        return socks(socket).await;
    }
    let mut head = vec![first];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let target = head.split(" HTTP/1.1").next()?.to_owned();
    if target.contains("gone.test") {
        socket
            .write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            .await
            .ok()?;
        return Some(target);
    }
    socket
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await
        .ok()?;
    let credentials = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("proxy-authorization")
            .then_some(value)
    });
    Some(credentials.map_or(target.clone(), |value| format!("{target} {value}")))
}

/// RFC 1928 and 1929, behind the version byte.
async fn socks(socket: &mut TcpStream) -> Option<String> {
    let mut methods = vec![0; socket.read_u8().await.ok()?.into()];
    socket.read_exact(&mut methods).await.ok()?;
    let with_password = methods.contains(&2);
    socket
        .write_all(&[5, if with_password { 2 } else { 0 }])
        .await
        .ok()?;
    let mut credentials = String::new();
    if with_password {
        assert_eq!(socket.read_u8().await.ok()?, 1);
        for _ in 0..2 {
            let mut text = vec![0; socket.read_u8().await.ok()?.into()];
            socket.read_exact(&mut text).await.ok()?;
            credentials += &format!(" {}", String::from_utf8(text).ok()?);
        }
        socket.write_all(&[1, 0]).await.ok()?;
    }
    let mut request = [0; 4];
    socket.read_exact(&mut request).await.ok()?;
    let host = if request[3] == 3 {
        let mut name = vec![0; socket.read_u8().await.ok()?.into()];
        socket.read_exact(&mut name).await.ok()?;
        String::from_utf8(name).ok()?
    } else {
        let mut address = [0; 4];
        socket.read_exact(&mut address).await.ok()?;
        std::net::Ipv4Addr::from(address).to_string()
    };
    let port = socket.read_u16().await.ok()?;
    socket
        .write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
        .await
        .ok()?;
    Some(format!("SOCKS5 {host}:{port}{credentials}"))
}
