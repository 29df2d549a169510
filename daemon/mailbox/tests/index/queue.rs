//! Messages for other hosts.

use mailbox::{BodyState, Index};
use record::{Address, AttemptId, Op, Outbound, QueueId, Sent, Side};

use crate::history::{Random, Writing, apply, entry, shuffled};

const MESSAGE: QueueId = QueueId(40);

fn attempt(id: u128, side: Side) -> Op {
    Op::Attempt { message: MESSAGE, attempt: AttemptId(id), side }
}

fn outcome(id: u128, recipients: Vec<(u32, Sent)>) -> Op {
    Op::Outcome { message: MESSAGE, attempt: AttemptId(id), recipients }
}

fn later() -> Sent {
    Sent::Later { reply: "450 later".into() }
}

fn refused() -> Sent {
    Sent::Refused { reply: "550 no".into() }
}

#[test]
fn what_both_sides_of_a_split_have_sent_adds_up() {
    let body = entry(1, 1, &[]).body;
    let (mut a, mut b) = (Writing::new(Side::A, 1), Writing::new(Side::B, 1));
    a.write(Op::Queue(Outbound {
        message: MESSAGE,
        owner: Side::A,
        sender: String::new(),
        recipients: vec!["x@elsewhere.test".into(), "y@elsewhere.test".into()],
        body,
    }));
    b.take(&a, 1);
    a.write(attempt(1, Side::A));
    a.write(outcome(1, vec![(0, Sent::Taken), (1, later())]));
    b.write(attempt(2, Side::B));
    b.write(outcome(2, vec![(0, later()), (1, refused())]));
    let half = Index::memory();
    apply(&half, &a.log, &mut Random(1));
    let waiting = half.unsent(10).unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].recipients[1], ("y@elsewhere.test".into(), Some(later())));
    let at = Address { writer: body.writer, index: body.index };
    assert_eq!(half.body_state(at).unwrap(), BodyState::Living);

    a.take(&b, 9);
    let mut digests = Vec::new();
    for seed in 0..20 {
        let mut random = Random(seed);
        let index = Index::memory();
        apply(&index, &shuffled(&a.log, &mut random), &mut random);
        let queued = index.queued(MESSAGE).unwrap().unwrap();
        let sent: Vec<_> = queued.recipients.into_iter().map(|(_, sent)| sent).collect();
        assert_eq!(sent, [Some(Sent::Taken), Some(refused())], "the best that was heard");
        assert!(queued.settled && queued.attempts.iter().all(|attempt| attempt.over));
        assert!(index.unsent(10).unwrap().is_empty());
        let ended = [(a.writer, 3), (b.writer, 2)].into();
        assert_eq!(index.body_state(at).unwrap(), BodyState::Dead { ended });
        digests.push(index.digest().unwrap());
    }
    digests.dedup();
    assert_eq!(digests.len(), 1);
}
