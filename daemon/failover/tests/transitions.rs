//! One test per fault of DESIGN §6, as two machines live through it.

mod pair;

use std::time::Duration;

use failover::{
    Admin, Config, EventKind, Failover, Input, Output, Path, ReplicaState, Side, Standing, Why,
};
use pair::{Happened, World};

const A: Side = Side::A;
const B: Side = Side::B;

#[test]
fn two_boxes_that_start_together_join_and_take_their_own_addresses() {
    for (first, after_ms) in [(A, 0), (B, 0), (A, 900), (B, 900), (A, 30_000), (B, 30_000)] {
        let mut world = World::new(1);
        world.start(first);
        world.run(after_ms);
        world.start(first.other());
        world.run(3_000);
        assert_eq!(world.standings(), [Standing::Both; 2], "{}", world.story());
        world.assert_each_its_own();
        assert_eq!(world.moves(), 2, "{}", world.story());
    }
}

#[test]
fn a_box_that_hears_nobody_waits_and_then_serves_alone_if_it_may() {
    let mut world = World::new(2);
    world.start(A);
    world.run(59_900);
    assert!(world.holders(A).is_empty() && world.holders(B).is_empty());
    world.run(200);
    world.assert_serves_both(A);
    assert!(world.when(&Happened::GoAlone(A, Why::ColdStart)) >= 60_000);

    let mut world = World::new(2);
    world.start(B);
    world.run(200_000);
    assert_eq!(world.moves(), 0, "a blank disk that is not the first never serves alone");
    world.admin(B, Admin::ServeAlone);
    world.run(1);
    world.assert_serves_both(B);
    world.when(&Happened::GoAlone(B, Why::Admin));
}

#[test]
fn a_cold_start_without_a_session_ends_with_one_box_alone() {
    for (first, after_ms) in [(A, 0), (B, 0), (A, 3_000), (B, 3_000)] {
        let mut world = World::new(3);
        // Heartbeats pass on the serial cable only: no link can run there.
        world.boxes[0].config.has_serial = true;
        world.boxes[1].config.has_serial = true;
        for b in &mut world.boxes {
            b.config.first_boot_may_serve = true;
        }
        world.cut(Path::Crossover);
        world.cut(Path::Lan);
        world.start(first);
        world.run(after_ms);
        world.start(first.other());
        world.run(70_000);
        let alone = world.standings().iter().filter(|s| **s == Standing::Alone).count();
        assert_eq!(alone, 1, "{}", world.story());
        assert_eq!(world.holders(A).len(), 1);
        assert_eq!(world.holders(A), world.holders(B));
    }
}

#[test]
fn the_survivor_takes_the_dead_boxs_address_and_gives_it_back_after_the_join() {
    for dead in Side::BOTH {
        let survivor = dead.other();
        let mut world = World::settled(4);
        let crashed = world.now_ms;
        world.crash(dead);
        world.run(700);
        let took = world.when(&Happened::Take(survivor, dead)) - crashed;
        assert!((550..=610).contains(&took), "after {took} ms");
        world.when(&Happened::GoAlone(survivor, Why::PeerDead));
        world.run(10_000);
        let announced: Vec<u64> = world
            .history
            .iter()
            .filter(|(_, happened)| *happened == Happened::Announce(survivor, dead))
            .map(|(at, _)| at - crashed - took)
            .collect();
        assert_eq!(announced[..5], [0, 50, 250, 1000, 5000]);

        world.history.clear();
        world.start(dead);
        world.run(3_000);
        assert_eq!(world.standings(), [Standing::Both; 2]);
        world.assert_each_its_own();
        let gave = world.when(&Happened::Give(survivor, dead));
        let took = world.when(&Happened::Take(dead, dead));
        assert!(gave <= took && took - gave < 50, "gap of {} ms", took - gave);
        assert_eq!(world.when(&Happened::Handed(dead)), took);
    }
}

