//! An upstream behind TLS, like the real one: the cost of a request over a kept connection, and
//! over a new one.

use anyhow::{Result, ensure};

use super::latency::at_rate;
use super::saturated::cost;
use super::{Outcome, Pace};
use crate::figure::Figure;
use crate::request::Api;
use crate::script::Script;
use crate::target::{Behind, Kind, Stand, Target};
use crate::upstream::Version;

const BODY_BYTES: usize = 1000;
const RATE: u64 = 100;

/// One way to the upstream.
struct Way {
    version: Version,
    /// The upstream closes each connection after its answer.
    close: bool,
    cpu: &'static str,
    latency: &'static str,
}

const WAYS: [Way; 3] = [
    Way {
        version: Version::Http1,
        close: false,
        cpu: "CPU per request, HTTP/1.1, kept connections",
        latency: "latency p50 at 100/s, HTTP/1.1, kept connections",
    },
    Way {
        version: Version::Http1,
        close: true,
        cpu: "CPU per request, HTTP/1.1, a new connection each",
        latency: "latency p50 at 100/s, HTTP/1.1, a new connection each",
    },
    Way {
        version: Version::Http2,
        close: false,
        cpu: "CPU per request, HTTP/2, kept connection",
        latency: "latency p50 at 100/s, HTTP/2, kept connection",
    },
];

pub(super) fn measure(stand: &mut Stand, target: &Target, pace: Pace) -> Result<Option<Outcome>> {
    let has_http2 = match target.kind {
        // The load generator has no TLS, and the others would need to be configured to trust the
        // certificate.
        Kind::Direct | Kind::Peer(_) => return Ok(None),
        // nginx has no HTTP/2 to upstreams.
        Kind::Nginx => false,
        Kind::Ours(_) => true,
    };
    let mut figures = Vec::new();
    let (mut errors, mut trouble) = (0, None);
    for way in WAYS {
        if way.version == Version::Http2 && !has_http2 {
            continue;
        }
        let running = stand.running(target, Behind::Tls(way.version))?;
        let script = Script {
            close: way.close,
            ..Script::PLAIN
        };
        let cost = cost(&running, Api::Chat, &script, BODY_BYTES, pace)?;
        let times = at_rate(&running, &script, RATE, pace)?;
        figures.push(Figure::ratio(
            way.cpu,
            "us",
            cost.micros.unwrap_or_default(),
        ));
        figures.push(Figure::added(
            way.latency,
            "us",
            times.quantiles.micros(0.5),
        ));
        errors += cost.errors + times.errors;
        trouble = trouble.or(cost.trouble).or(times.trouble);
    }
    ensure!(!figures.is_empty(), "there is no way to the upstream");
    Ok(Some(Outcome {
        figures,
        errors,
        trouble,
        note: None,
    }))
}
