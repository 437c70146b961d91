//! The page with the results, in Markdown.

use std::fmt::{Result, Write as _};

use super::{
    contenders::Group,
    figures::{Comparison, Run, Series, Spread},
    plot::Picture,
    targets,
};

/// What is known after all rounds.
pub(super) struct Results {
    /// The processor, its cores and the memory.
    pub(super) machine: String,
    /// Whether this program, and the server beside it, were built for measurements.
    pub(super) is_optimized: bool,
    pub(super) rounds: usize,
    pub(super) seconds: u64,
    pub(super) warm_up_seconds: u64,
    pub(super) comparisons: Vec<Comparison>,
    /// Group, queue, and what it was: versions and settings with the most agents.
    pub(super) configurations: Vec<(Group, &'static str, String)>,
    /// Group, queue, and why it was not measured, or not in each round.
    pub(super) failures: Vec<(Group, &'static str, String)>,
}

const INTRODUCTION: &str = "\
# Other queues

Written by `cargo xtask bench --peers`, which starts each queue in turn on fresh data, lets agents add and complete
tasks one at a time, and stops it. In each round all queues are measured, and in each another one is first. Figures are
medians of the rounds, with the least and the greatest in parentheses; ratios are made within a round. Compare ratios,
not absolute figures.

* Every queue syncs what it has confirmed to disk first.
* An agent adds a task, waits until a task has been completed, and starts again. There are as many workers as agents,
  and each agent has added one more task at first, so that a task waits when a worker is free.
* A task of Octopoid takes four requests over HTTP, each of them durable and recorded in the task's history: create,
  claim, submit, accept. What the others do for a task is in the table of configurations.
* Libraries run within the client, so their work counts as the client's. The client of Octopoid only makes requests.
* Processor time is that of all processes, for each completed task.
";

/// The text of the page. `folder` is where the pictures are, seen from the page.
pub(super) fn text(
    results: &Results,
    pictures: &[Picture],
    folder: &str,
) -> std::result::Result<String, std::fmt::Error> {
    let mut text = INTRODUCTION.to_owned();
    let Results { machine, rounds, seconds, warm_up_seconds, .. } = results;
    writeln!(text, "\nMachine: {machine}.\n")?;
    writeln!(
        text,
        "Rounds: {rounds}. In each, every queue worked for {seconds} s, after {warm_up_seconds} s \
         that do not count."
    )?;
    if !results.is_optimized {
        text.push_str(
            "\nThese programs were built without optimization: the figures mean nothing.\n",
        );
    }
    judgement(&mut text, &results.comparisons)?;
    for group in Group::ALL {
        let among: Vec<_> = results.comparisons.iter().filter(|one| one.group == group).collect();
        if among.is_empty() {
            continue;
        }
        writeln!(text, "\n## {}\n", group.title())?;
        for picture in pictures.iter().filter(|picture| picture.group == group) {
            writeln!(text, "![{}]({folder}/{})\n", picture.title, picture.file)?;
        }
        tables(&mut text, &among)?;
    }
    list(&mut text, "Configurations", "configuration", &results.configurations)?;
    list(&mut text, "Not measured", "reason", &results.failures)?;
    if results.failures.is_empty() {
        text.push_str("\nEvery queue was measured in every round.\n");
    }
    Ok(text)
}

fn judgement(text: &mut String, comparisons: &[Comparison]) -> Result {
    let verdicts = targets::verdicts(comparisons);
    if verdicts.is_empty() {
        return Ok(());
    }
    text.push_str("\n## Targets\n\n| figure | measured | target | met |\n");
    text.push_str("| --- | ---: | ---: | --- |\n");
    for verdict in verdicts {
        let met = if verdict.is_met { "yes" } else { "**no**" };
        let measured = ratio(Some(verdict.ratio));
        writeln!(text, "| {} | {measured} | {} | {met} |", verdict.name, verdict.bound)?;
    }
    Ok(())
}

fn tables(text: &mut String, among: &[&Comparison]) -> Result {
    text.push_str(
        "| agents | queue | tasks/s | Octopoid's tasks/s, of these | p50 ms | p99 ms |\n\
         | ---: | --- | ---: | ---: | ---: | ---: |\n",
    );
    for comparison in among {
        for series in &comparison.series {
            let (agents, name) = (comparison.agents, &series.name);
            let of_ours = match comparison.series.first() {
                Some(ours) if ours.name == *name => String::new(),
                _ => ratio(comparison.ratio(&[series], Run::rate)),
            };
            let rate = whole(series.spread(Run::rate));
            let p50 = middle(series, |run| run.outcome.p50_ms, 2);
            let p99 = middle(series, |run| run.outcome.p99_ms, 2);
            writeln!(text, "| {agents} | {name} | {rate} | {of_ours} | {p50} | {p99} |")?;
        }
    }
    text.push_str(
        "\n| agents | queue | server, CPU µs/task | database, CPU µs/task | client, CPU µs/task |\n\
         | ---: | --- | ---: | ---: | ---: |\n",
    );
    for comparison in among {
        for series in &comparison.series {
            let (agents, name) = (comparison.agents, &series.name);
            let server = processor(series, Run::server_us);
            let database = processor(series, Run::database_us);
            let client = processor(series, Run::client_us);
            writeln!(text, "| {agents} | {name} | {server} | {database} | {client} |")?;
        }
    }
    Ok(())
}

fn list(
    text: &mut String,
    heading: &str,
    column: &str,
    rows: &[(Group, &'static str, String)],
) -> Result {
    writeln!(text, "\n## {heading}")?;
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n| group | queue | {column} |\n| --- | --- | --- |")?;
    for (group, name, what) in rows {
        writeln!(text, "| {} | {name} | {} |", group.title(), what.replace('|', "\\|"))?;
    }
    Ok(())
}

const NONE: &str = "not measured";

fn whole(spread: Option<Spread>) -> String {
    spread.map_or_else(
        || NONE.to_owned(),
        |Spread { median, least, most }| format!("{median:.0} ({least:.0} to {most:.0})"),
    )
}

fn ratio(spread: Option<Spread>) -> String {
    spread.map_or_else(
        || NONE.to_owned(),
        |Spread { median, least, most }| format!("{median:.2} ({least:.2} to {most:.2})"),
    )
}

fn middle(series: &Series, figure: impl Fn(&Run) -> f64, places: usize) -> String {
    let spread = series.spread(figure);
    spread.map_or_else(|| NONE.to_owned(), |spread| format!("{:.places$}", spread.median))
}

/// What a queue that has no such process uses is nothing, which is not a figure.
fn processor(series: &Series, figure: impl Fn(&Run) -> f64) -> String {
    match series.spread(&figure) {
        Some(spread) if spread.most <= 0.0 => "none".to_owned(),
        _ => middle(series, figure, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            contenders::{BULLMQ, OURS},
            figures::tests::{comparison, series},
        },
        *,
    };

    fn results() -> Results {
        let ours = series(OURS, &[Some(100), Some(300), Some(200)]);
        let theirs = series(BULLMQ, &[Some(100), Some(100), Some(100)]);
        Results {
            machine: "a machine".to_owned(),
            is_optimized: true,
            rounds: 3,
            seconds: 5,
            warm_up_seconds: 2,
            comparisons: vec![comparison(vec![ours, theirs])],
            configurations: vec![(Group::Embedded, BULLMQ, "a | b".to_owned())],
            failures: Vec::new(),
        }
    }

    #[test]
    fn a_row_has_the_median_and_the_ratio() {
        let text = text(&results(), &[], "pictures").unwrap();
        for line in [
            "| 64 | Octopoid | 200 (100 to 300) |  | 1.50 | 4.00 |",
            "| 64 | BullMQ | 100 (100 to 100) | 2.00 (1.00 to 3.00) | 1.50 | 4.00 |",
            "| 64 | BullMQ | 5000 | 2500 | 10000 |",
            "| Queues with files of their own | BullMQ | a \\| b |",
            "| SQLite, 64 agents: tasks/s, of BullMQ | 2.00 (1.00 to 3.00) | at least 0.8 | yes |",
        ] {
            assert!(text.lines().any(|own| own == line), "no {line} in\n{text}");
        }
        assert!(text.contains("Every queue was measured in every round."));
        assert!(!text.contains(Group::Postgres.title()));
    }

    #[test]
    fn a_queue_without_a_server_has_no_processor_time_for_it() {
        let mut results = results();
        for run in results.comparisons[0].series[1].runs.iter_mut().flatten() {
            run.processor.server = 0.0;
        }
        let text = text(&results, &[], "pictures").unwrap();
        assert!(text.contains("| 64 | BullMQ | none | 2500 | 10000 |"), "{text}");
    }

    #[test]
    fn a_queue_that_failed_is_named_with_the_reason() {
        let mut results = results();
        results.comparisons[0].series.push(series("q", &[None, None, None]));
        results.failures.push((Group::Embedded, "q", "it is not installed".to_owned()));
        let text = text(&results, &[], "pictures").unwrap();
        let none = "not measured | not measured | not measured | not measured |";
        assert!(text.contains(&format!("| 64 | q | {none}")));
        assert!(text.contains("| Queues with files of their own | q | it is not installed |"));
    }
}