#[test]
fn a_cut_crossover_moves_the_link_and_nothing_else() {
    for carrier in [true, false] {
        let mut world = World::settled(5);
        let cut = world.now_ms;
        if carrier {
            world.plug(A, Path::Crossover, false);
            world.input(B, Input::Carrier { path: Path::Crossover, up: false });
        } else {
            world.cut(Path::Crossover);
        }
        world.run(10_000);
        assert_eq!(world.moves(), 0, "{}", world.story());
        let moved = world.when(&Happened::Link(A, Path::Lan)) - cut;
        assert!(moved <= if carrier { 10 } else { 460 }, "after {moved} ms");
        assert_eq!(world.standings(), [Standing::Both; 2]);
        let mended = world.now_ms;
        for side in Side::BOTH {
            world.plug(side, Path::Crossover, true);
        }
        world.run(10_000);
        let back = world.when(&Happened::Link(A, Path::Crossover)) - mended;
        assert!((5_000..6_000).contains(&back), "after {back} ms");
        assert_eq!(world.moves(), 0, "{}", world.story());
    }
}

#[test]
fn a_dead_lan_port_moves_the_address_and_keeps_the_view() {
    let mut world = World::settled(6);
    world.plug(A, Path::Lan, false);
    world.run(300);
    world.assert_serves_both(B);
    world.run(5_000);
    assert_eq!(world.standings(), [Standing::Both; 2]);
    assert_eq!(world.moves(), 2, "{}", world.story());
    world.plug(A, Path::Lan, true);
    world.run(900);
    world.assert_serves_both(B);
    world.run(200);
    world.assert_each_its_own();
}

#[test]
fn a_switch_that_both_lose_moves_nothing() {
    let mut world = World::settled(7);
    world.plug(A, Path::Lan, false);
    world.run(90);
    world.plug(B, Path::Lan, false);
    world.run(5_000);
    assert_eq!(world.moves(), 0, "{}", world.story());
    world.plug(B, Path::Lan, true);
    world.run(90);
    world.plug(A, Path::Lan, true);
    world.run(5_000);
    world.assert_each_its_own();
}

fn with_gateways(seed: u64) -> World {
    let mut world = World::new(seed);
    for side in Side::BOTH {
        world.boxes[side as usize].config.has_gateway = true;
        world.start(side);
        world.input(side, Input::Gateway { reachable: true });
    }
    world.run(5_000);
    world.assert_each_its_own();
    world.history.clear();
    world
}

#[test]
fn when_the_gateway_of_both_returns_nothing_moves() {
    for (first, second) in [(A, B), (B, A)] {
        let mut world = with_gateways(12);
        for side in Side::BOTH {
            world.input(side, Input::Gateway { reachable: false });
        }
        world.run(4_000);
        world.input(first, Input::Gateway { reachable: true });
        world.run(150);
        world.input(second, Input::Gateway { reachable: true });
        world.run(5_000);
        assert_eq!(world.moves(), 0, "{}", world.story());
    }
}

#[test]
fn a_lossy_crossover_moves_the_link_and_nothing_else() {
    let mut world = World::settled(13);
    world.run(5_000);
    world.history.clear();
    world.set_loss(Path::Crossover, 20);
    world.run(3_000);
    world.when(&Happened::Link(A, Path::Lan));
    world.set_loss(Path::Crossover, 0);
    world.run(4_000);
    assert!(world.never(&Happened::Link(A, Path::Crossover)), "{}", world.story());
    world.run(5_000);
    world.when(&Happened::Link(A, Path::Crossover));
    assert_eq!(world.moves(), 0, "{}", world.story());
}

#[test]
fn a_box_whose_disk_lags_joins_nobody() {
    let mut world = World::settled(14);
    world.input(A, Input::DiskLags(true));
    assert!(world.may_join(A), "in the view both that is what stuck syncs are for");
    world.input(B, Input::Syncs { waiting: true, synced: 6 });
    world.run(1_000);
    world.assert_serves_both(B);
    assert!(!world.may_join(A) && !world.may_join(B));
    world.input(A, Input::DiskLags(false));
    world.run(200);
    assert!(world.may_join(A) && world.may_join(B));
}

/// Its cables work again, and the gateway's answer is there before the peer's first heartbeat.
#[test]
fn an_isolated_box_that_is_back_listens_before_it_takes_anything() {
    let mut world = with_gateways(8);
    world.run(5_000);
    world.cut(Path::Crossover);
    world.cut(Path::Lan);
    world.boxes[0].gateway_answers(false);
    // Not for so long that the gateway counts as lost.
    world.run(900);
    assert_eq!(world.standing(A), Some(Standing::Alone));
    world.input(A, Input::Gateway { reachable: true });
    world.run(60);
    world.mend(Path::Crossover);
    world.mend(Path::Lan);
    world.run(5_000);
    assert!(world.never(&Happened::Take(A, B)), "{}", world.story());
    world.assert_each_its_own();
}

