//! Two real `maild` processes on loopback, under faults and under ordinary clients. `tests/run native` runs them;
//! by hand: `cargo test --package tests --test pair_native -- --ignored`.
//!
//! | file | story |
//! |---|---|
//! | `faults.rs` | a box is killed, stands still, gets a new disk, the cable is cut: nothing acknowledged is lost or doubled |
//! | `names.rs` | both sides of a split give one name: it is one afterwards |
//! | `keeping.rs` | a backup is taken and restored; a disk rots and is mended |
//! | `wishes.rs` | the owner hands over, begins and ends maintenance; what was decided is kept and counted |
//! | `releases.rs` | the two boxes have different releases of the program |
//! | `sharing.rs` | what is done at one box is seen at the other |
//! | `clients.rs` | Python's standard library and curl |

mod clients;
mod faults;
mod keeping;
mod names;
mod releases;
mod sharing;
mod wishes;

use anyhow::{Context, Result, anyhow, bail};
use rack::client::{Answer, Smtp};
use tests::native::{Account, Maild, PATIENCE, Pair, until};

/// Brings up a pair with accounts and tells the story. When it ends badly, the end of both logs is shown.
fn with_pair(
    name: &str,
    accounts: &[&str],
    story: impl FnOnce(&mut Pair, &[Account]) -> Result<()>,
) {
    let mut pair = Pair::prepare(name).expect("folders and ports");
    let outcome = pair.start().and_then(|()| {
        let made: Result<Vec<Account>> =
            accounts.iter().map(|account| pair.add_account(account)).collect();
        story(&mut pair, &made?)
    });
    if let Err(error) = outcome {
        panic!("{name}: {error:#}");
    }
}

/// Delivers one message at a box's port 25; it must be taken, at once or after a "later".
fn deliver(at: &Maild, to: &Account, message: &[u8]) -> Result<()> {
    until("a message to be taken", || {
        let mut smtp = Smtp::connect(at.port(25), PATIENCE)?;
        Ok(Some(match smtp.deliver("sender@elsewhere.test", &[&to.address], message) {
            Ok(Answer::Accepted) => smtp.quit().context("QUIT"),
            Ok(Answer::Refused { code: 400..500, text, .. }) => bail!("later: {text}"),
            Ok(refused) => Err(anyhow!("box {} answered {refused:?}", at.side())),
            // It may have been taken: not asked again.
            Err(unanswered) => Err(unanswered.into()),
        }))
    })?
}
