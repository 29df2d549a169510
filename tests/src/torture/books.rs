//! What clients were told, and whether it holds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::{Result, ensure};
use control::Side;

use crate::native::Fate;

/// What becomes of a message after it was taken. Each is tried once, by one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Flag,
    Move,
    Expunge,
}

impl Deed {
    /// What is done to this message, if anything: half of all are left alone.
    pub fn of(number: u64) -> Option<Deed> {
        match number % 6 {
            1 => Some(Deed::Flag),
            3 => Some(Deed::Move),
            5 => Some(Deed::Expunge),
            _ => None,
        }
    }
}

/// Whether a deed was done, as far as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tried {
    Not,
    /// No answer came.
    Perhaps,
    /// To what had this UID then.
    Done(u32),
}

#[derive(Clone, Debug)]
struct Mail {
    account: usize,
    fate: Fate,
    tried: Tried,
}

/// A message in a mailbox, as a client saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    pub uid: u32,
    pub number: u64,
    pub flagged: bool,
}

/// A mailbox at one moment: at least all that was there when SELECT was answered.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    pub uid_validity: u32,
    pub uid_next: u32,
    pub uids: BTreeSet<u32>,
}

/// A mailbox of one account: the account's index, and the name.
pub type Place = (usize, &'static str);

/// What has been broken, and an example of each.
#[derive(Clone, Debug, Default)]
pub struct Breaches {
    pub counts: BTreeMap<&'static str, usize>,
    pub first: Vec<String>,
}

impl Breaches {
    pub fn add(&mut self, kind: &'static str, what: String) {
        *self.counts.entry(kind).or_default() += 1;
        if self.first.len() < EXAMPLES_MAX {
            self.first.push(format!("{kind}: {what}"));
        }
    }

    pub fn total(&self) -> usize {
        self.counts.values().sum()
    }

    /// # Errors
    /// When there is one.
    pub fn none(&self) -> Result<()> {
        ensure!(self.total() == 0, "{:?}\n{}", self.counts, self.first.join("\n"));
        Ok(())
    }

    pub fn count(&self, kind: &str) -> usize {
        self.counts.get(kind).copied().unwrap_or(0)
    }
}

const EXAMPLES_MAX: usize = 40;

/// Shared by all clients of a pair.
#[derive(Default)]
pub struct Books(Mutex<Pages>);

#[derive(Default)]
struct Pages {
    mail: BTreeMap<u64, Mail>,
    /// Which message a UID has named, at any box, at any time (promise P3).
    named: HashMap<(Place, u32, u32), u64>,
    validity: HashMap<Place, u32>,
    /// The last whole listing of a mailbox at a box (promise P4).
    listings: HashMap<(Side, Place), Arc<Listing>>,
    sightings: u64,
    breaches: Breaches,
}

/// Totals of the books.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sums {
    pub acknowledged: usize,
    pub unknown: usize,
    pub refused: usize,
    pub deeds: usize,
    pub deeds_unknown: usize,
    pub sightings: u64,
}