#[test]
fn an_isolated_box_keeps_its_own_address_only() {
    let mut world = with_gateways(8);
    world.input(A, Input::Gateway { reachable: false });
    for path in [Path::Crossover, Path::Lan] {
        world.cut(path);
    }
    world.run(5_000);
    assert_eq!(world.standings(), [Standing::Alone; 2], "a split stops neither box");
    assert_eq!(world.holders(A), [A, B], "the side with the gateway serves both");
    assert_eq!(world.holders(B), [B]);
    // The LAN is back, and the isolated box hears its gateway first: it must not grab anything.
    world.history.clear();
    world.input(A, Input::Gateway { reachable: true });
    world.run(80);
    for path in [Path::Crossover, Path::Lan] {
        world.mend(path);
    }
    world.run(5_000);
    assert!(world.never(&Happened::Take(A, B)), "{}", world.story());
    world.assert_each_its_own();
    assert_eq!(world.standings(), [Standing::Both; 2]);
}

#[test]
fn a_gateway_that_goes_and_comes_back_moves_nothing() {
    for apart_ms in [0, 40, 300, 800] {
        let mut world = with_gateways(23);
        for (reachable, first) in [(false, A), (true, B)] {
            world.input(first, Input::Gateway { reachable });
            world.run(apart_ms);
            world.input(first.other(), Input::Gateway { reachable });
            world.run(5_000);
        }
        assert_eq!(world.moves(), 0, "{apart_ms} ms apart: {}", world.story());
    }
}

#[test]
fn a_box_whose_own_cables_were_cut_takes_nothing_before_it_knows() {
    let mut world = with_gateways(22);
    // The gateway is asked each 250 ms, and called lost a second after its last answer.
    world.boxes[0].gateway_answers(false);
    for path in [Path::Crossover, Path::Lan] {
        world.cut(path);
    }
    world.run(1_000);
    world.input(A, Input::Gateway { reachable: false });
    world.run(5_000);
    assert!(world.never(&Happened::Take(A, B)), "{}", world.story());
    assert_eq!((world.holders(A), world.holders(B)), (vec![A, B], vec![B]));
}

#[test]
fn of_two_holders_after_a_split_the_one_that_clients_reach_keeps_the_address() {
    let mut world = with_gateways(21);
    for path in [Path::Crossover, Path::Lan] {
        world.cut(path);
    }
    world.run(3_000);
    assert_eq!((world.holders(A), world.holders(B)), (vec![A, B], vec![A, B]), "two LANs");
    world.input(A, Input::Gateway { reachable: false });
    world.mend(Path::Crossover);
    world.run(120);
    world.assert_serves_both(B);
    world.input(A, Input::Gateway { reachable: true });
    world.run(3_000);
    world.assert_each_its_own();
}

#[test]
fn an_unhealthy_box_consents_and_the_other_serves_both() {
    let mut world = World::settled(9);
    world.run(1_000);
    let ill = world.now_ms;
    world.health(A, false);
    world.run(400);
    world.assert_serves_both(B);
    assert!(world.when(&Happened::Take(B, A)) - ill <= 300, "{}", world.story());
    world.when(&Happened::GoAlone(B, Why::PeerUnhealthy));
    assert!(
        world.when(&Happened::EndSession(A))
            <= world.when(&Happened::GoAlone(B, Why::PeerUnhealthy))
    );
    // It stays out while it is ill, so that nothing is tried again and again.
    world.run(5_000);
    assert_eq!(world.holders(A), [B], "{}", world.story());
    world.health(A, true);
    world.run(3_000);
    world.assert_each_its_own();
}

#[test]
fn a_peer_whose_syncs_are_stuck_is_left_behind() {
    let mut world = World::settled(10);
    world.input(A, Input::Syncs { waiting: true, synced: 5 });
    world.run(400);
    world.input(A, Input::Syncs { waiting: true, synced: 6 });
    world.run(500);
    assert_eq!(world.moves(), 0, "there is progress");
    world.run(200);
    world.when(&Happened::GoAlone(A, Why::SyncsStuck));
    world.assert_serves_both(A);
    assert_eq!(world.standing(B), Some(Standing::Outside));
    world.input(A, Input::Syncs { waiting: false, synced: 6 });
    world.run(5_000);
    world.assert_each_its_own();
}

