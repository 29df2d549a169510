//! The panel: `web-ui`'s pages over this program's TLS, and what they need of the box.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use failover::{Admin, Path, Side};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use node::Handle;
use record::{AccountId, MailboxId};
use replica::{Mode, Wish};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use web_ui::status::LogPosition;
use web_ui::{Account, Answer, BoxStatus, Cable, CableKind, OneCopy, Operations, View};

use crate::ask::Target;
use crate::bootstrap::ADMIN_PASSWORD;
use crate::drive::start_tls;
use crate::listen::Place;
use crate::metrics;
use crate::status::Statuses;

const HTTPS: u16 = 443;
/// Browsers' connections at the same time.
const CONNECTIONS_MAX: usize = 256;
/// A request's head must be there within this time.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Events on one page.
const EVENTS_SHOWN: usize = 100;
/// After a failure to accept (no file descriptors, say).
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// Characters of a new account's password (web-ui checks it, too).
const PASSWORD_CHARACTERS_MIN: usize = 8;

/// Binds the port and serves in the background.
///
/// # Errors
/// When the port cannot be bound.
pub async fn start(
    place: Place,
    tls: Arc<ServerConfig>,
    statuses: Arc<Statuses>,
    secret: [u8; 32],
) -> Result<()> {
    let address = place.of(HTTPS);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("listening on {address} for the panel"))?;
    let router = web_ui::router(Arc::new(Panel { statuses }), secret);
    tokio::spawn(accept_for_ever(listener, tls, router));
    Ok(())
}

/// For whoever wants to know whether the panel answers.
#[must_use]
pub fn target(place: Place) -> Target {
    let address = place.reached_at(HTTPS);
    Target { name: "the panel", address, tls_first: true, speaks_first: false }
}

async fn accept_for_ever(listener: TcpListener, tls: Arc<ServerConfig>, router: Router) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, client)) => {
                let (tls, router) = (tls.clone(), router.clone());
                tokio::spawn(async move {
                    if let Err(error) = serve(stream, client, tls, router).await {
                        tracing::debug!(%client, %error, "a browser's connection ended");
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a browser");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn serve(
    stream: TcpStream,
    client: SocketAddr,
    tls: Arc<ServerConfig>,
    router: Router,
) -> Result<()> {
    let router = router.layer(axum::Extension(web_ui::Client(client.ip())));
    stream.set_nodelay(true)?;
    let stream = start_tls(Box::new(stream), tls).await?;
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await?;
    Ok::<_, anyhow::Error>(())
}

/// The box, as the panel sees it.
struct Panel {
    statuses: Arc<Statuses>,
}

impl Operations for Panel {
    fn check_admin(&self, password: String) -> Answer<'_, bool> {
        Box::pin(async move {
            let Ok(Some(hash)) = self.node().users().setting(ADMIN_PASSWORD) else {
                // A new pair: the site file's password is on its way into the settings.
                let first = self.statuses.site.admin_password.as_ref();
                return first.is_some_and(|first| same(first.reveal(), &password));
            };
            let hash = String::from_utf8_lossy(&hash).into_owned();
            let check = move || users::verify_password(&hash, &password);
            tokio::task::spawn_blocking(check).await.unwrap_or(false)
        })
    }

    fn status(&self) -> Answer<'_, web_ui::Status> {
        Box::pin(async move { self.picture() })
    }

    fn accounts(&self) -> Answer<'_, Vec<Account>> {
        Box::pin(async move {
            let accounts = self.node().users().accounts().unwrap_or_default();
            accounts.into_iter().map(|account| self.account(account)).collect()
        })
    }

    fn add_account(&self, address: String, password: String) -> Answer<'_, Result<(), String>> {
        Box::pin(async move { self.add(address, password).await.map_err(|e| format!("{e:#}")) })
    }

    fn remove_account(&self, id: String) -> Answer<'_, Result<(), String>> {
        Box::pin(async move {
            let account = self.find(&id)?;
            // All of its address: else the next of them would take its place.
            let users = self.node().users();
            let address = users.account(account).map_err(|e| e.to_string())?;
            let address = address.map(|account| account.address).unwrap_or_default();
            let mut all = users.accounts_of(&address).map_err(|e| e.to_string())?;
            if !all.contains(&account) {
                all = vec![account];
            }
            for account in all {
                self.submit(Wish::RemoveAccount { account }).await?;
            }
            Ok(())
        })
    }

    fn set_password(&self, id: String, password: String) -> Answer<'_, Result<(), String>> {
        Box::pin(async move {
            let account = self.find(&id)?;
            let password_hash = hash(password).await.map_err(|e| e.to_string())?;
            self.submit(Wish::SetPassword { account, password_hash }).await
        })
    }

    fn digest(&self) -> Answer<'_, Result<web_ui::Digest, String>> {
        Box::pin(async move {
            let digest = self.statuses.digest().await.map_err(|e| format!("{e:#}"))?;
            Ok(web_ui::Digest {
                digest: digest.parts.iter().map(|part| part.hex.as_str()).collect(),
                records: digest.applied.iter().map(|writer| writer.count).sum(),
            })
        })
    }

    fn backup(&self) -> Answer<'_, web_ui::BackupParts> {
        Box::pin(async { crate::backup::parts(self.node()) })
    }

    fn wish(&self, wish: web_ui::Wish) -> Answer<'_, Result<(), String>> {
        Box::pin(self.ask(wish))
    }

    fn events(&self) -> Answer<'_, Vec<web_ui::Event>> {
        let events = self.statuses.events.newest(EVENTS_SHOWN);
        let shown = events.into_iter().map(|event| web_ui::Event {
            at: event.at_unix_s,
            kind: event.kind,
            what: event.what,
            why: event.why,
        });
        let shown = shown.collect();
        Box::pin(async { shown })
    }

    fn metrics(&self) -> Answer<'_, String> {
        Box::pin(async move { metrics::text(&self.statuses) })
    }
}