impl Books {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().expect("no client panics in the books")
    }

    /// What a client knows about a message that it sent. Another client may have seen it, and done something to it,
    /// before the answer came.
    pub fn sent(&self, number: u64, account: usize, fate: Fate) {
        let mut pages = self.pages();
        let new = Mail { account, fate, tried: Tried::Not };
        pages.mail.entry(number).or_insert(new).fate = fate;
    }

    /// Takes a deed on: `false` when it was taken before. Until it is [done](Books::done) it may have happened.
    pub fn begin(&self, number: u64) -> bool {
        let mut pages = self.pages();
        match pages.mail.get_mut(&number) {
            Some(mail) if mail.tried == Tried::Not => {
                mail.tried = Tried::Perhaps;
                true
            }
            _ => false,
        }
    }

    pub fn done(&self, number: u64, uid: u32) {
        if let Some(mail) = self.pages().mail.get_mut(&number) {
            mail.tried = Tried::Done(uid);
        }
    }

    /// The server said no: nothing has happened.
    pub fn refused(&self, number: u64) {
        if let Some(mail) = self.pages().mail.get_mut(&number) {
            mail.tried = Tried::Not;
        }
    }

    /// The listing of this mailbox at this box that was complete before the next one begins.
    pub fn before(&self, side: Side, place: Place) -> Option<Arc<Listing>> {
        self.pages().listings.get(&(side, place)).cloned()
    }

    /// A client has listed a mailbox whole; `before` is what [`Books::before`] said when it began.
    pub fn listed(&self, side: Side, place: Place, before: Option<&Listing>, listing: Listing) {
        let mut pages = self.pages();
        let validity = *pages.validity.entry(place).or_insert(listing.uid_validity);
        if validity != listing.uid_validity {
            let what = format!("{place:?} at {side}: {validity} became {}", listing.uid_validity);
            pages.breaches.add("uidvalidity", what);
        }
        if let Some(before) = before.filter(|before| before.uid_validity == listing.uid_validity) {
            if listing.uid_next < before.uid_next {
                let (was, is) = (before.uid_next, listing.uid_next);
                let what = format!("{place:?} at {side}: UIDNEXT {was} became {is}");
                pages.breaches.add("uidnext", what);
            }
            let late =
                listing.uids.range(..before.uid_next).filter(|uid| !before.uids.contains(uid));
            let late: Vec<u32> = late.copied().collect();
            if !late.is_empty() {
                let what = format!(
                    "{place:?} at {side}: UIDNEXT was {}, and then came {late:?}",
                    before.uid_next
                );
                pages.breaches.add("uidnext", what);
            }
        }
        pages.listings.insert((side, place), Arc::new(listing));
    }

    /// A client has seen which message a UID names.
    pub fn saw(&self, side: Side, place: Place, uid_validity: u32, sight: Sight) {
        let mut pages = self.pages();
        pages.sightings += 1;
        let named = *pages.named.entry((place, uid_validity, sight.uid)).or_insert(sight.number);
        if named != sight.number {
            let (uid, number) = (sight.uid, sight.number);
            let what =
                format!("{place:?} at {side}: UID {uid} names {number}, before it was {named}");
            pages.breaches.add("uid", what);
        }
    }

    /// Holds what is in all mailboxes of a box against what clients were told (P1, P5). Nobody may be writing.
    pub fn judge(&self, side: Side, found: &[(Place, Vec<Sight>)]) {
        let mut copies: BTreeMap<u64, Vec<(Place, Sight)>> = BTreeMap::new();
        for (place, sights) in found {
            for sight in sights {
                copies.entry(sight.number).or_default().push((*place, *sight));
            }
        }
        let mut pages = self.pages();
        let Pages { mail, breaches, .. } = &mut *pages;
        for (number, copies) in &copies {
            match mail.get(number) {
                None => breaches.add("unsent", format!("{number} at {side}")),
                Some(mail) if copies.iter().any(|((account, _), _)| *account != mail.account) => {
                    breaches.add("misplaced", format!("{number} at {side}: {copies:?}"));
                }
                Some(_) => {}
            }
        }
        let looked: BTreeSet<usize> = found.iter().map(|((account, _), _)| *account).collect();
        for (number, mail) in mail.iter().filter(|(_, mail)| looked.contains(&mail.account)) {
            let there = copies.get(number).map_or(&[][..], Vec::as_slice);
            if let Some((kind, what)) = mail.breach(*number, there) {
                breaches.add(kind, format!("{number} at {side}: {what}; {mail:?}, {there:?}"));
            }
        }
    }

    pub fn breaches(&self) -> Breaches {
        self.pages().breaches.clone()
    }

    pub fn sums(&self) -> Sums {
        let pages = self.pages();
        let fates = |fate| pages.mail.values().filter(|mail| mail.fate == fate).count();
        let tried = |wanted: fn(Tried) -> bool| {
            pages.mail.values().filter(|mail| wanted(mail.tried)).count()
        };
        Sums {
            acknowledged: fates(Fate::Acknowledged),
            unknown: fates(Fate::Unknown),
            refused: fates(Fate::Refused),
            deeds: tried(|tried| matches!(tried, Tried::Done(_))),
            deeds_unknown: tried(|tried| tried == Tried::Perhaps),
            sightings: pages.sightings,
        }
    }
}

