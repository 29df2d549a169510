//! A pair of real `maild` processes under torture.
//!
//! ```text
//! cargo torture kill --rounds 500 --json build/kill.json
//! ```

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use tests::torture::{
    FailoverPlan, Fault, Plan, Size, broken, catch_up, failover, full, keep, rounds, split,
};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    torture: Torture,
    /// Where to write the totals
    #[arg(long, global = true)]
    json: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Torture {
    /// SIGKILL of a box or both, at any moment
    Kill(Rounds),
    /// SIGSTOP and SIGCONT
    Pause(Rounds),
    /// Power cuts: the disks lose what was not synced (needs root, and mounts files)
    Power(Rounds),
    /// Cables that lose, delay, break and are cut
    Net(Rounds),
    /// One box comes back to a survivor that took in much
    CatchUp {
        #[arg(long, default_value_t = 256)]
        mib: usize,
    },
    /// A disk without room (needs root, and mounts files)
    Full,
    /// Most of a large mailbox is deleted, and the log kept tidy at full speed: rates, and how clients fare
    Keep {
        #[arg(long, default_value_t = 512)]
        mib: usize,
    },
    /// A disk that fails (needs root, and mounts files)
    Broken,
    /// Every fault of the network, the power, the disk and the program, on real ports (needs root)
    Failover {
        /// At least each scene once
        #[arg(long, default_value_t = 0)]
        minutes: u64,
        /// Decides the order of the scenes
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Only these
        #[arg(long, value_delimiter = ',')]
        scenes: Vec<String>,
        /// Silence for this long means dead
        #[arg(long, default_value_t = 600)]
        dead_after_ms: u64,
        /// No scene of a failing disk is played, and no box has a file system in a file
        #[arg(long)]
        no_disk: bool,
    },
    /// Both boxes take mail for the same mailboxes while nothing passes between them
    Split {
        /// At each box
        #[arg(long, default_value_t = 1000)]
        messages: usize,
        #[arg(long, default_value_t = 20)]
        mailboxes: usize,
    },
}

#[derive(Args)]
struct Rounds {
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Decides what happens when; what comes of it is different each time
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Clients that deliver at port 25
    #[arg(long, default_value_t = 4)]
    senders: usize,
    /// Clients that append, flag, move and expunge by IMAP
    #[arg(long, default_value_t = 3)]
    readers: usize,
    #[arg(long, default_value_t = 3)]
    accounts: usize,
    /// New accounts after so many rounds
    #[arg(long, default_value_t = 20)]
    renew_every: usize,
    /// Go on after a broken promise
    #[arg(long)]
    keep_going: bool,
}

impl Rounds {
    fn plan(&self, fault: Fault) -> Plan {
        let Rounds { accounts, senders, readers, .. } = *self;
        Plan {
            fault,
            rounds: self.rounds,
            seed: self.seed,
            size: Size { accounts, senders, readers },
            renew_every: self.renew_every.max(1),
            keep_going: self.keep_going,
        }
    }
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let totals = match &cli.torture {
        Torture::Kill(args) => rounds(&args.plan(Fault::Kill))?,
        Torture::Pause(args) => rounds(&args.plan(Fault::Pause))?,
        Torture::Power(args) => rounds(&args.plan(Fault::Power))?,
        Torture::Net(args) => rounds(&args.plan(Fault::Net))?,
        Torture::CatchUp { mib } => catch_up(*mib)?,
        Torture::Keep { mib } => keep(*mib)?,
        Torture::Broken => broken()?,
        Torture::Full => full()?,
        Torture::Failover { minutes, seed, scenes, dead_after_ms, no_disk } => {
            failover(&FailoverPlan {
                minutes: *minutes,
                seed: *seed,
                scenes: scenes.clone(),
                dead_after_ms: *dead_after_ms,
                no_disk: *no_disk,
            })?
        }
        Torture::Split { messages, mailboxes } => split(*messages, *mailboxes)?,
    };
    if let Some(path) = cli.json {
        std::fs::write(path, serde_json::to_string_pretty(&totals)? + "\n")?;
    }
    // Those that stop at the first wrong thing have none to tell.
    if totals["wrong"].as_u64().is_some_and(|wrong| wrong > 0) {
        bail!("{} wrong", totals["wrong"]);
    }
    Ok(())
}