/// What waits for the peer while the link is made anew over the LAN, and for a while after that, is not the
/// fault of its disk.
#[test]
fn a_link_on_its_way_to_the_lan_blames_no_disk() {
    for plug in [true, false] {
        let mut world = World::settled(15);
        for side in Side::BOTH {
            world.input(side, Input::Syncs { waiting: true, synced: 5 });
        }
        if plug {
            world.plug(A, Path::Crossover, false);
            world.input(B, Input::Carrier { path: Path::Crossover, up: false });
        } else {
            world.cut(Path::Crossover);
        }
        world.run(1_000);
        for side in Side::BOTH {
            world.input(side, Input::Syncs { waiting: false, synced: 6 });
        }
        world.run(5_000);
        world.when(&Happened::Link(A, Path::Lan));
        assert_eq!(world.standings(), [Standing::Both; 2]);
        assert_eq!(world.moves(), 0, "{}", world.story());
    }
}

/// TCP waits long for what such cables lose: nobody is stuck yet.
#[test]
fn syncs_that_are_late_over_lossy_cables_blame_no_disk_at_once() {
    for seed in 0..10 {
        let mut world = World::settled(seed);
        world.set_loss(Path::Crossover, 40);
        world.set_loss(Path::Lan, 40);
        world.run(2_000);
        world.input(A, Input::Syncs { waiting: true, synced: 5 });
        world.run(3_000);
        world.input(A, Input::Syncs { waiting: false, synced: 6 });
        world.run(1_000);
        assert_eq!(world.moves(), 0, "{}", world.story());
        assert_eq!(world.standings(), [Standing::Both; 2]);
    }
}

/// TCP notices nothing, and no syncs are waited for that the peer could be blamed for.
#[test]
fn a_link_whose_cable_is_dead_is_a_lost_session_though_nobody_says_so() {
    let mut world = World::new(17);
    for side in Side::BOTH {
        world.boxes[side as usize].config.has_serial = true;
        world.start(side);
    }
    world.run(5_000);
    world.history.clear();
    world.session_hangs = true;
    for side in Side::BOTH {
        world.input(side, Input::Syncs { waiting: true, synced: 5 });
    }
    let cut = world.now_ms;
    for path in [Path::Crossover, Path::Lan] {
        world.plug(A, path, false);
    }
    world.run(4_900);
    assert_eq!(world.standings(), [Standing::Both; 2], "{}", world.story());
    world.run(1_000);
    // It is the one that clients reach.
    let after = world.when(&Happened::GoAlone(B, Why::NoSession)) - cut;
    assert!((5_000..5_900).contains(&after), "after {after} ms: {}", world.story());
    assert_eq!(world.standing(A), Some(Standing::Outside));
}

/// A full disk ends the session, and there will be no other one soon.
#[test]
fn a_lost_session_with_a_limping_peer_is_not_waited_for_long() {
    for limps in [false, true] {
        let mut world = World::new(16);
        for side in Side::BOTH {
            world.boxes[side as usize].config.has_serial = true;
            world.start(side);
        }
        world.run(5_000);
        if limps {
            world.limp(A);
            world.run(500);
        }
        world.history.clear();
        // No link can run over the serial cable.
        world.cut(Path::Crossover);
        world.cut(Path::Lan);
        let cut = world.now_ms;
        world.run(7_000);
        let alone = if limps { B } else { A };
        let after = world.when(&Happened::GoAlone(alone, Why::NoSession)) - cut;
        let expected = if limps { 600..800 } else { 5_000..5_200 };
        assert!(expected.contains(&after), "after {after} ms: {}", world.story());
    }
}

#[test]
fn when_both_accuse_each_other_one_goes_alone() {
    for seed in 0..50 {
        let mut world = World::settled(seed);
        let (first, second) = if seed % 2 == 0 { (A, B) } else { (B, A) };
        world.input(first, Input::Syncs { waiting: true, synced: 5 });
        world.run(seed % 7);
        world.input(second, Input::Syncs { waiting: true, synced: 9 });
        let mut alone = [false; 2];
        for _ in 0..1_000 {
            world.step();
            for side in Side::BOTH {
                alone[side as usize] |= world.standing(side) == Some(Standing::Alone);
            }
        }
        assert_ne!(alone[0], alone[1], "{}", world.story());
    }
}