impl Mail {
    fn breach(
        &self,
        number: u64,
        there: &[(Place, Sight)],
    ) -> Option<(&'static str, &'static str)> {
        let deed = Deed::of(number).filter(|_| self.tried != Tried::Not);
        let gone = deed == Some(Deed::Expunge);
        let count = there.len();
        if count > 1 {
            return Some(("doubled", "more than once"));
        }
        match self.fate {
            Fate::Acknowledged if count == 0 && !gone => return Some(("lost", "not there")),
            Fate::Refused if count > 0 => return Some(("refused", "there all the same")),
            _ => {}
        }
        let ((_, mailbox), sight) = there.first()?;
        let Tried::Done(uid) = self.tried else { return None };
        match deed {
            // Under another UID it was placed again before the box heard of EXPUNGE: the client is told
            // that the old UID is gone, and cannot tell why. (The simulator looks at entries.)
            Some(Deed::Expunge) if sight.uid == uid => {
                Some(("undone", "expunged, and there again"))
            }
            Some(Deed::Move) if *mailbox == "INBOX" => Some(("undone", "moved, and back again")),
            Some(Deed::Flag) if !sight.flagged => Some(("undone", "flagged, and without the flag")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INBOX: Place = (0, "INBOX");

    fn kinds(tell: impl FnOnce(&Books)) -> Vec<&'static str> {
        let books = Books::default();
        tell(&books);
        books.breaches().counts.into_keys().collect()
    }

    fn sight(uid: u32, number: u64) -> Sight {
        Sight { uid, number, flagged: false }
    }

    #[test]
    fn the_judge_sees_each_kind_of_breach() {
        let judge = |fate, number, deed: bool, there: &[Sight]| {
            kinds(|books| {
                books.sent(number, 0, fate);
                if deed {
                    assert!(books.begin(number) && !books.begin(number));
                    books.done(number, 1);
                }
                books.judge(Side::A, &[(INBOX, there.to_vec())]);
            })
        };
        use Fate::{Acknowledged, Refused, Unknown};
        assert!(judge(Acknowledged, 6, false, &[sight(1, 6)]).is_empty());
        assert!(judge(Unknown, 6, false, &[]).is_empty());
        assert!(judge(Acknowledged, 5, true, &[]).is_empty());
        assert_eq!(judge(Acknowledged, 6, false, &[]), ["lost"]);
        assert_eq!(judge(Unknown, 6, false, &[sight(1, 6), sight(2, 6)]), ["doubled"]);
        assert_eq!(judge(Refused, 6, false, &[sight(1, 6)]), ["refused"]);
        assert_eq!(judge(Acknowledged, 5, true, &[sight(1, 5)]), ["undone"]);
        assert_eq!(judge(Acknowledged, 3, true, &[sight(1, 3)]), ["undone"]);
        assert_eq!(judge(Acknowledged, 1, true, &[sight(1, 1)]), ["undone"]);
    }

    #[test]
    fn uids_and_uidnext_are_watched_over_time() {
        let listing = |uid_next, uids: &[u32]| Listing {
            uid_validity: 7,
            uid_next,
            uids: uids.iter().copied().collect(),
        };
        let two = |first: Listing, second: Listing| {
            kinds(|books| {
                books.listed(Side::A, INBOX, None, first);
                let before = books.before(Side::A, INBOX);
                books.listed(Side::A, INBOX, before.as_deref(), second);
            })
        };
        assert!(two(listing(5, &[1, 4]), listing(6, &[4, 5])).is_empty());
        assert_eq!(two(listing(5, &[1, 4]), listing(4, &[1])), ["uidnext"]);
        assert_eq!(two(listing(5, &[1, 4]), listing(6, &[1, 3])), ["uidnext"]);
        let renamed = kinds(|books| {
            books.saw(Side::A, INBOX, 7, sight(1, 10));
            books.saw(Side::B, INBOX, 7, sight(1, 11));
        });
        assert_eq!(renamed, ["uid"]);
    }
}
