//! Two boxes of one pair, however they are joined.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use control::{Side, View};
use rack::client::Http;

use super::maild::Maild;
use super::pair::{ADMIN_PASSWORD, Account, DOMAIN};
use super::{program, until};

/// For each read of an answer of the panel.
const PANEL_LIMIT: Duration = Duration::from_secs(60);

pub struct Boxes {
    pub a: Maild,
    pub b: Maild,
    /// Of this test, in the names of what it leaves behind when it fails.
    pub(crate) name: String,
}

impl Boxes {
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
        let before = self.a.status()?.accounts;
        let password = format!("{name}'s own secret, twice as long");
        let account = self.add_account_at(Side::A, name, &password)?;
        for side in [Side::A, Side::B] {
            self.get_mut(side).wait("the new account", |status| status.accounts > before)?;
        }
        Ok(account)
    }

    /// Makes an account through the panel of one box.
    ///
    /// # Errors
    /// What the panel refuses.
    pub fn add_account_at(&self, side: Side, name: &str, password: &str) -> Result<Account> {
        let address = format!("{name}@{DOMAIN}");
        let password = password.to_owned();
        let json = serde_json::json!({ "address": address, "password": password }).to_string();
        let panel = Http::new(self.get(side).port(443), "admin", ADMIN_PASSWORD, PANEL_LIMIT);
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
        Ok(Account { address, password })
    }

    /// Removes an account through the panel of box a.
    ///
    /// # Errors
    /// What the panel refuses.
    pub fn remove_account(&self, account: &Account) -> Result<()> {
        let panel = Http::new(self.a.port(443), "admin", ADMIN_PASSWORD, PANEL_LIMIT);
        let list = panel.get("/api/accounts")?;
        let list: serde_json::Value = serde_json::from_slice(&list.body)?;
        let accounts = list.as_array().into_iter().flatten();
        let found = accounts.into_iter().find(|one| one["address"] == account.address.as_str());
        let id = found.and_then(|one| one["id"].as_str()).context("no such account")?;
        let reply = panel.delete(&format!("/api/accounts/{id}"))?;
        ensure!(reply.status < 300, "{} {}", reply.status, String::from_utf8_lossy(&reply.body));
        Ok(())
    }

    /// Downloads a backup from the panel of box a.
    ///
    /// # Errors
    /// What the panel refuses; when the download breaks off.
    pub fn download_backup(&self, to: &Path) -> Result<()> {
        let panel = Http::new(self.a.port(443), "admin", ADMIN_PASSWORD, PANEL_LIMIT);
        let reply = panel.get("/api/backup")?;
        ensure!(reply.status == 200, "{}", String::from_utf8_lossy(&reply.body));
        Ok(std::fs::write(to, reply.body)?)
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

    /// Leaves both logs below `build/native`, and shows how they end.
    pub fn keep_logs(&self) {
        let folder = program::top().join("build/native");
        self.a.keep_log(&folder, &self.name);
        self.b.keep_log(&folder, &self.name);
    }
}

impl Drop for Boxes {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.keep_logs();
        }
    }
}
