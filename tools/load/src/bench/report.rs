//! The report: what was measured, on which machine, and where it falls short.

use std::{collections::BTreeMap, fmt::Write as _, io::Write as _, path::Path};

use super::measure::{Measured, median};

/// The binary's size that must not be exceeded, in MB.
const BINARY_MB_MAX: f64 = 20.0;

pub(crate) struct Report {
    machine: String,
    tasks: usize,
    lifecycles: Vec<String>,
    ceilings: Vec<String>,
    by_mcp: Vec<String>,
    phases: Vec<String>,
    /// Figures by name, in the order of their first appearance.
    facts: Vec<(String, &'static str, f64)>,
    pairs: BTreeMap<String, Vec<(f64, f64)>>,
    ratios: Vec<(String, f64, f64, bool)>,
}

impl Report {
    pub(crate) fn new(binary: &Path, tasks: usize) -> anyhow::Result<Self> {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let size = std::fs::metadata(binary)?.len() as f64 / 1e6;
        let mut report = Self {
            machine: machine(),
            tasks,
            lifecycles: Vec::new(),
            ceilings: Vec::new(),
            by_mcp: Vec::new(),
            phases: Vec::new(),
            facts: Vec::new(),
            pairs: BTreeMap::new(),
            ratios: Vec::new(),
        };
        report.fact("Binary, stripped", "MB", size);
        Ok(report)
    }

