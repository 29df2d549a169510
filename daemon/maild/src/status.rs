//! The picture of this box for console, panel and tests.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context, Result};
use control::status::{AppliedWriter, DigestPart};
use control::{Digest, Link, Log, Peer, Site, Status, View};
use failover::Side;
use node::Handle;
use replica::Mode;

use crate::events::Events;
use crate::formats::Blessing;
use crate::identity::hex;
use crate::ports::real::control_side;
use crate::watch::{Seen, Wishes, path_name};

pub struct Statuses {
    pub site: Arc<Site>,
    pub node: Handle,
    pub seen: Arc<Seen>,
    pub data: PathBuf,
    /// The names of the ports as `failover::Path::ALL` has them; empty where there is none.
    pub port_names: [String; 3],
    pub started: Instant,
    /// Since when there is one copy only, and how many messages there were then.
    pub alone: Mutex<Option<(u64, u64)>>,
    pub events: Arc<Events>,
    pub wishes: Wishes,
    pub blessing: Arc<Blessing>,
}

impl Statuses {
    #[must_use]
    pub fn status(&self) -> Status {
        let progress = self.node.progress();
        let report = self.seen.report.lock().expect("no holder panics").clone();
        let counts = self.node.index().counts().ok();
        let messages = counts.map_or(0, |c| c.messages);
        let one_copy = *self.alone.lock().expect("no holder panics");
        let held = report.as_ref().map(|r| r.holds).unwrap_or_default();
        Status {
            box_name: self.site.box_name().to_owned(),
            hostname: self.site.hostname.clone(),
            side: self.site.side,
            version: crate::VERSION.to_owned(),
            view: self.view(),
            healthy: report.as_ref().is_some_and(|r| r.healthy),
            health: self.health(),
            own_addresses: self.own_addresses(),
            held_addresses: Side::BOTH
                .into_iter()
                .filter(|side| held.has(*side))
                .flat_map(|side| self.site.service.of(control_side(side)))
                .map(|service| service.address)
                .collect(),
            links: self.links(report.as_ref()),
            log: Log { end: progress.end, synced: progress.synced, applied: progress.applied },
            peer: self.peer(report.as_ref(), &progress),
            one_copy_since_s: one_copy.map(|(since, _)| since),
            one_copy_messages: one_copy.map_or(0, |(_, then)| messages.saturating_sub(then)),
            accounts: self.node.users().accounts().map_or(0, |a| a.len() as u64),
            messages,
            uptime_s: self.started.elapsed().as_secs(),
            memory_bytes: linux::host::resident_bytes(),
            disk_free_bytes: linux::host::room(&self.data).map_or(0, |room| room.free_bytes),
            maintenance: report.as_ref().is_some_and(|r| r.maintenance),
            waits_for_give_back: report.as_ref().is_some_and(|r| !r.willing && !r.maintenance),
            witness: report.as_ref().and_then(|r| r.witness),
            upkeep: self.upkeep(&progress),
            record_format: progress.format,
            refused: self.seen.refused.lock().expect("no holder panics").clone(),
        }
    }

