//! Which record formats a program knows, and which of them a pair writes.
//!
//! A format is the set of operations and fields that its programs read. A program reads a range of formats: as long
//! as logs are not written anew, from the first to its newest. An operation that a program does not know is
//! neither skipped nor stored by it unread: skipping it would make the two boxes differ, and nobody could say
//! which UIDs it gave. So it is never written before both boxes read it:
//!
//! | a box | writes |
//! |---|---|
//! | of a new pair | the first format |
//! | in `both`, when the lesser of what the two have blessed is above what the log says | `Op::Format`, and from there on that |
//! | alone, waiting, after a restart | what its log says |
//!
//! "Blessed" is the newest format of a program that has proved itself on this box, so that the box does not fall
//! back behind it by itself. A box that is taken back behind what its log says all the same does not start,
//! and a peer that cannot read the log gets no session: [`Refused`].

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a log is written in that says nothing else.
pub const FORMAT_FIRST: u16 = 1;

/// The newest format that this program reads.
const FORMAT_NEWEST: u16 = 1;

/// What a program knows. It stands first in the first message of each session, in these very bytes for ever, so that
/// two programs that have nothing else in common can say so.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Formats {
    /// It reads the formats from this one
    pub oldest: u16,
    /// to this one.
    pub newest: u16,
    /// What its box has blessed, at most `newest`.
    pub blessed: u16,
    /// The program and its version, for people.
    pub program: String,
}

/// Why two programs cannot share a log.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Refused {
    #[error(
        "the pair's mail is written in record format {written}, and {program} reads formats up to {newest}: \
         install a newer release on that box"
    )]
    TooNew { written: u16, newest: u16, program: String },
    #[error(
        "{older} reads record formats up to {newest}, and {newer} none before {oldest}: install a newer release \
         on the box with the older one"
    )]
    NothingInCommon { oldest: u16, newer: String, newest: u16, older: String },
}

impl Formats {
    /// This program's, on a box that has blessed `blessed`; `program` names it for people.
    #[must_use]
    pub fn of_this_program(program: &str, blessed: u16) -> Formats {
        Formats::new(FORMAT_FIRST..=FORMAT_NEWEST, program, blessed)
    }

    /// Those of a program that reads `range`.
    #[must_use]
    pub fn new(range: std::ops::RangeInclusive<u16>, program: &str, blessed: u16) -> Formats {
        let (oldest, newest) = range.into_inner();
        Formats { oldest, newest, blessed: blessed.clamp(oldest, newest), program: program.into() }
    }

    /// Can this program go on with a log in which `written` was agreed last?
    ///
    /// # Errors
    /// [`Refused::TooNew`].
    pub fn check_log(&self, written: u16) -> Result<(), Refused> {
        if written <= self.newest {
            return Ok(());
        }
        let (newest, program) = (self.newest, self.program.clone());
        Err(Refused::TooNew { written, newest, program })
    }

    /// What the two boxes write from now on, when the later of their logs says `written`. The same at both.
    ///
    /// # Errors
    /// When there is no such format: the two get no session.
    pub fn agree(&self, peer: &Formats, written: u16) -> Result<u16, Refused> {
        self.check_log(written)?;
        peer.check_log(written)?;
        for (newer, older) in [(self, peer), (peer, self)] {
            if newer.oldest > older.newest {
                return Err(Refused::NothingInCommon {
                    oldest: newer.oldest,
                    newer: newer.program.clone(),
                    newest: older.newest,
                    older: older.program.clone(),
                });
            }
        }
        let blessed = self.blessed.min(peer.blessed);
        Ok(blessed.max(self.oldest).max(peer.oldest).max(written))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formats(oldest: u16, newest: u16, blessed: u16) -> Formats {
        Formats::new(oldest..=newest, "twinpost", blessed)
    }

    /// Golden bytes: the front of the first message of every session, for ever.
    #[test]
    fn any_release_reads_what_another_knows() {
        let golden = [1, 2, 0x80, 0x02, 8, b't', b'w', b'i', b'n', b'p', b'o', b's', b't'];
        let formats = Formats { oldest: 1, newest: 2, blessed: 256, program: "twinpost".into() };
        assert_eq!(postcard::to_stdvec(&formats).unwrap(), golden);
        let more = [&golden[..], b"what a later release adds"].concat();
        let (read, _) = postcard::take_from_bytes::<Formats>(&more).unwrap();
        assert_eq!(read, formats);
    }

    #[test]
    fn a_pair_writes_what_both_have_blessed() {
        for (own, peer, written, expect) in [
            (formats(1, 1, 1), formats(1, 1, 1), 1, Some(1)),
            (formats(1, 2, 2), formats(1, 1, 1), 1, Some(1)),
            (formats(1, 2, 2), formats(1, 2, 1), 1, Some(1)),
            (formats(1, 2, 2), formats(1, 2, 2), 1, Some(2)),
            (formats(1, 3, 3), formats(1, 2, 2), 1, Some(2)),
            (formats(1, 3, 3), formats(2, 4, 4), 2, Some(3)),
            // What was agreed stays, whoever has forgotten his blessing.
            (formats(1, 2, 2), formats(1, 2, 1), 2, Some(2)),
            // The log is beyond one of them.
            (formats(1, 2, 2), formats(1, 1, 1), 2, None),
            (formats(1, 4, 4), formats(1, 4, 4), 5, None),
            // Nothing in common.
            (formats(3, 4, 4), formats(1, 2, 2), 1, None),
            // There is only one way, whatever is blessed.
            (formats(2, 3, 3), formats(1, 2, 1), 1, Some(2)),
        ] {
            assert_eq!(own.agree(&peer, written).ok(), expect, "{own:?} {peer:?} {written}");
            let [one, other] = [own.agree(&peer, written), peer.agree(&own, written)];
            assert_eq!(one.ok(), other.ok(), "both boxes agree on it");
        }
    }

    #[test]
    fn a_refusal_names_the_box_to_update() {
        let newer = Formats::new(3..=4, "box a (2.0)", 4);
        let older = Formats::new(1..=2, "box b (1.0)", 2);
        for refused in [newer.agree(&older, 1), older.agree(&newer, 1)] {
            let text = refused.unwrap_err().to_string();
            assert!(text.contains("box b (1.0) reads record formats up to 2"), "{text}");
        }
        let text = older.check_log(3).unwrap_err().to_string();
        assert!(text.contains("box b (1.0) reads formats up to 2"), "{text}");
    }

    #[test]
    fn a_blessing_is_of_what_the_program_reads() {
        assert_eq!(formats(1, 1, 2).blessed, 1, "taken back");
        assert_eq!(formats(1, 2, 0).blessed, 1, "nothing is blessed yet");
        assert_eq!(Formats::of_this_program("twinpost", 0).newest, FORMAT_NEWEST);
    }
}
