//! What is measured: proxies between the load generator and the upstream, and the connection
//! without one.

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
    /// No proxy: the load generator talks to the upstream.
    Direct,
    Nginx,
    /// A binary of ours.
    Ours(PathBuf),
    /// Another vendor's gateway.
    Peer(Peer),
}

/// Which upstream a proxy is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Behind {
    /// The plain one.
    Plain,
    /// The plain one, with a ranking whose best model is rate-limited. Only ours reads one.
    Limited,
    /// The one behind TLS.
    Tls(Version),
}

impl Target {
    /// The connection without a proxy.
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
