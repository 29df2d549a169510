//! Which record formats this box's program knows, and when the box blesses them.
//!
//! | what | where |
//! |---|---|
//! | the rules of a pair of two programs | `record::Formats` |
//! | the format that the pair writes | the log |
//! | the newest that this box has blessed | `identity/format` |
//! | the owner's word to bless nothing for now (`maild hold-format`) | `identity/format-held` |
//!
//! A box blesses the newest format of its program when the program has served for [`PROVED_AFTER`] without a
//! break and without trouble: an update that is taken back earlier has not written anything that the release
//! before cannot read. (Once there is an updater it says so with its own blessing, at the same place.)

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use control::ToMaild;
use node::Handle;
use record::Formats;

use crate::VERSION;
use crate::identity::Identity;
use crate::watch::Seen;

/// A program has proved itself when it has served without trouble for so long.
const PROVED_AFTER: Duration = Duration::from_secs(600);
/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Tells the running box to go on writing what the release before can read, or to stop minding it.
#[derive(Args)]
pub struct HoldFormatArgs {
    /// No longer: the box may write what its program knows, when the other box may, too.
    #[arg(long)]
    off: bool,
    /// Where the running maild answers.
    #[arg(long, default_value = control::paths::MAILD_SOCKET)]
    socket: std::path::PathBuf,
}

impl HoldFormatArgs {
    /// # Errors
    /// When the box does not do it.
    pub fn run(&self) -> Result<()> {
        crate::backup::wish(&self.socket, &ToMaild::HoldFormat { on: !self.off })
    }
}

/// For trials: the formats that another release of this program would know.
#[derive(Clone, Debug)]
pub struct Trial {
    range: std::ops::RangeInclusive<u16>,
    proved_after: Duration,
}

impl FromStr for Trial {
    type Err = String;

    /// `OLDEST-NEWEST,SECONDS`: of the formats, and after how many seconds they are blessed.
    fn from_str(text: &str) -> Result<Trial, String> {
        let parsed = || {
            let (range, seconds) = text.split_once(',')?;
            let (oldest, newest) = range.split_once('-')?;
            let range = oldest.parse().ok()?..=newest.parse().ok()?;
            Some(Trial { range, proved_after: Duration::from_secs(seconds.parse().ok()?) })
        };
        parsed().ok_or_else(|| format!("{text:?} is not OLDEST-NEWEST,SECONDS"))
    }
}

/// The formats of this program on this box.
pub fn of_this_box(side: record::Side, identity: &Identity, trial: Option<&Trial>) -> Formats {
    let program = format!("box {side} (twinpost {VERSION})");
    let blessed = identity.blessed_format();
    match trial {
        Some(trial) => Formats::new(trial.range.clone(), &program, blessed),
        None => Formats::of_this_program(&program, blessed),
    }
}

/// Blesses, and holds back.
pub struct Blessing {
    node: Handle,
    seen: Arc<Seen>,
    identity: Arc<Identity>,
    newest: u16,
    proved_after: Duration,
    held: AtomicBool,
}

impl Blessing {
    #[must_use]
    pub fn new(
        node: Handle,
        seen: Arc<Seen>,
        identity: Arc<Identity>,
        formats: &Formats,
        trial: Option<&Trial>,
    ) -> Blessing {
        let proved_after = trial.map_or(PROVED_AFTER, |trial| trial.proved_after);
        let held = AtomicBool::new(identity.holds_format());
        Blessing { node, seen, identity, newest: formats.newest, proved_after, held }
    }

    /// The owner's word.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub async fn hold(&self, on: bool) -> Result<()> {
        self.identity.hold_format(on)?;
        self.held.store(on, Relaxed);
        if on {
            self.bless(self.node.progress().format).await?;
        }
        Ok(())
    }

    /// Until the program ends.
    pub async fn follow(&self) {
        let mut well_since: Option<Instant> = None;
        loop {
            tokio::time::sleep(LOOK.min(self.proved_after)).await;
            let healthy = |report: &failover::Report| report.healthy;
            let report = self.seen.report.lock().expect("no holder panics").as_ref().map(healthy);
            let well = self.node.is_serving() && report.unwrap_or(false);
            let since = well_since.filter(|_| well);
            well_since = since.or(well.then(Instant::now));
            let proved = since.is_some_and(|since| since.elapsed() >= self.proved_after);
            let blessed = self.identity.blessed_format() == self.newest;
            if !proved || blessed || self.held.load(Relaxed) {
                continue;
            }
            if let Err(error) = self.bless(self.newest).await {
                tracing::warn!(error = %format!("{error:#}"), "the record format is not blessed");
            }
        }
    }

    /// First it is kept: what the peer hears must hold after a restart.
    async fn bless(&self, format: u16) -> Result<()> {
        self.identity.bless_format(format)?;
        tracing::info!(format, "this box has blessed this record format");
        self.node.bless(format).await.context("telling the node")
    }
}
