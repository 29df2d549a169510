//! `cargo sim`: explores seeds, replays one, or proves that the checkers are awake.

use std::time::Instant;

use clap::Parser;
use tests::sim::{self, Failure, Options, World, many, prove, shrink};

/// Two whole boxes on simulated disks and cables; every seed is another story.
#[derive(Parser)]
struct Args {
    /// How many seeds to explore.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Replay this one and tell its whole story.
    #[arg(long)]
    seed: Option<u64>,
    /// Break each rule on purpose, and see that the checker meant for it fires.
    #[arg(long)]
    prove_checkers: bool,
    /// With --prove-checkers: only this one.
    #[arg(long)]
    rule: Option<String>,
    /// One box misses so many gigabytes, comes back and catches up, while clients of the other go on.
    #[arg(long)]
    catch_up_gb: Option<f64>,
    /// Tell a failing seed as it is, without looking for a shorter story.
    #[arg(long)]
    whole: bool,
}

fn main() {
    let args = Args::parse();
    if args.prove_checkers {
        prove_checkers(&args);
    } else if let Some(gigabytes) = args.catch_up_gb {
        catch_up(gigabytes);
    } else if let Some(seed) = args.seed {
        replay(seed);
    } else {
        explore(&args);
    }
}

fn catch_up(gigabytes: f64) {
    match sim::catch_up::run((gigabytes * 1e9) as u64) {
        Ok(figures) => {
            let ratio = figures.sent_bytes as f64 / figures.missed_bytes as f64;
            println!(
                "missed {} bytes, sent {}: {ratio:.4}",
                figures.missed_bytes, figures.sent_bytes
            );
            println!("caught up after {} virtual ms", figures.took_ms);
            println!(
                "{} deliveries to the other meanwhile, the longest wait {} virtual ms",
                figures.deliveries, figures.longest_wait_ms
            );
        }
        Err(what) => fail(&what),
    }
}

fn replay(seed: u64) {
    let mut world = World::new(seed, Options::default().telling());
    let result = world.run();
    world.story.iter().for_each(|line| println!("  {line}"));
    match result {
        Ok(()) => println!("seed {seed} is clean: {}", world.counts),
        Err(what) => fail(&format!("seed {seed}: {what}")),
    }
}

fn explore(args: &Args) {
    let started = Instant::now();
    let options = Options::default();
    let seeds = args.from..args.from + args.seeds;
    let progress = |done| eprintln!("{done} of {} seeds", args.seeds);
    match many::run_all(seeds, &options, progress) {
        Ok(counts) => {
            println!("{} seeds are clean", args.seeds);
            println!("{counts}");
            let minutes = started.elapsed().as_secs_f64() / 60.0;
            let rate = counts.virtual_hours() / minutes.max(1e-9);
            println!("{minutes:.2} minutes, {rate:.1} simulated hours in each");
        }
        Err(failure) => fail(&told(&failure, &options, args.whole)),
    }
}

fn told(failure: &Failure, options: &Options, whole: bool) -> String {
    if whole {
        return sim::run(failure.seed, &options.telling())
            .err()
            .as_ref()
            .unwrap_or(failure)
            .to_string();
    }
    eprintln!("seed {}: {}\nlooking for the shortest story ...", failure.seed, failure.what);
    shrink::shortest(failure, options).to_string()
}

fn prove_checkers(args: &Args) {
    // Boxes that give up are expected here.
    std::panic::set_hook(Box::new(|_| {}));
    let mut asleep = 0;
    for proof in prove::all(args.seeds, args.rule.as_deref()) {
        let rule = proof.rule.to_string();
        let promise = proof.rule.promise();
        match &proof.caught {
            Some(failure) => {
                let first = failure.what.split("; ").find(|what| what.starts_with(promise));
                let what = first.unwrap_or(&failure.what);
                println!("{rule:20} {promise} caught at seed {}: {what}", failure.seed);
            }
            None => {
                asleep += 1;
                let others = proof.by_others;
                println!("{rule:20} {promise} NOT caught ({others} seeds caught by others)");
            }
        }
    }
    if asleep > 0 {
        fail(&format!("{asleep} broken rules were not caught by the checker meant for them"));
    }
}

fn fail(text: &str) -> ! {
    eprintln!("{text}");
    std::process::exit(1)
}
