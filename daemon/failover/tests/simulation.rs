//! Random faults on two machines, many seeds: `FAILOVER_SEED=7 cargo test -p failover --test simulation`
//! replays one, `FAILOVER_RUNS=5000` explores more. A broken promise prints the seed and the story.
//!
//! What is checked, at every millisecond:
//! - no box goes alone while the other is alone and a path worked in both directions all the time;
//! - no address has two holders for longer than a moment once the boxes hear each other;
//! - after a crash with nothing else wrong the survivor holds both addresses within `dead_after` + 100 ms;
//! - without a fault nothing moves, and some time after the last one each box serves its own address.

mod pair;

use failover::{Input, Path, Side, Standing};
use pair::{Happened, World};

const DEAD_AFTER_MS: u64 = 600;

#[test]
fn random_faults_keep_the_promises() {
    let setting = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match setting("FAILOVER_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("FAILOVER_RUNS").unwrap_or(150),
    };
    let mut moves = 0;
    for seed in seeds {
        let mut run = Run::new(seed);
        run.live();
        moves += run.moves;
    }
    assert!(moves > 0, "the faults did nothing: the simulation sleeps");
}

struct Run {
    world: World,
    faults: Vec<Fault>,
    /// Since when some path works in both directions, and both boxes run.
    hear_each_other_since: Option<u64>,
    last_fault_ms: u64,
    seen: usize,
    doubled_ms: u64,
    /// The box that crashed, when, with nothing else wrong.
    lonely: Option<(Side, u64)>,
    moves: usize,
}

#[derive(Clone, Copy, PartialEq, Debug)]
struct Fault {
    kind: Kind,
    until_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Crash(Side),
    Pause(Side),
    Cut(Path),
    OneWay(Side, Path),
    Lossy(Path),
    LanPort(Side),
    Gateway(Side),
    Ill(Side),
    Limping(Side),
    Stuck(Side),
}

impl Run {
    fn new(seed: u64) -> Run {
        let mut world = World::new(seed);
        for b in &mut world.boxes {
            b.config.cold_start_wait = std::time::Duration::from_secs(4);
            b.config.has_gateway = seed.is_multiple_of(2);
            b.config.well_after_max = std::time::Duration::from_secs(4);
            b.config.has_serial = seed.is_multiple_of(3);
        }
        for side in Side::BOTH {
            world.input(side, Input::Gateway { reachable: true });
        }
        let first = if world.random.below(2) == 0 { Side::A } else { Side::B };
        world.start(first);
        let later = world.random.below(6_000);
        world.run(later);
        world.start(first.other());
        Run {
            world,
            faults: Vec::new(),
            hear_each_other_since: None,
            last_fault_ms: 0,
            seen: 0,
            doubled_ms: 0,
            lonely: None,
            moves: 0,
        }
    }

    fn live(&mut self) {
        self.quiet(20_000);
        for _ in 0..6 {
            for _ in 0..=self.world.random.below(3) {
                self.fault();
                let pause = self.world.random.below(1_500);
                self.steps(pause);
            }
            let wait = self.world.random.below(5_000);
            self.steps(wait);
            if self.world.random.below(2) == 0 {
                while !self.faults.is_empty() {
                    self.steps(100);
                }
                self.quiet(25_000);
            }
        }
        while !self.faults.is_empty() {
            self.steps(100);
        }
        self.quiet(25_000);
    }

    /// No fault for that long: everything is in order at the end, and nothing moved lately.
    fn quiet(&mut self, for_ms: u64) {
        self.steps(for_ms);
        let story = || self.world.story();
        assert_eq!(self.world.standings(), [Standing::Both; 2], "not healed; {}", story());
        self.world.assert_each_its_own();
        let calm_since = self.world.now_ms - 8_000;
        let late = self.world.history.iter().find(|(at, happened)| {
            *at > calm_since && matches!(happened, Happened::Take(..) | Happened::GoAlone(..))
        });
        assert_eq!(late, None, "flutters without a fault; {}", story());
        self.moves += self.world.moves();
        self.world.history.clear();
        self.seen = 0;
    }

    fn steps(&mut self, count: u64) {
        for _ in 0..count {
            self.end_faults();
            self.world.step();
            self.watch_hearing();
            self.check_alone();
            self.check_holders();
            self.check_takeover();
        }
    }

    fn fault(&mut self) {
        let random = &mut self.world.random;
        let side = if random.below(2) == 0 { Side::A } else { Side::B };
        let path = Path::ALL[random.below(3) as usize];
        let kind = match random.below(10) {
            0 => Kind::Crash(side),
            1 => Kind::Pause(side),
            2 => Kind::Cut(path),
            3 => Kind::OneWay(side, path),
            4 => Kind::Lossy(path),
            5 => Kind::LanPort(side),
            6 => Kind::Gateway(side),
            7 => Kind::Ill(side),
            8 => Kind::Limping(side),
            _ => Kind::Stuck(side),
        };
        let until_ms = self.world.now_ms + 20 + random.below(8_000);
        let twice = |other: &Fault| other.kind == kind || (involves(other.kind, kind));
        if self.faults.iter().any(twice) {
            return;
        }
        if let Kind::Crash(side) = kind {
            let calm = self.faults.is_empty()
                && self.world.now_ms > self.last_fault_ms + 15_000
                && self.world.standings() == [Standing::Both; 2];
            self.lonely = calm.then_some((side, self.world.now_ms));
        } else {
            self.lonely = None;
        }
        self.faults.push(Fault { kind, until_ms });
        self.last_fault_ms = self.world.now_ms;
        self.set(kind, true, until_ms);
    }

