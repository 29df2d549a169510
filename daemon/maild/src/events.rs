//! What was decided about views and addresses, and why: the newest events, kept over restarts.
//!
//! They stand in `events` on the data disk, one line each, and in `events.old` before that: when the
//! first is full it becomes the second. A thread of its own writes them, so that nobody who reports
//! one ever waits for the disk; when it cannot keep up, an event is counted and not written.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use control::Event;
use control::limits::{EVENT_TEXT_BYTES_MAX, EVENTS_KEPT};

/// The size at which a file of events is put aside.
const FILE_BYTES_MAX: u64 = 128 * 1024;
/// Events that wait for the disk.
const WAITING_MAX: usize = 256;

/// Everything that was reported, as far as it is kept.
pub struct Events {
    state: Mutex<State>,
    write: SyncSender<Event>,
}

#[derive(Default)]
struct State {
    newest: VecDeque<Event>,
    /// By kind, since this program started.
    counts: BTreeMap<String, u64>,
    unwritten: u64,
}

impl Events {
    /// Reads what there is. A disk that cannot be read costs the old events, not the start.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn open(directory: &Path) -> std::io::Result<Events> {
        let files = Files { directory: directory.to_owned() };
        let mut newest = VecDeque::new();
        for text in [files.read("events.old"), files.read("events")] {
            newest.extend(text.lines().filter_map(parse));
        }
        newest.drain(..newest.len().saturating_sub(EVENTS_KEPT));
        let (write, waiting) = sync_channel(WAITING_MAX);
        let run = move || files.write_for_ever(&waiting);
        std::thread::Builder::new().name("events".into()).spawn(run)?;
        Ok(Events { state: Mutex::new(State { newest, ..State::default() }), write })
    }

    /// Never waits.
    pub fn report(&self, kind: &str, what: &str, why: &str) {
        let text = |text: &str| clean(text);
        let event = Event {
            at_unix_s: linux::clock::unix_s(),
            kind: text(kind),
            what: text(what),
            why: text(why),
        };
        let mut state = self.state.lock().expect("no holder panics");
        *state.counts.entry(event.kind.clone()).or_default() += 1;
        state.newest.push_back(event.clone());
        if state.newest.len() > EVENTS_KEPT {
            state.newest.pop_front();
        }
        if self.write.try_send(event).is_err() {
            state.unwritten += 1;
        }
    }

    /// Oldest first.
    #[must_use]
    pub fn newest(&self, most: usize) -> Vec<Event> {
        let state = self.state.lock().expect("no holder panics");
        let skip = state.newest.len().saturating_sub(most);
        state.newest.iter().skip(skip).cloned().collect()
    }

    /// How many of each kind there were since the start of this program.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.state.lock().expect("no holder panics").counts.clone()
    }

    /// Those that the disk was too slow for.
    #[must_use]
    pub fn unwritten(&self) -> u64 {
        self.state.lock().expect("no holder panics").unwritten
    }
}

struct Files {
    directory: PathBuf,
}

impl Files {
    fn read(&self, name: &str) -> String {
        let path = self.directory.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                tracing::warn!(?path, %error, "the old events cannot be read");
                String::new()
            }
        }
    }

    fn write_for_ever(&self, waiting: &Receiver<Event>) {
        while let Ok(first) = waiting.recv() {
            let lines: String =
                std::iter::once(first).chain(waiting.try_iter()).map(line).collect();
            if let Err(error) = self.append(&lines) {
                tracing::warn!(%error, "events are not written to the disk");
            }
        }
    }

    fn append(&self, lines: &str) -> std::io::Result<()> {
        let path = self.directory.join("events");
        let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
        // What a power cut left of a line must not run into the next one.
        if file.metadata()?.len() > 0 && !ends_with_a_line(&path)? {
            file.write_all(b"\n")?;
        }
        file.write_all(lines.as_bytes())?;
        file.sync_data()?;
        if file.metadata()?.len() >= FILE_BYTES_MAX {
            std::fs::rename(&path, self.directory.join("events.old"))?;
            File::open(&self.directory)?.sync_all()?;
        }
        Ok(())
    }
}

fn ends_with_a_line(path: &Path) -> std::io::Result<bool> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Unix time, kind, what, why, with tabs between.
fn line(event: Event) -> String {
    format!("{}\t{}\t{}\t{}\n", event.at_unix_s, event.kind, event.what, event.why)
}

fn parse(line: &str) -> Option<Event> {
    let mut fields = line.split('\t');
    let event = Event {
        at_unix_s: fields.next()?.parse().ok()?,
        kind: clean(fields.next()?),
        what: clean(fields.next()?),
        why: clean(fields.next()?),
    };
    fields.next().is_none().then_some(event)
}

/// One line, no tabs, not endless.
fn clean(text: &str) -> String {
    let mut end = text.len().min(EVENT_TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Directory {
            let path =
                std::env::temp_dir().join(format!("twinpost-ev-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir_all(&path).unwrap();
            Directory(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn event(number: u64) -> Event {
        let what = format!("what {number}");
        Event { at_unix_s: number, kind: "take".into(), what, why: "why".into() }
    }

    #[test]
    fn events_are_there_after_a_restart_also_behind_a_torn_line() {
        let directory = Directory::new("again");
        let files = Files { directory: directory.0.clone() };
        files.append(&line(event(1))).unwrap();
        let mut file = OpenOptions::new().append(true).open(directory.0.join("events")).unwrap();
        file.write_all(b"2\tta").unwrap();
        files.append(&line(event(3))).unwrap();
        assert_eq!(Events::open(&directory.0).unwrap().newest(9), [event(1), event(3)]);
    }

    #[test]
    fn both_files_together_are_bounded_and_hold_the_newest() {
        let directory = Directory::new("bounded");
        let files = Files { directory: directory.0.clone() };
        for start in (0..20_000).step_by(100) {
            let lines: String = (start..start + 100).map(|number| line(event(number))).collect();
            files.append(&lines).unwrap();
        }
        let bytes: u64 = ["events", "events.old"]
            .iter()
            .filter_map(|name| Some(std::fs::metadata(directory.0.join(name)).ok()?.len()))
            .sum();
        assert!(bytes < 2 * FILE_BYTES_MAX + 10_000, "{bytes}");
        let events = Events::open(&directory.0).unwrap();
        assert_eq!(events.newest(usize::MAX).len(), EVENTS_KEPT);
        assert_eq!(events.newest(2), [event(19_998), event(19_999)]);
    }

    #[test]
    fn what_is_reported_is_counted_cleaned_and_cut() {
        let directory = Directory::new("clean");
        let events = Events::open(&directory.0).unwrap();
        events.report("take", "two\tlines\n", &"ä".repeat(500));
        events.report("take", "again", "");
        let newest = events.newest(2);
        assert_eq!(newest[0].what, "two lines ");
        assert_eq!(newest[0].why.len(), EVENT_TEXT_BYTES_MAX);
        assert_eq!(events.counts().get("take"), Some(&2));
    }
}
