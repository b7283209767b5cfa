//! The walk over several providers and accounts, each a real socket that plays a script (spec §10.4).

mod quotas;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::{Account, Answer, Keyring, Opened, Refusal, Walker, Who};
use crate::clock::Now;
use crate::config::{Clients, Config, LogLevel};
use crate::ledger::{Ask, Limit};
use crate::model::{AccountId, ModelId, Offer, ProviderId};
use crate::provider::{Provider, find};
use crate::redact::{Redactor, Secret};
use crate::registry::{Parts, Registry, Snapshot};
use crate::request::ChatRequest;
use crate::surface::Surface;
use crate::telemetry::{Log, Metrics, RequestRecord, Traffic};
use crate::upstream::{Connector, Hop, HttpClient, Upstream};

const GOOD: &str = r#"{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}]}"#;

type Answers = &'static [(u16, &'static str)];
/// What groq, groq#2 and mistral answer; what becomes of a first request, and of the next.
type Row = ([Answers; 3], &'static str, &'static str);

/// What one account answers, request by request. The last answer repeats; status 0 never answers.
struct Played {
    account: &'static str,
    answers: Answers,
}

/// What a walk asked, in order, as `model@account`.
type Asked = Arc<Mutex<Vec<String>>>;

struct House {
    walker: Walker,
    registry: Arc<Registry>,
    clients: Clients,
    asked: Asked,
}

/// Plays the script. Without answers, nothing listens at the address.
async fn upstream(played: &Played, asked: &Asked, tasks: &TaskTracker) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    let mut answers: VecDeque<_> = played.answers.iter().copied().collect();
    let Some(mut last) = answers.pop_front() else {
        return address;
    };
    let (asked, account) = (Arc::clone(asked), played.account);
    tasks.spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut read = Vec::new();
            while !String::from_utf8_lossy(&read).ends_with('}') {
                if socket.read_buf(&mut read).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            let text = String::from_utf8_lossy(&read);
            let model = text.split(r#""model":""#).nth(1).unwrap_or("?");
            let model = model.split('"').next().unwrap_or("?");
            asked.lock().unwrap().push(format!("{model}@{account}"));
            let (status, body) = last;
            if status == 0 {
                std::future::pending::<()>().await;
            }
            last = answers.pop_front().unwrap_or(last);
            let head = format!("HTTP/1.1 {status} x\r\ncontent-type: application/json\r\n");
            let answer = format!(
                "{head}content-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            drop(socket.write_all(answer.as_bytes()).await);
        }
    });
    address
}

/// `groq#2` is an account of `groq`. Each provider offers `x`, and has no limits.
async fn house(played: &[Played]) -> House {
    limited_house(played, &[]).await
}