    fn end_faults(&mut self) {
        let now = self.world.now_ms;
        let (over, still): (Vec<Fault>, Vec<Fault>) =
            self.faults.iter().partition(|fault| fault.until_ms <= now);
        self.faults = still;
        for fault in over {
            self.last_fault_ms = now;
            self.set(fault.kind, false, now);
        }
    }

    fn set(&mut self, kind: Kind, on: bool, until_ms: u64) {
        let world = &mut self.world;
        match kind {
            Kind::Crash(side) if on => world.crash(side),
            Kind::Crash(side) => {
                world.start(side);
                self.lonely = None;
                self.say_again(side);
            }
            Kind::Pause(side) if on => world.pause(side, until_ms - world.now_ms),
            Kind::Pause(_) => {}
            Kind::Cut(path) => {
                for side in Side::BOTH {
                    world.wires[side as usize][path as usize].up = !on;
                }
            }
            Kind::OneWay(side, path) => world.wires[side as usize][path as usize].up = !on,
            Kind::Lossy(path) => {
                for side in Side::BOTH {
                    world.wires[side as usize][path as usize].loss_percent =
                        if on { 40 } else { 0 };
                }
            }
            Kind::LanPort(side) => world.plug(side, Path::Lan, !on),
            Kind::Gateway(side) => world.input(side, Input::Gateway { reachable: !on }),
            Kind::Ill(side) => world.health(side, !on),
            Kind::Limping(side) if on => world.limp(side),
            Kind::Limping(side) => world.health(side, true),
            Kind::Stuck(side) => {
                world.input(side, Input::Syncs { waiting: on, synced: until_ms });
            }
        }
    }

    /// A box that starts in the middle of faults learns of them as the program would tell it.
    fn say_again(&mut self, side: Side) {
        for fault in self.faults.clone() {
            match fault.kind {
                Kind::LanPort(s) | Kind::Gateway(s) | Kind::Ill(s) | Kind::Limping(s)
                    if s == side =>
                {
                    self.set(fault.kind, true, fault.until_ms);
                }
                _ => {}
            }
        }
    }

    fn watch_hearing(&mut self) {
        let world = &self.world;
        let run = world.boxes.iter().all(|b| b.machine.is_some() && b.paused_until_ms.is_none());
        let paths = if world.boxes[0].config.has_serial { 3 } else { 2 };
        let works = |path: usize| {
            world.wires.iter().all(|wires| wires[path].up && wires[path].loss_percent == 0)
        };
        if run && (0..paths).any(works) {
            self.hear_each_other_since.get_or_insert(world.now_ms);
        } else {
            self.hear_each_other_since = None;
        }
    }

    fn hear_each_other_for(&self) -> u64 {
        self.hear_each_other_since.map_or(0, |since| self.world.now_ms - since)
    }

    fn check_alone(&mut self) {
        for (_, happened) in &self.world.history[self.seen..] {
            if let Happened::GoAlone(side, why) = happened {
                let both = self.world.standings() == [Standing::Alone; 2];
                let again = *why == failover::Why::Again;
                if both && !again && self.hear_each_other_for() > DEAD_AFTER_MS + 100 {
                    panic!("box {side} went alone beside the other; {}", self.world.story());
                }
            }
        }
        self.seen = self.world.history.len();
    }

    fn check_holders(&mut self) {
        let doubled = Side::BOTH.iter().any(|address| self.world.holders(*address).len() > 1);
        // A box in the middle of being ill or paused may be late; the guard on its port is not here.
        if doubled && self.hear_each_other_for() > 1_000 {
            self.doubled_ms += 1;
            assert!(self.doubled_ms < 60, "an address has two holders; {}", self.world.story());
        } else {
            self.doubled_ms = 0;
        }
    }

    fn check_takeover(&mut self) {
        let Some((dead, at)) = self.lonely else { return };
        if self.world.now_ms >= at + DEAD_AFTER_MS + 100 {
            self.world.assert_serves_both(dead.other());
            self.lonely = None;
        }
    }
}

/// Two faults that would undo each other's wires, or befall a box that is off.
fn involves(one: Kind, other: Kind) -> bool {
    let path = |kind| match kind {
        Kind::Cut(path) | Kind::OneWay(_, path) | Kind::Lossy(path) => Some(path),
        Kind::LanPort(_) => Some(Path::Lan),
        _ => None,
    };
    let side = |kind| match kind {
        Kind::Crash(side) | Kind::Pause(side) => Some(side),
        Kind::Ill(side) | Kind::Limping(side) | Kind::Stuck(side) => Some(side),
        _ => None,
    };
    (path(one).is_some() && path(one) == path(other))
        || (side(one).is_some() && side(one) == side(other))
}
