//! Every transition between two situations of the decision table: two machines come from one into the
//! other at one instant, settle as the table says, and are as before when it is over.

mod pair;

use std::time::Duration;

use failover::{Admin, Health, Input, Path, Side, Standing};
use pair::World;

const A: Side = Side::A;
const B: Side = Side::B;

/// How two boxes may be, how they come to be that, and which addresses each of them then holds. A box that
/// stands still counts for nothing.
struct Situation {
    name: &'static str,
    enter: fn(&mut World),
    leave: fn(&mut World),
    held: [&'static [Side]; 2],
    /// Both are in service.
    both: bool,
}

static SITUATIONS: &[Situation] = &[
    Situation { name: "normal", enter: |_| {}, leave: |_| {}, held: [&[A], &[B]], both: true },
    Situation {
        name: "crossover cut",
        enter: |world| world.cut(Path::Crossover),
        leave: |world| world.mend(Path::Crossover),
        held: [&[A], &[B]],
        both: true,
    },
    Situation {
        name: "a switch keeps the boxes apart",
        enter: |world| world.cut(Path::Lan),
        leave: |world| world.mend(Path::Lan),
        held: [&[A], &[B]],
        both: true,
    },
    Situation {
        name: "peer dead",
        enter: |world| world.crash(B),
        leave: |world| start(world, B),
        held: [&[A, B], &[]],
        both: false,
    },
    Situation {
        name: "peer stopped in order",
        enter: |world| {
            world.admin(B, Admin::Goodbye);
            world.run(60);
            world.crash(B);
        },
        leave: |world| start(world, B),
        held: [&[A, B], &[]],
        both: false,
    },
    Situation {
        name: "this box is isolated",
        enter: |world| {
            world.input(A, Input::Gateway { reachable: false });
            cables(world, false);
        },
        leave: |world| {
            cables(world, true);
            world.input(A, Input::Gateway { reachable: true });
        },
        held: [&[A], &[A, B]],
        both: false,
    },
    Situation {
        name: "all cables cut, both are reached",
        enter: |world| cables(world, false),
        leave: |world| cables(world, true),
        held: [&[A, B], &[A, B]],
        both: false,
    },
    Situation {
        name: "own LAN port dead",
        enter: |world| world.plug(A, Path::Lan, false),
        leave: |world| world.plug(A, Path::Lan, true),
        held: [&[], &[A, B]],
        both: true,
    },
    Situation {
        name: "gateway gone here",
        enter: |world| world.input(A, Input::Gateway { reachable: false }),
        leave: |world| world.input(A, Input::Gateway { reachable: true }),
        held: [&[], &[A, B]],
        both: true,
    },
    Situation {
        name: "gateway gone for both",
        enter: |world| both(world, &Input::Gateway { reachable: false }),
        leave: |world| both(world, &Input::Gateway { reachable: true }),
        held: [&[A], &[B]],
        both: true,
    },
    Situation {
        name: "peer ill",
        enter: |world| world.health(B, false),
        leave: |world| world.health(B, true),
        held: [&[A, B], &[]],
        both: false,
    },
    Situation {
        name: "peer limping",
        enter: |world| world.limp(B),
        leave: |world| world.health(B, true),
        held: [&[A, B], &[]],
        both: true,
    },
    Situation {
        name: "both limping",
        enter: |world| both(world, &limping()),
        leave: |world| both(world, &Input::Health(Health::Well)),
        held: [&[A], &[B]],
        both: true,
    },
    Situation {
        name: "peer stands still",
        enter: |world| world.pause(B, 1_000_000),
        leave: |world| world.pause(B, 0),
        held: [&[A, B], &[]],
        both: false,
    },
    Situation {
        name: "handed over",
        enter: |world| world.admin(A, Admin::Handover),
        leave: |world| world.admin(A, Admin::GiveBack),
        held: [&[], &[A, B]],
        both: true,
    },
    Situation {
        name: "in maintenance",
        enter: |world| world.admin(A, Admin::BeginMaintenance),
        leave: |world| world.admin(A, Admin::EndMaintenance),
        held: [&[], &[A, B]],
        both: true,
    },
];

#[test]
fn from_every_situation_into_every_other_and_back() {
    for from in SITUATIONS {
        for into in SITUATIONS {
            let mut world = pair_with_gateways();
            (from.enter)(&mut world);
            world.run(12_000);
            expect(&world, from, &format!("in {}", from.name));
            world.history.clear();
            (from.leave)(&mut world);
            (into.enter)(&mut world);
            world.run(25_000);
            let case = format!("from {} into {}", from.name, into.name);
            expect(&world, into, &case);
            (into.leave)(&mut world);
            world.run(30_000);
            expect(&world, &SITUATIONS[0], &format!("{case} and back"));
        }
    }
}

fn expect(world: &World, situation: &Situation, case: &str) {
    for side in Side::BOTH {
        let b = &world.boxes[side as usize];
        if b.paused_until_ms.is_some() {
            continue;
        }
        let held: Vec<Side> = Side::BOTH.into_iter().filter(|one| b.held.has(*one)).collect();
        let expected = situation.held[side as usize];
        assert_eq!(held, expected, "box {side}, {case}: {}", world.story());
    }
    // Of the other views there are several: a box that is ill after a split is not joined, say.
    let both = world.standings() == [Standing::Both; 2];
    assert_eq!(both, situation.both, "{case}: {}", world.story());
}

fn pair_with_gateways() -> World {
    let mut world = World::new(1);
    for side in Side::BOTH {
        let config = &mut world.boxes[side as usize].config;
        config.has_gateway = true;
        config.well_after_max = Duration::from_secs(4);
        config.cold_start_wait = Duration::from_secs(4);
        world.start(side);
        world.input(side, Input::Gateway { reachable: true });
    }
    world.run(5_000);
    world.assert_each_its_own();
    world
}

fn start(world: &mut World, side: Side) {
    world.start(side);
    world.input(side, Input::Gateway { reachable: true });
}

fn cables(world: &mut World, up: bool) {
    for path in [Path::Crossover, Path::Lan] {
        if up { world.mend(path) } else { world.cut(path) }
    }
}

fn both(world: &mut World, input: &Input) {
    for side in Side::BOTH {
        world.input(side, input.clone());
    }
}

fn limping() -> Input {
    Input::Health(Health::Limping { reason: "the disk is nearly full".into() })
}
