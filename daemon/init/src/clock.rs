//! The wall clock: never before the image was built, never before it was last known, put right at maild's
//! word, and kept in the battery-backed clock.
//!
//! Only PID 1 may set it. Maild asks servers (`maild/src/time/`) and says by how much it is off; what
//! that would lead to is looked at once more here, because maild is what the network talks to.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use control::{ClockChange, FromInit, paths};
use linux::clock;

use crate::limits::{CLOCK_KEEP_EVERY, CLOCK_LEAD_MAX};
use crate::log::Log;

/// Where the battery-backed clock is.
const BATTERY: &str = "/dev/rtc0";

#[derive(Debug)]
pub struct Clock {
    /// No clock runs before the image was built.
    floor: Duration,
    /// Its time is a server's: worth keeping.
    is_known: bool,
    kept: Instant,
    file: PathBuf,
}

/// What is done at maild's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Set(Duration),
    Slew(i32),
}

impl Clock {
    #[must_use]
    pub fn new(now: Instant, build_time: &Path) -> Clock {
        let floor = read(build_time).unwrap_or_default();
        Clock { floor, is_known: false, kept: now, file: paths::DATA_CLOCK.into() }
    }

    pub fn change(&mut self, now: Instant, change: ClockChange, log: &mut Log) -> FromInit {
        let done = deed(clock::since_epoch(), self.floor, change).and_then(|deed| {
            let done = match deed {
                Deed::Set(time) => clock::set(time),
                Deed::Slew(offset_us) => clock::slew(offset_us),
            };
            done.map(|()| deed).map_err(|error| error.to_string())
        });
        match done {
            Ok(deed) => {
                if matches!(deed, Deed::Set(_)) {
                    let seconds = change.offset_us as f64 / 1e6;
                    log.line("init", &format!("the clock is set by {seconds:+.3} s"));
                }
                let first = !std::mem::replace(&mut self.is_known, true);
                if first || matches!(deed, Deed::Set(_)) {
                    self.keep(now, log);
                }
                FromInit::ClockChanged
            }
            Err(reason) => {
                log.line("init", &format!("the clock stays as it is: {reason}"));
                FromInit::ClockStays { reason }
            }
        }
    }

    /// Keeps the time now and then.
    pub fn turn(&mut self, now: Instant, log: &mut Log) {
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            self.keep(now, log);
        }
    }

    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.is_known.then_some(self.kept + CLOCK_KEEP_EVERY)
    }

    /// Writes the time where the next start finds it. A time that nobody confirmed only goes to the
    /// disk: the battery-backed clock may know better.
    pub fn keep(&mut self, now: Instant, log: &mut Log) {
        self.kept = now;
        if self.is_known
            && let Err(error) = clock::save_to_battery(Path::new(BATTERY))
            && !error.is_absent()
        {
            log.line("init", &error.to_string());
        }
        if linux::mounts::is_mounted(Path::new(paths::DATA))
            && let Err(error) = write(&self.file, clock::unix_s())
        {
            log.line("init", &format!("keeping the time in {}: {error}", self.file.display()));
        }
    }
}

/// Without a battery the clock starts decades ago, and then no certificate is valid: it is set to the
/// time in `file` when it is behind that.
pub fn not_before(file: &Path, what: &str, log: &mut Log) {
    let Some(floor) = read(file) else {
        return log.line("init", &format!("no {what} to start the clock from"));
    };
    match clock::set_floor(floor.as_secs()) {
        Ok(false) => {}
        Ok(true) => log.line("init", &format!("the clock was behind the {what} and was set to it")),
        Err(error) => log.line("init", &error.to_string()),
    }
}

/// A jump must not end before the image was built, nor decades after it.
fn deed(now: Duration, floor: Duration, change: ClockChange) -> Result<Deed, String> {
    if !change.at_once {
        return i32::try_from(change.offset_us)
            .map(Deed::Slew)
            .map_err(|_| format!("{} µs are too much to make up for", change.offset_us));
    }
    let size = Duration::from_micros(change.offset_us.unsigned_abs());
    let then = if change.offset_us < 0 { now.checked_sub(size) } else { now.checked_add(size) };
    match then {
        Some(then) if then < floor => Err("that would be before this firmware was built".into()),
        Some(then) if then < floor + CLOCK_LEAD_MAX => Ok(Deed::Set(then)),
        _ => Err("that would be decades after this firmware was built".into()),
    }
}

fn read(file: &Path) -> Option<Duration> {
    let seconds = fs::read_to_string(file).ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Whole or not at all. That it is a little old after a power cut does no harm.
fn write(file: &Path, unix_s: u64) -> std::io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, format!("{unix_s}\n"))?;
    fs::rename(new, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: Duration = Duration::from_secs(1_790_000_000);
    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn decide(offset_us: i64, at_once: bool) -> Result<Deed, String> {
        deed(NOW, FLOOR, ClockChange { offset_us, at_once })
    }

    #[test]
    fn small_steps_are_made_up_for_and_jumps_stay_within_reason() {
        assert_eq!(decide(-100_000, false), Ok(Deed::Slew(-100_000)));
        assert!(decide(i64::MAX, false).is_err());
        assert_eq!(decide(5_000_000, true), Ok(Deed::Set(NOW + Duration::from_secs(5))));
        assert_eq!(decide(-5_500_000, true), Ok(Deed::Set(NOW - Duration::from_millis(5500))));
        assert!(decide(-10_000_000_000_001, true).unwrap_err().contains("before this firmware"));
        for absurd in [i64::MIN, i64::MAX, 1_300_000_000_000_000] {
            assert!(decide(absurd, true).is_err(), "{absurd}");
        }
    }

    #[test]
    fn a_time_is_kept_and_read_back() {
        let file = std::env::temp_dir().join(format!("twinpost-clock-{}", std::process::id()));
        write(&file, 1_800_000_000).unwrap();
        assert_eq!(read(&file), Some(NOW));
        fs::write(&file, "rubbish").unwrap();
        assert_eq!(read(&file), None);
        fs::remove_file(&file).unwrap();
        let mut log = Log::in_memory();
        not_before(&file, "image's build time", &mut log);
        let line = log.ring().newest(1).next().unwrap().clone();
        assert!(line.contains("no image's build time"), "{line}");
    }

    #[test]
    fn only_a_known_time_is_kept_by_and_by() {
        let now = Instant::now();
        let mut clock = Clock::new(now, Path::new("/no/such/file"));
        assert_eq!(clock.deadline(), None);
        clock.is_known = true;
        assert_eq!(clock.deadline(), Some(now + CLOCK_KEEP_EVERY));
    }
}
