//! The record of when the jobs ran.

use octopoid_domain::{Millis, availability::Availability};

use crate::{Verdict, World, ensure_eq, world::DAY};

cases! {
    a_new_database_was_never_available,
    a_run_is_remembered,
    of_servers_that_note_a_run_at_the_same_time_one_does,
}

const PERIOD: i64 = 10_000;

/// What becomes of a record in a run after some time.
fn noted(world: &World, was: &Availability, after: i64) -> Availability {
    world.passes(after);
    let mut is = was.clone();
    is.note(world.now(), PERIOD, DAY);
    is
}

async fn a_new_database_was_never_available(world: &World) -> Verdict {
    let found = world.store.availability().await?;
    ensure_eq!(found, Availability::default(), "no run");
    ensure_eq!(found.available_for(0), Millis(0), "nothing has been waited for");
    Ok(())
}

async fn a_run_is_remembered(world: &World) -> Verdict {
    let mut was = Availability::default();
    // On time, by hand, and after a gap.
    for after in [0, PERIOD, 1, DAY] {
        let is = noted(world, &was, after);
        world.store.note_availability(&was, &is).await?;
        ensure_eq!(world.store.availability().await?, is, "after {after} ms");
        was = is;
    }
    Ok(())
}

async fn of_servers_that_note_a_run_at_the_same_time_one_does(world: &World) -> Verdict {
    let none = Availability::default();
    let first = noted(world, &none, 0);
    let second = noted(world, &none, 1);
    world.store.note_availability(&none, &first).await?;
    world.store.note_availability(&none, &second).await?;
    ensure_eq!(world.store.availability().await?, first, "the first run of all");
    let third = noted(world, &first, PERIOD);
    let late = noted(world, &first, DAY);
    world.store.note_availability(&first, &third).await?;
    world.store.note_availability(&first, &late).await?;
    ensure_eq!(world.store.availability().await?, third, "and a later one");
    Ok(())
}
