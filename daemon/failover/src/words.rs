//! Sentences for the owner of the box.

use crate::AlarmKind;

pub(crate) const JOINED: &str = "they hold the same mail and write each message on both disks";
pub(crate) const ADMIN: &str = "you asked for it";
pub(crate) const LEFT_BEHIND: &str = "This box steps back";
pub(crate) const PEER_ALONE: &str = "the other box went on alone; this one joins it again";
pub(crate) const PEER_HAS_MAIL: &str = "the other box holds the pair's mail, this one does not yet";
pub(crate) const YIELDED: &str = "This box lets the other one go on alone";
pub(crate) const PEER_CLAIMS: &str = "the other box asked for it; this one joins it again";
pub(crate) const ADMIN_THERE: &str = "you asked for it at the other box";
pub(crate) const SECOND_HOLDER: &str =
    "the two boxes do not hear each other, or a third machine has the same address";
pub(crate) const ALIVE: (&str, &str) = (
    "The other box had not died",
    "it is heard again without a restart: it stood still, or all cables were cut for a while",
);
pub(crate) const NOBODY_ELSE: &str =
    "the other box cannot serve this box's address now: look at its status first";
pub(crate) const IN_MAINTENANCE: &str = "this box is in maintenance: end that first";
pub(crate) const NO_MAINTENANCE: &str = "this box is not in maintenance";
pub(crate) const NOTHING_TO_GIVE_BACK: &str = "each box holds its own address already";
pub(crate) const WELL: &str = "its own checks have passed for a while";
pub(crate) const STOOD_STILL: &str = "its processor or its disk was stuck, or it was suspended";
pub(crate) const PAUSED: &str =
    "this box stood still for a moment and looks again before it serves";
pub(crate) const NO_HANDOVER: &str = "it is not in service, or did not answer in time";
pub(crate) const LINK_TO_LAN: (&str, &str) = (
    "The link between the boxes moves to the LAN",
    "the crossover cable is silent, the LAN is not",
);
pub(crate) const LINK_BACK: (&str, &str) =
    ("The link between the boxes moves back to its own cable", "the crossover cable works again");

/// What an alarm says when it is raised, and when it is over.
pub(crate) fn alarm(kind: AlarmKind, raised: bool) -> String {
    let (on, off) = match kind {
        AlarmKind::OneCopy => {
            ("New mail has one copy only, on this box", "New mail is on both boxes again")
        }
        AlarmKind::PeerSilent => {
            ("The other box is not heard on any cable", "The other box is heard again")
        }
        AlarmKind::PeerStopped => {
            ("The other box was shut down in order", "The other box is switched on again")
        }
        AlarmKind::PeerUnhealthy => {
            ("The other box says that it is not well", "The other box is well again")
        }
        AlarmKind::CrossoverDown => {
            ("Nothing comes in on the crossover cable", "The crossover cable works again")
        }
        AlarmKind::LanPathDown => {
            ("The other box is not heard over the LAN", "The other box is heard over the LAN again")
        }
        AlarmKind::SerialDown => {
            ("Nothing comes in on the serial cable", "The serial cable works again")
        }
        AlarmKind::Unreachable => (
            "Clients cannot reach this box: its LAN port or the gateway is down",
            "Clients can reach this box again",
        ),
        AlarmKind::Maintenance => (
            "This box is in maintenance: it answers at no address until you end that",
            "This box is not in maintenance any more",
        ),
        AlarmKind::Resting => (
            "This box waits for your word to take its address back",
            "This box does not wait for your word any more",
        ),
        AlarmKind::WitnessSilent => ("The witness does not answer", "The witness answers again"),
        AlarmKind::Unhealthy => ("This box is not well", "This box is well again"),
        AlarmKind::ClocksApart => (
            "The clocks of the two boxes are more than a minute apart: name time servers in the site file",
            "The clocks of the two boxes agree again",
        ),
        AlarmKind::SecondHolder => (
            "Two machines answer for one service address: look for a split LAN or a third machine",
            "Each service address has one holder again",
        ),
        AlarmKind::Outside => {
            ("This box serves nobody: it is starting or joining", "This box serves")
        }
    };
    (if raised { on } else { off }).to_string()
}
