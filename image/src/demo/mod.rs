//! The pair under QEMU: `twinpost demo`.
//!
//! Without `--check` it is for a person: it says where everything is and obeys a prompt. With
//! `--check` it needs nobody: it sends mail, kills each box in turn, and counts what came through;
//! with `--takeovers` likewise, and measures how long clients wait.
//! Start reading at [`run`], then [`pair`] for the boxes and [`check`](mod@check) for the trial.

mod check;
mod corpus;
mod greeting;
mod interrupt;
mod mbox;
mod pair;
mod panel;
mod prompt;
mod secrets;
mod takeovers;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use self::pair::{Pair, Settings};
use crate::build::{self, BuildOptions};
use crate::progress::Step;
use crate::{host, plan};

/// What `twinpost demo` takes.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// Send mail, kill each box in turn, count what came through; needs no person
    #[arg(long)]
    check: bool,
    /// With --check: a folder of messages, one a file or as mbox (default: those of Python's test
    /// suite)
    #[arg(long, value_name = "DIR", requires = "check")]
    mail: Option<PathBuf>,
    /// Cut the power of each box by turns, so many times, and measure how long clients wait; needs no person
    #[arg(long, value_name = "N", conflicts_with = "check")]
    takeovers: Option<usize>,
    /// With --check or --takeovers: where to write what was measured
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// An image that `twinpost build` has made, instead of building one
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// How long a box is silent before its peer takes over
    #[arg(long, value_name = "MS", default_value_t = 600)]
    dead_after_ms: u64,
    /// Memory of each box
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    memory_mib: u32,
    /// Size of each box's disk; it takes only the room that is written
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    disk_mib: u64,
    /// How many mail accounts to make
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = some_or_many())]
    accounts: u16,
    /// With --check: how many connections deliver at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = some_or_many())]
    senders: u16,
    /// Leave disks and logs in place at the end
    #[arg(long)]
    keep: bool,
}

/// From one to as many as one small box can be asked to bear.
fn some_or_many() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..=64)
}

/// The board whose hardware QEMU has.
const BOARD: &str = "qemu-x86_64";

/// Runs the demo.
pub fn run(args: DemoArgs) -> Result<()> {
    if let Some(file) = &args.json {
        // Not after minutes of work.
        std::fs::write(file, "").with_context(|| format!("cannot write {}", file.display()))?;
    }
    host::ensure()?;
    let messages = match (args.check, &args.mail) {
        (false, _) => None,
        (true, Some(folder)) => Some(corpus::read(folder)?),
        (true, None) => Some(corpus::of_python()?),
    };
    let image = match &args.image {
        Some(image) => image.clone(),
        None => build::build(&BuildOptions::for_board(BOARD))?.image,
    };
    let settings = Settings {
        dead_after_ms: args.dead_after_ms,
        memory_mib: args.memory_mib,
        disk_bytes: args.disk_mib << 20,
        accounts: args.accounts,
        keep: args.keep,
    };
    let mut pair = Pair::prepare(&image, &settings)?;
    let folder = pair.rack().folder().to_owned();
    interrupt::watch((!args.keep).then_some(folder))?;
    if let Some(count) = args.takeovers {
        let outcome = takeovers::run(&mut pair, count)?;
        if let Some(file) = &args.json {
            std::fs::write(file, serde_json::to_string_pretty(&outcome)? + "\n")
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        print!("{outcome}");
        return Ok(());
    }
    match messages {
        None => prompt::run(&mut pair),
        Some(messages) => {
            let outcome = check::run(&mut pair, &messages, usize::from(args.senders));
            let json = serde_json::to_string_pretty(&outcome)?;
            if let Some(file) = &args.json {
                std::fs::write(file, json + "\n")
                    .with_context(|| format!("cannot write {}", file.display()))?;
            }
            print!("{outcome}");
            if outcome.passed() {
                return Ok(());
            }
            leave_consoles(&pair)?;
            bail!("the check failed")
        }
    }
}

/// Copies what the consoles said to a place that outlives the rack.
fn leave_consoles(pair: &Pair) -> Result<()> {
    let folder = plan::find_tree()?.join("build").join("demo");
    std::fs::create_dir_all(&folder)?;
    for side in rack::Side::BOTH {
        let copy = folder.join(format!("console-{side}.log"));
        // A box that never started has no log.
        if std::fs::copy(pair.console_log(side), &copy).is_ok() {
            eprintln!("what the console of box {side} said: {}", copy.display());
        }
    }
    Ok(())
}

/// A step with a spinner, for what takes longer than two seconds.
fn waiting(name: &str, what: impl Into<String>) -> Step {
    let step = Step::spinner(name);
    step.say(what);
    step
}
