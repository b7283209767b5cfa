//! Where a string stops being plain: at a quote, a backslash or a control character.
//!
//! Sixty-four bytes are searched at a time, and each is looked at once: between two escapes of a
//! prompt there are some forty bytes, so restarting after each would look at most bytes twice.

use wide::u8x16;

/// The stops in a block of a text. It only ever moves forward.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stops {
    /// Where the block ends.
    until: usize,
    /// One bit for each of its bytes, the lowest for the first.
    bits: u64,
}

const WIDTH: usize = 64;

impl Stops {
    /// The first stop at or after `at`; the end of the text counts as one.
    #[inline(always)]
    pub(super) fn next(&mut self, text: &[u8], mut at: usize) -> usize {
        loop {
            if at < self.until {
                let passed = WIDTH.wrapping_sub(self.until - at);
                let left = self.bits.wrapping_shr(passed as u32);
                if left != 0 {
                    return at + left.trailing_zeros() as usize;
                }
                at = self.until;
            }
            self.look(text, at);
        }
    }

    fn look(&mut self, text: &[u8], at: usize) {
        let rest = text.get(at..).unwrap_or_default();
        self.until = at + WIDTH;
        self.bits = match rest.first_chunk::<WIDTH>() {
            Some(block) => bits(block),
            None => {
                // Padded with a stop.
                let mut block = [0; WIDTH];
                let (head, _) = block.split_at_mut(rest.len());
                head.copy_from_slice(rest);
                bits(&block)
            }
        };
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
        // All bytes, at distances that end at each position of a block.
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