/// The same, with these limits for each account.
async fn limited_house(played: &[Played], limits: &[Limit]) -> House {
    let settings = |name: &str| {
        let value = match name {
            "OPENROUTER_API_KEY" => "sk-or-v1-0123456789abcdef",
            "PROXY_API_KEY" => "a-key-of-the-proxy-s-own",
            "MAX_FALLBACK_ATTEMPTS" => "10",
            "ROUTING" => "rank",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let config = Config::read(settings).unwrap();
    let client = HttpClient::new(Connector::network(
        &config.outbound_proxy,
        config.connect_timeout,
    ))
    .unwrap();
    let (asked, tasks) = (Asked::default(), TaskTracker::new());
    let mut accounts = Vec::new();
    let mut offers: Vec<Offer> = Vec::new();
    for one in played {
        let provider = one.account.split('#').next().unwrap();
        let row = find(provider).unwrap();
        let hop = Hop {
            base: upstream(one, &asked, &tasks).await.parse().unwrap(),
            auth: None,
            headers: HeaderMap::from_iter([(crate::upstream::HOP, HeaderValue::from_static("1"))]),
        };
        let provider = ProviderId::try_from(provider).unwrap();
        if offers.iter().all(|offer| offer.provider != provider) {
            let id = ModelId::try_from("x").unwrap();
            offers.push(Offer {
                public_id: ModelId::try_from(format!("{provider}/x").as_str()).unwrap(),
                provider: provider.clone(),
                ..Offer::at_openrouter(id)
            });
        }
        accounts.push(Account {
            id: Arc::new(AccountId::new(provider, one.account)),
            provider: Arc::clone(row),
            key: Some(Secret::new("a-key-of-this-account")),
            others: Arc::default(),
            upstream: Upstream::new(hop, &client).unwrap(),
        });
    }
    let rows = accounts.iter().map(|account| {
        Arc::new(Provider {
            limits: limits.to_vec(),
            ..Provider::clone(&account.provider)
        })
    });
    let registry = Arc::new(Registry::with_limits_of(rows.collect(), config.learning));
    registry.publish(Snapshot::new(Parts {
        offers: offers.into_iter().map(Arc::new).collect(),
        accounts: accounts
            .iter()
            .map(|account| Arc::clone(&account.id))
            .collect(),
        fetched_at: Now::read().wall,
        ..Parts::default()
    }));
    let walker = Walker::new(
        &config,
        accounts
            .into_iter()
            .filter_map(|one| Keyring::new([one]))
            .collect(),
        Redactor::default(),
        Arc::clone(&registry),
        Log::memory(LogLevel::Error).0,
        Arc::new(Traffic::new(Now::read())),
        tasks,
    );
    House {
        walker,
        registry,
        clients: config.clients,
        asked,
    }
}

impl House {
    /// How the walk of one request ends.
    async fn walk(&self, body: &'static [u8]) -> Result<Answer, Refusal> {
        let request = ChatRequest::read(Bytes::from_static(body), 128).unwrap();
        let client = Arc::clone(self.clients.iter().next().unwrap());
        let traffic = Arc::new(Traffic::new(Now::read()));
        let metrics = Arc::new(Metrics::new().unwrap());
        let mut record = RequestRecord::new(
            Log::memory(LogLevel::Error).0,
            metrics,
            traffic,
            "r",
            Surface::Chat,
            client.name.clone(),
            0,
        );
        let admitted = self.registry.admit(&client.name, Ask::default()).unwrap();
        let who = Who {
            client,
            session: None,
            admitted,
        };
        self.walker.walk(&request, who, None, &mut record).await
    }

    /// What happens to one request: which accounts were asked, and what was told.
    async fn chat(&self) -> String {
        let walked = self.walk(br#"{"messages":[]}"#).await;
        let mut told = std::mem::take(&mut *self.asked.lock().unwrap()).join(" ");
        let end = match walked.map(|answer| answer.opened) {
            Ok(Opened::Plain(plain)) => format!("{} answers", plain.candidate.account),
            Ok(Opened::Stream(_)) => "a stream".to_owned(),
            Err(Refusal::AccountLimited { limit, .. }) => format!("out: {}", limit.as_str()),
            Err(Refusal::UpstreamAuth { account, .. }) => format!("key of {account}"),
            Err(Refusal::AllUnavailable { why, .. }) => why.in_words().unwrap_or_default(),
            Err(Refusal::Passed(answer)) => format!("passed {}", answer.status),
            Err(Refusal::Unreachable { .. }) => "unreachable".to_owned(),
            Err(other) => format!("{other:?}"),
        };
        write!(told, " -> {end}").unwrap();
        told
    }
}

const DEAD: (u16, &str) = (
    401,
    r#"{"error":{"message":"Invalid API Key","code":"invalid_api_key"}}"#,
);
const DAY: (u16, &str) = (
    429,
    r#"{"error":{"message":"Rate limit reached for model `x` in organization `org_1` service tier `on_demand` on requests per day (RPD): Limit 1000, Used 1000, Requested 1. Please try again in 1m26.4s.","type":"requests","code":"rate_limit_exceeded"}}"#,
);
const BROKEN: (u16, &str) = (500, r#"{"error":{"message":"Internal Server Error"}}"#);
const REQUEST: (u16, &str) = (
    400,
    r#"{"error":{"message":"messages must not be empty","type":"invalid_request_error"}}"#,
);
const CREDIT: (u16, &str) = (
    402,
    r#"{"error":{"message":"Insufficient credits","code":402}}"#,
);
const OK: (u16, &str) = (200, GOOD);

#[tokio::test]
async fn s10_4_a_scope_rules_out_what_it_concerns_and_the_walk_goes_on() {
    const GROQ: &str = "groq";
    const GROQ2: &str = "groq#2";
    const MISTRAL: &str = "mistral";
    #[rustfmt::skip]
    let rows: &[Row] = &[
        // groq       groq#2      mistral      first                                             then
        ([&[OK],      &[OK],      &[OK]],      "x@groq -> groq answers",                         "x@groq -> groq answers"),
        ([&[DEAD],    &[OK],      &[OK]],      "x@groq x@groq#2 -> groq#2 answers",              "x@groq#2 -> groq#2 answers"),
        ([&[DAY],     &[OK],      &[OK]],      "x@groq x@groq#2 -> groq#2 answers",              "x@groq#2 -> groq#2 answers"),
        ([&[BROKEN],  &[OK],      &[OK]],      "x@groq x@mistral -> mistral answers",            "x@mistral -> mistral answers"),
        ([&[DEAD],    &[DEAD],    &[DEAD]],    "x@groq x@groq#2 x@mistral -> key of groq",       " -> key of groq"),
        ([&[DEAD],    &[DAY],     &[DEAD]],    "x@groq x@groq#2 x@mistral -> out: quota",       " -> out: quota"),
        ([&[DEAD],    &[DAY],     &[BROKEN]],  "x@groq x@groq#2 x@mistral -> 1 model is rate limited, 1 is failing, 1 key is refused", ""),
    ];
    for ([groq, groq2, mistral], first, then) in rows {
        let played = [(GROQ, groq), (GROQ2, groq2), (MISTRAL, mistral)];
        let house = house(&played.map(|(account, answers)| Played { account, answers })).await;
        assert_eq!(house.chat().await, *first);
        if !then.is_empty() {
            assert_eq!(house.chat().await, *then, "after {first}");
        }
    }
}

#[tokio::test]
async fn s10_4_only_the_requests_own_failure_ends_a_walk() {
    #[rustfmt::skip]
    let rows: &[(Answers, &str)] = &[
        (&[REQUEST], "x@openrouter -> passed 400"),
        (&[CREDIT],  "x@openrouter x@groq -> groq answers"),
        (&[DEAD],    "x@openrouter x@groq -> groq answers"),
        (&[BROKEN],  "x@openrouter x@groq -> groq answers"),
    ];
    for (answers, expected) in rows {
        let played = [
            Played {
                account: "openrouter",
                answers,
            },
            Played {
                account: "groq",
                answers: &[OK],
            },
        ];
        assert_eq!(house(&played).await.chat().await, *expected);
    }
    // An account that is out of credit is reported in the upstream's words if it is alone, in ours if not.
    let alone = [Played {
        account: "openrouter",
        answers: &[CREDIT],
    }];
    assert_eq!(
        house(&alone).await.chat().await,
        "x@openrouter -> passed 402"
    );
    let both = [
        Played {
            account: "openrouter",
            answers: &[CREDIT],
        },
        Played {
            account: "groq",
            answers: &[DEAD],
        },
    ];
    assert_eq!(
        house(&both).await.chat().await,
        "x@openrouter x@groq -> out: credit"
    );
}

#[tokio::test]
async fn s10_4_an_unreachable_provider_is_passed_over_and_asked_last() {
    let played = [
        Played {
            account: "groq",
            answers: &[],
        },
        Played {
            account: "mistral",
            answers: &[OK],
        },
    ];
    let house = house(&played).await;
    assert_eq!(house.chat().await, "x@mistral -> mistral answers");
    let groq = house.registry.snapshot().unwrap().candidates()[0]
        .provider()
        .clone();
    assert!(
        house
            .registry
            .with_rests_now(|known, now| known.is_unreached(&groq, now))
    );
    assert_eq!(house.chat().await, "x@mistral -> mistral answers");
}
