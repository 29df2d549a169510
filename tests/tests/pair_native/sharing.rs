//! What is done at one box is seen at the other, under the same names and numbers.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use rack::client::{Answer, Smtp};
use tests::native::{Account, Imap, Maild, PATIENCE, Pair, Pop3, sample, until, without_trace};

use crate::{deliver, with_pair};

#[test]
#[ignore = "two processes: tests/run native"]
fn mail_that_came_in_at_one_box_is_at_the_other_byte_for_byte() {
    with_pair("share-mail", &["ann"], |pair, accounts| {
        let ann = &accounts[0];
        // From 1: different sizes, dots, 8-bit text.
        let sent: Vec<Vec<u8>> = (1..=10).map(sample).collect();
        for (index, message) in sent.iter().enumerate() {
            let at = if index % 2 == 0 { &pair.a } else { &pair.b };
            deliver(at, ann, message)?;
        }
        for at in [&pair.a, &pair.b] {
            let bodies = imap_bodies(at, ann, sent.len())?;
            compare(&sent, &bodies).with_context(|| format!("IMAP at box {}", at.side()))?;
            let bodies = pop3_bodies(at, ann)?;
            compare(&sent, &bodies).with_context(|| format!("POP3 at box {}", at.side()))?;
        }
        let ids = |at| Pop3::login(at, ann)?.ids();
        ensure!(ids(&pair.a)? == ids(&pair.b)?, "POP3 ids differ between the boxes");
        pair.wait_equal()
    });
}

#[test]
#[ignore = "two processes: tests/run native"]
fn strangers_cannot_relay_and_unknown_people_get_no_mail() {
    with_pair("refusals", &["ann"], |pair, accounts| {
        for at in [&pair.a, &pair.b] {
            let mut smtp = Smtp::connect(at.port(25), PATIENCE)?;
            for to in ["someone@elsewhere.test", "nobody@example.test"] {
                match smtp.deliver("sender@elsewhere.test", &[to], &sample(1))? {
                    Answer::Refused { command: "RCPT", code: 500..600, .. } => {}
                    other => bail!("box {} answered {other:?} for {to}", at.side()),
                }
            }
            let stranger = Account {
                address: accounts[0].address.clone(),
                password: "not her password".to_owned(),
            };
            ensure!(Imap::login(at, &stranger).is_err(), "a wrong password was taken");
            ensure!(Pop3::login(at, &stranger).is_err(), "a wrong password was taken");
        }
        Ok(())
    });
}

#[test]
#[ignore = "two processes: tests/run native"]
fn an_imap_session_is_seen_at_the_other_box() {
    with_pair("share-imap", &["ann"], |pair, accounts| {
        let ann = &accounts[0];
        let mut at_a = Imap::login(&pair.a, ann)?;
        let mut at_b = Imap::login(&pair.b, ann)?;
        let message = sample(3);

        at_a.append("INBOX", "\\Seen", &message)?;
        let uid = wait_uids(&mut at_b, "INBOX", 1)?[0];
        ensure!(at_b.flags(uid)? == flags(&["\\Seen"]), "flags of APPEND");
        ensure!(at_b.body(uid)? == message, "APPEND altered the message");
        let selected = at_a.select("INBOX")?;
        ensure!(selected == at_b.select("INBOX")?, "the boxes number INBOX differently");

        at_b.command(&format!("UID STORE {uid} +FLAGS (\\Flagged $Work)"))?;
        wait_flags(&mut at_a, uid, &["\\Seen", "\\Flagged", "$Work"])?;
        at_a.command(&format!("UID STORE {uid} -FLAGS (\\Seen)"))?;
        wait_flags(&mut at_b, uid, &["\\Flagged", "$Work"])?;

        at_a.command("CREATE \"Projects\"")?;
        until("the new mailbox at b", || at_b.select("Projects").map(Some))?;
        at_b.select("INBOX")?;
        at_b.command(&format!("UID MOVE {uid} \"Projects\""))?;
        wait_uids(&mut at_a, "INBOX", 0)?;
        let moved = wait_uids(&mut at_a, "Projects", 1)?[0];
        ensure!(at_a.body(moved)? == message, "MOVE altered the message");
        ensure!(at_a.flags(moved)? == flags(&["\\Flagged", "$Work"]), "MOVE changed the flags");

        at_a.command(&format!("UID STORE {moved} +FLAGS (\\Deleted)"))?;
        at_a.command("EXPUNGE")?;
        wait_uids(&mut at_b, "Projects", 0)?;
        pair.wait_equal()
    });
}

