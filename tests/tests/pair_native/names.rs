//! Both sides of a split choose the same names: afterwards there is one of each, with the mail of both.

use anyhow::{Context, Result, ensure};
use control::{Side, View};
use tests::native::{Account, Imap, Maild, until};

use crate::{deliver, with_pair};

#[test]
#[ignore = "two processes and some seconds: tests/run native"]
fn a_name_given_on_both_sides_of_a_split_is_one() {
    with_pair("names", &["ann"], |pair, accounts| {
        let ann = &accounts[0];
        pair.cable.cut();
        pair.a.wait_view(View::Alone)?;
        pair.b.wait_view(View::Alone)?;
        let mut doras = Vec::new();
        for side in [Side::A, Side::B] {
            let dora = pair.add_account_at(side, "dora", &format!("the secret given at {side}"))?;
            deliver(pair.get(side), &dora, &message(&format!("to dora at {side}")))?;
            doras.push(dora);
            let mut imap = Imap::login(pair.get(side), ann)?;
            imap.command("CREATE Projects")?;
            for text in ["one", "two"] {
                imap.append("Projects", "", &message(&format!("{text} at {side}")))?;
            }
        }
        pair.cable.mend();
        pair.wait_both()?;
        for side in [Side::A, Side::B] {
            let at = pair.get(side);
            until("one mailbox and one account", || {
                names(at, ann, "Projects").and_then(|names| {
                    ensure!(names == ["Projects"], "{side} lists {names:?}");
                    ensure!(count(at, ann, "Projects")? == 4, "not all mail is in it");
                    // Which of the two passwords holds is a matter of the clocks.
                    let dora = doras.iter().find(|dora| Imap::login(at, dora).is_ok());
                    let dora = dora.context("dora cannot come in")?;
                    ensure!(names_of(at, dora)? == names_of(at, ann)? - 1, "mailboxes twice");
                    ensure!(count(at, dora, "INBOX")? == 2, "not all of dora's mail is there");
                    Ok(Some(()))
                })
            })?;
        }
        pair.wait_equal()
    });
}

fn message(subject: &str) -> Vec<u8> {
    format!("From: a@example.test\r\nSubject: {subject}\r\n\r\n{subject}\r\n").into_bytes()
}

fn names(at: &Maild, account: &Account, beginning: &str) -> Result<Vec<String>> {
    let lines = Imap::login(at, account)?.command(&format!("LIST \"\" \"{beginning}*\""))?;
    let name = |text: &str| text.rsplit_once(" \"/\" ").map(|(_, name)| name.trim().to_owned());
    Ok(lines.iter().filter_map(|line| name(&line.text)).collect())
}

fn names_of(at: &Maild, account: &Account) -> Result<usize> {
    Ok(names(at, account, "")?.len())
}

fn count(at: &Maild, account: &Account, mailbox: &str) -> Result<u32> {
    Ok(Imap::login(at, account)?.select(mailbox)?.exists)
}