impl Panel {
    async fn ask(&self, wish: web_ui::Wish) -> Result<(), String> {
        self.statuses.wishes.ask(admin(wish)).await
    }

    fn node(&self) -> &Handle {
        &self.statuses.node
    }

    async fn submit(&self, wish: Wish) -> Result<(), String> {
        self.node().submit(wish).await.map_err(|e| e.to_string())
    }

    fn find(&self, id: &str) -> Result<AccountId, String> {
        let gone = || "There is no such account; it may just have been removed.".to_owned();
        let id = u128::from_str_radix(id, 16).map_err(|_| gone())?;
        let found = self.node().users().account(AccountId(id)).map_err(|e| e.to_string())?;
        found.map(|account| account.id).ok_or_else(gone)
    }

    async fn add(&self, address: String, password: String) -> Result<()> {
        let address = address.trim().to_lowercase();
        let users = self.node().users();
        let domain = address.split_once('@').map(|(_, domain)| domain.to_owned());
        let domain = domain.context("An address looks like name@example.org.")?;
        let parsed = smtp::Address::parse(&address).is_ok();
        anyhow::ensure!(parsed, "{address} is no mail address.");
        anyhow::ensure!(
            users.account_by_address(&address)?.is_none(),
            "There is an account {address} already."
        );
        // A new pair: the site file's domain is on its way into the settings.
        let is_first = users.setting(users::SETTING_DOMAINS)?.is_none()
            && domain == self.statuses.site.domain.to_lowercase();
        anyhow::ensure!(
            is_first || users.local_domains()?.contains(&domain),
            "{domain} is no mail domain of this pair."
        );
        anyhow::ensure!(
            password.chars().count() >= PASSWORD_CHARACTERS_MIN,
            "A password has at least {PASSWORD_CHARACTERS_MIN} characters."
        );
        let account = AccountId(Handle::new_id());
        let wish = Wish::CreateAccount {
            account,
            address,
            home: self.least_loaded()?,
            password_hash: hash(password).await?,
            mailboxes: node::limits::FIRST_MAILBOXES
                .iter()
                .map(|name| (MailboxId(Handle::new_id()), (*name).to_owned()))
                .collect(),
            uid_validity: self.node().new_uid_validity(account)?,
        };
        self.node().submit(wish).await?;
        Ok(())
    }

    /// The side that is home to fewer accounts.
    fn least_loaded(&self) -> Result<record::Side> {
        let accounts = self.node().users().accounts()?;
        let at_a = accounts.iter().filter(|account| account.home == record::Side::A).count();
        Ok(if at_a * 2 <= accounts.len() { record::Side::A } else { record::Side::B })
    }

    fn account(&self, account: users::Account) -> Account {
        let mailboxes = self.node().index().household(account.id).unwrap_or_default();
        Account {
            id: account.id.to_string(),
            address: account.address,
            messages: mailboxes.iter().map(|mailbox| mailbox.messages).sum(),
            home: match account.home {
                record::Side::A => web_ui::Side::A,
                record::Side::B => web_ui::Side::B,
            },
        }
    }

