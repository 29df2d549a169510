//! The two boxes together.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use control::site::{Crossover, Lan, Secret, Service, Timing};
use control::{Side, Site, View};
use rack::client::Http;
use tempfile::TempDir;

use super::cable::Cable;
use super::maild::Maild;
use super::program;
use super::slot::Slot;
use super::until;

/// The pair's mail domain.
pub const DOMAIN: &str = "example.test";
/// The panel's password; the user is `admin`.
pub const ADMIN_PASSWORD: &str = "correct horse battery staple";

/// Far above what a busy machine delays a heartbeat by, and still short to wait for.
pub const TIMING: Timing = Timing { dead_after_ms: 1500, cold_start_wait_ms: 3000 };
/// For each read of an answer of the panel.
const PANEL_LIMIT: Duration = Duration::from_secs(60);

/// Two boxes of one pair: made by [`Pair::prepare`], begun by [`Pair::start`].
pub struct Pair {
    pub a: Maild,
    pub b: Maild,
    pub cable: Cable,
    /// Of this test, in the names of what it leaves behind when it fails.
    name: String,
    _folder: TempDir,
}

/// Someone with mail at the pair.
#[derive(Clone, Debug)]
pub struct Account {
    pub address: String,
    pub password: String,
}

impl Pair {
    /// Two boxes with blank disks, not started.
    ///
    /// # Errors
    /// When there is no room or no free port.
    pub fn prepare(name: &str) -> Result<Pair> {
        Self::prepare_with(name, TIMING)
    }

    /// The same with other delays.
    ///
    /// # Errors
    /// When there is no room or no free port.
    pub fn prepare_with(name: &str, timing: Timing) -> Result<Pair> {
        let folder = tempfile::Builder::new().prefix("twinpost-").tempdir()?;
        let (slot_a, slot_b) = (Slot::claim()?, Slot::claim()?);
        let cable = Cable::lay(slot_a.link(), slot_b.link())?;
        let [peer_of_a, peer_of_b] = cable.ends;
        let place = |side: Side| folder.path().join(side.to_string());
        Ok(Pair {
            a: Maild::prepare(&site(Side::A, timing), place(Side::A), slot_a, peer_of_a)?,
            b: Maild::prepare(&site(Side::B, timing), place(Side::B), slot_b, peer_of_b)?,
            cable,
            name: name.to_owned(),
            _folder: folder,
        })
    }

    /// Starts both and waits for the view `both`.
    ///
    /// # Errors
    /// When that does not come about.
    pub fn start(&mut self) -> Result<()> {
        self.a.start()?;
        self.b.start()?;
        self.wait_both()
    }

    #[must_use]
    pub fn get(&self, side: Side) -> &Maild {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    pub fn get_mut(&mut self, side: Side) -> &mut Maild {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }

    /// Makes an account through the panel of box a, and waits until both boxes know it.
    ///
    /// # Errors
    /// What the panel refuses.
    pub fn add_account(&mut self, name: &str) -> Result<Account> {
        let address = format!("{name}@{DOMAIN}");
        let password = format!("{name}'s own secret, twice as long");
        let before = self.a.status()?.accounts;
        let json = serde_json::json!({ "address": address, "password": password }).to_string();
        let panel = Http::new(self.a.port(443), "admin", ADMIN_PASSWORD, PANEL_LIMIT);
        // Until the pair's first settings are there every password is wrong, and who is wrong too
        // often is shut out for a minute: so the pauses grow.
        let mut pause = Duration::from_millis(500);
        until("the panel to add an account", || {
            let reply = panel.post_json("/api/accounts", &json)?;
            match reply.status {
                // 409: asked again after an answer that did not arrive.
                200..300 | 409 => Ok(Some(())),
                status => {
                    std::thread::sleep(pause);
                    pause *= 2;
                    bail!("{status} {}", String::from_utf8_lossy(&reply.body))
                }
            }
        })?;
        for side in [Side::A, Side::B] {
            self.get_mut(side).wait("the new account", |status| status.accounts > before)?;
        }
        Ok(Account { address, password })
    }

    /// Waits until both boxes say that they are in the view `both`.
    ///
    /// # Errors
    /// When that does not come about.
    pub fn wait_both(&mut self) -> Result<()> {
        self.a.wait_view(View::Both)?;
        self.b.wait_view(View::Both)?;
        Ok(())
    }

    /// Waits until both boxes have applied the same records to the same state (promise P2). Only for a pair to which
    /// nobody is writing.
    ///
    /// # Errors
    /// What differs when the patience is over.
    pub fn wait_equal(&self) -> Result<()> {
        until("equal boxes", || {
            let (a, b) = (self.a.digest()?, self.b.digest()?);
            if a.applied == b.applied && a.parts == b.parts {
                return Ok(Some(()));
            }
            bail!("a has {a:?}, b has {b:?}")
        })
        .context("the boxes differ")
    }
}

impl Pair {
    /// Leaves both logs below `build/native`, and shows how they end.
    pub fn keep_logs(&self) {
        let folder = program::top().join("build/native");
        self.a.keep_log(&folder, &self.name);
        self.b.keep_log(&folder, &self.name);
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.keep_logs();
        }
    }
}

/// The addresses are never put on a port: loopback boxes leave the network alone.
fn site(side: Side, timing: Timing) -> Site {
    let network = |text: &str| text.parse().expect("a network");
    let (own, peer) = match side {
        Side::A => ("10.77.0.11/24", "10.77.0.12"),
        Side::B => ("10.77.0.12/24", "10.77.0.11"),
    };
    Site {
        side,
        hostname: format!("mail-{side}.{DOMAIN}"),
        domain: DOMAIN.to_owned(),
        pair_token: Secret::new("a token that only this pair of processes knows"),
        first: side == Side::A,
        admin_password: Some(Secret::new(ADMIN_PASSWORD)),
        lan: Lan {
            mac: None,
            address: network(own),
            gateway: None,
            peer: peer.parse().expect("an address"),
        },
        service: Service { a: network("10.77.0.1/24"), b: network("10.77.0.2/24") },
        crossover: Crossover::default(),
        timing,
    }
}
