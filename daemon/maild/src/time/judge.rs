//! What to do about this box's clock, given what servers say. Pure.
//!
//! | the clock is off by | before anything was set since the start | later |
//! |---|---|---|
//! | less than half a millisecond | nothing | nothing |
//! | up to 128 ms | slewed | slewed |
//! | more | set | set when [`ROUNDS`] rounds in a row say so |
//! | more than 1000 s | set: the battery was empty | never; an alarm (RFC 5905 §11.3 gives up here, too) |
//!
//! Several servers must agree: of three or more the majority counts, of two both. PID 1 has the last
//! word, see its `clock.rs`. Nothing in the journal waits for any of this.

use super::packet::Sample;

/// Clocks that are nearer than this to each other, their uncertainty not counted, agree.
const AGREE_US: i64 = 250_000;
const QUIET_US: i64 = 500;
const SLEW_US_MAX: i64 = 128_000;
const PANIC_US: i64 = 1_000_000_000;
/// How many rounds in a row must want a jump.
pub const ROUNDS: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The clock is right.
    Right,
    /// Let it run faster or slower until it has made up for this, µs.
    Slew(i64),
    /// Add this, µs.
    Set(i64),
    /// It looks wrong by this, µs; the next rounds will tell.
    Doubt(i64),
    /// The servers want a jump that no box in order needs, µs.
    Absurd(i64),
    /// The servers do not agree, or there are none that answer.
    Unknown,
}

#[derive(Debug, Default)]
pub struct Judge {
    was_set: bool,
    /// How often in a row the clock looked wrong, and by how much the last time.
    doubts: u32,
    last_us: i64,
}

impl Judge {
    /// One round: what each server that answered said, the best of its answers.
    pub fn round(&mut self, samples: &[Sample]) -> Verdict {
        let Some(offset) = agreed(samples) else { return Verdict::Unknown };
        let size = offset.saturating_abs();
        let verdict = if size <= QUIET_US {
            Verdict::Right
        } else if size <= SLEW_US_MAX {
            Verdict::Slew(offset)
        } else if !self.was_set {
            Verdict::Set(offset)
        } else if size > PANIC_US {
            Verdict::Absurd(offset)
        } else if self.doubted(offset) {
            Verdict::Set(offset)
        } else {
            return Verdict::Doubt(offset);
        };
        self.doubts = 0;
        // Once it was known to be right, a jump needs more than one round.
        self.was_set |= !matches!(verdict, Verdict::Absurd(_));
        verdict
    }

    /// The clock was not set although this judge said so: the next round says it again.
    pub fn was_refused(&mut self) {
        self.was_set = false;
    }

    fn doubted(&mut self, offset: i64) -> bool {
        let same = self.doubts > 0 && (offset - self.last_us).abs() <= AGREE_US;
        self.doubts = if same { self.doubts + 1 } else { 1 };
        self.last_us = offset;
        self.doubts >= ROUNDS
    }
}

/// The offset that most servers stand behind: of those that agree with the middle one, what the nearest
/// server says.
fn agreed(samples: &[Sample]) -> Option<i64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by_key(|sample| sample.offset_us);
    let middle = sorted.get(sorted.len() / 2)?;
    let agree = |sample: &&Sample| {
        let apart = sample.offset_us.saturating_sub(middle.offset_us).saturating_abs();
        apart <= AGREE_US + sample.delay_us / 2 + middle.delay_us / 2
    };
    let agreeing: Vec<&Sample> = sorted.iter().filter(agree).collect();
    let enough = agreeing.len() * 2 > sorted.len();
    let nearest = agreeing.into_iter().min_by_key(|sample| sample.delay_us)?;
    enough.then_some(nearest.offset_us)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(offsets_ms: &[i64]) -> Vec<Sample> {
        let sample = |ms: &i64| Sample { offset_us: ms * 1000, delay_us: 10_000 };
        offsets_ms.iter().map(sample).collect()
    }

    #[test]
    fn a_box_that_starts_is_set_at_once_and_later_only_after_three_rounds() {
        let mut judge = Judge::default();
        let year = 31_557_600_000;
        assert_eq!(judge.round(&say(&[])), Verdict::Unknown);
        assert_eq!(judge.round(&say(&[year])), Verdict::Set(year * 1000));
        assert_eq!(judge.round(&say(&[0])), Verdict::Right);
        assert_eq!(judge.round(&say(&[100])), Verdict::Slew(100_000));
        assert_eq!(judge.round(&say(&[-2000])), Verdict::Doubt(-2_000_000));
        assert_eq!(judge.round(&say(&[-2010])), Verdict::Doubt(-2_010_000));
        assert_eq!(judge.round(&say(&[-2005])), Verdict::Set(-2_005_000));
        assert_eq!(judge.round(&say(&[-2000])), Verdict::Doubt(-2_000_000), "it starts over");
        assert_eq!(judge.round(&say(&[900])), Verdict::Doubt(900_000), "another story");
        assert_eq!(judge.round(&say(&[3])), Verdict::Slew(3000));
        assert_eq!(judge.round(&say(&[900])), Verdict::Doubt(900_000));
        assert_eq!(judge.round(&say(&[year])), Verdict::Absurd(year * 1000));
    }

    #[test]
    fn a_clock_that_was_right_at_the_start_does_not_jump_for_one_round() {
        let mut judge = Judge::default();
        assert_eq!(judge.round(&say(&[1])), Verdict::Slew(1000));
        assert_eq!(judge.round(&say(&[5000])), Verdict::Doubt(5_000_000));
    }

    #[test]
    fn a_refusal_is_not_forgotten() {
        let mut judge = Judge::default();
        assert_eq!(judge.round(&say(&[-5000])), Verdict::Set(-5_000_000));
        judge.was_refused();
        assert_eq!(judge.round(&say(&[-5000])), Verdict::Set(-5_000_000));
    }

    #[test]
    fn servers_must_agree() {
        let verdict = |offsets: &[i64]| Judge::default().round(&say(offsets));
        assert_eq!(verdict(&[10, 9000]), Verdict::Unknown, "one against one");
        assert_eq!(verdict(&[10, 12]), Verdict::Slew(10_000));
        assert_eq!(verdict(&[9000, 10, 12]), Verdict::Slew(10_000), "two against one");
        assert_eq!(verdict(&[-9000, 9000, 10]), Verdict::Unknown, "all alone");
        assert_eq!(verdict(&[10, 12, 9000, 9001]), Verdict::Unknown, "two against two");
        let far = Sample { offset_us: 400_000, delay_us: 800_000 };
        let near = Sample { offset_us: 20_000, delay_us: 2_000 };
        assert_eq!(Judge::default().round(&[far, near]), Verdict::Slew(20_000), "the nearest");
    }
}
