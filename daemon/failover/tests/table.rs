//! Every row of both tables decides something, and the tables say what DESIGN §6 says.

use failover::table::{
    ADDRESSES, Beside, Me, Seen, VIEW, ViewStep, Want, address_row, view_step, worth,
};
use failover::{Standing, Why};

const STANDINGS: [Standing; 3] = [Standing::Outside, Standing::Both, Standing::Alone];
const SEEN: [Seen; 9] = [
    Seen::Silent,
    Seen::Elsewhere,
    Seen::Stopped,
    Seen::Outside,
    Seen::Unhealthy,
    Seen::Stuck,
    Seen::NoLink,
    Seen::Both,
    Seen::Alone,
];
const ME: [Me; 6] = [Me::Out, Me::Maintained, Me::Cut, Me::Back, Me::Less, Me::Fit];
const BESIDE: [Beside; 7] = [
    Beside::Gone,
    Beside::Elsewhere,
    Beside::Useless,
    Beside::Between,
    Beside::Worse,
    Beside::Equal,
    Beside::Better,
];

#[test]
fn every_row_of_the_view_table_is_the_first_that_fits_something() {
    for (index, row) in VIEW.iter().enumerate() {
        let fits = |row: &failover::table::ViewRow, me, able, peer, waited| {
            (row.me.is_empty() || row.me.contains(&me))
                && row.able.is_none_or(|value| value == able)
                && (row.peer.is_empty() || row.peer.contains(&peer))
                && row.waited.is_none_or(|value| value == waited)
        };
        let mut decides = false;
        for me in STANDINGS {
            for peer in SEEN {
                for (able, waited) in [(false, false), (false, true), (true, false), (true, true)] {
                    if VIEW.iter().position(|row| fits(row, me, able, peer, waited)) == Some(index)
                    {
                        assert_eq!(view_step(me, able, peer, waited), row.then);
                        decides = true;
                    }
                }
            }
        }
        assert!(decides, "row {index} of the view table is dead");
    }
}

#[test]
fn every_row_of_the_address_table_is_the_first_that_fits_something() {
    let mut used = vec![false; ADDRESSES.len()];
    for own in [true, false] {
        for me in ME {
            for peer in BESIDE {
                for yielded in [false, true] {
                    let row = address_row(own, me, peer, yielded);
                    let index = ADDRESSES.iter().position(|other| std::ptr::eq(other, row));
                    used[index.unwrap()] = true;
                    let moves = row.then != Want::Keep;
                    assert_eq!(moves, !row.why.is_empty(), "a row that moves says why");
                }
            }
        }
    }
    assert_eq!(used.iter().position(|used| !used), None, "a dead row of the address table");
}

/// `me | able | peer | waited` → step.
#[test]
fn what_is_decided_about_the_view() {
    use Standing::{Alone, Both, Outside};
    let rows = [
        // A peer that is dead or off.
        (Both, true, Seen::Silent, false, ViewStep::GoAlone(Why::PeerDead)),
        (Both, true, Seen::Stopped, false, ViewStep::GoAlone(Why::PeerStopped)),
        (Both, true, Seen::Elsewhere, false, ViewStep::GoAlone(Why::PeerElsewhere)),
        // An ill box does not go alone: nothing would get better.
        (Both, false, Seen::Silent, false, ViewStep::Stay),
        (Outside, false, Seen::Silent, true, ViewStep::Stay),
        // A heard peer is asked.
        (Both, true, Seen::Unhealthy, false, ViewStep::Claim(Why::PeerUnhealthy)),
        (Both, true, Seen::Stuck, false, ViewStep::Claim(Why::SyncsStuck)),
        (Both, true, Seen::NoLink, false, ViewStep::Claim(Why::NoSession)),
        (Both, true, Seen::Outside, false, ViewStep::Claim(Why::PeerRestarted)),
        // It went on without this box, ill or not.
        (Both, true, Seen::Alone, false, ViewStep::StepBack),
        (Both, false, Seen::Alone, false, ViewStep::StepBack),
        // Cold start.
        (Outside, true, Seen::Silent, false, ViewStep::Stay),
        (Outside, true, Seen::Silent, true, ViewStep::GoAlone(Why::ColdStart)),
        (Outside, true, Seen::Outside, true, ViewStep::Claim(Why::ColdStart)),
        (Outside, true, Seen::Unhealthy, true, ViewStep::Claim(Why::ColdStart)),
        (Outside, true, Seen::Elsewhere, true, ViewStep::Stay),
        (Outside, true, Seen::Alone, true, ViewStep::Stay),
        (Outside, true, Seen::Both, true, ViewStep::Stay),
    ];
    for (me, able, peer, waited, then) in rows {
        let case = format!("{me:?} able {able}, peer {peer:?}, waited {waited}");
        assert_eq!(view_step(me, able, peer, waited), then, "{case}");
    }
    for peer in SEEN {
        for able in [false, true] {
            assert_eq!(view_step(Alone, able, peer, true), ViewStep::Stay, "alone, peer {peer:?}");
            if peer != Seen::Alone {
                let step = view_step(Both, able, Seen::Both, true);
                assert_eq!(step, ViewStep::Stay);
            }
        }
    }
}

