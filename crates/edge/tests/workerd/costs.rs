//! What D1 counts, and bills.
#![allow(clippy::print_stdout, reason = "figures are what this is for")]

use std::collections::BTreeMap;

use anyhow::ensure;
use serde::Deserialize;

use crate::{Edge, Verdict};

/// The life of a task: the requests that it consists of, and the rows that they may write and read.
const LIFE: [&str; 4] = ["create", "claim", "submit", "accept"];
const WRITTEN_MAX: u64 = 18;
const READ_MAX: u64 = 40;

/// How many tasks wait meanwhile. What a request costs must not depend on it.
const WAITING: [usize; 2] = [0, 10_000];

#[derive(Clone, Copy, Deserialize)]
struct Counted {
    read: u64,
    written: u64,
}

pub(crate) async fn requests_cost_no_more_than_they_may(edge: Edge) -> Verdict {
    for waiting in WAITING {
        let told = edge.judged(&format!("/costs/{waiting}")).await?;
        let told: BTreeMap<String, Counted> = serde_json::from_str(&told)?;
        println!("\nrows with {waiting} waiting tasks:");
        for (name, Counted { read, written }) in &told {
            println!("  {name:17} {read:4} read {written:3} written");
        }
        let life: Vec<_> = LIFE.iter().filter_map(|name| told.get(*name)).collect();
        ensure!(life.len() == LIFE.len(), "a request of the lifecycle is missing");
        let read: u64 = life.iter().map(|counted| counted.read).sum();
        let written: u64 = life.iter().map(|counted| counted.written).sum();
        println!("  {:17} {read:4} read {written:3} written", "a lifecycle");
        ensure!(written <= WRITTEN_MAX, "a lifecycle writes {written} rows, not {WRITTEN_MAX}");
        ensure!(read <= READ_MAX, "a lifecycle reads {read} rows, not {READ_MAX}");
    }
    Ok(())
}
