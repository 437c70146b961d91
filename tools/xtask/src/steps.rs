//! Commands that are made of several others, and say at the end how each went and how long it took.

use std::time::{Duration, Instant};

use anyhow::bail;

use crate::output;

/// A command and the name by which the summary calls it.
pub(crate) type Step<Work = fn() -> anyhow::Result<()>> = (&'static str, Work);

/// What becomes of the other steps after one has failed.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum AfterFailure {
    /// They run, because each says something of its own.
    GoOn,
    /// They do not run, because they take long.
    Stop,
}

/// Runs the steps in their order, and fails if one did. `name` is what they are together.
pub(crate) fn run<Work>(name: &str, steps: &[Step<Work>], after: AfterFailure) -> anyhow::Result<()>
where
    Work: Fn() -> anyhow::Result<()>,
{
    let (mut summary, mut failed) = (Vec::new(), Vec::new());
    let mut total = Duration::ZERO;
    for (step, work) in steps {
        if after == AfterFailure::Stop && !failed.is_empty() {
            summary.push(format!("  not run {step}"));
            continue;
        }
        output::heading(format_args!("{name}: {step}"));
        let (verdict, took) = timed(work);
        total += took;
        summary.push(match verdict {
            Ok(()) => format!("  ok      {step} ({:.1} s)", took.as_secs_f32()),
            Err(error) => {
                failed.push(*step);
                format!("  FAILED  {step} ({:.1} s): {error:#}", took.as_secs_f32())
            }
        });
    }
    output::heading(format_args!("{name}: summary ({:.1} s)", total.as_secs_f32()));
    summary.iter().for_each(output::line);
    if !failed.is_empty() {
        bail!("{name} failed: {}", failed.join(", "));
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a development tool measures how long a step takes")]
fn timed(work: impl Fn() -> anyhow::Result<()>) -> (anyhow::Result<()>, Duration) {
    let start = Instant::now();
    let verdict = work();
    (verdict, start.elapsed())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn every_step_runs_and_the_failed_ones_are_named() {
        let steps: &[Step] =
            &[("first", || bail!("no")), ("second", || Ok(())), ("third", || bail!("neither"))];
        let error = run("all", steps, AfterFailure::GoOn).unwrap_err();
        assert_eq!(error.to_string(), "all failed: first, third");
    }

    #[test]
    fn steps_after_a_failed_one_do_not_run_if_they_take_long() {
        static RUN: AtomicUsize = AtomicUsize::new(0);
        let count: fn() -> anyhow::Result<()> = || {
            RUN.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        let steps: &[Step] = &[("first", count), ("second", || bail!("no")), ("third", count)];
        let error = run("all", steps, AfterFailure::Stop).unwrap_err();
        assert_eq!(error.to_string(), "all failed: second");
        assert_eq!(RUN.load(Ordering::Relaxed), 1);
    }
}