    /// Says what is being measured now.
    #[expect(clippy::unused_self, reason = "progress belongs to the report it is about")]
    pub(crate) fn progress(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    pub(crate) fn fact(&mut self, name: &str, unit: &'static str, figure: f64) {
        self.facts.push((name.to_owned(), unit, figure));
    }

    pub(crate) fn pair(&mut self, name: &str, unit: &'static str, few: f64, many: f64) {
        self.pairs.entry(format!("{name}, {unit}")).or_default().push((few, many));
    }

    pub(crate) fn lifecycle(&mut self, agents: usize, mut measured: Measured, live: f64) {
        let (requests, p50, p99) = figures(&mut measured);
        self.lifecycles.push(format!(
            "| {agents} | {:.0} | {requests:.0} | {p50:.2} | {p99:.2} | {live:.0} | {:.2} |",
            requests / 4.0,
            requests / live
        ));
    }

    pub(crate) fn phase(&mut self, name: &str, mut measured: Measured) {
        let (requests, p50, p99) = figures(&mut measured);
        self.phases.push(format!("| {name} | {requests:.0} | {p50:.2} | {p99:.2} |"));
    }

    /// `cpu_us` is the server's processor time for each request: of the bare router, of the whole.
    pub(crate) fn ceiling(&mut self, live: f64, direct: f64, full: f64, cpu_us: (f64, f64)) {
        let (bare, whole) = cpu_us;
        self.ceilings
            .push(format!("| {live:.0} | {direct:.0} | {full:.0} | {bare:.1} | {whole:.1} |"));
    }

    /// The same calls over REST and by MCP: how many a second, the server's processor time for each,
    /// and the ratio of the latter. The pairs are of REST and MCP.
    pub(crate) fn by_mcp(
        &mut self,
        calls: &str,
        agents: usize,
        (rest, mcp): (f64, f64),
        (rest_us, mcp_us): (f64, f64),
        ratio: f64,
    ) {
        self.by_mcp.push(format!(
            "| {calls} | {agents} | {rest:.0} | {mcp:.0} | {rest_us:.1} | {mcp_us:.1} | {ratio:.2} |"
        ));
    }

    /// A ratio and its bound, which is the least allowed or else the most.
    pub(crate) fn ratio(&mut self, name: &str, ratio: f64, bound: f64, is_least: bool) {
        self.ratios.push((name.to_owned(), ratio, bound, is_least));
    }

    /// Writes the report to a file, or to standard output.
    pub(crate) fn finish(&self, out: Option<&Path>) -> anyhow::Result<()> {
        let text = self.text()?;
        match out {
            Some(path) => std::fs::write(path, text)?,
            None => std::io::stdout().write_all(text.as_bytes())?,
        }
        Ok(())
    }

    fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::from(
            "# Benchmarks\n\nWritten by `cargo xtask bench`, which starts the release server on a \
             fresh database\nand drives it over loopback HTTP from the same machine. Every write is \
             synced to disk\nbefore its answer. Compare ratios, not absolute figures: both sides of \
             each ratio are\nmeasured in turn in one run, and the median of the rounds counts. Other queues beside \
             this\none are in [benchmarks-peers.md](benchmarks-peers.md). Where the time goes in cases that \
             fall short is in\n[profiles.md](profiles.md).\n\n",
        );
        writeln!(text, "Machine: {}.\n", self.machine)?;
        writeln!(
            text,
            "\"Full\" and \"many\" mean {} tasks, \"few\" means 1,000. Beside waiting tasks there are\n\
             delayed ones and pauses of another queue, role and pool, and claims name a pool.\n",
            self.tasks
        )?;
        self.judgement(&mut text)?;
        self.shortfalls(&mut text)?;
        text.push_str(
            "\n## Lifecycle: create, claim, submit, accept, each its own request\n\n\
             | agents | tasks/s | requests/s | p50 ms | p99 ms | bare router requests/s | ratio |\n\
             | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        );
        for line in &self.lifecycles {
            writeln!(text, "{line}")?;
        }
        self.ceiling_table(&mut text)?;
        self.mcp_table(&mut text)?;
        text.push_str("\n## Other phases\n\n| phase | requests/s | p50 ms | p99 ms |\n");
        text.push_str("| --- | ---: | ---: | ---: |\n");
        for line in &self.phases {
            writeln!(text, "{line}")?;
        }
        text.push_str("\n## Two cases in turn, medians of the rounds\n\n");
        text.push_str("| figure | the first | the second |\n| --- | ---: | ---: |\n");
        for (name, rounds) in &self.pairs {
            let few = median(rounds.iter().map(|round| round.0).collect());
            let many = median(rounds.iter().map(|round| round.1).collect());
            writeln!(text, "| {name} | {few:.3} | {many:.3} |")?;
        }
        Ok(text)
    }

    /// What is asked for, what was measured, and whether that is enough.
    fn judgement(&self, text: &mut String) -> std::fmt::Result {
        text.push_str("## Targets\n\n| figure | measured | target | met |\n");
        text.push_str("| --- | ---: | ---: | --- |\n");
        for (name, ratio, bound, is_least) in &self.ratios {
            let (sign, met) =
                if *is_least { ("at least", ratio >= bound) } else { ("at most", ratio <= bound) };
            writeln!(text, "| {name} | {ratio:.2} | {sign} {bound} | {} |", yes(met))?;
        }
        for (name, unit, figure) in &self.facts {
            match bound(name) {
                Some(bound) => writeln!(
                    text,
                    "| {name} | {figure:.2} {unit} | at most {bound} {unit} | {} |",
                    yes(*figure <= bound)
                )?,
                None => writeln!(text, "| {name} | {figure:.2} {unit} | | |")?,
            }
        }
        Ok(())
    }

    /// What is short of its target, and what these figures do not show.
    fn shortfalls(&self, text: &mut String) -> std::fmt::Result {
        text.push_str("\nShortfalls:\n\n");
        let before = text.len();
        for (name, ratio, bound, is_least) in &self.ratios {
            if (*is_least && ratio < bound) || (!is_least && ratio > bound) {
                writeln!(text, "* {name}: {ratio:.2} instead of {bound}.")?;
            }
        }
        for (name, unit, figure) in &self.facts {
            if let Some(bound) = bound(name).filter(|bound| figure > bound) {
                writeln!(text, "* {name}: {figure:.2} {unit} instead of {bound} {unit}.")?;
            }
        }
        if text.len() == before {
            text.push_str("None.\n");
        }
        Ok(())
    }

    fn ceiling_table(&self, text: &mut String) -> std::fmt::Result {
        text.push_str(
            "\n## Ceilings at 64 agents, round by round\n\n\
             | bare router requests/s | store operations/s | server requests/s | \
             bare router CPU µs/request | server CPU µs/request |\n\
             | ---: | ---: | ---: | ---: | ---: |\n",
        );
        for line in &self.ceilings {
            writeln!(text, "{line}")?;
        }
        Ok(())
    }

    fn mcp_table(&self, text: &mut String) -> std::fmt::Result {
        text.push_str(
            "\n## Calls over REST and by MCP, medians of the rounds\n\n\
             | calls | agents | REST requests/s | MCP calls/s | REST CPU µs/request | \
             MCP CPU µs/call | CPU, MCP of REST |\n\
             | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        );
        for line in &self.by_mcp {
            writeln!(text, "{line}")?;
        }
        Ok(())
    }
}

fn bound(fact: &str) -> Option<f64> {
    [
        ("Binary", BINARY_MB_MAX),
        ("Memory, idle", 20.0),
        ("Memory under", 100.0),
        ("Memory of 1,000 idle event streams", 40.0),
        ("Event latency p99, one server", 50.0),
        ("Event latency p99, PostgreSQL, one server", 50.0),
        ("Event latency p99, PostgreSQL, two servers", 250.0),
        ("Start", 0.5),
    ]
    .iter()
    .find_map(|(name, bound)| fact.starts_with(name).then_some(*bound))
}

fn yes(met: bool) -> &'static str {
    if met { "yes" } else { "**no**" }
}

fn figures(measured: &mut Measured) -> (f64, f64, f64) {
    let rate = measured.rate();
    (rate, measured.latencies.quantile_ms(0.5), measured.latencies.quantile_ms(0.99))
}

/// Processor, cores and memory, as Linux tells them.
pub(crate) fn machine() -> String {
    let field = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or_else(|| "unknown".to_owned(), |(_, v)| v.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = field("/proc/meminfo", "MemTotal");
    format!("{}, {cores} cores, {memory} of memory", field("/proc/cpuinfo", "model name"))
}
