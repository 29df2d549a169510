//! Waiting for the first SMTP greeting at an address, as a client sees it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rack::client::Smtp;

use super::pair::ANSWER_LIMIT;

/// Clients that come by one after the other until one is greeted. No more come after it is dropped.
#[derive(Debug)]
pub struct Watch {
    greetings: mpsc::Receiver<Duration>,
    over: Arc<AtomicBool>,
}

/// How often a new client comes by. Each waits for its own greeting: one alone would measure how
/// its packets are repeated, not when the address is back.
const EVERY: Duration = Duration::from_millis(50);
/// After this fewer clients are enough.
const SOON: Duration = Duration::from_secs(10);
const EVERY_LATER: Duration = Duration::from_millis(500);

impl Watch {
    /// Begins at once; times are counted from `since`.
    pub fn start(smtp: SocketAddr, since: Instant) -> Watch {
        let (greeted, greetings) = mpsc::channel();
        let over = Arc::new(AtomicBool::new(false));
        let watch = Watch { greetings, over: over.clone() };
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let (greeted, over) = (greeted.clone(), over.clone());
                std::thread::spawn(move || {
                    if Smtp::greeted(smtp, ANSWER_LIMIT).is_ok() {
                        over.store(true, Ordering::Relaxed);
                        // The first one counts; the others may find nobody to tell.
                        _ = greeted.send(since.elapsed());
                    }
                });
                std::thread::sleep(if since.elapsed() < SOON { EVERY } else { EVERY_LATER });
            }
        });
        watch
    }

    /// When the first greeting came, if it has come. Waits for it for `limit` at most.
    pub fn wait(&self, limit: Duration) -> Option<Duration> {
        self.greetings.recv_timeout(limit).ok()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
