//! A client that believes what it is told. Others change the mailbox at random times; after each NOOP
//! the client's list must be the mailbox, message for message and flag for flag, and on the way every
//! UID it is told must be that of the message it has under that number. The seeds are fixed.

use std::collections::BTreeSet;

use crate::{Client, numbered};

/// What the client knows of one message; a new one is known by nothing but its number.
#[derive(Clone, Debug, Default, PartialEq)]
struct Message {
    uid: Option<u32>,
    flags: Option<BTreeSet<String>>,
}

#[derive(Default)]
struct Mirror {
    messages: Vec<Message>,
}

impl Mirror {
    /// `by_number`: the command named messages by number, so none may vanish.
    fn hear(&mut self, answer: &str, by_number: bool) {
        for line in answer.lines().filter_map(|line| line.strip_prefix("* ")) {
            let words: Vec<&str> = line.splitn(3, ' ').collect();
            match words[..] {
                [number, "EXISTS"] => {
                    let count = number.parse().unwrap();
                    assert!(count >= self.messages.len(), "EXISTS takes nothing away");
                    self.messages.resize(count, Message::default());
                }
                [number, "EXPUNGE"] => {
                    assert!(!by_number, "numbers move during a command by number");
                    self.messages.remove(number.parse::<usize>().unwrap() - 1);
                }
                [number, "FETCH", items] => {
                    let message = &mut self.messages[number.parse::<usize>().unwrap() - 1];
                    message.fetched(items);
                }
                _ => {}
            }
        }
    }
}

impl Message {
    fn fetched(&mut self, items: &str) {
        if let Some((_, rest)) = items.split_once("UID ") {
            let digits = rest.split([' ', ')']).next().unwrap();
            let uid = digits.parse().unwrap();
            assert!(self.uid.is_none_or(|known| known == uid), "{self:?} is told {items}");
            self.uid = Some(uid);
        }
        if let Some((_, rest)) = items.split_once("FLAGS (") {
            let (flags, _) = rest.split_once(')').unwrap();
            self.flags = Some(flags.split_whitespace().map(str::to_owned).collect());
        }
    }
}

fn run(seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut client = Client::logged_in(numbered(6));
    let mut mirror = Mirror::default();
    client.send(b"a SELECT INBOX\r\n");
    mirror.hear(&client.take(), false);
    const FLAGS: [&str; 4] = ["\\Seen", "\\Deleted", "\\Flagged", "work"];
    for _ in 0..60 {
        let count = mirror.messages.len();
        let one = 1 + next(count.max(1));
        let flag = FLAGS[next(FLAGS.len())];
        let rows = client.store.rows("INBOX");
        match next(9) {
            0 if rows.len() > 1 => {
                let at = next(rows.len());
                rows.remove(at);
            }
            1 if !rows.is_empty() => {
                let at = next(rows.len());
                rows[at].flags = vec![flag.to_owned()];
            }
            2 => {
                client.store.deliver("INBOX", b"A: b\r\n\r\nhi", &[flag]);
            }
            _ => {}
        }
        match next(10) {
            _ if count == 0 => say(&mut client, &mut mirror, "NOOP", false),
            0 => say(&mut client, &mut mirror, &format!("STORE {one} +FLAGS ({flag})"), true),
            1 => say(&mut client, &mut mirror, &format!("STORE {one} FLAGS ({flag})"), true),
            2 => say(&mut client, &mut mirror, &format!("UID STORE 1:* -FLAGS ({flag})"), false),
            3 => say(&mut client, &mut mirror, &format!("FETCH {one}:* (BODY[TEXT])"), true),
            4 => say(&mut client, &mut mirror, &format!("FETCH 1:{one} (UID FLAGS)"), true),
            5 => say(&mut client, &mut mirror, &format!("SEARCH {one}"), true),
            6 => say(&mut client, &mut mirror, "EXPUNGE", false),
            7 => say(&mut client, &mut mirror, &format!("COPY {one} INBOX"), false),
            8 => {
                client.changed();
                say(&mut client, &mut mirror, "NAMESPACE", false);
            }
            _ => {
                say(&mut client, &mut mirror, "NOOP", false);
                say(&mut client, &mut mirror, "FETCH 1:* (UID FLAGS)", true);
                compare(&mirror, &mut client);
            }
        }
    }
}

fn say(client: &mut Client, mirror: &mut Mirror, command: &str, by_number: bool) {
    client.send(format!("a {command}\r\n").as_bytes());
    let answer = client.take();
    mirror.hear(&answer, by_number);
    let done = answer.lines().last().unwrap_or_default();
    assert!(done.starts_with("a OK") || done.starts_with("a NO [EXPUNGEISSUED]"), "{done}");
}

fn compare(mirror: &Mirror, client: &mut Client) {
    let rows = client.store.rows("INBOX").clone();
    let real: Vec<Message> = rows
        .into_iter()
        .map(|row| Message { uid: Some(row.uid), flags: Some(row.flags.into_iter().collect()) })
        .collect();
    assert_eq!(mirror.messages, real);
}

#[test]
fn a_client_that_believes_what_it_is_told_is_right() {
    for seed in 1..400 {
        run(seed);
    }
}

/// The same without asking for anything: flags that are told unasked must be enough.
#[test]
fn changes_are_told_without_asking() {
    let mut client = Client::logged_in(numbered(4));
    let mut mirror = Mirror::default();
    for command in ["SELECT INBOX", "FETCH 1:* (UID FLAGS)"] {
        client.send(format!("a {command}\r\n").as_bytes());
        mirror.hear(&client.take(), false);
    }
    for (row, flag) in [(0, "\\Seen"), (3, "x"), (0, "\\Deleted"), (2, "x")] {
        client.store.rows("INBOX")[row].flags = vec![flag.to_owned()];
        client.changed();
        client.send(b"a CREATE x\r\n");
        mirror.hear(&client.take(), false);
        compare(&mirror, &mut client);
    }
}
