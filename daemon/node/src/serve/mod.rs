//! What stands between a pure session and the node: each protocol's questions, answered.
//!
//! [`Protocol`] is the one shape that `maild` drives over a TCP or TLS stream. A question is answered
//! with [`Protocol::answer`] before the session is asked for its next step.

pub mod imap;
pub mod pop3;
pub mod smtp;

use std::future::Future;
use std::time::{Instant, SystemTime};

use mailbox::EntryState;
use record::{AccountId, EntryId};

use crate::Handle;

/// What a session wants next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Write these bytes to the client.
    Send(Vec<u8>),
    /// Write out everything before, drop plaintext that was read ahead, do the handshake as server.
    StartTls,
    /// Call [`Protocol::answer`].
    Ask,
    /// Write out everything before and close.
    Close,
}

/// What a connection brings.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    Bytes(&'a [u8]),
    /// The handshake that the session asked for is done.
    TlsStarted,
    /// This box stops, or gives the address away: tell the client in the protocol's own words.
    Closing(&'a str),
    /// The deadline may have passed.
    Tick,
    /// [`Protocol::changed`] returned.
    Changed,
}

/// One connection's session together with the node that answers it.
pub trait Protocol: Send {
    fn handle(&mut self, now: Instant, event: Event<'_>);
    fn step(&mut self) -> Option<Step>;
    fn deadline(&self) -> Option<Instant>;
    /// Does reading on make sense now?
    fn wants_input(&self) -> bool;
    /// Answers the question of the last [`Step::Ask`].
    fn answer(&mut self) -> impl Future<Output = ()> + Send;
    /// Returns when something that the session watches may have changed; for ever if it watches nothing.
    fn changed(&mut self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

/// An entry that is there and belongs to this account's household, and to no other.
fn owned_entry(
    handle: &Handle,
    account: AccountId,
    entry: EntryId,
) -> Result<Option<EntryState>, mailbox::Error> {
    let Some(state) = handle.index().entry(entry)?.filter(|state| !state.expunged) else {
        return Ok(None);
    };
    let index = handle.index();
    let Some(of) = index.account_of(state.entry.mailbox)? else { return Ok(None) };
    let is_own = of == account || {
        let owner = index.household_owner(of)?;
        owner.is_some() && owner == index.household_owner(account)?
    };
    Ok(is_own.then_some(state))
}

/// Unix seconds.
pub(crate) fn unix_s() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64)
}
