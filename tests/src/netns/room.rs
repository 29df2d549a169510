//! A network of one's own, and how to be in it.

use std::fs::File;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use linux::namespace;

type Job = Box<dyn FnOnce() + Send>;

/// A network namespace. It lives as long as this, and as whatever runs in it.
pub struct Room {
    namespace: File,
    jobs: mpsc::Sender<Job>,
}

impl Room {
    /// With nothing in it but a loopback that is switched off.
    ///
    /// # Errors
    /// When that is not permitted.
    pub fn new() -> Result<Room> {
        let (send, made) = mpsc::channel();
        let (jobs, todo) = mpsc::channel::<Job>();
        // Programs that it starts ask to be killed when their parent, which is a thread, ends: so it lives as long as
        // the room.
        thread::Builder::new().name("room".into()).spawn(move || {
            if send.send(namespace::enter_new_network()).is_ok() {
                todo.into_iter().for_each(|job| job());
            }
        })?;
        let namespace = made.recv().context("the room's thread")??;
        Ok(Room { namespace, jobs })
    }

    /// Does something in it and waits for the outcome.
    ///
    /// # Panics
    /// When the job does.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (send, outcome) = mpsc::channel();
        let job = Box::new(move || {
            // Who asked waits.
            let _ = send.send(job());
        });
        self.jobs.send(job).expect("the room's thread is there");
        outcome.recv().expect("the job did not panic")
    }

    /// Moves the calling thread, and those that it starts from now on, into it.
    ///
    /// # Errors
    /// When that is not permitted.
    pub fn enter(&self) -> Result<()> {
        Ok(namespace::enter_network(&self.namespace)?)
    }

    /// Runs something beside all else.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn spawn<T: Send + 'static>(
        &self,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<T>> {
        let namespace = self.namespace.try_clone()?;
        Ok(thread::Builder::new().spawn(move || {
            namespace::enter_network(&namespace).expect("what made it may enter it");
            body()
        })?)
    }
}
