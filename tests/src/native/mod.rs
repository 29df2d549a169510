//! A pair of real `maild` processes on loopback: for tests, and for trying things by hand
//! (`cargo run --package tests --bin pair`).
//!
//! Everything but the network is real: two processes, their disks, the TLS link, heartbeats over UDP. Addresses do not
//! move (each process keeps its own ports), so what a survivor does about the dead box's address is for the QEMU test.
//!
//! Nothing here sleeps to wait for something: [`until`] asks again and again, with a patience that only a hang uses up.
//! Start reading at [`Pair`], then [`Maild`]; [`Load`] delivers and keeps the books.

mod boxes;
mod cable;
mod imap;
mod load;
mod maild;
mod message;
mod pair;
mod pop3;
pub(crate) mod program;
mod slot;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

pub use boxes::Boxes;
pub use cable::Cable;
pub use imap::{Imap, No, Untagged};
pub use load::{Fate, Ledger, Load, Pace};
pub use maild::Maild;
pub use message::{number_of, sample, without_trace};
pub(crate) use pair::site;
pub use pair::{ADMIN_PASSWORD, Account, DOMAIN, Pair, TIMING};
pub use pop3::Pop3;

/// How long a test waits for anything before it calls it a failure. A loaded machine is slow, not wrong.
pub const PATIENCE: Duration = Duration::from_secs(240);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Asks until the answer is `Some`. What an attempt fails with is told only when the patience ends.
///
/// # Errors
/// [`PATIENCE`] is over.
pub fn until<T>(what: &str, mut attempt: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let outcome = attempt();
        if let Ok(Some(value)) = outcome {
            return Ok(value);
        }
        if Instant::now() > deadline {
            match outcome {
                Err(error) => bail!("waited {PATIENCE:?} for {what}; last: {error:#}"),
                Ok(_) => bail!("waited {PATIENCE:?} for {what}"),
            }
        }
        std::thread::sleep(LOOK);
    }
}

/// Asks again while the box says, with this word, that it cannot answer now: so it is for a moment after a view has
/// begun. Any other answer counts.
fn until_sure<T>(not_now: &str, mut ask: impl FnMut() -> Result<T>) -> Result<T> {
    until("an answer that is not \"later\"", || match ask() {
        Err(error) if format!("{error:#}").contains(not_now) => Err(error),
        answer => Ok(Some(answer)),
    })?
}
