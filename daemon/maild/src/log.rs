//! The log goes to standard error by a thread of its own: whoever logs never waits for a disk or a pipe, least of
//! all the failover thread in the middle of a takeover. What is an error is written at once all the same, since
//! the program may end there.

use std::io::{self, Stderr, Write};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::Result;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait. Those beyond are lost.
const WAITING_MAX: usize = 4096;
/// The last lines get this long.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Filled by [`start`], for [`flush`].
static QUEUE: OnceLock<SyncSender<Item>> = OnceLock::new();

enum Item {
    Line(Vec<u8>),
    /// All before it is written: say so.
    Flush(SyncSender<()>),
}

/// PID 1 stamps each line with the time itself.
///
/// # Errors
/// When the thread cannot be started.
pub fn start() -> Result<()> {
    let (queue, waiting) = sync_channel(WAITING_MAX);
    std::thread::Builder::new().name("log".into()).spawn(move || write_for_ever(&waiting))?;
    let queue = QUEUE.get_or_init(|| queue).clone();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| "info".into()))
        .with_writer(Log(queue))
        .with_ansi(false);
    if std::os::unix::process::parent_id() == 1 {
        log.without_time().init();
    } else {
        log.init();
    }
    Ok(())
}

/// Waits until everything that was logged so far is written, as long as that makes sense.
pub fn flush() {
    let (done, written) = sync_channel(1);
    if QUEUE.get().is_some_and(|queue| queue.try_send(Item::Flush(done)).is_ok()) {
        // A standard error that takes nothing any more is not waited for.
        let _ = written.recv_timeout(LAST_LINES);
    }
}

fn write_for_ever(waiting: &Receiver<Item>) {
    for item in waiting {
        match item {
            // There is nobody to tell.
            Item::Line(line) => drop(io::stderr().write_all(&line)),
            Item::Flush(done) => drop(done.send(())),
        }
    }
}

#[derive(Clone)]
struct Log(SyncSender<Item>);

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line::Queue(self.0.clone())
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> Line {
        if *about.level() == Level::ERROR { Line::Now(io::stderr()) } else { self.make_writer() }
    }
}

/// Takes one line, whole.
enum Line {
    Queue(SyncSender<Item>),
    Now(Stderr),
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self {
            // A line that finds no room is lost: waiting would be worse.
            Line::Queue(queue) => drop(queue.try_send(Item::Line(line.to_vec()))),
            Line::Now(stderr) => stderr.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