#[test]
fn a_restarted_program_is_noticed_before_it_was_silent() {
    let mut world = World::settled(11);
    world.crash(B);
    world.run(200);
    world.start(B);
    world.run(150);
    world.when(&Happened::GoAlone(A, Why::PeerRestarted));
    world.assert_serves_both(A);
    world.run(5_000);
    world.assert_each_its_own();
}

#[test]
fn a_peer_that_is_first_heard_after_the_join_is_no_restarted_one() {
    let mut world = World::new(11);
    world.start(A);
    world.start(B);
    // The link was faster than the heartbeats: the peer's first ones are from before the join.
    world.input(A, Input::Replica(ReplicaState::Both));
    world.run(400);
    assert!(world.never(&Happened::GoAlone(A, Why::PeerRestarted)), "{}", world.story());
}

#[test]
fn a_planned_handover_and_goodbye_leave_no_gap_to_speak_of() {
    let mut world = World::settled(12);
    world.admin(A, Admin::Handover);
    world.run(100);
    world.when(&Happened::HandedOver(A, true));
    world.assert_serves_both(B);
    let gap = world.when(&Happened::Take(B, A)) - world.when(&Happened::Give(A, A));
    assert!(gap < 20, "{gap} ms");
    assert_eq!(world.standings(), [Standing::Both; 2]);
    world.admin(A, Admin::Goodbye);
    world.run(10);
    world.when(&Happened::GoAlone(B, Why::PeerStopped));
    let b = world.boxes[1].machine.as_ref().unwrap();
    assert!(b.peer_is_off(world.now()));
    world.crash(A);
    world.run(5_000);
    world.start(A);
    world.run(3_000);
    world.assert_each_its_own();
}

#[test]
fn a_handover_can_be_taken_back_and_fails_without_a_peer() {
    let mut world = World::settled(13);
    world.admin(B, Admin::Handover);
    world.run(1_000);
    world.assert_serves_both(A);
    world.admin(B, Admin::GiveBack);
    world.run(100);
    world.assert_each_its_own();
    world.crash(B);
    world.run(1_000);
    world.admin(A, Admin::Handover);
    world.run(100);
    world.when(&Happened::HandedOver(A, false));
    world.assert_serves_both(A);
}

#[test]
fn a_paused_box_reads_before_it_decides() {
    for paused_ms in [300, 1_000, 20_000] {
        let mut world = World::settled(14);
        world.pause(B, paused_ms);
        world.run(paused_ms);
        let taken_over = paused_ms > 600;
        assert_eq!(world.standing(A) == Some(Standing::Alone), taken_over);
        world.run(60);
        assert_eq!(world.holders(A), [A], "{}", world.story());
        world.run(5_000);
        assert!(world.never(&Happened::Take(B, A)), "{}", world.story());
        assert!(!world.history.iter().any(|(_, h)| matches!(h, Happened::GoAlone(Side::B, _))));
        world.assert_each_its_own();
        assert_eq!(world.standings(), [Standing::Both; 2]);
    }
}

#[test]
fn a_tick_that_comes_late_is_a_pause_and_not_the_peers_silence() {
    let mut world = World::settled(20);
    let late = world.now() + Duration::from_secs(5);
    let b = world.boxes[1].machine.as_mut().unwrap();
    for after_ms in [0, 40, 90, 110, 300] {
        b.handle(late + Duration::from_millis(after_ms), Input::Tick);
        while let Some(output) = b.poll() {
            let decided =
                matches!(output, Output::GoAlone { .. } | Output::Take { address: Side::A, .. });
            assert!(!decided, "{output:?} {after_ms} ms after the pause");
        }
    }
}

#[test]
fn a_box_that_was_alone_serves_again_soon_after_a_restart() {
    let mut world = World::settled(15);
    world.crash(B);
    world.run(1_000);
    world.crash(A);
    world.run(1_000);
    world.start(A);
    world.run(5_100);
    world.assert_serves_both(A);
}

#[test]
fn a_cable_that_works_in_one_direction_only_leaves_one_box_alone() {
    for deaf in Side::BOTH {
        let mut world = World::settled(16);
        for path in [Path::Crossover, Path::Lan] {
            world.wires[deaf.other() as usize][path as usize].up = false;
        }
        world.run(5_000);
        // The deaf box hears nothing and goes on alone; the other hears that and steps back.
        world.assert_serves_both(deaf);
        assert_eq!(world.standing(deaf.other()), Some(Standing::Outside));
    }
}

