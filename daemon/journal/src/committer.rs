//! The threads of a log: one commits, one zeroes the next segment ahead.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::disk::Disk;
use crate::error::Error;
use crate::limits::FULL_RETRY_MS;
use crate::log::{Log, Position};
use crate::spare::Spare;

/// Group commit: takes everything that waits, writes it, syncs once, tells, and again. There is no timer:
/// a batch is what arrived during the last sync. Dropping it flushes and stops.
pub struct Committer {
    stop: Box<dyn Fn() + Send + Sync>,
    threads: Vec<JoinHandle<()>>,
}

impl Committer {
    /// `on_synced` is called on the committing thread after each batch with the end of what is durable,
    /// or with what went wrong: once a second while the disk is full, and once, the last time, when the
    /// log is broken.
    ///
    /// # Errors
    /// [`Error::Thread`]
    pub fn spawn<D: Disk>(
        log: Arc<Log<D>>,
        on_synced: impl FnMut(Result<Position, Error>) + Send + 'static,
    ) -> Result<Committer, Error> {
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = {
            let (log, stopping) = (log.clone(), stopping.clone());
            Box::new(move || {
                // Under the lock, so that the thread is not between looking and waiting.
                let state = log.lock();
                stopping.store(true, Ordering::SeqCst);
                drop(state);
                log.work.notify_all();
                log.spare().stopping = true;
                log.spare_used.notify_all();
            })
        };
        let mut committer = Committer { stop, threads: Vec::new() };
        let zeroing = log.clone();
        zeroing.spare().stopping = false;
        committer.start("log-zero", move || zero_ahead(&zeroing))?;
        committer.start("log-commit", move || commit(&log, &stopping, on_synced))?;
        Ok(committer)
    }

    fn start(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        let thread = Builder::new().name(name.into()).spawn(run);
        self.threads.push(thread.map_err(|error| Error::Thread { reason: error.to_string() })?);
        Ok(())
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        (self.stop)();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the log panicked");
            }
        }
    }
}

fn commit<D: Disk>(
    log: &Log<D>,
    stopping: &AtomicBool,
    mut on_synced: impl FnMut(Result<Position, Error>),
) {
    while wait_for_work(log, stopping) {
        let done = log.commit_batch();
        let full = matches!(done, Err(Error::DiskFull { .. }));
        let broken = done.is_err() && !full;
        on_synced(done);
        if broken || (full && !pause(log, stopping)) {
            return;
        }
    }
}

/// `false` when all is done and the committer stops.
fn wait_for_work<D: Disk>(log: &Log<D>, stopping: &AtomicBool) -> bool {
    let idle = log.work.wait_while(log.lock(), |state| {
        state.unwritten.is_empty() && !stopping.load(Ordering::SeqCst)
    });
    !idle.expect("no thread panics while it holds the log's state").unwritten.is_empty()
}

/// Lets the disk be for a while; `false` when the committer stops meanwhile.
fn pause<D: Disk>(log: &Log<D>, stopping: &AtomicBool) -> bool {
    let for_a_while = Duration::from_millis(FULL_RETRY_MS);
    let stops = |_: &mut _| !stopping.load(Ordering::SeqCst);
    let paused = log.work.wait_timeout_while(log.lock(), for_a_while, stops);
    drop(paused.expect("no thread panics while it holds the log's state"));
    !stopping.load(Ordering::SeqCst)
}

fn zero_ahead<D: Disk>(log: &Log<D>) {
    loop {
        let idle = |spare: &mut Spare<D>| !spare.wanted && !spare.stopping;
        let woken = log.spare_used.wait_while(log.spare(), idle);
        if woken.expect("no thread panics while it holds the spare").stopping {
            return;
        }
        if let Err(error) = log.prepare_spare() {
            tracing::warn!(%error, "the next segment is not zeroed ahead");
        }
    }
}
