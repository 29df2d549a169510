//! New mail: one message for one account or several, and APPEND into any mailbox.

use node::body::Body;
use node::core::{Answer, Input, Place};
use record::{EntryId, RequestId, Side};

use super::{Asked, Clients, Placed};
use crate::sim::options::Break;
use crate::sim::world::{Step, World, at};

impl Clients {
    pub fn deliver(world: &mut World, side: Side) -> Step {
        let one = &world.boxes[at(side)];
        let (Some(core), true) = (&one.core, one.is_serving()) else { return Ok(()) };
        let World { clients, random, .. } = world;
        let mut accounts = Vec::new();
        for account in &clients.accounts {
            if core.users().account(account.id).map_err(|e| e.to_string())?.is_some() {
                accounts.push(account.clone());
            }
        }
        if random.permille(800)
            && let Some(one) = random.pick(&accounts).cloned()
        {
            accounts = vec![one];
        }
        if random.permille(200)
            && let [account] = &mut accounts[..]
        {
            let mailboxes = core.index().mailboxes(account.id).map_err(|e| e.to_string())?;
            account.inbox = random.pick(&mailboxes).map_or(account.inbox, |mailbox| mailbox.id);
        }
        clients.deliveries += 1;
        let number = clients.deliveries;
        let mut places = Vec::new();
        for account in &accounts {
            let request = RequestId(random.id());
            let entry = EntryId(random.id());
            let placed = Placed { number, account: account.id, entry };
            clients.note(request, Asked::Place(placed));
            clients.waiting[at(side)].insert(request);
            places.push(Place {
                request,
                account: account.id,
                mailbox: account.inbox,
                entry,
                internal_date_s: 0,
                flags: Vec::new(),
            });
        }
        world.counts.deliveries += 1;
        world.tell(|| {
            let to: Vec<_> = accounts.iter().map(|a| format!("{:.4x}", a.inbox.0 >> 112)).collect();
            format!("{side} gets message {number} for {}", to.join(", "))
        });
        let mixed_up = world.options.broken == Some(Break::BodyMixedUp) && number % 7 == 6;
        let body = Body::new(&Clients::message(if mixed_up { number - 1 } else { number }));
        world.give(side, Input::Deliver { body, places, answer: Answer::AtCommit })
    }
}