#[test]
fn a_second_holder_gets_no_announcement_war_and_an_owner_that_answers_gets_its_address() {
    let mut world = World::settled(17);
    world.crash(B);
    world.run(20_000);
    world.history.clear();
    let count = |world: &World, wanted: &Happened| {
        world.history.iter().filter(|(_, happened)| happened == wanted).count()
    };
    // Somebody is seen, and does not greet.
    for _ in 0..100 {
        world.input(A, Input::SecondHolder { address: B });
        world.input(A, Input::HolderAnswered { address: B, answers: false });
        world.run(100);
    }
    assert_eq!(count(&world, &Happened::AskHolder(A, B)), 5, "in 10 s");
    assert_eq!(count(&world, &Happened::Announce(A, B)), 3, "at 0, 1 and 3 s");
    assert_eq!(count(&world, &Happened::Event(A, EventKind::SecondHolder)), 1);
    assert_eq!(world.holders(B), [A]);
    world.input(A, Input::HolderAnswered { address: B, answers: true });
    assert!(world.holders(B).is_empty());
    world.run(35_000);
    world.when(&Happened::Probe(A, B));
    world.input(A, Input::SecondHolder { address: B });
    world.input(A, Input::HolderAnswered { address: B, answers: true });
    world.run(90_000);
    assert!(world.holders(B).is_empty());
    world.run(20_000);
    assert_eq!(world.holders(B), [A], "nobody answers any more");
}

/// A yielding is about a peer that is not heard; it must not outlast the split.
#[test]
fn an_owner_that_dies_soon_after_a_split_is_taken_over_at_once() {
    let mut world = World::settled(21);
    world.cut(Path::Crossover);
    world.cut(Path::Lan);
    world.run(2_000);
    world.input(A, Input::SecondHolder { address: B });
    world.input(A, Input::HolderAnswered { address: B, answers: true });
    assert_eq!(world.holders(B), [B]);
    world.mend(Path::Crossover);
    world.mend(Path::Lan);
    world.run(10_000);
    world.assert_each_its_own();
    world.crash(B);
    world.run(700);
    world.assert_serves_both(A);
}

#[test]
fn a_survivor_whose_join_breaks_off_is_told_again() {
    let mut world = World::settled(18);
    world.crash(B);
    world.run(1_000);
    world.input(A, Input::Replica(failover::ReplicaState::NoSession));
    world.run(200);
    world.when(&Happened::GoAlone(A, Why::Again));
}

#[test]
fn old_heartbeats_are_worth_nothing() {
    let world = World::settled(19);
    let origin = world.now();
    let at = |ms| origin + Duration::from_millis(ms);
    let mut sender = Failover::new(Config::new(B), origin, 77);
    sender.handle(at(0), Input::Tick);
    let beat = beats(&mut sender).remove(0);
    let mut receiver = Failover::new(Config::new(A), origin, 1);
    let hear = |machine: &mut Failover, ms, path, beat| {
        machine.handle(at(ms), Input::Heartbeat { path, beat });
        machine.report(at(ms)).peer.heard_at
    };
    assert_eq!(hear(&mut receiver, 1, Path::Crossover, beat.clone()), Some(at(1)));
    assert_eq!(hear(&mut receiver, 20, Path::Crossover, beat.clone()), Some(at(1)), "replayed");
    assert_eq!(hear(&mut receiver, 30, Path::Lan, beat.clone()), Some(at(1)), "on another cable");
    let mut own = beat.clone();
    own.side = A;
    own.sequence = 90;
    assert_eq!(hear(&mut receiver, 40, Path::Crossover, own), Some(at(1)), "its own, reflected");

    // Another boot: not while the present one is heard, unless it names this box's boot.
    let mut other = beat.clone();
    other.boot = 78;
    assert_eq!(hear(&mut receiver, 50, Path::Crossover, other.clone()), Some(at(1)));
    other.facts.hears = Some(1);
    assert_eq!(hear(&mut receiver, 60, Path::Crossover, other), Some(at(60)));
    let mut retired = beat;
    retired.sequence = 1_000;
    retired.facts.hears = Some(1);
    assert_eq!(hear(&mut receiver, 70, Path::Crossover, retired), Some(at(60)), "retired boot");
}

fn beats(machine: &mut Failover) -> Vec<failover::Beat> {
    let mut beats = Vec::new();
    while let Some(output) = machine.poll() {
        if let Output::SendBeat { beat, .. } = output {
            beats.push(beat);
        }
    }
    beats
}
