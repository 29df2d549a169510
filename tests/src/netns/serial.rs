//! A null-modem cable between the boxes: two pseudo-terminals, and a thread for each way. Its plug is out at first.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Result;
use linux::{poll, terminal};

/// How soon a thread notices that it is to end.
const LOOK: Duration = Duration::from_millis(100);

pub struct SerialCable {
    /// Of box a and box b.
    pub devices: [PathBuf; 2],
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    _kept: [OwnedFd; 2],
}

#[derive(Default)]
struct Shared {
    plugged: AtomicBool,
    stop: AtomicBool,
}

impl SerialCable {
    /// # Errors
    /// When the machine has no pseudo-terminals.
    pub fn make() -> Result<SerialCable> {
        let (a, device_a, kept_a) = terminal::open_pair()?;
        let (b, device_b, kept_b) = terminal::open_pair()?;
        let shared = Arc::new(Shared::default());
        let way = |mut from: File, mut to: File| {
            let shared = shared.clone();
            thread::spawn(move || {
                // The box at the other end is gone for good when this fails.
                let _ = pass(&mut from, &mut to, &shared);
            })
        };
        let threads = vec![way(a.try_clone()?, b.try_clone()?), way(b, a)];
        let devices = [device_a, device_b];
        Ok(SerialCable { devices, shared, threads, _kept: [kept_a, kept_b] })
    }

    pub fn set_plug(&self, on: bool) {
        self.shared.plugged.store(on, Ordering::Relaxed);
    }
}

impl Drop for SerialCable {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // One that panicked has said so already.
            let _ = thread.join();
        }
    }
}

fn pass(from: &mut File, to: &mut File, shared: &Shared) -> Result<()> {
    let mut bytes = [0; 512];
    while !shared.stop.load(Ordering::Relaxed) {
        if !poll::readable(&[from.as_fd()], Some(LOOK))?[0] {
            continue;
        }
        let length = from.read(&mut bytes)?;
        if shared.plugged.load(Ordering::Relaxed) {
            to.write_all(&bytes[..length])?;
        }
    }
    Ok(())
}
