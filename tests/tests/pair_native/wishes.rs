//! What the owner wishes, and what is told of it. No address moves here: the status says who would hold it.

use anyhow::{Result, ensure};
use control::{Side, ToMaild, View};
use tests::native::Pair;

use crate::with_pair;

#[test]
#[ignore = "two processes and some seconds: tests/run native"]
fn maintenance_lasts_over_a_restart_and_what_was_decided_is_kept() {
    with_pair("wishes", &[], |pair, _| {
        let refused = pair.a.wish(&ToMaild::GiveBack);
        ensure!(refused.is_err(), "there is nothing to give back");
        pair.a.wish(&ToMaild::Maintenance { on: true })?;
        holds(pair, 0, 2)?;
        pair.a.stop()?;
        pair.b.wait_view(View::Alone)?;
        pair.a.start()?;
        pair.wait_both()?;
        let status = pair.a.wait("maintenance", |status| status.maintenance)?;
        ensure!(status.health.contains("maintenance"), "{}", status.health);
        holds(pair, 0, 2)?;
        let refused = pair.b.wish(&ToMaild::Maintenance { on: true });
        ensure!(refused.is_err(), "nobody would be left");
        pair.a.wish(&ToMaild::Maintenance { on: false })?;
        holds(pair, 1, 1)?;

        pair.b.wish(&ToMaild::Handover)?;
        holds(pair, 2, 0)?;
        pair.a.wish(&ToMaild::GiveBack)?;
        holds(pair, 1, 1)?;

        let events = pair.a.events()?;
        let begins = |kind: &str| events.iter().filter(|event| event.kind == kind).count();
        ensure!(begins("maintenance") == 2, "before and after the restart: {events:?}");
        let metrics = pair.a.metrics()?;
        for line in [
            "twinpost_view{view=\"both\"} 1",
            "twinpost_address_held{side=\"a\"} 1",
            "twinpost_path_up{path=\"crossover\"} 1",
            "twinpost_events_total{kind=\"maintenance\"} 1",
            "twinpost_false_alarms_total 0",
        ] {
            ensure!(metrics.lines().any(|one| one == line), "{line} is missing in\n{metrics}");
        }
        let status = pair.b.status()?;
        let measured = status.links.iter().all(|link| link.up && link.round_trip_us.is_some());
        ensure!(measured, "{:?}", status.links);
        Ok(())
    });
}

/// How many service addresses each box holds.
fn holds(pair: &mut Pair, at_a: usize, at_b: usize) -> Result<()> {
    for (side, count) in [(Side::A, at_a), (Side::B, at_b)] {
        let what = format!("{count} addresses at {side}");
        pair.get_mut(side).wait(&what, |status| status.held_addresses.len() == count)?;
    }
    Ok(())
}
