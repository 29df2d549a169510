//! Sets of message numbers and UIDs.

use super::cursor::Cursor;
use super::{Error, Result};

/// Ranges as the client wrote them; `None` is `*`, the largest number in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceSet(Vec<(Option<u32>, Option<u32>)>);

/// A resolved set: ascending ranges that do not touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(Vec<(u32, u32)>);

impl SequenceSet {
    /// ```text
    /// sequence-set = (seq-number / seq-range) ["," sequence-set]
    /// seq-range    = seq-number ":" seq-number
    /// seq-number   = nz-number / "*"
    /// ```
    pub fn parse(cursor: &mut Cursor) -> Result<Self> {
        let mut ranges = Vec::new();
        loop {
            let first = number_or_star(cursor)?;
            let last = if cursor.skip(b':') { number_or_star(cursor)? } else { first };
            ranges.push((first, last));
            if !cursor.skip(b',') {
                return Ok(Self(ranges));
            }
        }
    }

    /// The set where `*` is `largest`. Each range is meant both ways round. With `largest` 0 there is
    /// nothing that `*` could be, and ranges with it are empty.
    pub fn resolve(&self, largest: u32) -> Ranges {
        let mut ranges: Vec<(u32, u32)> = self
            .0
            .iter()
            .filter(|(first, last)| largest > 0 || (first.is_some() && last.is_some()))
            .map(|&(first, last)| (first.unwrap_or(largest), last.unwrap_or(largest)))
            .map(|(first, last)| (first.min(last), first.max(last)))
            .collect();
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(open) if first <= open.1.saturating_add(1) => open.1 = open.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        Ranges(merged)
    }

    /// Whether some range lies wholly above `count`, so that it names no message (RFC 9051 §9,
    /// `seq-number`: such a command is answered with BAD).
    pub fn exceeds(&self, count: u32) -> bool {
        let above = |number: Option<u32>| number.is_some_and(|number| number > count);
        self.0.iter().any(|&(first, last)| above(first) && above(last))
    }
}

impl Ranges {
    pub fn contains(&self, number: u32) -> bool {
        let after = self.0.partition_point(|&(first, _)| first <= number);
        after > 0 && self.0[after - 1].1 >= number
    }
}

fn number_or_star(cursor: &mut Cursor) -> Result<Option<u32>> {
    if cursor.skip(b'*') {
        return Ok(None);
    }
    cursor.number_above_zero().map(Some).map_err(|_| Error("the message set is wrong"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::Piece;

    fn set(text: &str) -> Result<SequenceSet> {
        let mut cursor = Cursor::new(vec![Piece::Text(text.as_bytes().to_vec())]);
        let set = SequenceSet::parse(&mut cursor)?;
        cursor.end().map(|()| set)
    }

    #[test]
    fn sets_resolve_to_ascending_ranges() {
        let check = |text, largest, expected: &[(u32, u32)]| {
            assert_eq!(set(text).unwrap().resolve(largest).0, expected, "for {text}");
        };
        check("1", 9, &[(1, 1)]);
        check("5,1:3,2:4,7:6", 9, &[(1, 7)]);
        check("*", 9, &[(9, 9)]);
        check("*:4,1", 9, &[(1, 1), (4, 9)]);
        check("20:*", 9, &[(9, 20)]);
        check("1:*", 0, &[]);
        check("1:4294967295,3", 9, &[(1, u32::MAX)]);
    }

    #[test]
    fn membership() {
        let ranges = set("3:5,9").unwrap().resolve(20);
        let inside: Vec<u32> = (0..12).filter(|&n| ranges.contains(n)).collect();
        assert_eq!(inside, [3, 4, 5, 9]);
        assert!(!Ranges::default().contains(1));
    }

    #[test]
    fn sets_beyond_the_mailbox() {
        assert!(set("4").unwrap().exceeds(3));
        assert!(set("1,4:5").unwrap().exceeds(3));
        assert!(!set("2:9,4:*").unwrap().exceeds(3));
        assert!(!set("1:*").unwrap().exceeds(0));
    }

    #[test]
    fn wrong_sets() {
        for text in ["", "0", "1,", ",1", "1:", "a", "1:2:3", "4294967296", "$", "-1"] {
            assert!(set(text).is_err(), "{text}");
        }
    }
}
