//! New mail: one message for one account or several, APPEND into any mailbox, and messages for other hosts.

use std::collections::BTreeMap;

use mailbox::Mailbox;
use node::body::Body;
use node::core::{Answer, Input, Letter, Place};
use record::{EntryId, QueueId, RequestId, Side};

use super::{Asked, Clients, Placed};
use crate::sim::options::Break;
use crate::sim::world::{Step, World, at};

/// Recipients of a message for other hosts.
const RECIPIENTS_MAX: usize = 3;

impl Clients {
    pub fn deliver(world: &mut World, side: Side) -> Step {
        let one = &world.boxes[at(side)];
        let (Some(core), true) = (&one.core, one.is_serving()) else { return Ok(()) };
        let World { clients, random, .. } = world;
        // Each address once, whoever of its accounts is asked.
        let mut inboxes = BTreeMap::new();
        for account in &clients.accounts {
            if core.users().account(account.id).map_err(|e| e.to_string())?.is_none() {
                continue;
            }
            let inbox = core.index().household_by_name(account.id, "INBOX");
            let inbox = inbox.map_err(|e| e.to_string())?;
            inboxes.extend(inbox.map(|inbox| (inbox.owner, inbox)));
        }
        let mut targets: Vec<Mailbox> = inboxes.into_values().collect();
        if random.permille(800)
            && let Some(one) = random.pick(&targets).cloned()
        {
            targets = vec![one];
        }
        if random.permille(200)
            && let [target] = &mut targets[..]
        {
            let mailboxes = core.index().household(target.owner).map_err(|e| e.to_string())?;
            *target = random.pick(&mailboxes).unwrap_or(target).clone();
        }
        clients.deliveries += 1;
        let number = clients.deliveries;
        let mut places = Vec::new();
        for target in &targets {
            let request = RequestId(random.id());
            let entry = EntryId(random.id());
            let placed = Placed { number, account: target.account, entry };
            clients.note(request, Asked::Place(placed));
            clients.waiting[at(side)].insert(request);
            places.push(Place {
                request,
                account: target.account,
                mailbox: target.id,
                entry,
                internal_date_s: 0,
                flags: Vec::new(),
            });
        }
        world.counts.deliveries += 1;
        world.tell(|| {
            let to: Vec<_> = targets.iter().map(|m| format!("{:.4x}", m.id.0 >> 112)).collect();
            format!("{side} gets message {number} for {}", to.join(", "))
        });
        let mixed_up = world.options.broken == Some(Break::BodyMixedUp) && number % 7 == 6;
        let body = Body::new(&Clients::message(if mixed_up { number - 1 } else { number }));
        world.give(side, Input::Deliver { body, places, answer: Answer::AtCommit })
    }

    /// A message for somebody at another host.
    pub fn send_elsewhere(world: &mut World, side: Side) -> Step {
        if !world.boxes[at(side)].is_serving() {
            return Ok(());
        }
        let World { clients, random, .. } = world;
        clients.deliveries += 1;
        let number = clients.deliveries;
        let (request, message) = (RequestId(random.id()), QueueId(random.id()));
        let recipients = 1 + random.below(RECIPIENTS_MAX);
        let recipients = (0..recipients).map(|at| format!("{at}@elsewhere.test")).collect();
        clients.note(request, Asked::Queue(message));
        clients.waiting[at(side)].insert(request);
        world.counts.deliveries += 1;
        world.elsewhere.expects(message, number);
        world.tell(|| format!("{side} gets message {number} for elsewhere: {message:?}"));
        let body = Body::new(&Clients::message(number));
        let letter = Letter { request, message, sender: "a@here.test".into(), recipients };
        world.give(side, Input::Queue { body, letter, answer: Answer::AtCommit })
    }
}
