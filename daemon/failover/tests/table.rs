//! Every row of both tables decides something, and the tables say what DESIGN §6 says.

use failover::table::{ADDRESSES, Beside, Me, Seen, VIEW, ViewStep, Want, address_row, view_step};
use failover::{Standing, Why};

const STANDINGS: [Standing; 3] = [Standing::Outside, Standing::Both, Standing::Alone];
const SEEN: [Seen; 8] = [
    Seen::Silent,
    Seen::Stopped,
    Seen::Outside,
    Seen::Unhealthy,
    Seen::Stuck,
    Seen::NoLink,
    Seen::Both,
    Seen::Alone,
];
const ME: [Me; 4] = [Me::Out, Me::Cut, Me::Resting, Me::Fit];
const BESIDE: [Beside; 5] =
    [Beside::Gone, Beside::Useless, Beside::Between, Beside::Unfit, Beside::Fit];

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
        ("normal", Me::Fit, Beside::Fit, Hold, Release),
        ("peer dead, clients reach this box", Me::Fit, Beside::Gone, Hold, Hold),
        ("isolated", Me::Cut, Beside::Gone, Hold, Release),
        ("own LAN port dead", Me::Cut, Beside::Fit, Release, Release),
        ("the peer's LAN port dead", Me::Fit, Beside::Unfit, Hold, Hold),
        ("no gateway for either", Me::Cut, Beside::Unfit, Hold, Release),
        ("peer unhealthy, in no view, starting", Me::Fit, Beside::Useless, Hold, Hold),
        ("this box in no view, or unhealthy", Me::Out, Beside::Fit, Release, Release),
        ("the view is changing", Me::Fit, Beside::Between, Hold, Keep),
        ("handed over", Me::Resting, Beside::Fit, Release, Release),
        ("the peer handed over", Me::Fit, Beside::Unfit, Hold, Hold),
        ("handed over, then the peer dies", Me::Resting, Beside::Gone, Hold, Hold),
        ("both handed over", Me::Resting, Beside::Unfit, Hold, Keep),
    ];
    for (case, me, peer, own, theirs) in rows {
        assert_eq!(address_row(true, me, peer, false).then, own, "own address: {case}");
        assert_eq!(address_row(false, me, peer, false).then, theirs, "the peer's: {case}");
        assert_eq!(address_row(false, me, peer, true).then, Release, "yielded: {case}");
        assert_eq!(address_row(true, me, peer, true).then, own, "yielded, own address: {case}");
    }
}
