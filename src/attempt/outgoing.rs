//! What is ready to go to the client, in as few pieces as is cheap.
//!
//! Each piece becomes a chunk of its own on the wire, with a head, a slot in the write and work in
//! hyper: several times what it costs to copy a few small events into one.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Pieces are put together up to this size; a larger one goes as it came.
pub(super) const JOINED: usize = 32 * 1024;

/// A queue that is empty whenever the client has taken all there is.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pieces: VecDeque<Bytes>,
    bytes: usize,
}

impl Outgoing {
    pub(super) fn push(&mut self, piece: Bytes) {
        self.bytes += piece.len();
        self.pieces.push_back(piece);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Whether there is as much as one piece holds.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= JOINED
    }

    /// The next piece.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        let mut fitting = 0;
        let small = |piece: &&Bytes| {
            fitting += piece.len();
            fitting <= JOINED
        };
        let count = self.pieces.iter().take_while(small).count();
        let next = if count < 2 {
            self.pieces.pop_front()?
        } else {
            let pieces = || self.pieces.iter().take(count);
            let mut joined = BytesMut::with_capacity(pieces().map(Bytes::len).sum());
            pieces().for_each(|piece| joined.extend_from_slice(piece));
            self.pieces.drain(..count);
            joined.freeze()
        };
        self.bytes -= next.len();
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pieces_go_together_and_large_ones_as_they_came() {
        #[rustfmt::skip]
        let rows: &[(&[usize], &[usize])] = &[
            // pushed                       taken
            (&[],                           &[]),
            (&[10],                         &[10]),
            (&[10, 20, 30],                 &[60]),
            (&[40_000],                     &[40_000]),
            (&[10, 40_000, 20, 30],         &[10, 40_000, 50]),
            (&[20_000, 20_000, 20_000],     &[20_000, 20_000, 20_000]),
            (&[16_384, 16_384, 1],          &[32_768, 1]),
        ];
        for (pushed, expected) in rows {
            let mut outgoing = Outgoing::default();
            for size in *pushed {
                outgoing.push(vec![b'x'; *size].into());
            }
            let taken: Vec<_> = std::iter::from_fn(|| outgoing.take())
                .map(|p| p.len())
                .collect();
            assert_eq!(taken, *expected, "{pushed:?}");
            assert!(outgoing.is_empty() && outgoing.bytes == 0);
        }
    }
}
