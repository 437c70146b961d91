//! Deletes what no one needs any more, while the runner runs.

use std::{sync::Arc, time::Duration};

use crate::{clock, runner::Shared, workspace::Keep};

/// The time between two looks.
const PAUSE: Duration = Duration::from_hours(1);
/// A work tree that was used since is left alone.
const TREE_AGE: Duration = Duration::from_hours(24);
/// The output of a run that ended since is left alone.
const OUTPUT_AGE: Duration = Duration::from_hours(7 * 24);

/// Deletes old work trees, in which nothing would be lost, and old output.
pub(crate) async fn work(shared: Arc<Shared>) {
    loop {
        let now = clock::system_now();
        if shared.config.keep != Keep::All
            && let Err(error) = shared.place.gc(now, TREE_AGE, false).await
        {
            shared.notices.tell("error", format!("cannot look at the work trees: {error}"));
        }
        if let Some(before) = now.checked_sub(OUTPUT_AGE) {
            shared.records.delete_before(before, false);
        }
        clock::pause(PAUSE).await;
    }
}
