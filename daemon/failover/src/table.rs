//! The decisions, as data. Two tables: in which view this box is, and which addresses it holds. The
//! first row that fits decides; the tests walk through every row.
//!
//! The tables know nothing of time: [`crate::peer`], [`crate::reach`] and [`crate::view`] turn silence,
//! lost carriers and stuck syncs into the words used here once they have lasted.
//!
//! | fault | decided | after |
//! |---|---|---|
//! | peer silent on every path, gateway reachable | alone, both addresses | `dead_after` since its last heartbeat |
//! | peer silent on every path, gateway or LAN carrier gone | alone, own address only | `dead_after` |
//! | crossover cut, another path up | nothing but the link moves to the LAN | carrier loss: at once; else 400 ms |
//! | crossover heard again | the link moves back | 5 s without a break |
//! | LAN port dead here, peer reachable | the peer takes this box's address, view stays both | 200 ms + one heartbeat |
//! | gateway gone here, peer reachable | likewise | 2 s + one heartbeat |
//! | gateway gone for both | nothing | |
//! | reachable again | own address comes back | 1 s |
//! | peer heard, calls itself unhealthy | claim, peer consents, alone, both addresses | 200 ms + one round of heartbeats |
//! | peer heard, its syncs stuck | likewise | `commit_wait` + one round |
//! | peer heard, session lost and not back | likewise, the better box | `session_wait` + one round |
//! | peer's program restarted | likewise | its first heartbeat + one round |
//! | peer says goodbye | alone, both addresses | at once |
//! | peer went on alone without this box | step back: no address, join again | its first heartbeat that says so |
//! | start, nobody heard | alone, if the store may serve | `cold_start_wait` |
//! | start again after this box was alone, nobody heard | alone | 5 s |
//! | start, both heard, no session comes about | one of them alone, side a rather than b | `cold_start_wait` + one round |
//! | this box unhealthy | no address | at once |
//! | owner of the peer's address answers at it | yield the address | at once; asked again each 30 s |
//! | this box stood still | listen; addresses off when it was ⅔ of `dead_after` or more | 100 ms |

use crate::{Standing, Why};

/// What the peer looks like from here, once it has lasted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// Nothing on any path for `dead_after`, or never anything.
    Silent,
    /// It said goodbye.
    Stopped,
    /// Heard, in no view.
    Outside,
    /// Heard, calls itself unhealthy.
    Unhealthy,
    /// Heard, in `both`, its syncs make no progress.
    Stuck,
    /// Heard, in `both`, but the session of the link is lost.
    NoLink,
    /// Heard, in `both`.
    Both,
    /// Heard, alone.
    Alone,
}

/// What to do about the view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ViewStep {
    Stay,
    GoAlone(Why),
    /// Go alone once the peer consents, or does not hear this box.
    Claim(Why),
    /// The peer went on without this box.
    StepBack,
}

/// One row of the first table. `None` and an empty list mean: whatever it is.
pub struct ViewRow {
    pub me: &'static [Standing],
    /// This box is healthy; from outside a view also: its store is open and may serve.
    pub able: Option<bool>,
    pub peer: &'static [Seen],
    /// Nobody was heard to serve for `cold_start_wait`, or the admin said so.
    pub waited: Option<bool>,
    pub then: ViewStep,
}

/// This box, for its addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Me {
    /// In no view, or unhealthy.
    Out,
    /// In a view and healthy, but clients cannot reach it.
    Cut,
    /// Handed over.
    Resting,
    Fit,
}

/// The peer, for the addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beside {
    /// Silent or stopped, and this box is alone.
    Gone,
    /// Heard, but in no view or unhealthy, and this box is alone.
    Useless,
    /// The view is changing: the two do not say the same yet.
    Between,
    /// In the same kind of view, but clients cannot reach it, or it handed over.
    Unfit,
    /// In the same kind of view and able to serve.
    Fit,
}

/// What to do about one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Want {
    /// Take it as soon as the peer does not say any more that it holds it.
    Hold,
    Release,
    Keep,
}

/// One row of the second table.
pub struct AddressRow {
    /// This box's own address, or the peer's.
    pub own: bool,
    pub me: &'static [Me],
    pub peer: &'static [Beside],
    /// The peer's address was yielded to its owner, who answers at it.
    pub yielded: Option<bool>,
    pub then: Want,
    /// For people, when the row gives or takes an address.
    pub why: &'static str,
}

