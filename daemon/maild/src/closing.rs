//! Which sessions have to end, and why: all of them when the box stops, those on one address when it
//! moves to the other box. Each is told in its protocol's own words (`421`, `* BYE`, `-ERR`).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

/// Becomes a reason.
pub type Closing = watch::Receiver<Option<String>>;

/// Cheap to clone.
#[derive(Clone, Default)]
pub struct Closings(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    addresses: HashMap<IpAddr, watch::Sender<Option<String>>>,
    stopped: Option<String>,
}

impl Closings {
    /// For a session on this address of the box.
    #[must_use]
    pub fn of(&self, address: IpAddr) -> Closing {
        let mut state = self.0.lock().expect("no holder panics");
        let stopped = state.stopped.clone();
        let sender = state.addresses.entry(address.to_canonical());
        sender.or_insert_with(|| watch::channel(stopped).0).subscribe()
    }

    /// The address moves away: its sessions end. Later ones, when it is back, do not.
    pub fn address_moves(&self, address: IpAddr, reason: &str) {
        let mut state = self.0.lock().expect("no holder panics");
        if let Some(sender) = state.addresses.remove(&address.to_canonical()) {
            sender.send_replace(Some(reason.to_owned()));
        }
    }

    /// Every session ends, and every later one at once.
    pub fn all(&self, reason: &str) {
        let mut state = self.0.lock().expect("no holder panics");
        state.stopped = Some(reason.to_owned());
        for sender in state.addresses.values() {
            sender.send_replace(Some(reason.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_comes_back_serves_again() {
        let closings = Closings::default();
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let (before, other) = (closings.of(address), closings.of("192.0.2.2".parse().unwrap()));
        closings.address_moves("::ffff:192.0.2.1".parse().unwrap(), "moved");
        assert_eq!(before.borrow().as_deref(), Some("moved"));
        assert_eq!(other.borrow().as_deref(), None);
        assert_eq!(closings.of(address).borrow().as_deref(), None);
        closings.all("stop");
        assert_eq!(other.borrow().as_deref(), Some("stop"));
        assert_eq!(closings.of("192.0.2.3".parse().unwrap()).borrow().as_deref(), Some("stop"));
    }
}
