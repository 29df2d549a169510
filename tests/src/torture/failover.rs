//! The scenes of [`crate::netns`] again and again, in any order, for as long as is asked: does a pair ever take over
//! what it should not, lose what it acknowledged, or keep an address at two boxes?

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use control::site::Timing;
use serde_json::{Value, json};

use super::dice::Dice;
use crate::netns::scenes::{SCENES, Scene, scene};
use crate::netns::{NoDisk, Record, Rig, Unsure, missing};

#[derive(Clone, Debug)]
pub struct FailoverPlan {
    /// For so long; at least every chosen scene once.
    pub minutes: u64,
    pub seed: u64,
    /// Names of scenes; all when there is none.
    pub scenes: Vec<String>,
    pub dead_after_ms: u64,
    /// No box has a file system of its own: what a machine's own disk does to one does not matter.
    pub no_disk: bool,
}

/// What became of one scene, over all its plays.
#[derive(Default)]
struct Tally {
    records: Vec<Record>,
    unsure: usize,
    wrong: Vec<String>,
    took: Duration,
}

/// Prints a line for each play, and a table in the end. The JSON has the figures.
///
/// # Errors
/// Where a rig is not permitted, and when anything was wrong in the end.
pub fn failover(plan: &FailoverPlan) -> Result<Value> {
    if let Some(why) = missing() {
        bail!("skipped: {why}");
    }
    let chosen: Vec<&Scene> = match plan.scenes.as_slice() {
        [] => SCENES.iter().collect(),
        names => names
            .iter()
            .map(|name| scene(name).with_context(|| format!("there is no scene {name}")))
            .collect::<Result<_>>()?,
    };
    let begin = Instant::now();
    let mut dice = Dice::new(plan.seed);
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut rig = None;
    let mut order: Vec<&Scene> = Vec::new();
    while !order.is_empty()
        || tallies.is_empty()
        || begin.elapsed() < Duration::from_secs(plan.minutes * 60)
    {
        if order.is_empty() {
            order.clone_from(&chosen);
        }
        let scene = order.swap_remove(dice.below(order.len()));
        let played = play(scene, &mut rig, plan, tallies.entry(scene.name).or_default());
        // A rig in which something went wrong is not trusted any more.
        if played.is_err() {
            rig = None;
        }
    }
    drop(rig);
    Ok(close(&chosen, &tallies, begin.elapsed(), plan))
}

fn play(
    scene: &Scene,
    rig: &mut Option<Rig>,
    plan: &FailoverPlan,
    tally: &mut Tally,
) -> Result<()> {
    let begun = Instant::now();
    let outcome = with_rig(rig, plan).and_then(|rig| scene.play(rig));
    tally.took += begun.elapsed();
    match outcome {
        Ok(record) => {
            println!("{}", record.json());
            tally.records.push(record);
            return Ok(());
        }
        Err(error) if error.is::<Unsure>() || error.is::<NoDisk>() => {
            println!("{}: not judged: {error:#}", scene.name);
            tally.unsure += 1;
            if let Some(rig) = rig {
                return rig.recover();
            }
        }
        Err(error) => {
            println!("{}: WRONG: {error:#}", scene.name);
            if let Some(rig) = rig {
                rig.name = format!("failover-{}-{}", scene.name, tally.wrong.len());
                rig.keep_logs();
            }
            tally.wrong.push(format!("{error:#}"));
        }
    }
    bail!("the rig is done")
}

fn with_rig<'a>(place: &'a mut Option<Rig>, plan: &FailoverPlan) -> Result<&'a mut Rig> {
    if place.is_none() {
        let timing = Timing { dead_after_ms: plan.dead_after_ms, cold_start_wait_ms: 3000 };
        let mut rig = Rig::build("failover", timing, !plan.no_disk)?;
        rig.street.enter()?;
        rig.start()?;
        *place = Some(rig);
    }
    place.as_mut().context("just built")
}

fn close(
    chosen: &[&Scene],
    tallies: &BTreeMap<&str, Tally>,
    took: Duration,
    plan: &FailoverPlan,
) -> Value {
    println!(
        "\n| scene | plays | wrong | address moved | its clients | other clients read | write | healed \
         | machine: a thread woke late | a sync |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let mut scenes = Vec::new();
    let (mut plays, mut unsure, mut wrong) = (0, 0, 0);
    for scene in chosen {
        let Some(tally) = tallies.get(scene.name) else { continue };
        println!("{}", tally.line(scene.name));
        plays += tally.records.len() + tally.wrong.len();
        unsure += tally.unsure;
        wrong += tally.wrong.len();
        scenes.push(tally.json(scene.name));
    }
    println!(
        "\n{plays} plays in {:.1} minutes; {unsure} more not judged (the machine stood still); {wrong} wrong",
        took.as_secs_f64() / 60.0
    );
    json!({
        "minutes": took.as_secs_f64() / 60.0,
        "dead_after_ms": plan.dead_after_ms,
        "seed": plan.seed,
        "plays": plays,
        "not_judged": unsure,
        "wrong": wrong,
        "scenes": scenes,
    })
}

impl Tally {
    /// Milliseconds, median and worst. "Its clients" are those of the struck box's address. The last two are what the
    /// machine itself took in the same plays, measured beside the boxes: figures of that size are no boxes' doing.
    fn line(&self, name: &str) -> String {
        let of = |measure: &dyn Fn(&Record) -> Option<u64>| {
            let mut all: Vec<u64> = self.records.iter().filter_map(measure).collect();
            all.sort_unstable();
            match (all.get(all.len() / 2), all.last()) {
                (Some(median), Some(worst)) => format!("{median} / {worst}"),
                _ => "–".to_owned(),
            }
        };
        format!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            self.records.len() + self.wrong.len(),
            self.wrong.len(),
            of(&|record| record.moved_ms),
            of(&|record| Some(record.outage_ms[0])),
            of(&|record| Some(record.read_pause_ms[1])),
            of(&|record| Some(record.write_wait_ms[1])),
            of(&|record| Some(record.healed_ms)),
            of(&|record| Some(record.late_ms)),
            of(&|record| Some(record.sync_ms)),
        )
    }

    fn json(&self, name: &str) -> Value {
        let records: Vec<Value> = self.records.iter().map(Record::json).collect();
        json!({
            "scene": name,
            "seconds": self.took.as_secs_f64(),
            "not_judged": self.unsure,
            "wrong": self.wrong,
            "records": records,
        })
    }
}
