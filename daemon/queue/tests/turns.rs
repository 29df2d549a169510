//! Whose turn it is to send a message.

#![allow(clippy::disallowed_methods)] // a test needs a moment to begin with

use std::time::{Duration, Instant};

use queue::limits::{ATTEMPT, CONNECT, QUEUE_TAKEOVER, RETRIES};
use queue::{Attempt, Queue, Standing, Timing, Turn};
use record::{AttemptId, QueueId, Side};

const MESSAGE: QueueId = QueueId(1);
const UNHEARD: Standing = Standing::Alone { peer_is_off: false };
const OFF: Standing = Standing::Alone { peer_is_off: true };

fn attempt(id: u128, side: Side, over: bool) -> Attempt {
    Attempt { id: AttemptId(id), side, over }
}

/// Side a in this standing since `now`.
fn standing(standing: Standing, now: Instant) -> Queue {
    let mut queue = Queue::new(Side::A, Timing::default());
    queue.stands(now, standing);
    queue
}

#[test]
fn the_table_of_the_crate_holds() {
    let now = Instant::now();
    let taken_over = Turn::Wait { until: now + QUEUE_TAKEOVER };
    for (of, owner, expected) in [
        (Standing::Both, Side::A, Turn::Send),
        (Standing::Both, Side::B, Turn::Leave),
        (UNHEARD, Side::A, Turn::Send),
        (OFF, Side::B, Turn::Send),
        (UNHEARD, Side::B, taken_over),
        (Standing::Outside, Side::A, Turn::Leave),
        (Standing::Outside, Side::B, Turn::Leave),
    ] {
        assert_eq!(
            standing(of, now).turn(now, MESSAGE, owner, &[], None),
            expected,
            "{of:?} {owner}"
        );
    }
    let mut alone = standing(UNHEARD, now);
    let later = now + QUEUE_TAKEOVER;
    alone.stands(later, UNHEARD);
    assert_eq!(alone.turn(later, MESSAGE, Side::B, &[], None), Turn::Send, "alone for long enough");
    alone.stands(later, Standing::Both);
    alone.stands(later, UNHEARD);
    assert_ne!(alone.turn(later, MESSAGE, Side::B, &[], None), Turn::Send, "a new absence");
}

#[test]
fn what_may_be_under_way_is_waited_for() {
    let now = Instant::now();
    let mut both = standing(Standing::Both, now);
    let peers = [attempt(7, Side::B, false)];
    let until = now + ATTEMPT;
    assert_eq!(both.turn(now, MESSAGE, Side::A, &peers, None), Turn::Wait { until });
    let soon = now + Duration::from_secs(1);
    assert_eq!(both.turn(soon, MESSAGE, Side::A, &peers, None), Turn::Wait { until });
    let late = now + ATTEMPT;
    assert_eq!(both.turn(late, MESSAGE, Side::A, &peers, None), Turn::Send);
    // Its box is off: nothing is under way any more, and only the pause between attempts is left.
    let mut alone = standing(OFF, now);
    let until = now + RETRIES[0];
    assert_eq!(alone.turn(now, MESSAGE, Side::B, &peers, None), Turn::Wait { until });
}

#[test]
fn an_attempt_of_this_run_goes_on_until_it_is_over() {
    let now = Instant::now();
    let mut both = standing(Standing::Both, now);
    both.begin(now, MESSAGE, AttemptId(3));
    assert_eq!(
        both.turn(now, MESSAGE, Side::A, &[], None),
        Turn::Leave,
        "its record is on the way"
    );
    let own = [attempt(3, Side::A, false)];
    let late = now + 10 * ATTEMPT;
    assert_eq!(both.turn(late, MESSAGE, Side::A, &own, None), Turn::Leave);
    let this = Some(AttemptId(3));
    assert_eq!(both.turn(now, MESSAGE, Side::A, &own, this), Turn::Send, "it is this one");
    let slow = now + CONNECT;
    assert_eq!(both.turn(slow, MESSAGE, Side::A, &own, this), Turn::Leave, "too late to connect");
    both.stands(now, Standing::Outside);
    assert_eq!(both.turn(now, MESSAGE, Side::A, &own, this), Turn::Leave);
    both.stands(now, Standing::Both);
    both.over(MESSAGE);
    let until = late + RETRIES[0];
    assert_eq!(both.turn(late, MESSAGE, Side::A, &own, None), Turn::Wait { until });
}

#[test]
fn pauses_grow_with_the_attempts() {
    let now = Instant::now();
    let mut both = standing(Standing::Both, now);
    let mut attempts = Vec::new();
    for (number, pause) in RETRIES.iter().chain([RETRIES[4]].iter()).enumerate() {
        attempts.push(attempt(number as u128, Side::A, true));
        let expected = Turn::Wait { until: now + *pause };
        assert_eq!(both.turn(now, MESSAGE, Side::A, &attempts, None), expected, "attempt {number}");
    }
}
