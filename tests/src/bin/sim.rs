//! `cargo sim`: explores seeds, or replays one.

use std::time::Instant;

use clap::Parser;
use tests::sim::{self, Counts};

/// Two whole boxes on simulated disks and cables; every seed is another story.
#[derive(Parser)]
struct Args {
    /// How many seeds to explore.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Replay this one and tell its story.
    #[arg(long)]
    seed: Option<u64>,
}

fn main() {
    let args = Args::parse();
    if let Some(seed) = args.seed {
        let mut world = sim::World::new(seed);
        let result = world.run();
        world.story.iter().for_each(|line| println!("  {line}"));
        match result {
            Ok(()) => println!("seed {seed} is clean: {:?}", world.counts),
            Err(what) => fail(&format!("seed {seed}: {what}")),
        }
        return;
    }
    let started = Instant::now();
    let mut counts = Counts::default();
    for seed in args.from..args.from + args.seeds {
        match sim::run(seed) {
            Ok(more) => counts += more,
            Err(failure) => fail(&failure.to_string()),
        }
    }
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    let hours = counts.unix_ms as f64 / 3_600_000.0;
    println!("{} seeds are clean: {counts:?}", args.seeds);
    println!("{hours:.1} simulated hours, {:.1} for each minute", hours / minutes.max(1e-9));
}

fn fail(text: &str) -> ! {
    eprintln!("{text}");
    std::process::exit(1)
}
