//! Where a string stops being plain: at a quote, a backslash or a control character.
//!
//! Looked for in sixty-four bytes at a time, and each is looked at once: between two escapes of a
//! prompt there are some forty bytes, so whoever began anew behind each would look at most twice.

use wide::u8x16;

/// The stops of the bytes from some place on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stops {
    from: usize,
    /// One bit a byte, the lowest for the first; none beyond `from` + [`WIDTH`].
    bits: u64,
    /// Whether anything has been looked at.
    looked: bool,
}

const WIDTH: usize = 64;

impl Stops {
    /// The first stop at or behind `at`; the end of the text counts as one.
    pub(super) fn next(&mut self, text: &[u8], mut at: usize) -> usize {
        loop {
            let passed = at.wrapping_sub(self.from);
            if self.looked && passed < WIDTH {
                let left = self.bits >> passed;
                if left != 0 {
                    return at + left.trailing_zeros() as usize;
                }
                at = self.from + WIDTH;
            }
            *self = Self::look(text, at);
        }
    }

    fn look(text: &[u8], from: usize) -> Self {
        let rest = text.get(from..).unwrap_or_default();
        let bits = match rest.first_chunk::<WIDTH>() {
            Some(block) => bits(block),
            None => {
                // Filled up with what is a stop itself.
                let mut block = [0; WIDTH];
                let (head, _) = block.split_at_mut(rest.len());
                head.copy_from_slice(rest);
                bits(&block)
            }
        };
        Self {
            from,
            bits,
            looked: true,
        }
    }
}

fn bits(block: &[u8; WIDTH]) -> u64 {
    let (quote, backslash) = (u8x16::splat(b'"'), u8x16::splat(b'\\'));
    let last_control = u8x16::splat(0x1f);
    let (quarters, _) = block.as_chunks::<16>();
    quarters.iter().rev().fold(0, |bits, quarter| {
        let bytes = u8x16::new(*quarter);
        let stops = bytes.simd_eq(quote)
            | bytes.simd_eq(backslash)
            | bytes.min(last_control).simd_eq(bytes);
        bits << 16 | u64::from(stops.to_bitmask())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stop_is_found_from_everywhere() {
        let stop = |b: u8| b == b'"' || b == b'\\' || b < 0x20;
        // All bytes, at distances that end in each place of a block.
        let text: Vec<u8> = (0..=u8::MAX)
            .flat_map(|b| std::iter::repeat_n(b'x', usize::from(b) % 71).chain([b]))
            .collect();
        let expected = |at: usize| (at..text.len()).find(|i| stop(text[*i]));
        for start in 0..200 {
            let mut stops = Stops::default();
            let mut at = start;
            while at < text.len() {
                let found = stops.next(&text, at);
                assert_eq!(found, expected(at).unwrap_or(text.len()), "from {at}");
                at = found + 1;
            }
        }
    }
}
