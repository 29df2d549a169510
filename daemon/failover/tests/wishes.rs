//! What the owner decides, what a third host says, and what is shown of the paths.

mod pair;

use failover::witness::WitnessWord;
use failover::{Admin, AlarmKind, EventKind, Holds, Input, Path, Side, Standing, Why};
use pair::{Happened, World};

const A: Side = Side::A;
const B: Side = Side::B;

fn may(world: &World, side: Side, wish: Admin) -> Result<(), &'static str> {
    let machine = world.boxes[side as usize].machine.as_ref().expect("the box runs");
    machine.may(world.now(), wish)
}

#[test]
fn a_box_in_maintenance_keeps_a_copy_and_takes_nothing_until_it_is_ended() {
    let mut world = World::settled(1);
    may(&world, A, Admin::BeginMaintenance).unwrap();
    world.admin(A, Admin::BeginMaintenance);
    world.run(100);
    world.assert_serves_both(B);
    let gap = world.when(&Happened::Take(B, A)) - world.when(&Happened::Give(A, A));
    assert!(gap < 20, "{gap} ms");
    assert_eq!(world.standings(), [Standing::Both; 2]);
    world.when(&Happened::Maintenance(A, true));
    may(&world, B, Admin::BeginMaintenance).unwrap_err();
    may(&world, A, Admin::GiveBack).unwrap_err();

    // It restarts and is still in maintenance; then the other one dies.
    world.crash(A);
    world.run(1_000);
    world.start(A);
    world.run(5_000);
    assert_eq!(world.standings(), [Standing::Both; 2], "{}", world.story());
    world.assert_serves_both(B);
    world.crash(B);
    world.run(70_000);
    assert!(world.holders(A).is_empty() && world.holders(B).is_empty(), "{}", world.story());

    // Its owner ends it: it serves at once.
    may(&world, A, Admin::EndMaintenance).unwrap();
    world.admin(A, Admin::EndMaintenance);
    world.run(10);
    world.assert_serves_both(A);
    world.when(&Happened::Maintenance(A, false));
    world.start(B);
    world.run(5_000);
    world.assert_each_its_own();
}

#[test]
fn nobody_hands_over_to_a_box_that_cannot_serve() {
    let mut world = World::settled(2);
    world.crash(B);
    for ms in [0, 100, 1_000] {
        world.run(ms);
        let refused = may(&world, A, Admin::BeginMaintenance);
        // For a moment nobody can know yet.
        assert!(refused.is_err() || ms < 600, "{ms} ms");
    }
    may(&world, A, Admin::Handover).unwrap_err();
    may(&world, A, Admin::EndMaintenance).unwrap_err();
}

#[test]
fn give_back_by_hand_waits_for_a_word_at_either_box() {
    for told in Side::BOTH {
        let mut world = World::settled(3);
        for b in &mut world.boxes {
            b.config.give_back_by_hand = true;
        }
        for side in Side::BOTH {
            world.crash(side);
            world.start(side);
        }
        world.run(70_000);
        world.assert_each_its_own();

        world.crash(A);
        world.run(2_000);
        world.start(A);
        world.run(20_000);
        assert_eq!(world.standings(), [Standing::Both; 2]);
        world.assert_serves_both(B);
        may(&world, told, Admin::GiveBack).unwrap();
        world.admin(told, Admin::GiveBack);
        world.run(200);
        world.assert_each_its_own();
        may(&world, told, Admin::GiveBack).unwrap_err();

        // Should the other box die while this one waits, it does not wait any longer.
        world.crash(A);
        world.run(2_000);
        world.start(A);
        world.run(20_000);
        world.assert_serves_both(B);
        world.crash(B);
        world.run(1_000);
        world.assert_serves_both(A);
    }
}

/// The witness tells side `to` that it heard the other side `ago_ms` ago, with its address.
fn witness(world: &mut World, to: Side, ago_ms: u64) {
    let mut holds = Holds::default();
    holds.set(to.other(), true);
    let at = world.now() - std::time::Duration::from_millis(ago_ms);
    world.input(to, Input::Witness(WitnessWord { peer: Some((at, holds)) }));
}

fn with_witness(seed: u64) -> World {
    let mut world = World::new(seed);
    for side in Side::BOTH {
        world.boxes[side as usize].config.has_witness = true;
        world.start(side);
    }
    witnessed(&mut world, 5_000, &Side::BOTH);
    world.assert_each_its_own();
    world.history.clear();
    world
}

/// Each of `sides` asks the witness each 100 ms, and the other box does, too.
fn witnessed(world: &mut World, for_ms: u64, sides: &[Side]) {
    for _ in 0..for_ms / 100 {
        world.run(100);
        for side in sides {
            witness(world, *side, 60);
        }
    }
}

