//! Bytes ready for the client, in as few pieces as is cheap.
//!
//! Each piece becomes its own chunk on the wire, with a head, a slot in the write and work in hyper:
//! several times what it costs to copy a few small events into one.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// Pieces are joined up to this size, in bytes; a larger one goes out as it is.
pub(super) const JOINED: usize = 32 * 1024;

/// The initial capacity of `open`, in bytes: enough for a stream's first events, and for each later one.
const OPENED: usize = 2 * 1024;

/// A queue that is empty whenever the client has taken all there is.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pieces: VecDeque<Bytes>,
    bytes: usize,
    /// What is being written, to go out after `pieces`; its buffer is reused.
    open: Vec<u8>,
}

impl Outgoing {
    pub(super) fn push(&mut self, piece: Bytes) {
        self.close();
        self.bytes += piece.len();
        self.pieces.push_back(piece);
    }

    /// Where more can be appended.
    pub(super) fn open(&mut self) -> &mut Vec<u8> {
        &mut self.open
    }

    /// Reserves room for a stream's events.
    pub(super) fn make_room(&mut self) {
        if self.open.capacity() == 0 {
            self.open.reserve(OPENED);
        }
    }

    /// Turns what has been written into a piece.
    fn close(&mut self) {
        if !self.open.is_empty() {
            self.bytes += self.open.len();
            self.pieces.push_back(Bytes::copy_from_slice(&self.open));
            self.open.clear();
            // One large event must not hold its memory for as long as the stream lasts.
            self.open.shrink_to(JOINED);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.open.is_empty()
    }

    /// Whether there is enough for one full piece.
    pub(super) fn is_full(&self) -> bool {
        self.bytes + self.open.len() >= JOINED
    }

    /// The next piece.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        self.close();
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
    fn small_pieces_are_joined_and_large_ones_left_alone() {
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

    #[test]
    fn what_is_written_keeps_its_place_among_the_pieces() {
        let mut outgoing = Outgoing::default();
        outgoing.open().extend_from_slice(b"a");
        outgoing.open().extend_from_slice(b"b");
        outgoing.push(Bytes::from_static(b"c"));
        outgoing.open().extend_from_slice(b"d");
        assert!(!outgoing.is_empty() && !outgoing.is_full());
        assert_eq!(outgoing.take().as_deref(), Some(b"abcd".as_slice()));
        outgoing.open().resize(JOINED, b'x');
        assert!(outgoing.is_full());
        assert_eq!(outgoing.take().map(|p| p.len()), Some(JOINED));
        assert!(outgoing.is_empty() && outgoing.bytes == 0);
    }
}
