//! Starts the command of a run and ends all of its processes.
//!
//! Agents run each tool in a session of its own, launchers die and leave the program that works
//! behind them, and tools ignore SIGTERM. A process group is therefore not enough to end a run.
//! Each run has a *guard*, a small process between the runner and the command, which adopts
//! orphans, and which outlives the runner for just as long as it takes to end the run. When it has
//! ended, no process of the run is left, however the run ended: by itself, because it was stopped,
//! or because the runner was killed.
//!
//! The processes of a run are the descendants of its guard and all processes whose environment has
//! the run's mark ([`MARK`]). The mark finds what has escaped, and what is left if the guard itself
//! was killed.
//!
//! * `child.rs`: the runner's end: [`Child`] starts a guard, reads the output, stops the run and
//!   waits for its end. `source.rs` reads pipes and follows files.
//! * `guard.rs`: the guard's end. `events.rs`: what it waits for. `report.rs`: what it tells.
//! * `ending.rs`: SIGTERM, the grace period, SIGKILL, until nothing is left. `sweep.rs`: the same
//!   without a guard.
//! * `table/`: the processes of the machine, by `/proc` on Linux and by `ps` elsewhere.

mod child;
mod ending;
mod events;
mod guard;
mod report;
mod source;
mod sweep;
mod table;

pub use child::{Child, Command, Ended, Output};
pub use guard::guard;
pub use report::{Identity, Pids};
pub use source::Stream;
pub use sweep::{recover, sweep};
pub use table::is_alive;

/// The variable that marks the processes of a run. Its value is the same in all of them, and
/// differs between any two runs.
pub const MARK: &str = "OCTOPOID_RUN_MARK";
