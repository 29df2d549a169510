//! The 48 bytes of an NTP message in client mode (RFC 4330 §4, RFC 5905 §7.3). Pure.

use std::time::Duration;

pub const BYTES: usize = 48;

/// Why an answer is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("{got} bytes are no answer: expected {BYTES}")]
    Length { got: usize },
    #[error("it is no answer to this question")]
    NotAnswered,
    #[error("mode {mode}, version {version}: expected 4, and 3 or 4")]
    Kind { mode: u8, version: u8 },
    #[error("the server's own clock is not set")]
    Unset,
    /// RFC 5905 §7.4.
    #[error("it wants to be asked less: {code}")]
    Kiss { code: String },
    #[error("its times make no sense")]
    Nonsense,
}

/// What an answer says of this box's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// To be added to this box's clock.
    pub offset_us: i64,
    /// The way there and back: half of it is how wrong the offset may be.
    pub delay_us: i64,
}

/// A question. `cookie` is random and comes back in the answer: this box's clock is nobody's business,
/// and who has not seen the question cannot answer it.
#[must_use]
pub fn question(cookie: u64) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    bytes[0] = (4 << 3) | 3;
    bytes[40..].copy_from_slice(&cookie.to_be_bytes());
    bytes
}

/// Reads the answer to the question with this cookie. The times are this box's, since the Unix epoch.
///
/// # Errors
/// Why it is not taken.
pub fn read(
    answer: &[u8],
    cookie: u64,
    sent: Duration,
    received: Duration,
) -> Result<Sample, Refused> {
    let length = Refused::Length { got: answer.len() };
    // What comes behind are extensions and seals, which this client does not ask for.
    let bytes: &[u8; BYTES] = answer.first_chunk().ok_or(length)?;
    let (leap, version, mode) = (bytes[0] >> 6, (bytes[0] >> 3) & 7, bytes[0] & 7);
    if field(bytes, 24) != cookie {
        return Err(Refused::NotAnswered);
    }
    if mode != 4 || !(3..=4).contains(&version) {
        return Err(Refused::Kind { mode, version });
    }
    let stratum = bytes[1];
    if stratum == 0 {
        let code = bytes[12..16].iter().filter(|byte| byte.is_ascii_uppercase());
        return Err(Refused::Kiss { code: code.map(|byte| char::from(*byte)).collect() });
    }
    if leap == 3 || stratum > STRATUM_MAX {
        return Err(Refused::Unset);
    }
    let (heard, answered) = (field(bytes, 32), field(bytes, 40));
    if heard == 0 || answered == 0 || root_distance_us(bytes) > ROOT_DISTANCE_US_MAX {
        return Err(Refused::Nonsense);
    }
    let (sent, received) = (microseconds(sent), microseconds(received));
    let (heard, answered) = (unix_us(heard), unix_us(answered));
    let delay_us = (received - sent) - (answered - heard);
    // A delay below nothing: a clock was set between the two looks at it.
    if !(-DELAY_SLACK_US..=DELAY_US_MAX).contains(&delay_us) || answered < heard {
        return Err(Refused::Nonsense);
    }
    let offset_us = ((heard - sent) + (answered - received)) / 2;
    Ok(Sample { offset_us, delay_us: delay_us.max(0) })
}

fn field(bytes: &[u8; BYTES], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes of forty-eight"))
}

/// How wrong the server may be itself: half the way to its source, and what that lets open
/// (RFC 5905 §11.1), both in 1/65536 s.
fn root_distance_us(bytes: &[u8; BYTES]) -> u64 {
    let short = |at: usize| {
        let bytes = bytes[at..at + 4].try_into().expect("four bytes of forty-eight");
        u64::from(u32::from_be_bytes(bytes))
    };
    ((short(4) / 2 + short(8)) * 1_000_000) >> 16
}

/// NTP counts 2³² seconds from 1900 and then starts over, in February 2036. What would be before 2004
/// is after 2036 (RFC 4330 §3 has the same trick with 1968).
fn unix_us(ntp: u64) -> i64 {
    let (seconds, fraction) = (ntp >> 32, ntp & 0xffff_ffff);
    let seconds = if seconds < ERA_PIVOT { seconds + (1 << 32) } else { seconds };
    let micros = (fraction * 1_000_000) >> 32;
    (seconds as i64 - EPOCH_S) * 1_000_000 + micros as i64
}

fn microseconds(since_epoch: Duration) -> i64 {
    i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX / 4)
}

