//! Two boxes in a rack: their disks and secrets, their power, and how a local program reaches them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rack::{Machine, MachineConfig, Nic, Rack, RackConfig, Side};

use super::greeting::Watch;
use super::panel::Panel;
use super::{secrets, waiting};
use crate::run;
use crate::site::{self, Crossover, Lan, Service, Site, Timing};

/// What a pair shall be like.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a box is silent before its peer takes over.
    pub dead_after_ms: u64,
    /// Memory of each box.
    pub memory_mib: u32,
    /// Size of each disk, holes included.
    pub disk_bytes: u64,
    /// How many mail accounts there are.
    pub accounts: u16,
    /// Leave disks and logs in place.
    pub keep: bool,
}

/// The pair.
pub struct Pair {
    // Boxes lose their power before the rack goes: fields are dropped in this order.
    boxes: [Place; 2],
    rack: Rack,
    /// The panel's password; its user is `admin`.
    pub admin_password: String,
    /// Mail accounts; they exist once `create_accounts` has run.
    pub accounts: Vec<Account>,
    /// Size of the image both boxes started from, holes included.
    pub image_bytes: u64,
    /// What of it is written.
    pub image_used_bytes: u64,
}

/// A mail account.
#[derive(Debug, Clone)]
pub struct Account {
    /// Address, and user name.
    pub address: String,
    /// Its password.
    pub password: String,
}

struct Place {
    machine: Machine,
    ports: Ports,
}

/// Local ports that lead to one side: to its service address, but for `panel` and `own_imaps`,
/// which lead to the box's own address and so are its word and no other's.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// SMTP between servers; the demo's clients deliver here.
    pub smtp: SocketAddr,
    /// SMTP for mail programs.
    pub submission: SocketAddr,
    /// IMAP inside TLS.
    pub imaps: SocketAddr,
    /// POP3 inside TLS.
    pub pop3s: SocketAddr,
    /// The panel of this box.
    pub panel: SocketAddr,
    /// IMAP inside TLS of this box.
    pub own_imaps: SocketAddr,
}

/// The mail domain of every demo.
pub const DOMAIN: &str = "example.test";
/// How long anything that a slow machine may delay can take before the demo gives up.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// How long a box may think about one answer.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// How often something is tried: a question to a panel costs the box a password hash.
const POLL: Duration = Duration::from_millis(250);
/// The unit of `st_blocks` (stat(3type)), whatever the file system's own is.
const STAT_BLOCK_BYTES: u64 = 512;

impl Pair {
    /// Makes disks and secrets; both boxes are off.
    pub fn prepare(image: &Path, settings: &Settings) -> Result<Pair> {
        // Disks are big and want a real file system, which /tmp is not everywhere.
        let parent = Path::new("/var/tmp");
        let parent = if parent.is_dir() { parent.to_owned() } else { std::env::temp_dir() };
        let rack = Rack::start(RackConfig { parent, ..RackConfig::default() })?;
        if settings.keep {
            rack.keep_folder()?;
            eprintln!("disks and logs stay in {}", rack.folder().display());
        }
        let admin_password = secrets::word(16);
        let pair_token = secrets::word(32);
        let step = waiting("disks", "one copy of the image for each box");
        let place = |side| -> Result<Place> {
            let disk = copy_disk(image, &rack, side, settings.disk_bytes)?;
            let file = site(side, &pair_token, &admin_password, settings).to_file()?;
            site::put(&disk, &file)?;
            let config = MachineConfig {
                disk: Some(disk),
                memory_mib: settings.memory_mib,
                ..MachineConfig::default()
            };
            let machine = Machine::new(&rack, side, config)?;
            Ok(Place { machine, ports: Ports::open(&rack, side)? })
        };
        let boxes = [place(Side::A)?, place(Side::B)?];
        let cache = boxes[0].machine.disk_cache().map_or("none", |cache| cache.as_str());
        step.done(format!("two copies with a site file each, cache={cache}"));
        let accounts = (1..=settings.accounts)
            .map(|n| Account { address: format!("user{n}@{DOMAIN}"), password: secrets::word(12) })
            .collect();
        let facts = std::fs::metadata(image)?;
        let (image_bytes, image_used_bytes) = (facts.len(), facts.blocks() * STAT_BLOCK_BYTES);
        Ok(Pair { boxes, rack, admin_password, accounts, image_bytes, image_used_bytes })
    }

    /// Turns a box on.
    pub fn power_on(&mut self, side: Side) -> Result<Instant> {
        Ok(self.boxes[side as usize].machine.power_on()?)
    }

    /// Cuts a box's power. Gives the moment.
    pub fn kill(&mut self, side: Side) -> Result<Instant> {
        Ok(self.boxes[side as usize].machine.power_cut()?)
    }

    /// Whether a box has power.
    pub fn is_on(&mut self, side: Side) -> bool {
        self.boxes[side as usize].machine.is_on()
    }

    /// A box's QEMU process.
    pub fn pid(&self, side: Side) -> Option<u32> {
        self.boxes[side as usize].machine.pid()
    }

    /// What a box's QEMU takes of this workstation's memory.
    pub fn resident_bytes(&self, side: Side) -> Option<u64> {
        self.boxes[side as usize].machine.resident_bytes()
    }