/// Which view.
pub static VIEW: &[ViewRow] = &[
    row(&[Standing::Both], None, &[Seen::Alone], None, ViewStep::StepBack),
    row(&[], Some(false), &[], None, ViewStep::Stay),
    row(&[Standing::Alone], None, &[], None, ViewStep::Stay),
    row(&[Standing::Both], None, &[Seen::Both], None, ViewStep::Stay),
    row(&[Standing::Both], None, &[Seen::Silent], None, ViewStep::GoAlone(Why::PeerDead)),
    row(&[Standing::Both], None, &[Seen::Stopped], None, ViewStep::GoAlone(Why::PeerStopped)),
    row(&[Standing::Both], None, &[Seen::Outside], None, ViewStep::Claim(Why::PeerRestarted)),
    row(&[Standing::Both], None, &[Seen::Unhealthy], None, ViewStep::Claim(Why::PeerUnhealthy)),
    row(&[Standing::Both], None, &[Seen::Stuck], None, ViewStep::Claim(Why::SyncsStuck)),
    row(&[Standing::Both], None, &[Seen::NoLink], None, ViewStep::Claim(Why::NoSession)),
    row(&[Standing::Outside], None, &[], Some(false), ViewStep::Stay),
    row(&[Standing::Outside], None, &[Seen::Silent, Seen::Stopped], None, COLD_START),
    row(
        &[Standing::Outside],
        None,
        &[Seen::Outside, Seen::Unhealthy],
        None,
        ViewStep::Claim(Why::ColdStart),
    ),
    row(&[Standing::Outside], None, &[], None, ViewStep::Stay),
];

/// Which addresses.
pub static ADDRESSES: &[AddressRow] = &[
    own(&[Me::Out], &[], Want::Release, "this box is not in service"),
    own(&[Me::Cut], &[Beside::Fit], Want::Release, "clients reach the other box and not this one"),
    own(&[Me::Resting], &[Beside::Fit], Want::Release, "it is handed over to the other box"),
    own(&[Me::Cut, Me::Resting], &[Beside::Between], Want::Keep, ""),
    own(&[], &[], Want::Hold, "this box is in service"),
    peers(&[Me::Out], &[], None, Want::Release, "this box is not in service"),
    peers(&[Me::Cut], &[], None, Want::Release, "clients cannot reach this box"),
    peers(&[], &[], Some(true), Want::Release, "its owner answers at it"),
    peers(&[], &[Beside::Gone], None, Want::Hold, "the other box is gone"),
    peers(&[], &[Beside::Useless], None, Want::Hold, "the other box is not in service"),
    peers(&[], &[Beside::Between], None, Want::Keep, ""),
    peers(&[], &[Beside::Fit], None, Want::Release, "the other box is back in service"),
    peers(
        &[Me::Fit],
        &[Beside::Unfit],
        None,
        Want::Hold,
        "clients cannot reach the other box, or it handed over",
    ),
    peers(&[Me::Resting], &[Beside::Unfit], None, Want::Keep, ""),
];

/// The first row of [`VIEW`] that fits.
#[must_use]
pub fn view_step(me: Standing, able: bool, peer: Seen, waited: bool) -> ViewStep {
    VIEW.iter()
        .find(|row| {
            fits(row.me, me)
                && row.able.is_none_or(|value| value == able)
                && fits(row.peer, peer)
                && row.waited.is_none_or(|value| value == waited)
        })
        .map_or(ViewStep::Stay, |row| row.then)
}

/// The first row of [`ADDRESSES`] that fits.
#[must_use]
pub fn address_row(own: bool, me: Me, peer: Beside, yielded: bool) -> &'static AddressRow {
    ADDRESSES
        .iter()
        .find(|row| {
            row.own == own
                && fits(row.me, me)
                && fits(row.peer, peer)
                && row.yielded.is_none_or(|value| value == yielded)
        })
        .expect("the last rows of both halves fit everything")
}

/// For people: why a box goes on alone.
pub(crate) fn why_text(why: Why) -> &'static str {
    match why {
        Why::PeerDead => "nothing was heard of the other box on any cable",
        Why::PeerStopped => "the other box was shut down in order",
        Why::PeerRestarted => "the other box has restarted",
        Why::PeerUnhealthy => "the other box says that it cannot serve",
        Why::SyncsStuck => "the other box does not write to its disk any more",
        Why::NoSession => "the two boxes hear each other, but no link between them comes about",
        Why::ColdStart => "nobody was serving, and the wait for the other box is over",
        Why::Admin => "you told this box to serve alone",
        Why::Again => "the other box went away while it was catching up",
    }
}

fn fits<T: PartialEq>(list: &[T], value: T) -> bool {
    list.is_empty() || list.contains(&value)
}

const COLD_START: ViewStep = ViewStep::GoAlone(Why::ColdStart);

const fn row(
    me: &'static [Standing],
    able: Option<bool>,
    peer: &'static [Seen],
    waited: Option<bool>,
    then: ViewStep,
) -> ViewRow {
    ViewRow { me, able, peer, waited, then }
}

const fn own(
    me: &'static [Me],
    peer: &'static [Beside],
    then: Want,
    why: &'static str,
) -> AddressRow {
    AddressRow { own: true, me, peer, yielded: None, then, why }
}

const fn peers(
    me: &'static [Me],
    peer: &'static [Beside],
    yielded: Option<bool>,
    then: Want,
    why: &'static str,
) -> AddressRow {
    AddressRow { own: false, me, peer, yielded, then, why }
}
