//! One read of the ranking, one of the catalogue.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};

use super::catalogue::{Catalogue, CatalogueError};
use super::provider_list::ListError;
use super::ranking::{Ranking, RankingError};
use crate::clock::Now;
use crate::config::Config;
use crate::redact::Secret;
use crate::registry::FailedRead;
use crate::upstream::{AnswerBody, HttpClient, ReadError, SendError, Upstream, read_body};

/// A read takes no longer than this (spec §2).
const READ_TIMEOUT: Duration = Duration::from_secs(15);

/// Why a read failed. The sentences contain nothing from outside.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// No answer.
    #[error("{0}")]
    Send(#[from] SendError),
    /// No readable body.
    #[error("{0}")]
    Body(#[from] ReadError),
    /// Not in time.
    #[error("no whole answer within {} s", READ_TIMEOUT.as_secs())]
    Timeout,
    /// A status other than 200; redirects are not followed.
    #[error("the answer was HTTP {0}")]
    Status(u16),
    /// Nothing usable in the ranking.
    #[error("{0}")]
    Ranking(#[from] RankingError),
    /// Nothing usable in the catalogue.
    #[error("{0}")]
    Catalogue(#[from] CatalogueError),
    /// Nothing usable in a provider's list.
    #[error("{0}")]
    List(#[from] ListError),
}

impl RefreshError {
    /// What people see of it.
    pub(super) fn told(&self) -> FailedRead {
        FailedRead {
            kind: self.kind(),
            status: match self {
                Self::Status(status) => Some(*status),
                Self::Send(_)
                | Self::Body(_)
                | Self::Timeout
                | Self::Ranking(_)
                | Self::Catalogue(_)
                | Self::List(_) => None,
            },
            why: self.to_string(),
        }
    }

    /// The log's term for it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Send(_) | Self::Body(_) => "network",
            Self::Timeout => "timeout",
            Self::Status(_) => "status",
            Self::Ranking(RankingError::Json(_))
            | Self::Catalogue(CatalogueError::Json(_))
            | Self::List(ListError::Json(_)) => "invalid_json",
            Self::Ranking(RankingError::Shape)
            | Self::Catalogue(CatalogueError::Shape)
            | Self::List(ListError::Shape) => "wrong_shape",
            Self::Ranking(RankingError::NoUsableModel { .. })
            | Self::List(ListError::NoUsableModel { .. }) => "no_usable_model",
        }
    }
}

/// Reads both sources.
#[derive(Clone)]
pub(super) struct ListReader {
    client: HttpClient,
    upstream: Upstream,
    pub(super) list_url: String,
    max_list_bytes: usize,
    max_catalogue_bytes: usize,
    /// Ids that do not end in `:free` are accepted too.
    any_id: bool,
    secrets: Arc<[Secret]>,
}

impl ListReader {
    pub(super) fn new(
        config: &Config,
        client: HttpClient,
        upstream: Upstream,
        secrets: Arc<[Secret]>,
    ) -> Self {
        Self {
            client,
            upstream,
            list_url: config.models_list_url.to_string(),
            max_list_bytes: config.limits.max_list_bytes,
            max_catalogue_bytes: config.limits.max_catalogue_bytes,
            any_id: config.takes_any_id(),
            secrets,
        }
    }

    /// Whether it would read something else.
    pub(super) fn differs(&self, other: &Self) -> bool {
        let read = |reader: &Self| {
            let limits = (reader.max_list_bytes, reader.max_catalogue_bytes);
            (reader.list_url.clone(), limits, reader.any_id)
        };
        read(self) != read(other) || self.has_other_catalogue(other)
    }

    /// Whether its catalogue is another upstream's.
    pub(super) fn has_other_catalogue(&self, other: &Self) -> bool {
        self.upstream.base() != other.upstream.base()
    }

    pub(super) async fn ranking(&self) -> Result<Ranking, RefreshError> {
        let asked = self.client.ask(&self.list_url, HeaderMap::new(), None);
        let body = whole(asked, self.max_list_bytes).await?;
        let mut ranking = Ranking::read(&body, self.any_id)?;
        let skipped = ranking.skipped.len() + ranking.models.len();
        ranking.drop_secrets(|text| holds_secret(&self.secrets, text));
        if ranking.models.is_empty() {
            Err(RankingError::NoUsableModel { skipped })?;
        }
        Ok(ranking)
    }

    pub(super) async fn catalogue(&self) -> Result<Catalogue, RefreshError> {
        let asked = self.upstream.get("models");
        let body = whole(asked, self.max_catalogue_bytes).await?;
        let mut catalogue = Catalogue::read(&body, Now::read().wall)?;
        catalogue.drop_secrets(|text| holds_secret(&self.secrets, text));
        Ok(catalogue)
    }
}

/// The whole body of a 200, of at most `limit` bytes.
pub(super) async fn whole(
    asked: impl Future<Output = Result<Response<AnswerBody>, SendError>>,
    limit: usize,
) -> Result<Bytes, RefreshError> {
    let whole = async {
        let (head, body) = asked.await?.into_parts();
        if head.status != StatusCode::OK {
            return Err(RefreshError::Status(head.status.as_u16()));
        }
        Ok(read_body(&head.headers, body, limit).await?)
    };
    tokio::time::timeout(READ_TIMEOUT, whole)
        .await
        .unwrap_or(Err(RefreshError::Timeout))
}

/// Whether a text from a list contains one of our keys or account ids: ids go to clients, logs and
/// metrics, names to people.
pub(super) fn holds_secret(secrets: &[Secret], text: &str) -> bool {
    secrets.iter().any(|secret| secret.is_in(text.as_bytes()))
}
