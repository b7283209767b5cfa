//! What is measured: proxies between the load and the upstream, and the way without one.

mod child;
mod nginx;
mod ours;
mod peers;
mod running;
mod stand;

use std::path::PathBuf;

pub(crate) use peers::Peer;
pub(crate) use running::Running;
pub(crate) use stand::Stand;

use crate::upstream::Version;

/// One that takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// What a target is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No proxy: the load speaks to the upstream.
    Direct,
    Nginx,
    /// A binary of ours.
    Ours(PathBuf),
    /// Somebody else's gateway.
    Peer(Peer),
}

/// Which upstream a proxy is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Behind {
    /// The plain one.
    Plain,
    /// The plain one, with the ranking whose best model is rate-limited. Only ours reads one.
    Limited,
    /// The one behind TLS.
    Tls(Version),
}

impl Target {
    /// The way without a proxy.
    pub(crate) fn direct() -> Self {
        Self {
            name: "direct".into(),
            kind: Kind::Direct,
        }
    }

    pub(crate) fn nginx() -> Self {
        Self {
            name: "nginx".into(),
            kind: Kind::Nginx,
        }
    }
}
