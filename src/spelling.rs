//! How far two spellings are apart. Pure.

/// How many letters must be inserted, deleted or changed.
#[must_use]
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (number, a) in (1..).zip(a.bytes()) {
        let mut left = number;
        let mut row = vec![left];
        for (b, pair) in b.bytes().zip(above.windows(2)) {
            if let [diagonal, up] = pair {
                left = (diagonal + usize::from(a != b)).min(up + 1).min(left + 1);
                row.push(left);
            }
        }
        above = row;
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s12_1_letters_are_counted() {
        #[rustfmt::skip]
        let rows = [
            ("", "", 0), ("a", "", 1), ("ab", "ba", 2), ("abc", "abc", 0), ("abc", "axc", 1),
            ("abc", "xabcy", 2), ("abcd", "bcde", 2), ("abc", "xyz", 3), ("kitten", "sitting", 3),
        ];
        for (a, b, expected) in rows {
            assert_eq!(
                (distance(a, b), distance(b, a)),
                (expected, expected),
                "{a} {b}"
            );
        }
    }
}