/// The rows of DESIGN §6: `me | peer` → own address, the peer's address.
#[test]
fn what_is_decided_about_the_addresses() {
    use Want::{Hold, Keep, Release};
    let rows = [
        ("normal", Me::Fit, Beside::Equal, Hold, Release),
        ("peer dead, clients reach this box", Me::Fit, Beside::Gone, Hold, Hold),
        ("isolated", Me::Cut, Beside::Gone, Hold, Release),
        ("isolated, the peer no use", Me::Cut, Beside::Useless, Hold, Release),
        ("own LAN port dead", Me::Cut, Beside::Better, Release, Release),
        ("the peer's LAN port dead", Me::Fit, Beside::Worse, Hold, Hold),
        ("no gateway for either", Me::Cut, Beside::Equal, Hold, Release),
        ("no gateway for either, the peer in maintenance", Me::Cut, Beside::Worse, Hold, Release),
        ("the view is changing, cut off", Me::Cut, Beside::Between, Keep, Release),
        ("cut off from each other, no gateway", Me::Cut, Beside::Elsewhere, Hold, Release),
        ("the LAN is back, at the other one first", Me::Back, Beside::Better, Keep, Release),
        ("the LAN is back, at this one first", Me::Back, Beside::Equal, Hold, Release),
        ("the LAN is back, the view is changing", Me::Back, Beside::Between, Keep, Release),
        ("the LAN is back, the peer gone", Me::Back, Beside::Gone, Hold, Release),
        ("peer ill, in no view, starting", Me::Fit, Beside::Useless, Hold, Hold),
        ("the peer limps, or handed over", Me::Fit, Beside::Worse, Hold, Hold),
        ("the view is changing", Me::Fit, Beside::Between, Hold, Keep),
        ("cut off from each other, both serve", Me::Fit, Beside::Elsewhere, Hold, Release),
        ("this box in no view", Me::Out, Beside::Equal, Release, Release),
        ("limping, or handed over", Me::Less, Beside::Better, Release, Release),
        ("both are", Me::Less, Beside::Equal, Hold, Release),
        ("handed over, then the peer limps", Me::Less, Beside::Worse, Hold, Hold),
        ("likewise, then the peer dies", Me::Less, Beside::Gone, Hold, Hold),
        ("likewise, then the peer starts again", Me::Less, Beside::Useless, Hold, Hold),
        ("likewise, the view is changing", Me::Less, Beside::Between, Keep, Keep),
        ("likewise, then cut off from each other", Me::Less, Beside::Elsewhere, Keep, Release),
        ("maintenance", Me::Maintained, Beside::Better, Release, Release),
        ("maintenance, then the peer dies", Me::Maintained, Beside::Gone, Keep, Keep),
        ("maintenance, then the peer starts again", Me::Maintained, Beside::Useless, Keep, Keep),
        ("maintenance of both", Me::Maintained, Beside::Equal, Keep, Release),
        ("maintenance, the view is changing", Me::Maintained, Beside::Between, Keep, Keep),
        ("maintenance, the peer elsewhere", Me::Maintained, Beside::Elsewhere, Keep, Release),
    ];
    for (case, me, peer, own, theirs) in rows {
        assert_eq!(address_row(true, me, peer, false).then, own, "own address: {case}");
        assert_eq!(address_row(false, me, peer, false).then, theirs, "the peer's: {case}");
        assert_eq!(address_row(false, me, peer, true).then, Release, "yielded: {case}");
        assert_eq!(address_row(true, me, peer, true).then, own, "yielded, own address: {case}");
    }
}

/// Whatever the two boxes are, once each knows it of the other and both are in the same kind of view, an
/// address has one holder, and none only when its owner is in maintenance and the other one cannot.
#[test]
fn each_address_has_one_holder_whatever_the_two_boxes_are() {
    #[derive(Clone, Copy, Debug)]
    struct Condition(bool, bool, bool, bool);
    let me = |c: Condition| match c {
        Condition(_, _, _, true) => Me::Maintained,
        Condition(false, ..) => Me::Cut,
        Condition(true, true, true, _) => Me::Fit,
        Condition(true, ..) => Me::Less,
    };
    let worth = |c: Condition| worth(c.0 && !c.3, c.1, c.2);
    let all =
        || (0..16).map(|bits| Condition(bits & 1 > 0, bits & 2 > 0, bits & 4 > 0, bits & 8 > 0));
    for owner in all() {
        for other in all() {
            let beside = |of: Condition, by: Condition| match worth(of).cmp(&worth(by)) {
                std::cmp::Ordering::Less => Beside::Worse,
                std::cmp::Ordering::Equal => Beside::Equal,
                std::cmp::Ordering::Greater => Beside::Better,
            };
            let own = address_row(true, me(owner), beside(other, owner), false).then;
            let theirs = address_row(false, me(other), beside(owner, other), false).then;
            let case = format!("owner {owner:?}, other {other:?}");
            match (own, theirs) {
                (Want::Hold, Want::Release) | (Want::Release, Want::Hold) => {}
                (Want::Keep, Want::Release) => {
                    assert!(owner.3 && (other.3 || !other.0), "{case}");
                }
                other => panic!("{case}: {other:?}"),
            }
        }
    }
}
