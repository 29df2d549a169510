//! A full partition: both boxes live, both take mail for the same mailboxes, then the cable is whole
//! again (promise P6).

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use control::View;
use rack::client::{Answer, Smtp};

use super::clients::{Door, Scene, next_number};
use super::stand::{SHORT, doors, look_at};
use crate::native::{Account, Fate, Imap, PATIENCE, Pair, sample, until};

/// At each box.
const SENDERS: usize = 4;
/// In each mailbox before the split.
const BEFORE: usize = 3;

/// Delivers `messages` at each box, to the inboxes of as many accounts as there are `mailboxes`, while nothing passes
/// between the boxes; says how long it takes to heal.
///
/// # Errors
/// When a promise is broken.
pub fn split(messages: usize, mailboxes: usize) -> Result<serde_json::Value> {
    let mut pair = Pair::prepare_with("torture-split", SHORT)?;
    pair.start()?;
    let made: Result<Vec<Account>> =
        (0..mailboxes).map(|index| pair.add_account(&format!("user{index}"))).collect();
    let scene = Arc::new(Scene::new(doors(&pair), made?));
    deliver(&scene, scene.doors[0], mailboxes * BEFORE)?;
    pair.wait_equal()?;
    look_at_both(&scene)?;

    pair.cable.cut();
    pair.a.wait_view(View::Alone)?;
    pair.b.wait_view(View::Alone)?;
    let begin = Instant::now();
    thread::scope(|threads| {
        let at = scene.doors.map(|door| {
            let scene = &scene;
            threads.spawn(move || deliver(scene, door, messages))
        });
        at.into_iter().try_for_each(|sender| sender.join().expect("no sender panics"))
    })?;
    let taken = begin.elapsed();
    // Clients at each box see its own half, and remember UIDs and UIDNEXT.
    sightings(&scene)?;

    let healed = heal(&mut pair, &scene)?;
    look_at_both(&scene)?;
    let breaches = scene.books.breaches();
    let sums = scene.books.sums();
    println!(
        "split: {messages} messages at each box to the same {mailboxes} mailboxes, taken in {} ms",
        taken.as_millis()
    );
    println!(
        "from the mending: both after {} ms, all visible at both after {} ms, digests equal after {} ms",
        healed.both.as_millis(),
        healed.visible.as_millis(),
        healed.equal.as_millis()
    );
    let per_100k = healed.visible.as_secs_f64() * 100_000.0 / (2 * messages) as f64;
    println!("in proportion, 100 000 messages: {per_100k:.1} s");
    println!(
        "{} acknowledged; lost {}, doubled {}, UID violations {}, UIDNEXT violations {}, UIDVALIDITY changes {}",
        sums.acknowledged,
        breaches.count("lost"),
        breaches.count("doubled"),
        breaches.count("uid"),
        breaches.count("uidnext"),
        breaches.count("uidvalidity")
    );
    if breaches.total() > 0 {
        pair.keep_logs();
    }
    breaches.none()?;
    Ok(serde_json::json!({
        "messages_per_side": messages,
        "mailboxes": mailboxes,
        "taken_ms": taken.as_millis() as u64,
        "both_ms": healed.both.as_millis() as u64,
        "visible_ms": healed.visible.as_millis() as u64,
        "digests_equal_ms": healed.equal.as_millis() as u64,
        "seconds_per_100k_in_proportion": per_100k,
        "acknowledged": sums.acknowledged,
        "uid_sightings": sums.sightings,
        "breaches": breaches.counts,
    }))
}

struct Healed {
    both: Duration,
    visible: Duration,
    equal: Duration,
}

fn heal(pair: &mut Pair, scene: &Scene) -> Result<Healed> {
    let expected = scene.books.sums().acknowledged;
    pair.cable.mend();
    let mended = Instant::now();
    // Watched at the same time: mail may be visible before the view changes, or after.
    let (visible, both) = thread::scope(|threads| {
        let watch = threads.spawn(|| wait_visible(scene, expected).map(|()| mended.elapsed()));
        let both = pair.wait_both().map(|()| mended.elapsed());
        (watch.join().expect("no watcher panics"), both)
    });
    pair.wait_equal()?;
    Ok(Healed { both: both?, visible: visible?, equal: mended.elapsed() })
}

/// By logging in at both boxes: as any client would see it.
fn wait_visible(scene: &Scene, expected: usize) -> Result<()> {
    for door in scene.doors {
        let mut sessions = Vec::new();
        for account in &scene.accounts {
            sessions.push(Imap::login_at(door.imaps, account)?);
        }
        until("all mail to be visible", || {
            let mut there = 0;
            for imap in &mut sessions {
                there += imap.select("INBOX")?.exists as usize;
            }
            ensure!(there >= expected, "{there} of {expected} at box {}", door.side);
            Ok(Some(()))
        })?;
    }
    Ok(())
}

/// Every message must be acknowledged: nothing is broken at the box itself.
fn deliver(scene: &Scene, door: Door, messages: usize) -> Result<()> {
    let send = |count: usize| -> Result<()> {
        let mut smtp = Smtp::connect(door.smtp, PATIENCE)?;
        for _ in 0..count {
            let number = next_number();
            let account = number as usize % scene.accounts.len();
            let to = scene.accounts[account].address.as_str();
            scene.books.sent(number, account, Fate::Unknown);
            let answer = smtp.deliver("sender@elsewhere.test", &[to], &sample(number))?;
            ensure!(answer == Answer::Accepted, "box {}: {answer:?}", door.side);
            scene.books.sent(number, account, Fate::Acknowledged);
        }
        Ok(())
    };
    thread::scope(|threads| {
        let share = |index: usize| messages / SENDERS + usize::from(index < messages % SENDERS);
        let senders: Vec<_> = (0..SENDERS)
            .map(|index| {
                threads.spawn({
                    let send = &send;
                    move || send(share(index))
                })
            })
            .collect();
        senders.into_iter().try_for_each(|sender| sender.join().expect("no sender panics"))
    })
}

/// Without judging: half of the mail is at the other box.
fn sightings(scene: &Scene) -> Result<()> {
    for door in scene.doors {
        for (index, account) in scene.accounts.iter().enumerate() {
            let mut imap = Imap::login_at(door.imaps, account)?;
            super::look::look(&scene.books, &mut imap, door.side, (index, "INBOX"))?;
        }
    }
    Ok(())
}

fn look_at_both(scene: &Scene) -> Result<()> {
    scene.doors.into_iter().try_for_each(|door| look_at(scene, door))
}
