//! What goes wrong: servers die one after the other, and the database crashes once.

use std::time::Duration;

use octopoid_testbed::postgres::{Mode, Scratch};
use tokio::sync::watch;

use super::process::{Launcher, Server};
use crate::clock::pause;

/// How long all servers run between two deaths.
const CALM: Duration = Duration::from_millis(2500);
/// How long a server that was killed stays away.
const DEAD: Duration = Duration::from_millis(700);
/// How long the database stays away, its recovery not counted.
const DOWN: Duration = Duration::from_secs(2);

/// The faults that were injected so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) kills: usize,
    pub(crate) restarts: usize,
}

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let sides = u64::try_from(sides).unwrap_or(u64::MAX).max(1);
        usize::try_from((mixed ^ (mixed >> 31)) % sides).unwrap_or_default()
    }
}

/// The servers and their database, in which faults are injected.
pub(crate) struct Cluster {
    pub(crate) database: Scratch,
    pub(crate) launcher: Launcher,
    pub(crate) servers: Vec<Server>,
}

impl Cluster {
    /// Injects faults until all tasks are finished, and leaves everything running.
    pub(crate) async fn inject_faults(
        &mut self,
        mut dice: Dice,
        tasks: usize,
        mut finished: watch::Receiver<usize>,
        tell: impl Fn(&str),
    ) -> anyhow::Result<Faults> {
        let mut faults = Faults::default();
        loop {
            let mark = if faults.restarts == 0 { tasks / 2 } else { tasks };
            tokio::select! {
                reached = finished.wait_for(|finished| *finished >= mark) => reached.map(drop)?,
                () = pause(CALM) => {}
            }
            let count = *finished.borrow();
            if faults.restarts == 0 && count >= tasks / 2 {
                tell(&format!("{count} of {tasks} done; the database crashes"));
                self.database.stop(Mode::Immediate)?;
                pause(DOWN).await;
                tokio::task::block_in_place(|| self.database.start_again())?;
                faults.restarts += 1;
            } else if count >= tasks {
                return Ok(faults);
            } else {
                let victim = dice.roll(self.servers.len());
                tell(&format!("{count} of {tasks} done; server {victim} is killed"));
                self.kill(victim).await?;
                faults.kills += 1;
            }
        }
    }

    /// Kills a server, and starts it again at the same address.
    async fn kill(&mut self, victim: usize) -> anyhow::Result<()> {
        let (number, address) = self.launcher.kill(self.servers.remove(victim))?;
        pause(DEAD).await;
        let again = self.launcher.launch(number, address)?;
        self.servers.insert(victim, again);
        self.launcher.ready(&mut self.servers[victim]).await
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn the_same_seed_rolls_the_same_and_reaches_everybody() {
        let rolls = |seed| {
            let mut dice = Dice(seed);
            (0..64).map(|_| dice.roll(3)).collect::<Vec<_>>()
        };
        assert_eq!(rolls(7), rolls(7));
        assert_ne!(rolls(7), rolls(8));
        assert!((0..3).all(|side| rolls(7).contains(&side)));
        assert!(rolls(7).iter().all(|roll| *roll < 3));
    }
}