/// From 1900 to 1970, seconds.
const EPOCH_S: i64 = 2_208_988_800;
/// 2004-01-01 in NTP's seconds.
const ERA_PIVOT: u64 = 3_281_904_000;
const STRATUM_MAX: u8 = 15;
/// RFC 5905 §7.2, MAXDIST and a little: a server that has lost its source for hours.
const ROOT_DISTANCE_US_MAX: u64 = 3_000_000;
const DELAY_US_MAX: i64 = 5_000_000;
const DELAY_SLACK_US: i64 = 1_000;

#[cfg(test)]
pub mod tests {
    use super::*;

    const COOKIE: u64 = 0x0123_4567_89ab_cdef;
    const NOW: Duration = Duration::from_secs(1_800_000_000);

    /// A server whose clock is `ahead_us` before this box's, 20 ms away.
    pub fn answer(cookie: u64, sent: Duration, ahead_us: i64) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[0] = (4 << 3) | 4;
        bytes[1] = 2;
        bytes[24..32].copy_from_slice(&cookie.to_be_bytes());
        let at = |us: i64| {
            let us = microseconds(sent) + ahead_us + us + EPOCH_S * 1_000_000;
            let (seconds, micros) = ((us / 1_000_000) as u64, (us % 1_000_000) as u64);
            ((seconds << 32) | ((micros << 32) / 1_000_000)).to_be_bytes()
        };
        bytes[32..40].copy_from_slice(&at(10_000));
        bytes[40..].copy_from_slice(&at(10_500));
        bytes
    }

    fn read_back(change: impl Fn(&mut [u8; BYTES])) -> Result<Sample, Refused> {
        let mut bytes = answer(COOKIE, NOW, 7_000_000);
        change(&mut bytes);
        read(&bytes, COOKIE, NOW, NOW + Duration::from_micros(20_500))
    }

    #[test]
    fn the_offset_is_from_the_middle_of_the_way() {
        let sample = read_back(|_| {}).unwrap();
        assert!((sample.offset_us - 7_000_000).abs() <= 2, "{sample:?}");
        assert!((sample.delay_us - 20_000).abs() <= 2, "{sample:?}");
        let behind = answer(COOKIE, NOW, -90_000_000);
        let sample = read(&behind, COOKIE, NOW, NOW + Duration::from_micros(20_500)).unwrap();
        assert!((sample.offset_us + 90_000_000).abs() <= 2, "{sample:?}");
    }

    #[test]
    fn the_question_says_nothing_but_its_cookie() {
        let bytes = question(COOKIE);
        assert_eq!((bytes[0], &bytes[1..40]), (0x23, [0; 39].as_slice()));
        assert_eq!(bytes[40..], COOKIE.to_be_bytes());
    }

    #[test]
    fn answers_that_are_none() {
        let refused = |change: &dyn Fn(&mut [u8; BYTES])| read_back(change).unwrap_err();
        assert_eq!(refused(&|b| b[31] ^= 1), Refused::NotAnswered);
        assert_eq!(refused(&|b| b[0] = 0x23), Refused::Kind { mode: 3, version: 4 });
        assert_eq!(refused(&|b| b[0] = 0x0c), Refused::Kind { mode: 4, version: 1 });
        assert_eq!(refused(&|b| b[0] |= 0xc0), Refused::Unset);
        assert_eq!(refused(&|b| b[1] = 16), Refused::Unset);
        let rate = |b: &mut [u8; BYTES]| {
            b[1] = 0;
            b[12..16].copy_from_slice(b"RATE");
        };
        assert_eq!(refused(&rate), Refused::Kiss { code: "RATE".into() });
        assert_eq!(refused(&|b| b[40..].fill(0)), Refused::Nonsense);
        assert_eq!(refused(&|b| b[8] = 1), Refused::Nonsense, "root dispersion of minutes");
        assert_eq!(refused(&|b| b[40..].fill(0xff)), Refused::Nonsense);
        let short = read(&[0; 47], COOKIE, NOW, NOW);
        assert_eq!(short, Err(Refused::Length { got: 47 }));
    }

    #[test]
    fn the_count_starts_over_in_2036() {
        assert_eq!(unix_us((EPOCH_S as u64 + 1_800_000_000) << 32), 1_800_000_000_000_000);
        assert_eq!(unix_us(0), 2_085_978_496_000_000, "2036-02-07 06:28:16");
        assert_eq!(unix_us((1 << 32) | (1 << 31)), 2_085_978_497_500_000);
    }
}
