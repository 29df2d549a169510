//! What a client of one box still waits to hear of, a client of the other sees done and takes back. If the
//! first wish has to be asked again, because a session broke meanwhile, it must not undo that (P5).

use journal::SimDisk;
use node::core::Core;
use record::{AccountId, EntryId, Flag, Side};
use replica::Wish;

use super::{Asked, Clients};
use crate::sim::random::Random;
use crate::sim::world::{World, at};

/// Picks one such change, if this box shows any.
pub(super) fn choose(world: &mut World, side: Side) -> Result<Option<(Wish, Asked)>, String> {
    let World { boxes, clients, random, .. } = world;
    let one = &boxes[at(side)];
    let (Some(core), true) = (&one.core, one.is_serving()) else { return Ok(None) };
    let waiting = &clients.waiting[at(side.other())];
    let mut waiting: Vec<Asked> =
        waiting.iter().filter_map(|request| Some(clients.asked.get(request)?.1.clone())).collect();
    // Whichever shows first, from any of them on.
    if !waiting.is_empty() {
        let from = random.below(waiting.len());
        waiting.rotate_left(from);
    }
    for asked in waiting {
        let chosen = match asked {
            Asked::SetFlag(entry, flag) => cleared(core, clients, entry, &flag)?,
            Asked::Password { account, hash, .. } => {
                replaced(core, clients, random, account, hash)?
            }
            _ => None,
        };
        if chosen.is_some() {
            return Ok(chosen);
        }
    }
    Ok(None)
}

fn cleared(
    core: &Core<SimDisk>,
    clients: &mut Clients,
    entry: EntryId,
    flag: &Flag,
) -> Result<Option<(Wish, Asked)>, String> {
    let text = |error: mailbox::Error| error.to_string();
    let state = core.index().entry(entry).map_err(text)?;
    let shown = state.filter(|s| !s.expunged && !s.hidden && s.flags.contains(flag));
    let Some(mailbox) = shown.map(|state| state.entry.mailbox) else { return Ok(None) };
    let account = core.index().account_of(mailbox).map_err(text)?;
    Ok(account.map(|account| clients.clear_flag(account, mailbox, entry, flag.clone())))
}

fn replaced(
    core: &Core<SimDisk>,
    clients: &mut Clients,
    random: &mut Random,
    account: AccountId,
    hash: String,
) -> Result<Option<(Wish, Asked)>, String> {
    let text = |error: users::Error| error.to_string();
    let Some(row) = core.users().account(account).map_err(text)? else { return Ok(None) };
    let in_force = core.users().credentials(&row.address).map_err(text)?;
    let seen = in_force == Some((account, hash.clone()));
    Ok(seen.then(|| clients.set_password(random, account, Some(hash))))
}