    fn picture(&self) -> web_ui::Status {
        let status = self.statuses.status();
        let here = panel_side(status.side);
        let report = self.statuses.seen.report.lock().expect("no holder panics").clone();
        let boxes = [web_ui::Side::A, web_ui::Side::B].map(|side| {
            if side == here { self.this_box(&status) } else { self.other_box(&status, &report) }
        });
        let in_session = self.node().progress().in_session;
        let cables = report.iter().flat_map(|report| {
            // Most boxes have no serial cable, and so no name for its port.
            let paths = report.peer.paths.iter().zip(&self.statuses.port_names);
            paths.filter(|(_, port)| !port.is_empty()).map(move |(path, _)| Cable {
                kind: match path.path {
                    Path::Crossover => CableKind::Crossover,
                    Path::Lan => CableKind::Lan,
                    Path::Serial => CableKind::Serial,
                },
                up: path.up,
                round_trip_ms: path.round_trip_us.map(|us| us as f64 / 1000.0),
                loss_percent: path.loss_percent,
                carries_link: in_session && report.link == path.path,
            })
        });
        web_ui::Status {
            now: linux::clock::unix_s(),
            here,
            view: match self.node().mode() {
                Mode::Both => View::Both,
                Mode::Alone => View::Alone(here),
                Mode::Starting | Mode::Waiting => View::None,
            },
            boxes,
            one_copy: status
                .one_copy_since_s
                .map(|since| OneCopy { since, messages: status.one_copy_messages }),
            cables: cables.collect(),
            accounts: status.accounts,
            messages: status.messages,
            uptime_s: status.uptime_s,
            memory_bytes: status.memory_bytes,
            version: status.version,
            witness: status.witness,
        }
    }

    /// Of both families, for people.
    fn addresses(&self, side: control::Side) -> String {
        let addresses = self.statuses.site.service.of(side).iter();
        addresses.map(|service| service.address.to_string()).collect::<Vec<_>>().join(", ")
    }

    fn this_box(&self, status: &control::Status) -> BoxStatus {
        let report = self.statuses.seen.report.lock().expect("no holder panics");
        BoxStatus {
            side: panel_side(status.side),
            name: status.hostname.clone(),
            address: self.addresses(status.side),
            up: true,
            healthy: status.healthy,
            note: match status.log.taking_in_percent() {
                _ if !status.healthy => status.health.clone(),
                Some(percent) => format!("reads its log into the mailboxes: {percent} %"),
                None => String::new(),
            },
            holds: report.as_ref().map(|r| holds(r.holds)).unwrap_or_default(),
            log: Some(LogPosition {
                records: status.log.end,
                synced: status.log.synced,
                applied: status.log.applied,
            }),
            disk_free_bytes: Some(status.disk_free_bytes),
            maintenance: status.maintenance,
            rests: status.waits_for_give_back,
        }
    }

    /// What the other box's heartbeats say.
    fn other_box(&self, status: &control::Status, report: &Option<failover::Report>) -> BoxStatus {
        let side = status.side.other();
        let up = report.as_ref().is_some_and(|r| r.peer.paths.iter().any(|path| path.up));
        let facts = report.as_ref().and_then(|r| r.peer.facts.as_ref()).filter(|_| up);
        BoxStatus {
            side: panel_side(side),
            name: format!("box {side}"),
            address: self.addresses(side),
            up,
            healthy: facts.is_some_and(|facts| facts.healthy),
            note: facts.map(|facts| facts.trouble.clone()).unwrap_or_default(),
            holds: facts.map(|facts| holds(facts.holds)).unwrap_or_default(),
            log: None,
            disk_free_bytes: None,
            maintenance: facts.is_some_and(|facts| facts.maintenance),
            rests: facts.is_some_and(|facts| !facts.willing && !facts.maintenance),
        }
    }
}

/// Compares in a time that depends on the lengths only.
fn same(a: &str, b: &str) -> bool {
    let differ = a.bytes().zip(b.bytes()).fold(0, |acc, (x, y)| acc | (x ^ y));
    a.len() == b.len() && differ == 0
}

async fn hash(password: String) -> Result<String> {
    let salt = Handle::new_id().to_le_bytes();
    Ok(tokio::task::spawn_blocking(move || users::hash_password(&password, salt)).await?)
}

fn admin(wish: web_ui::Wish) -> Admin {
    match wish {
        web_ui::Wish::Handover => Admin::Handover,
        web_ui::Wish::GiveBack => Admin::GiveBack,
        web_ui::Wish::BeginMaintenance => Admin::BeginMaintenance,
        web_ui::Wish::EndMaintenance => Admin::EndMaintenance,
    }
}

fn panel_side(side: control::Side) -> web_ui::Side {
    match side {
        control::Side::A => web_ui::Side::A,
        control::Side::B => web_ui::Side::B,
    }
}

fn holds(holds: failover::Holds) -> Vec<web_ui::Side> {
    let held = Side::BOTH.into_iter().filter(|side| holds.has(*side));
    held.map(|side| panel_side(crate::ports::real::control_side(side))).collect()
}