    /// How QEMU runs the boxes' instructions.
    pub fn qemu(&self) -> &rack::Qemu {
        self.boxes[0].machine.qemu()
    }

    /// Where a box's console is written.
    pub fn console_log(&self, side: Side) -> PathBuf {
        self.boxes[side as usize].machine.console_log().to_owned()
    }

    /// How a side is reached.
    pub fn ports(&self, side: Side) -> Ports {
        self.boxes[side as usize].ports
    }

    /// A box's own panel.
    pub fn panel(&self, side: Side) -> Panel {
        Panel::new(self.ports(side).panel, &self.admin_password, ANSWER_LIMIT)
    }

    /// The cables.
    pub fn rack(&self) -> &Rack {
        &self.rack
    }

    /// Turns both on and waits until both service addresses greet. Gives how long each took, a
    /// first.
    pub fn start(&mut self) -> Result<[Duration; 2]> {
        let on = [self.power_on(Side::A)?, self.power_on(Side::B)?];
        let watches = Side::BOTH.map(|side| Watch::start(self.ports(side).smtp, on[side as usize]));
        let mut greeting = |side: Side| {
            self.wait(side, "an SMTP greeting", || Ok(watches[side as usize].wait(POLL)))
        };
        Ok([greeting(Side::A)?, greeting(Side::B)?])
    }

    /// Waits until both boxes say that both are in.
    pub fn wait_for_both(&mut self) -> Result<()> {
        for side in Side::BOTH {
            let panel = self.panel(side);
            self.wait(side, "view both", move || {
                let status = panel.status()?;
                if status.is_both() { Ok(Some(())) } else { bail!("its view is {}", status.view) }
            })?;
        }
        Ok(())
    }

    /// Makes the accounts at one box; the pair does the rest.
    pub fn create_accounts(&mut self, side: Side) -> Result<()> {
        let (panel, accounts) = (self.panel(side), self.accounts.clone());
        for account in accounts {
            panel.add_account(&account.address, &account.password)?;
        }
        Ok(())
    }

    /// Tries until something is there, a box it needs has died, or patience ends.
    pub fn wait<T>(
        &mut self,
        side: Side,
        what: &str,
        mut attempt: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let start = Instant::now();
        loop {
            let error = match attempt() {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => None,
                Err(error) => Some(error),
            };
            if !self.is_on(side) {
                bail!("box {side} has turned off while waiting for {what}");
            }
            if start.elapsed() > PATIENCE {
                let error = error.map(|error| format!(": {error:#}")).unwrap_or_default();
                bail!("box {side}: no {what} in {} s{error}", PATIENCE.as_secs());
            }
            std::thread::sleep(POLL);
        }
    }
}

impl Ports {
    fn open(rack: &Rack, side: Side) -> Result<Ports> {
        // `…1` leads to box a and `…2` to box b, when these ports are free.
        let last = side as u16 + 1;
        let service = |preferred: u16, port| {
            rack.forward(preferred + last, SocketAddrV4::new(service_address(side), port))
        };
        let own = |preferred: u16, port| {
            rack.forward(preferred + last, SocketAddrV4::new(own_address(side), port))
        };
        Ok(Ports {
            smtp: service(2520, 25)?,
            submission: service(5870, 587)?,
            imaps: service(9930, 993)?,
            pop3s: service(9950, 995)?,
            panel: own(4430, 443)?,
            own_imaps: own(9940, 993)?,
        })
    }
}

/// Where clients expect a side.
fn service_address(side: Side) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, 1 + side as u8)
}

/// Where a box is itself.
fn own_address(side: Side) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, 11 + side as u8)
}

fn site(side: Side, pair_token: &str, admin_password: &str, settings: &Settings) -> Site {
    Site {
        side: side.to_string(),
        hostname: format!("mail-{side}.{DOMAIN}"),
        domain: DOMAIN.to_owned(),
        pair_token: pair_token.to_owned(),
        first: side == Side::A,
        admin_password: Some(admin_password.to_owned()),
        lan: Lan {
            mac: Some(Nic::lan(side).mac().to_owned()),
            address: format!("{}/24", own_address(side)).into(),
            gateway: Some(IpAddr::V4(Ipv4Addr::new(10, 77, 0, 254)).into()),
            peer: Some(IpAddr::V4(own_address(side.other())).into()),
            vlan: None,
            mtu: None,
        },
        service: Service {
            a: format!("{}/24", service_address(Side::A)).into(),
            b: format!("{}/24", service_address(Side::B)).into(),
        },
        serial: None,
        time: None,
        crossover: Crossover { mac: Some(Nic::crossover(side).mac().to_owned()) },
        timing: Timing { dead_after_ms: Some(settings.dead_after_ms), cold_start_wait_ms: None },
        failover: None,
    }
}

/// A copy that takes no more room than what is written in it.
fn copy_disk(image: &Path, rack: &Rack, side: Side, bytes: u64) -> Result<PathBuf> {
    let disk = rack.folder().join(format!("disk-{side}.img"));
    let mut command = run::program("cp")?;
    command.args(["--sparse=always", "--reflink=auto"]).arg(image).arg(&disk);
    run::quiet(&mut command)?;
    let file = std::fs::File::options().write(true).open(&disk)?;
    if file.metadata()?.len() < bytes {
        file.set_len(bytes).context("cannot make the disk larger")?;
    }
    Ok(disk)
}
