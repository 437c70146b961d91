//! What D1 counts, and bills.
#![allow(clippy::print_stdout, reason = "figures are what this is for")]

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::{Edge, Verdict};

/// The life of a task: the requests that it consists of, and the rows that they may write and read.
const LIFE: [&str; 4] = ["create", "claim", "submit", "accept"];
const WRITTEN_MAX: u64 = 24;
/// Creating reads what a version and the bounds on roles and types depend on, and claiming looks for
/// messages about the task. Writes end the free plan's day long before reads do.
const READ_MAX: u64 = 50;

/// What the other requests read and write, on which the tasks a day in docs/edge.md rest; and how
/// often they read every waiting task besides. A list counts them, looks at them and sorts them.
const OTHERS: [(&str, u64, u64, u64); 9] = [
    ("claim_of_nothing", 12, 0, 0),
    ("get", 2, 0, 0),
    ("heartbeat", 4, 2, 0),
    ("jobs", 29, 1, 0),
    ("jobs_all_due", 384, 132, 0),
    ("list_of_50", 103, 0, 3),
    ("messages", 122, 0, 0),
    ("poll", 2, 0, 1),
    ("renew", 6, 5, 0),
];

/// The statements that the free plan lets an invocation run.
const STATEMENTS_MAX: u64 = 50;

/// How many tasks wait meanwhile. What a request costs must not depend on it, but for a poll and for
/// a list of those tasks, which count them.
const WAITING: [u32; 2] = [0, 10_000];

#[derive(Clone, Copy, Debug, Deserialize)]
struct Counted {
    statements: u64,
    read: u64,
    written: u64,
}

pub(crate) async fn requests_cost_no_more_than_they_may(edge: Edge) -> Verdict {
    for waiting in WAITING {
        let told = edge.judged(&format!("/costs/{waiting}")).await?;
        let told: BTreeMap<String, Counted> = serde_json::from_str(&told)?;
        println!("\nwith {waiting} waiting tasks:");
        for (name, Counted { statements, read, written }) in &told {
            println!("  {name:17} {statements:3} statements {read:5} read {written:3} written");
            ensure!(*statements <= STATEMENTS_MAX, "{name} runs {statements} statements");
        }
        check_life(&told)?;
        for (name, read, written, passes) in OTHERS {
            let counted = told.get(name).with_context(|| format!("there is no {name}"))?;
            let read = read + passes * u64::from(waiting);
            let is_kept = counted.read <= read && counted.written <= written;
            ensure!(is_kept, "{name} may read {read} and write {written}: {counted:?}");
        }
    }
    Ok(())
}

fn check_life(told: &BTreeMap<String, Counted>) -> Verdict {
    let life: Vec<_> = LIFE.iter().filter_map(|name| told.get(*name)).collect();
    ensure!(life.len() == LIFE.len(), "a request of the lifecycle is missing");
    let read: u64 = life.iter().map(|counted| counted.read).sum();
    let written: u64 = life.iter().map(|counted| counted.written).sum();
    println!("  {:17} {read:19} read {written:3} written", "a lifecycle");
    ensure!(written <= WRITTEN_MAX, "a lifecycle writes {written} rows, not {WRITTEN_MAX}");
    ensure!(read <= READ_MAX, "a lifecycle reads {read} rows, not {READ_MAX}");
    Ok(())
}
