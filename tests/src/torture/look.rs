//! Reading mailboxes, with an eye on their UIDs.

use anyhow::{Context, Result};
use control::Side;

use super::books::{Books, Listing, Place, Sight};
use crate::native::{Imap, Untagged, number_of};

/// Lists a mailbox whole and says which message each UID names. Leaves it selected.
pub fn look(books: &Books, imap: &mut Imap, side: Side, place: Place) -> Result<Vec<Sight>> {
    let before = books.before(side, place);
    let selected = imap.select(place.1)?;
    let uids = imap.uids()?;
    let listing = Listing {
        uid_validity: selected.uid_validity,
        uid_next: selected.uid_next,
        uids: uids.iter().copied().collect(),
    };
    books.listed(side, place, before.as_deref(), listing);
    let sights = fetch(imap, "1:*", uids.len())?;
    for sight in &sights {
        books.saw(side, place, selected.uid_validity, *sight);
    }
    Ok(sights)
}

/// The messages of a UID range of the selected mailbox.
fn fetch(imap: &mut Imap, range: &str, expected: usize) -> Result<Vec<Sight>> {
    if expected == 0 {
        return Ok(Vec::new());
    }
    let items = "(UID FLAGS BODY.PEEK[HEADER.FIELDS (X-Number)])";
    let answers = imap.command(&format!("UID FETCH {range} {items}"))?;
    answers.iter().filter(|answer| answer.text.contains("UID ")).map(sight).collect()
}

fn sight(answer: &Untagged) -> Result<Sight> {
    let uid = || {
        let (_, rest) = answer.text.split_once("UID ")?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    let number = || number_of(answer.literals.first()?);
    let what = || format!("UID and number in {answer:?}");
    Ok(Sight {
        uid: uid().with_context(what)?,
        number: number().with_context(what)?,
        flagged: answer.text.contains("\\Flagged"),
    })
}
