//! A committed answer as the body of a reply, and how it is cut off when the proxy stops.

use std::task::{Context, Poll};

use bytes::Bytes;

use super::error::ProxyError;
use super::reply::Flow;
use crate::attempt::Committed;

impl Flow for Committed {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        Committed::poll_next(self, cx)
    }

    fn cut(&mut self) {
        let error = ProxyError::ShuttingDown;
        self.cut_off(&error.body(), error.code());
    }
}
