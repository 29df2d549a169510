//! Every limit and every fixed time of this crate.

use std::time::Duration;

/// Heartbeats leave this often on every path.
pub const BEAT_INTERVAL: Duration = Duration::from_millis(50);

/// Somebody else answered for an address of this box: the alarm stands this long.
pub const CONTESTED_FOR: Duration = Duration::from_secs(60);

/// Between two looks at the peer's syncs no more than this counts against it: a box that looks later was
/// slow itself.
pub const LOOKS_APART_MAX: Duration = Duration::from_millis(200);

/// After a pause of this box: listen this long before deciding anything. Two heartbeats.
pub const RESUME_LISTEN: Duration = Duration::from_millis(100);

/// A path that brought nothing for this long is not used for the link while another does.
pub const PATH_SILENT: Duration = Duration::from_millis(300);

/// The crossover must have been missing for this long before the link moves; two heartbeats. A lost carrier
/// is not waited for.
pub const LAN_ONLY_SETTLE: Duration = Duration::from_millis(100);

/// The crossover must be heard this long without a break before the link goes back to it.
pub const CROSSOVER_SETTLE: Duration = Duration::from_secs(5);

/// The peer must call itself unhealthy this long before it is taken at its word.
pub const HEALTH_SETTLE: Duration = Duration::from_millis(200);

/// A LAN port without carrier counts as unreachable after this long: when the switch itself went, the
/// peer's heartbeat says the same by then and no address moves.
pub const CARRIER_LOST_SETTLE: Duration = Duration::from_millis(200);

/// Likewise for a gateway that does not answer, whose loss the two boxes notice less closely together.
pub const GATEWAY_LOST_SETTLE: Duration = Duration::from_secs(2);

/// A gateway that did not answer for this long was silent, though it need not be lost. It is asked each 250 ms,
/// and each 50 ms while it owes an answer.
pub const GATEWAY_GAP: Duration = Duration::from_millis(400);

/// Reachable again must hold this long before an address comes back, and longer than a dead peer takes
/// to be noticed: a box whose LAN returns first listens whether the other serves already.
pub const REACHABLE_SETTLE: Duration = Duration::from_secs(1);

/// The two boxes enter `both` a moment apart; until then, what the peer says of itself may be old.
pub const JOIN_SETTLE: Duration = Duration::from_secs(2);

/// A box that clients cannot reach leaves the other this much time to claim before it claims itself.
pub const CLAIM_DEFER: Duration = Duration::from_millis(500);

/// A box that starts again after it was alone waits this long for its cables and its peer.
pub const RESTART_WAIT: Duration = Duration::from_secs(5);

/// When `replica` does not follow the word to go alone within this time, it is told again.
pub const ALONE_AGAIN: Duration = Duration::from_millis(100);

/// A planned handover that the peer does not answer is reported as failed after this long.
pub const HANDOVER_WAIT: Duration = Duration::from_secs(2);

/// Announcements after an address was taken.
pub const ANNOUNCE_AT: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// Then this often, for the peer's address only.
pub const ANNOUNCE_EVERY: Duration = Duration::from_secs(60);

/// A sighting of a second holder is answered by an announcement not sooner than this after the last
/// one, each time twice as long while the sightings go on: no announcement war,
pub const ANNOUNCE_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// up to this.
pub const ANNOUNCE_AGAIN_MAX: Duration = Duration::from_secs(60);

/// Whoever is seen with the peer's address is asked for a greeting at most this often.
pub const ASK_HOLDER_EVERY: Duration = Duration::from_secs(2);

/// A box that yielded the peer's address to its owner asks this often whether the owner still answers,
pub const PROBE_EVERY: Duration = Duration::from_secs(30);

/// and takes the address again when nobody was seen for this long.
pub const YIELD_FOR: Duration = Duration::from_secs(100);

/// A box that was not well counts as well again once it has been so for this long without a break,
pub const WELL_AFTER: Duration = Duration::from_secs(2);

/// and twice as long with each relapse, up to this (a default of [`crate::Config`]).
pub const WELL_AFTER_MAX: Duration = Duration::from_secs(60);

/// A relapse is one that comes sooner than this after the last recovery.
pub const HEALTH_MEMORY: Duration = Duration::from_secs(600);

/// The witness answers each question; without an answer for this long it vouches for nothing.
pub const WITNESS_SILENT: Duration = Duration::from_secs(1);

/// A box asks the witness this often, and so tells it that it lives.
pub const WITNESS_INTERVAL: Duration = Duration::from_millis(100);

/// Once the witness has said that a silent peer lives, that is believed for this long after its last
/// word: a lossy way to the witness must not move addresses.
pub const WITNESS_HOLD: Duration = Duration::from_secs(3);

/// Longest sealed message to or from a witness, bytes.
pub const WITNESS_BYTES_MAX: usize = 128;

/// When so many of the newest heartbeats on a path are lost
pub const LOST_LATELY_MAX: u32 = 2;

/// of so many, the link of the boxes is better off on another path: TCP waits longer for what is lost
/// than a stuck disk is waited for.
pub const LATELY: u32 = 32;

/// How many of the newest heartbeats a path's loss is counted over.
pub const LOSS_WINDOW: u32 = 128;

/// Wall clocks further apart than this,
pub const CLOCKS_APART: Duration = Duration::from_secs(60);

/// for this long, are an alarm.
pub const CLOCKS_APART_FOR: Duration = Duration::from_secs(5);

/// Boot ids of the peer that never come back. A replay must name this box's present boot, so the list
/// only has to outlast one run of this program.
pub const RETIRED_BOOTS_MAX: usize = 64;

/// Longest sealed heartbeat, bytes.
pub const BEAT_BYTES_MAX: usize = 256;

/// Longest word about its trouble that a heartbeat carries, bytes.
pub const TROUBLE_BYTES_MAX: usize = 64;
