//! Whether this box could serve a client, looked at as a client would: the mail store's loop answers, the
//! journal syncs, the disk takes writes and has room, each port greets.
//!
//! | trouble | found after | what `failover` hears |
//! |---|---|---|
//! | the store's loop does not go round | 1 s | ill |
//! | something waits for a sync that makes no progress | 1 s | no reason to join a peer |
//! | the same | 5 s | ill |
//! | a write to the disk fails, or takes for ever | at once, 5 s (tried each 10 s) | ill |
//! | the disk is nearly full, until there is twice as much room | 1 s | limping |
//! | a port does not greet, twice in a row | some 10 s | limping |
//!
//! A disk that reports an error to the journal ends the program, which is quicker than all of this.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use failover::{Health, Input};
use node::Handle;
use node::limits::DISK_FREE_BYTES_MIN;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::ask::{Asked, Greeter};
use crate::listen::Listening;

/// How often health and sync progress are looked at.
const PULSE: Duration = Duration::from_millis(50);
/// The node's loop must go round within this time.
const LOOP_TIMEOUT: Duration = Duration::from_secs(1);
/// A sync, of the journal or of the probe, must end within this time.
const SYNC_TIMEOUT: Duration = Duration::from_secs(5);
/// A sync that takes this long is told in the log.
const SLOW: Duration = Duration::from_millis(300);
/// Longer a box that is in no view must not let a sync wait, or a peer that it joins would wait with it.
const LAG_MAX: Duration = Duration::from_secs(1);
/// How often the disk is written to when the journal has nothing to write.
const DISK_PROBE: Duration = Duration::from_secs(10);
/// How often the room on the disk is looked at.
const DISK_LOOK: Duration = Duration::from_secs(1);
/// Between two looks at a port; there are eight of them.
const PORT_LOOK: Duration = Duration::from_secs(1);
/// After a port that did not greet.
const PORT_AGAIN: Duration = Duration::from_millis(500);

/// What is looked at.
pub struct Checks {
    pub node: Handle,
    /// Where mail is kept.
    pub data: PathBuf,
    /// Becomes known when the ports are open.
    pub listening: tokio::sync::watch::Receiver<Option<Listening>>,
    /// Where the listeners run: what is asked of them must not wait for the failover thread.
    pub runtime: tokio::runtime::Handle,
}

impl Checks {
    /// Tells of this box's health and its peer's syncs until nobody listens.
    pub async fn run(self, send: mpsc::Sender<Input>) {
        let disk = Disk::watch(self.data.clone());
        let ports = Ports::default();
        tokio::spawn(ports.clone().look_for_ever(self.listening, self.runtime.clone()));
        let mut journal = Journal::default();
        let mut interval = tokio::time::interval(PULSE);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last = None;
        let mut lagged = false;
        loop {
            interval.tick().await;
            let answer = match timeout(LOOP_TIMEOUT, self.node.tick()).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("the mail store does not answer".to_owned()),
            };
            // What the peer says of its syncs comes in by the ordinary threads. When they have no time, this box
            // knows nothing, and `failover` sees how long it has not looked.
            let by_the_way = self.runtime.spawn(async {});
            let up_to_date = answer.is_none() && timeout(LOOP_TIMEOUT, by_the_way).await.is_ok();
            let progress = self.node.progress();
            disk.synced(progress.synced);
            let now = Instant::now();
            let ill =
                answer.or(journal.stuck(now, progress.end, progress.synced)).or(disk.ill(now));
            let health = match (ill, disk.full().or(ports.trouble())) {
                (Some(reason), _) => Health::Ill { reason },
                (None, Some(reason)) => Health::Limping { reason },
                (None, None) => Health::Well,
            };
            if last.as_ref() != Some(&health) {
                last = Some(health.clone());
                if send.send(Input::Health(health)).await.is_err() {
                    return;
                }
            }
            if let Some(took) = journal.took_long(now) {
                tracing::warn!(
                    took_ms = took.as_millis(),
                    "the disk was slow to finish what was written"
                );
            }
            let lags = journal.lags(now);
            if std::mem::replace(&mut lagged, lags) != lags
                && send.send(Input::DiskLags(lags)).await.is_err()
            {
                return;
            }
            let waiting = progress.wishes_waiting > 0 && progress.peer_lacks.is_some_and(|n| n > 0);
            let syncs = Input::Syncs { waiting, synced: progress.peer_synced };
            if up_to_date && send.send(syncs).await.is_err() {
                return;
            }
        }
    }
}

/// Does the journal get on with what it has to sync?
#[derive(Default)]
struct Journal {
    synced: u64,
    since: Option<Instant>,
    /// At the last look.
    since_before: Option<Instant>,
}

impl Journal {
    fn stuck(&mut self, now: Instant, end: u64, synced: u64) -> Option<String> {
        if end <= synced || synced != self.synced {
            self.since = None;
        }
        self.synced = synced;
        if end > synced {
            let since = *self.since.get_or_insert(now);
            if now.saturating_duration_since(since) >= SYNC_TIMEOUT {
                return Some("the disk does not finish what is written to it".into());
            }
        }
        None
    }

    /// A sync that took long is over.
    fn took_long(&mut self, now: Instant) -> Option<Duration> {
        let before = std::mem::replace(&mut self.since_before, self.since)?;
        let took = now.saturating_duration_since(before);
        (self.since != Some(before) && took >= SLOW).then_some(took)
    }

    /// Something waits for its sync, though not yet for so long that the box is ill.
    fn lags(&self, now: Instant) -> bool {
        self.since.is_some_and(|since| now.saturating_duration_since(since) >= LAG_MAX)
    }
}

