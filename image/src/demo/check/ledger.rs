//! What was sent to whom, what the servers answered, and what was found: the arithmetic of "nothing
//! lost".
//!
//! Each delivery has a sender address of its own, which the server repeats in `Return-Path`. So
//! each message in a mailbox names the delivery it came from, also when the same text was delivered
//! many times.
//!
//! | answers | found | verdict |
//! |---|---|---|
//! | a `250` | once | well |
//! | a `250` | never | missing |
//! | a `250`, and n attempts without an answer | 2 to n + 1 times | repeated: the client could not know better |
//! | a `250` | more often than that | doubled |
//! | no `250`, n attempts without an answer | up to n times | well: nothing was promised |
//! | refused, never accepted | at all | doubled: it was said not to be there |
//! | any | other bytes, another mailbox, or a delivery that never was | altered |

use std::collections::{BTreeMap, BTreeSet};

use super::super::corpus::Message;

/// One message to one account.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Which account, by its place in the list.
    pub account: usize,
    /// Which message of the corpus.
    pub message: usize,
    /// Whether a `250` came.
    pub acknowledged: bool,
    /// Attempts whose message may have arrived whole, without an answer.
    pub unanswered: usize,
    /// The last refusal for good, with its reply.
    pub refused: Option<String>,
}

/// All deliveries of a check.
#[derive(Debug)]
pub struct Ledger<'a> {
    corpus: &'a [Message],
    deliveries: Vec<Delivery>,
}

/// What one reading of all mailboxes shows. Numbers of deliveries, but for `altered`, which also
/// counts messages that belong to none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// Acknowledged and there, unchanged.
    pub found: usize,
    /// Acknowledged and not there.
    pub missing: Vec<usize>,
    /// There with other bytes, in a wrong place, or of nobody.
    pub altered: Vec<String>,
    /// There more often than any client can have caused.
    pub doubled: Vec<usize>,
    /// There again because a client got no answer and asked again.
    pub repeated: usize,
    /// There although no answer ever came.
    pub unpromised: usize,
}

/// The domain of all sender addresses.
const SENDERS: &str = "check.example.test";

impl<'a> Ledger<'a> {
    /// Nothing has been sent yet.
    pub fn new(corpus: &'a [Message]) -> Self {
        Self { corpus, deliveries: Vec::new() }
    }

    /// Plans a delivery. Gives its number.
    pub fn plan(&mut self, message: usize, account: usize) -> usize {
        self.deliveries.push(Delivery {
            account,
            message,
            acknowledged: false,
            unanswered: 0,
            refused: None,
        });
        self.deliveries.len() - 1
    }

    /// A delivery.
    pub fn delivery(&self, number: usize) -> &Delivery {
        &self.deliveries[number]
    }

    /// The same, to write an answer down.
    pub fn delivery_mut(&mut self, number: usize) -> &mut Delivery {
        &mut self.deliveries[number]
    }

    /// All of them.
    pub fn deliveries(&self) -> &[Delivery] {
        &self.deliveries
    }

    /// What is delivered.
    pub fn message(&self, number: usize) -> &'a Message {
        &self.corpus[self.deliveries[number].message]
    }

    /// Whether everything that an account has been promised is among what was found there.
    pub fn has_all(&self, account: usize, found: &[Result<usize, String>]) -> bool {
        let found: BTreeSet<usize> =
            found.iter().filter_map(|found| found.as_ref().ok()).copied().collect();
        let mut deliveries = self.deliveries.iter().enumerate();
        deliveries.all(|(number, delivery)| {
            !delivery.acknowledged || delivery.account != account || found.contains(&number)
        })
    }

    /// Compares with what was found: one number per message of each account, or what is wrong with
    /// it.
    pub fn compare(&self, found: impl IntoIterator<Item = Result<usize, String>>) -> Reading {
        let mut times = BTreeMap::<usize, usize>::new();
        let mut reading = Reading::default();
        for message in found {
            match message {
                Ok(number) => *times.entry(number).or_default() += 1,
                Err(wrong) => reading.altered.push(wrong),
            }
        }
        for (number, delivery) in self.deliveries.iter().enumerate() {
            let times = times.get(&number).copied().unwrap_or_default();
            let promised = usize::from(delivery.acknowledged);
            if times > promised + delivery.unanswered {
                reading.doubled.push(number);
            }
            match (delivery.acknowledged, times) {
                (true, 0) => reading.missing.push(number),
                (true, _) => {
                    reading.found += 1;
                    reading.repeated += (times - 1).min(delivery.unanswered);
                }
                (false, _) => reading.unpromised += times.min(delivery.unanswered),
            }
        }
        reading
    }

    /// Which delivery a message in an account's mailbox is, or what is wrong with it.
    pub fn identify(&self, account: usize, found: &[u8]) -> Result<usize, String> {
        let number = sender_number(found)
            .filter(|number| *number < self.deliveries.len())
            .ok_or_else(|| format!("a message of no delivery: {}", head(found)))?;
        let delivery = &self.deliveries[number];
        let message = &self.corpus[delivery.message];
        if delivery.account != account {
            return Err(format!("{} is in a wrong mailbox", message.name));
        }
        let trace = found
            .strip_suffix(&message.bytes[..])
            .ok_or_else(|| format!("{} has other bytes than were sent", message.name))?;
        if is_trace(trace) {
            Ok(number)
        } else {
            Err(format!("{} has more than trace fields on top: {}", message.name, head(trace)))
        }
    }
}

