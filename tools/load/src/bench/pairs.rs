//! This build beside another one, in turn, so that a change's cost shows on a noisy machine.

use std::{fmt::Write as _, io::Write as _, path::Path};

use anyhow::Context;

use super::{
    AGENTS, Bench, JUDGED, ROUNDS,
    measure::median,
    server::{self, cpu_seconds, memory_mb},
};

/// What one build did in one round.
struct Figures {
    rate: f64,
    cpu_us: f64,
    memory_mb: f64,
}

/// Measures the lifecycle of this build and of `other`, and prints the ratios of the rounds.
pub(crate) fn measure(bench: &Bench, other: &Path) -> anyhow::Result<()> {
    let mut text = String::from(
        "| agents | this, requests/s | other, requests/s | ratio, median (least to most) | \
         CPU a request | memory, peak |\n| ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for agents in AGENTS.into_iter().filter(|agents| *agents <= JUDGED) {
        let mut rounds = Vec::with_capacity(ROUNDS);
        for round in 1..=ROUNDS {
            let _ = writeln!(std::io::stderr(), "{agents} agents, round {round} of {ROUNDS}");
            // Each goes first as often as the other, but for one round.
            if round % 2 == 0 {
                let this = once(bench, &bench.binary, agents)?;
                rounds.push((this, once(bench, other, agents)?));
            } else {
                let that = once(bench, other, agents)?;
                rounds.push((once(bench, &bench.binary, agents)?, that));
            }
        }
        let middle =
            |figure: fn(&(Figures, Figures)) -> f64| median(rounds.iter().map(figure).collect());
        let ratios: Vec<f64> = rounds.iter().map(|(this, that)| this.rate / that.rate).collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        writeln!(
            text,
            "| {agents} | {:.0} | {:.0} | {:.2} ({least:.2} to {most:.2}) | {:.2} | {:.2} |",
            middle(|(this, _)| this.rate),
            middle(|(_, that)| that.rate),
            median(ratios),
            middle(|(this, that)| this.cpu_us / that.cpu_us),
            middle(|(this, that)| this.memory_mb / that.memory_mb),
        )?;
    }
    std::io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}

/// Lifecycles on a fresh database.
fn once(bench: &Bench, binary: &Path, agents: usize) -> anyhow::Result<Figures> {
    let folder = tempfile::tempdir_in(&bench.folder).context("cannot make a folder")?;
    let database = format!("sqlite:{}", folder.path().join("pair.db").display());
    let server = server::start(binary, &database)?;
    let started = cpu_seconds(&server)?;
    let measured = bench.lifecycle(&server, agents)?;
    let cpu_us = measured.each_us(cpu_seconds(&server)? - started);
    Ok(Figures { rate: measured.rate(), cpu_us, memory_mb: memory_mb(&server)?.1 })
}
