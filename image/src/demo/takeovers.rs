//! `--takeovers`: how long clients wait for the address of a box that loses its power, again and again (promise P7).
//!
//! From the end of the box's QEMU to the first SMTP greeting that a client on the LAN gets at its address. Then the box
//! gets its power back, and once both are in again, the other one is next.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use rack::Side;
use serde::Serialize;

use super::greeting::Watch;
use super::pair::Pair;
use super::waiting;

/// In the view `both` the box takes its own address back at once; then the pair rests, and is not always struck in the
/// same moment of its second.
const REST: Duration = Duration::from_millis(2370);
/// Between two looks at a greeting.
const LOOK: Duration = Duration::from_millis(100);

/// All of them, in milliseconds, in the order in which they happened.
#[derive(Debug, Serialize)]
pub struct Takeovers {
    /// From the power cut to the greeting by the other box.
    pub took_ms: Vec<f64>,
    /// From power to the view `both`.
    pub back_ms: Vec<f64>,
    /// How QEMU ran the boxes' instructions.
    pub qemu: String,
    /// Runnable programs on this workstation over the last minute, at the beginning and at the end.
    pub load: [String; 2],
}

/// Cuts each box's power by turns.
pub fn run(pair: &mut Pair, count: usize) -> Result<Takeovers> {
    let load = load();
    let step = waiting("start", "both boxes");
    let started = pair.start()?;
    pair.wait_for_both()?;
    step.done(format!("greeted after {:.1} s and {:.1} s", secs(started[0]), secs(started[1])));
    let (mut took_ms, mut back_ms) = (Vec::new(), Vec::new());
    for (run, side) in Side::BOTH.into_iter().cycle().take(count).enumerate() {
        std::thread::sleep(REST);
        let step =
            waiting("takeover", format!("box {side} loses its power ({} of {count})", run + 1));
        let cut = pair.kill(side)?;
        let watch = Watch::start(pair.ports(side).smtp, cut);
        let took = pair.wait(side.other(), "a greeting", || Ok(watch.wait(LOOK)))?;
        let on = pair.power_on(side)?;
        pair.wait_for_both()?;
        let back = on.elapsed();
        step.done(format!("greeted after {:.0} ms, back after {:.1} s", ms(took), secs(back)));
        took_ms.push(ms(took));
        back_ms.push(ms(back));
    }
    let qemu = pair.qemu().to_string();
    Ok(Takeovers { took_ms, back_ms, qemu, load: [load, self::load()] })
}

impl fmt::Display for Takeovers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| figure | runs | p50 | p99 | max |\n|---|---|---|---|---|")?;
        for (name, all) in [("takeover, ms", &self.took_ms), ("power to both, ms", &self.back_ms)] {
            let mut sorted = all.clone();
            sorted.sort_by(f64::total_cmp);
            // The smallest value that at least so many percent do not exceed.
            let percentile = |percent: usize| {
                sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied()
            };
            let [p50, p99, max] = [50, 99, 100].map(|at| percentile(at).unwrap_or_default());
            writeln!(f, "| {name} | {} | {p50:.0} | {p99:.0} | {max:.0} |", sorted.len())?;
        }
        writeln!(f, "under {}, load {} to {}", self.qemu, self.load[0], self.load[1])
    }
}

/// The first word of `/proc/loadavg`.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn secs(time: Duration) -> f64 {
    time.as_secs_f64()
}