/// The envelope sender of a delivery.
pub fn sender(number: usize) -> String {
    format!("d{number}@{SENDERS}")
}

/// The number in `Return-Path: <d123@check.example.test>` on top of a message.
fn sender_number(found: &[u8]) -> Option<usize> {
    let line = found.split(|&byte| byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?.trim_end();
    let path = line.strip_prefix("Return-Path:")?.trim();
    let (local, domain) = path.strip_prefix('<')?.strip_suffix('>')?.split_once('@')?;
    if domain == SENDERS { local.strip_prefix('d')?.parse().ok() } else { None }
}

/// Whether these are whole header fields that a receiving server adds (RFC 5321 §4.4), and no
/// others.
fn is_trace(bytes: &[u8]) -> bool {
    if !bytes.is_empty() && !bytes.ends_with(b"\r\n") {
        return false;
    }
    let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let mut in_field = false;
    lines.all(|line| match line {
        [b' ' | b'\t', ..] => in_field,
        _ => {
            let lower = line.to_ascii_lowercase();
            in_field = lower.starts_with(b"return-path:") || lower.starts_with(b"received:");
            in_field
        }
    })
}

fn head(bytes: &[u8]) -> String {
    let head = &bytes[..bytes.len().min(200)];
    format!("{:?}", String::from_utf8_lossy(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus() -> Vec<Message> {
        ["A: 1\r\n\r\nx\r\n", "Received: from y\r\nA: 1\r\n\r\nx\r\n"]
            .iter()
            .map(|text| Message { name: text[..4].into(), bytes: text.as_bytes().to_vec() })
            .collect()
    }

    fn stored(number: usize, message: &Message) -> Vec<u8> {
        let trace = format!("Return-Path: <{}>\r\nReceived: from z\r\n\tby a;\r\n", sender(number));
        [trace.as_bytes(), &message.bytes].concat()
    }

    /// One delivery with these answers, found so often.
    fn check(acknowledged: bool, unanswered: usize, times: usize) -> Reading {
        let corpus = corpus();
        let mut ledger = Ledger::new(&corpus);
        let number = ledger.plan(0, 0);
        ledger.delivery_mut(number).acknowledged = acknowledged;
        ledger.delivery_mut(number).unanswered = unanswered;
        ledger.compare((0..times).map(|_| Ok(number)))
    }

    #[test]
    fn the_table_above() {
        let nothing = Reading::default();
        let found = Reading { found: 1, ..Reading::default() };
        assert_eq!(check(true, 0, 1), found);
        assert_eq!(check(true, 0, 0), Reading { missing: vec![0], ..nothing.clone() });
        assert_eq!(check(true, 2, 3), Reading { repeated: 2, ..found.clone() });
        assert_eq!(check(true, 2, 1), found);
        assert_eq!(check(true, 0, 2), Reading { doubled: vec![0], ..found.clone() });
        assert_eq!(check(true, 1, 3), Reading { doubled: vec![0], repeated: 1, ..found });
        assert_eq!(check(false, 2, 1), Reading { unpromised: 1, ..nothing.clone() });
        assert_eq!(check(false, 2, 0), nothing.clone());
        assert_eq!(check(false, 0, 1), Reading { doubled: vec![0], ..nothing });
    }

    #[test]
    fn a_message_names_its_delivery_under_any_trace() {
        let corpus = corpus();
        let mut ledger = Ledger::new(&corpus);
        for (message, account) in [(0, 0), (1, 0), (0, 1)] {
            let number = ledger.plan(message, account);
            let found = stored(number, &corpus[message]);
            assert_eq!(ledger.identify(account, &found), Ok(number));
        }
    }

    #[test]
    fn whatever_differs_is_altered() {
        let corpus = corpus();
        let mut ledger = Ledger::new(&corpus);
        let number = ledger.plan(0, 0);
        let good = stored(number, &corpus[0]);
        let mut shorter = good.clone();
        shorter.pop();
        let mut other = good.clone();
        let last = other.len() - 3;
        other[last] ^= 1;
        let text = String::from_utf8(good.clone()).unwrap();
        for (account, found) in [
            (1, good),
            (0, shorter),
            (0, other),
            (0, text.replace("Received:", "X-Spam:").into_bytes()),
            (0, text.replace("d0@", "d7@").into_bytes()),
            (0, text.replace("Return-Path", "Return").into_bytes()),
            (0, text.replace("\tby a;\r\n", "\tby a;\r\n\r\n").into_bytes()),
            (0, corpus[0].bytes.clone()),
            (0, Vec::new()),
        ] {
            assert!(
                ledger.identify(account, &found).is_err(),
                "{}",
                String::from_utf8_lossy(&found)
            );
        }
    }
}