#[test]
fn a_peer_that_the_witness_hears_keeps_its_address() {
    let mut world = with_witness(4);
    for path in [Path::Crossover, Path::Lan] {
        world.cut(path);
    }
    witnessed(&mut world, 5_000, &Side::BOTH);
    assert_eq!(world.standings(), [Standing::Alone; 2], "a split stops neither box");
    world.when(&Happened::GoAlone(A, Why::PeerElsewhere));
    world.assert_each_its_own();
    assert!(world.never(&Happened::Take(A, B)), "{}", world.story());
    // A lossy way to the witness moves nothing; a peer that it hears no more is taken for dead.
    world.run(2_000);
    world.assert_each_its_own();
    world.run(1_200);
    assert_eq!(world.holders(B), [A, B], "each has both, as without a witness");
    witnessed(&mut world, 1_000, &Side::BOTH);
    world.assert_each_its_own();
    for path in [Path::Crossover, Path::Lan] {
        world.mend(path);
    }
    witnessed(&mut world, 5_000, &Side::BOTH);
    assert_eq!(world.standings(), [Standing::Both; 2]);
    world.assert_each_its_own();
}

#[test]
fn a_witness_delays_no_takeover_and_is_not_needed() {
    for answers in [true, false] {
        let mut world = with_witness(5);
        if !answers {
            world.run(5_000);
            assert_eq!(world.moves(), 0, "its silence moves nothing");
        }
        let crashed = world.now_ms;
        world.crash(B);
        // What it heard of the dead box last gets older with each answer.
        for round in 0..7 {
            world.run(100);
            if answers {
                witness(&mut world, A, 100 * (round + 1));
            }
        }
        world.when(&Happened::GoAlone(A, Why::PeerDead));
        let took = world.when(&Happened::Take(A, B)) - crashed;
        assert!((550..=610).contains(&took), "after {took} ms, answers {answers}");
    }
}

#[test]
fn a_box_that_starts_leaves_a_peer_alone_that_the_witness_hears() {
    let mut world = with_witness(6);
    world.crash(A);
    for path in [Path::Crossover, Path::Lan] {
        world.cut(path);
    }
    world.run(2_000);
    world.start(A);
    witnessed(&mut world, 90_000, &[A]);
    assert_eq!(world.standing(A), Some(Standing::Outside));
    world.assert_serves_both(B);
    world.run(70_000);
    assert_eq!(world.standing(A), Some(Standing::Alone), "the witness is gone, too");
}

#[test]
fn a_witness_that_answers_stands_for_a_gateway_that_does_not() {
    let mut world = World::new(7);
    for side in Side::BOTH {
        let config = &mut world.boxes[side as usize].config;
        (config.has_witness, config.has_gateway) = (true, true);
        world.start(side);
        world.input(side, Input::Gateway { reachable: true });
    }
    witnessed(&mut world, 5_000, &Side::BOTH);
    world.history.clear();
    world.input(A, Input::Gateway { reachable: false });
    witnessed(&mut world, 5_000, &Side::BOTH);
    world.assert_each_its_own();
    assert_eq!(world.moves(), 0, "{}", world.story());
    witnessed(&mut world, 5_000, &[B]);
    world.assert_serves_both(B);
}

#[test]
fn a_peer_that_had_not_died_is_counted_as_a_false_alarm_once() {
    let mut world = World::settled(8);
    world.pause(B, 2_000);
    world.run(10_000);
    world.when(&Happened::GoAlone(A, Why::PeerDead));
    let alarms = |world: &World| {
        let alarm = Happened::Event(A, EventKind::FalseAlarm);
        world.history.iter().filter(|(_, happened)| *happened == alarm).count()
    };
    assert_eq!(alarms(&world), 1, "{}", world.story());
    world.assert_each_its_own();
    world.crash(B);
    world.run(1_000);
    world.start(B);
    world.run(5_000);
    assert_eq!(alarms(&world), 1, "that one had died");
}

#[test]
fn each_path_shows_its_state_its_loss_and_its_round_trip() {
    let mut world = World::settled(9);
    world.run(10_000);
    let path = |world: &World, path: Path| {
        let report = world.boxes[0].machine.as_ref().unwrap().report(world.now());
        report.peer.paths[path as usize]
    };
    for one in [Path::Crossover, Path::Lan] {
        let seen = path(&world, one);
        assert_eq!((seen.up, seen.loss_percent), (true, Some(0)));
        assert!(seen.round_trip_us.is_some_and(|us| us <= 6_000), "{seen:?}");
    }
    assert_eq!(path(&world, Path::Serial).loss_percent, None);
    for wires in &mut world.wires {
        wires[Path::Lan as usize].loss_percent = 30;
    }
    world.run(20_000);
    let lossy = path(&world, Path::Lan).loss_percent.unwrap();
    assert!((15..=45).contains(&lossy), "{lossy} %");
    assert_eq!(path(&world, Path::Crossover).loss_percent, Some(0));
    world.cut(Path::Lan);
    world.run(10_000);
    let cut = path(&world, Path::Lan);
    assert_eq!((cut.up, cut.loss_percent), (false, Some(100)));
}

#[test]
fn a_peer_that_was_shut_down_is_no_silent_one() {
    let mut world = World::settled(10);
    world.admin(B, Admin::Goodbye);
    world.run(50);
    world.crash(B);
    world.run(5_000);
    assert!(!world.alarms[0].contains(&AlarmKind::PeerSilent));
    assert!(!world.alarms[0].contains(&AlarmKind::CrossoverDown));
    assert!(world.alarms[0].contains(&AlarmKind::PeerStopped));
    world.start(B);
    world.run(5_000);
    assert!(world.alarms[0].is_empty(), "{:?}", world.alarms[0]);
}