/// The data disk. A thread of its own writes to it and asks for its room: either may take for ever.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<DiskState>>);

#[derive(Default)]
struct DiskState {
    full: bool,
    error: Option<String>,
    probing_since: Option<Instant>,
    synced: u64,
}

impl Disk {
    fn watch(data: PathBuf) -> Disk {
        let disk = Disk::default();
        let watched = disk.clone();
        let run = move || {
            let mut seen = (0, Instant::now());
            loop {
                watched.look(&data);
                watched.probe(&data, &mut seen);
                std::thread::sleep(DISK_LOOK);
            }
        };
        if let Err(error) = std::thread::Builder::new().name("disk".into()).spawn(run) {
            tracing::error!(%error, "the disk is not watched");
        }
        disk
    }

    fn look(&self, data: &std::path::Path) {
        if let Ok(room) = linux::host::room(data) {
            let mut state = self.state();
            let enough = if state.full { 2 * DISK_FREE_BYTES_MIN } else { DISK_FREE_BYTES_MIN };
            state.full = room.free_bytes < enough;
        }
    }

    /// Writes a little, unless the journal has written since the last time. `seen`: what was synced at
    /// the last probe, and when that was.
    fn probe(&self, data: &std::path::Path, seen: &mut (u64, Instant)) {
        let synced = self.state().synced;
        if seen.1.elapsed() < DISK_PROBE {
            return;
        }
        let idle = synced == seen.0;
        *seen = (synced, Instant::now());
        let failed = self.state().error.is_some();
        if !idle && !failed {
            return;
        }
        self.state().probing_since = Some(Instant::now());
        let result = write_a_little(&data.join("probe"));
        let mut state = self.state();
        state.probing_since = None;
        state.error = match result {
            // A full disk is another trouble.
            Err(error) if error.kind() != std::io::ErrorKind::StorageFull => {
                Some(format!("the disk fails: {error}"))
            }
            _ => None,
        };
    }

    fn synced(&self, synced: u64) {
        self.state().synced = synced;
    }

    fn ill(&self, now: Instant) -> Option<String> {
        let state = self.state();
        let long = |since: Instant| now.saturating_duration_since(since) >= SYNC_TIMEOUT;
        if state.probing_since.is_some_and(long) {
            return Some("the disk does not answer".into());
        }
        state.error.clone()
    }

    fn full(&self) -> Option<String> {
        self.state().full.then(|| "the disk is nearly full: no new mail is taken".into())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, DiskState> {
        self.0.lock().expect("no holder panics")
    }
}

fn write_a_little(path: &std::path::Path) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = std::fs::File::create(path)?;
    file.write_all(b"Written from time to time to see whether the disk works.\n")?;
    file.sync_data()
}

/// The ports that clients come in by.
#[derive(Clone, Default)]
struct Ports(Arc<Mutex<Option<String>>>);

impl Ports {
    /// Looks at one port after the other. Runs on the failover thread, asks on the listeners' own
    /// runtime: when that is stuck, so is the question, and time goes on here.
    async fn look_for_ever(
        self,
        mut listening: tokio::sync::watch::Receiver<Option<Listening>>,
        runtime: tokio::runtime::Handle,
    ) {
        let Ok(greeter) = Greeter::new() else { return };
        let greeter = Arc::new(greeter);
        let Ok(listening) = listening.wait_for(Option::is_some).await.map(|l| l.clone()) else {
            return;
        };
        let Some(listening) = listening else { return };
        let mut failed = None;
        for target in listening.targets.iter().cycle() {
            let mut asked = Asked::Greets;
            for again in [PORT_LOOK, PORT_AGAIN] {
                tokio::time::sleep(again).await;
                // With every place taken nobody is greeted, and the other box would fare no better.
                if listening.slots.available_permits() == 0 {
                    asked = Asked::NotKnown;
                    break;
                }
                asked = greeter.clone().ask_on(&runtime, *target).await;
                if asked != Asked::Silent {
                    break;
                }
            }
            match asked {
                Asked::Silent => failed = Some(target.name),
                Asked::Greets if failed == Some(target.name) => failed = None,
                Asked::Greets | Asked::NotKnown => {}
            }
            *self.0.lock().expect("no holder panics") =
                failed.map(|name| format!("the port for {name} does not answer"));
        }
    }

    fn trouble(&self) -> Option<String> {
        self.0.lock().expect("no holder panics").clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_without_progress_is_stuck_and_one_with_progress_is_not() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut journal = Journal::default();
        assert_eq!(journal.stuck(at(0), 5, 0), None);
        assert!(!journal.lags(at(0)));
        assert_eq!(journal.stuck(at(4), 9, 0), None);
        assert!(journal.lags(at(4)));
        assert_eq!(journal.stuck(at(5), 9, 1), None, "progress");
        assert_eq!(journal.stuck(at(9), 9, 1), None);
        assert!(journal.stuck(at(10), 9, 1).is_some());
        assert_eq!(journal.stuck(at(11), 9, 9), None);
        assert!(!journal.lags(at(11)));
        assert_eq!(journal.stuck(at(99), 9, 9), None, "nothing waits");
    }

    #[test]
    fn a_disk_that_cannot_be_written_to_is_found() {
        let disk = Disk::default();
        let mut seen = (0, Instant::now() - DISK_PROBE);
        disk.probe(std::path::Path::new("/proc/nowhere"), &mut seen);
        assert!(disk.ill(Instant::now()).is_some_and(|reason| reason.contains("fails")));
        assert_eq!(disk.full(), None);
    }
}