    /// Notices when the box becomes alone or stops being so.
    pub async fn follow_view(&self) {
        let mut modes = self.node.modes();
        loop {
            let mode = *modes.borrow_and_update();
            {
                let mut alone = self.alone.lock().expect("no holder panics");
                match mode {
                    Mode::Alone if alone.is_none() => {
                        let messages = self.node.index().counts().map_or(0, |c| c.messages);
                        *alone = Some((linux::clock::unix_s(), messages));
                    }
                    Mode::Both => *alone = None,
                    Mode::Alone | Mode::Starting | Mode::Waiting => {}
                }
            }
            if modes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Digests of everything applied. Reads all of both stores: for checks, not for pages.
    ///
    /// # Errors
    /// What cannot be read.
    pub async fn digest(&self) -> Result<Digest> {
        let node = self.node.clone();
        let (mailbox, users) =
            tokio::task::spawn_blocking(move || (node.index().digest(), node.users().digest()))
                .await?;
        let part = |name: &str, bytes: &[u8]| DigestPart { name: name.into(), hex: hex(bytes) };
        let applied = self.node.vector().into_iter().map(|(writer, count)| AppliedWriter {
            side: match writer.side {
                record::Side::A => control::Side::A,
                record::Side::B => control::Side::B,
            },
            incarnation: writer.incarnation,
            count,
        });
        Ok(Digest {
            parts: vec![
                part("mailbox", &mailbox.context("reading the index")?),
                part("users", &users.context("reading the user store")?),
            ],
            applied: applied.collect(),
        })
    }

    /// As they are on the port; without ports of its own, as the site file says.
    fn own_addresses(&self) -> Vec<IpAddr> {
        let own = self.seen.own.lock().expect("no holder panics");
        match &*own {
            Some(own) => own.borrow().usable.iter().map(|own| own.ip).collect(),
            None => self.site.lan.static_addresses().map(|own| own.address).collect(),
        }
    }

    fn view(&self) -> View {
        match self.node.mode() {
            Mode::Starting if self.node.progress().end == 0 => View::Starting,
            Mode::Starting | Mode::Waiting => View::Waiting,
            Mode::Alone => View::Alone,
            Mode::Both => View::Both,
        }
    }

    fn health(&self) -> String {
        let report = self.seen.report.lock().expect("no holder panics");
        if let Some(report) = report.as_ref()
            && !report.healthy
            && !report.trouble.is_empty()
        {
            return report.trouble.clone();
        }
        if self.node.has_no_room() {
            return "this box's disk is full, and the other box serves without it: delete mail, or put in a \
                    larger disk"
                .into();
        }
        let conflicts = self.seen.conflicts.lock().expect("no holder panics");
        if let Some((ip, mac)) = conflicts.first_key_value() {
            return conflict(*ip, *mac);
        }
        if report.as_ref().is_some_and(|report| report.maintenance) {
            return "in maintenance: this box holds a copy of everything and answers at no address \
                    until you end that"
                .into();
        }
        if let Some(refused) = &*self.seen.refused.lock().expect("no holder panics") {
            return format!("the two boxes cannot share their mail: {refused}");
        }
        let put_off = self.node.progress().damage.put_off > 0;
        match self.view() {
            View::Starting => "starting",
            View::Waiting => "waiting for the other box: no mail is shown or taken until then",
            View::Both if self.node.comparison() == node::Comparison::Differs => {
                "the two boxes differ although they hold the same log: one of them builds its state \
                 again by itself; if this stays, save the log and tell us"
            }
            View::Both if put_off => {
                "something on the disks is damaged at both boxes: save a backup of the rest, and look at both disks"
            }
            View::Both if self.node.progress().damage.damaged > 0 => {
                "something on this box's disk is damaged and is being fetched from the other box; if this \
                 comes again, replace the disk"
            }
            View::Both => "all is well: both boxes hold every message",
            View::Alone if put_off => {
                "a record on this box's disk cannot be read, and the other box never had it: until it can be \
                 read, the other cannot catch up, and new mail is on this box only; let people copy what \
                 matters to them, and look at this box's disk"
            }
            View::Alone => "the other box is away: new mail is on this box only",
        }
        .to_owned()
    }

    fn upkeep(&self, progress: &node::Progress) -> control::status::Upkeep {
        let done = self.node.upkeep();
        control::status::Upkeep {
            damaged: progress.damage.damaged,
            put_off: progress.damage.put_off,
            mended: progress.damage.mended,
            scrub_rounds: done.scrub_rounds,
            scrubbed_bytes: done.scrubbed_bytes,
            reclaimed_bytes: done.reclaimed_bytes,
        }
    }

    fn links(&self, report: Option<&failover::Report>) -> Vec<Link> {
        let Some(report) = report else { return Vec::new() };
        let in_session = self.node.progress().in_session;
        let paths = report.peer.paths.iter().zip(&self.port_names);
        paths
            .filter(|(_, port)| !port.is_empty())
            .map(|(path, port)| Link {
                path: path_name(path.path),
                port: port.clone(),
                carrier: path.carrier,
                heard_ms: path.heard_at.map(|at| ms_since(Some(at))),
                carries_session: in_session && report.link == path.path,
                up: path.up,
                round_trip_us: path.round_trip_us,
                loss_percent: path.loss_percent,
            })
            .collect()
    }

    fn peer(&self, report: Option<&failover::Report>, progress: &node::Progress) -> Option<Peer> {
        let peer = &report?.peer;
        peer.heard_at?;
        Some(Peer {
            hostname: self.site.side.other().to_string(),
            version: String::new(),
            healthy: peer.facts.as_ref().is_some_and(|facts| facts.healthy),
            synced: progress.peer_synced,
            behind: progress.peer_lacks.unwrap_or(0),
            heard_ms: ms_since(peer.heard_at),
        })
    }
}

/// For the owner.
pub fn conflict(ip: IpAddr, mac: linux::Mac) -> String {
    let machine = if mac == linux::Mac::ZERO {
        "another machine".to_owned()
    } else {
        format!("the machine {mac}")
    };
    format!("{machine} uses this box's address {ip}: give one of the two another address")
}

fn ms_since(at: Option<Instant>) -> u64 {
    at.map_or(u64::MAX, |at| at.elapsed().as_millis() as u64)
}