#[test]
#[ignore = "two processes: tests/run native"]
fn idle_wakes_when_mail_comes_in_at_the_other_box() {
    with_pair("share-idle", &["ann"], |pair, accounts| {
        let ann = &accounts[0];
        let mut at_b = Imap::login(&pair.b, ann)?;
        let before = at_b.select("INBOX")?.exists;
        let mut idle = at_b.idle()?;
        for more in 1..=3 {
            deliver(&pair.a, ann, &sample(more))?;
            let wanted = format!("* {} EXISTS", u64::from(before) + more);
            idle.wait(|line| line == wanted)?;
        }
        let mut at_b = idle.done()?;
        ensure!(at_b.uids()?.len() == 3, "three messages were told");
        Ok(())
    });
}

/// A message deleted by POP3 at one box is gone at the other.
#[test]
#[ignore = "two processes: tests/run native"]
fn a_pop3_session_is_seen_at_the_other_box() {
    with_pair("share-pop3", &["ann"], |pair: &mut Pair, accounts| {
        let ann = &accounts[0];
        deliver(&pair.a, ann, &sample(1))?;
        deliver(&pair.a, ann, &sample(2))?;
        let mut at_b = Imap::login(&pair.b, ann)?;
        wait_uids(&mut at_b, "INBOX", 2)?;
        let mut pop3 = Pop3::login(&pair.b, ann)?;
        let kept = pop3.ids()?.remove(1);
        pop3.command("DELE 1")?;
        pop3.quit()?;
        until("the deletion at a", || {
            let ids = Pop3::login(&pair.a, ann)?.ids()?;
            ensure!(ids == [kept.clone()], "{ids:?}");
            Ok(Some(()))
        })?;
        wait_uids(&mut at_b, "INBOX", 1)?;
        pair.wait_equal()
    });
}

fn flags(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|flag| (*flag).to_owned()).collect()
}

/// Selects the mailbox again and again until it holds so many messages.
fn wait_uids(imap: &mut Imap, mailbox: &str, count: usize) -> Result<Vec<u32>> {
    until(&format!("{count} messages in {mailbox}"), || {
        imap.select(mailbox)?;
        let uids = imap.uids()?;
        ensure!(uids.len() == count, "{uids:?}");
        Ok(Some(uids))
    })
}

fn wait_flags(imap: &mut Imap, uid: u32, wanted: &[&str]) -> Result<()> {
    until("flags", || {
        let now = imap.flags(uid)?;
        ensure!(now == flags(wanted), "{now:?}");
        Ok(Some(()))
    })
}

fn imap_bodies(at: &Maild, account: &Account, count: usize) -> Result<Vec<Vec<u8>>> {
    let mut imap = Imap::login(at, account)?;
    let uids = wait_uids(&mut imap, "INBOX", count)?;
    uids.into_iter().map(|uid| imap.body(uid)).collect()
}

fn pop3_bodies(at: &Maild, account: &Account) -> Result<Vec<Vec<u8>>> {
    let mut pop3 = Pop3::login(at, account)?;
    let count = pop3.ids()?.len();
    let bodies = (1..=count).map(|number| pop3.retrieve(number)).collect();
    pop3.quit()?;
    bodies
}

/// In the order of delivery: one client after the other, so their UIDs ascend.
fn compare(sent: &[Vec<u8>], found: &[Vec<u8>]) -> Result<()> {
    ensure!(sent.len() == found.len(), "{} sent, {} found", sent.len(), found.len());
    for (index, (sent, found)) in sent.iter().zip(found).enumerate() {
        ensure!(without_trace(found, sent).is_some(), "message {} differs", index + 1);
    }
    Ok(())
}
