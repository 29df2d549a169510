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
//! | likewise, then the gateway answers, and the peer is still silent | the peer's address, too | half of `dead_after` |
//! | likewise, but the witness answers | as if the gateway did | |
//! | peer silent on every path, the witness hears it hold its own address | alone, own address only | `dead_after` |
//! | likewise, then the witness hears it no more | the peer's address, too | `WITNESS_HOLD` |
//! | crossover cut, another path up | nothing but the link moves to the LAN | carrier loss: at once; else 400 ms |
//! | 2 of the last 32 heartbeats lost on the crossover, not on the LAN | likewise | 100 ms |
//! | crossover heard again, and loses nothing | the link moves back | 5 s without a break |
//! | LAN port dead here, peer reachable | the peer takes this box's address, view stays both | 200 ms + one heartbeat |
//! | gateway gone here, peer reachable | likewise | 2 s + one heartbeat |
//! | gateway gone for both, and back for one first | nothing | |
//! | reachable again | own address comes back | 1 s |
//! | peer heard, calls itself ill | claim, peer consents, alone, both addresses | 200 ms + one round of heartbeats |
//! | peer heard, limping: it writes, but clients are better off here | take its address, view stays both | one heartbeat |
//! | both limping | each keeps what it has | |
//! | peer heard, its syncs stuck | likewise | `commit_wait` + one round |
//! | likewise, over a cable that loses much, with no better one | likewise | `session_wait` + one round |
//! | peer heard, session lost and not back | likewise, the better box | `session_wait` + one round |
//! | likewise, and the peer is limping (its disk is full, say) | likewise | `commit_wait` + one round |
//! | peer heard, the link's cable not, and no other cable carries a link | likewise | `session_wait` + one round |
//! | peer's program restarted | likewise | its first heartbeat + one round |
//! | peer says goodbye | alone, both addresses | at once |
//! | peer went on alone without this box | step back: no address, join again | its first heartbeat that says so |
//! | start, nobody heard | alone, if the store may serve | `cold_start_wait` |
//! | start again after this box was alone, nobody heard | alone | 5 s |
//! | start, both heard, no session comes about | one of them alone, side a rather than b | `cold_start_wait` + one round |
//! | this box not well, the other one well | no address | at once |
//! | this box well again | as before | 2 s, twice as long with each relapse |
//! | owner of the peer's address answers at it | yield the address | at once; asked again each 30 s; until they are one pair again |
//! | this box in maintenance | no address, no view of its own, whatever happens | at once |
//! | give-back by hand, and the peer holds this box's address | as after a handover, until the owner's word or the peer's end | |
//! | this box stood still | listen; addresses off when it was ⅔ of `dead_after` or more | 100 ms |

use crate::{Standing, Why};

/// What the peer looks like from here, once it has lasted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// Nothing on any path for `dead_after`, or never anything.
    Silent,
    /// Nothing on any path, but the witness hears that it holds its own address.
    Elsewhere,
    /// It said goodbye.
    Stopped,
    /// Heard, in no view.
    Outside,
    /// Heard, ill by its own word: it takes nothing that is replicated to it.
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
    /// This box is not ill and not in maintenance; from outside a view also: its store is open and may
    /// serve.
    pub able: Option<bool>,
    pub peer: &'static [Seen],
    /// Nobody was heard to serve for `cold_start_wait`, or the admin said so.
    pub waited: Option<bool>,
    pub then: ViewStep,
}

/// This box, for its addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Me {
    /// In no view.
    Out,
    /// In a view, in maintenance.
    Maintained,
    /// In a view, but clients cannot reach it.
    Cut,
    /// Likewise, until a moment ago: not for long enough to count on it. Both boxes of a LAN that comes
    /// back are that, one a little later than the other, and then nothing shall move.
    Back,
    /// In a view and reached, but not well, or it does not want its address: it was handed over, or waits
    /// for its owner's word.
    Less,
    Fit,
}

/// The peer, for the addresses. In the same kind of view the two are compared: see [`worth`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beside {
    /// Silent or stopped, and this box is alone.
    Gone,
    /// Silent, but the witness hears that it holds its own address; this box is alone.
    Elsewhere,
    /// Heard, but in no view or ill, and this box is alone.
    Useless,
    /// The view is changing: the two do not say the same yet.
    Between,
    /// In the same kind of view, and clients are worse off there.
    Worse,
    Equal,
    /// Clients are better off there.
    Better,
}

/// How well clients are served by a box that is in a view: the higher the better. `able`: clients reach it,
/// it is not ill and not in maintenance. Both boxes come to the same numbers, so an address has one
/// holder: its owner, unless the other one is better.
#[must_use]
pub fn worth(able: bool, well: bool, willing: bool) -> u8 {
    if able { 1 + 2 * u8::from(well) + u8::from(willing) } else { 0 }
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
    row(&[Standing::Both], None, &[Seen::Elsewhere], None, ViewStep::GoAlone(Why::PeerElsewhere)),
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
    own(&[Me::Maintained], &[Beside::Better], Want::Release, "this box is in maintenance"),
    own(&[Me::Maintained], &[], Want::Keep, ""),
    own(
        &[Me::Cut],
        &[Beside::Better],
        Want::Release,
        "clients reach the other box and not this one",
    ),
    own(&[Me::Back], &[Beside::Better, Beside::Between], Want::Keep, ""),
    own(
        &[],
        &[Beside::Better],
        Want::Release,
        "it is handed over to the other box, or that one serves better",
    ),
    own(&[Me::Cut], &[Beside::Between], Want::Keep, ""),
    own(&[Me::Less], &[Beside::Between, Beside::Elsewhere], Want::Keep, ""),
    own(&[], &[], Want::Hold, "this box is in service"),
    peers(&[Me::Out], &[], None, Want::Release, "this box is not in service"),
    peers(&[Me::Cut, Me::Back], &[], None, Want::Release, "clients cannot reach this box"),
    peers(&[], &[], Some(true), Want::Release, "its owner answers at it"),
    peers(&[], &[Beside::Elsewhere], None, Want::Release, "the witness hears the other box serve"),
    peers(
        &[],
        &[Beside::Equal, Beside::Better],
        None,
        Want::Release,
        "the other box is back in service",
    ),
    peers(&[Me::Maintained], &[], None, Want::Keep, ""),
    peers(&[], &[Beside::Gone], None, Want::Hold, "the other box is gone"),
    peers(&[], &[Beside::Useless], None, Want::Hold, "the other box is not in service"),
    peers(&[], &[Beside::Between], None, Want::Keep, ""),
    peers(
        &[],
        &[Beside::Worse],
        None,
        Want::Hold,
        "clients cannot reach the other box, it is not well, or it handed over",
    ),
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
        Why::PeerElsewhere => {
            "nothing was heard of the other box on any cable, but the witness hears it: the boxes are \
             cut off from each other"
        }
        Why::PeerStopped => "the other box was shut down in order",
        Why::PeerRestarted => "the other box has restarted",
        Why::PeerUnhealthy => "the other box says that it writes nothing any more",
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
