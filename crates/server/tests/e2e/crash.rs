//! What was acknowledged is there after `kill -9`, and nothing is handed out twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use octopoid_client::{Client, Error, Result};
use octopoid_domain::TaskView;
use tokio::{sync::watch, task::JoinSet};

use crate::{
    load::{all_tasks, approval, claim_by, events, new_task, report},
    server::{Disk, PATIENCE},
};

const ROUNDS: usize = 10;
const WORKERS: usize = 24;

/// The queues of a task's life and the events that lead to them, in order.
const LIFE: [(&str, &str); 4] = [
    ("incoming", "created"),
    ("claimed", "claimed"),
    ("provisional", "submitted"),
    ("done", "accepted"),
];

/// What the server has acknowledged about a task.
#[derive(Clone, Debug, Default)]
struct Acknowledged {
    /// How far it got in its life, as an index.
    stage: usize,
    /// Who claimed it.
    agent: Option<String>,
}

/// All that was acknowledged, and how much that is.
#[derive(Default)]
struct Ledger {
    tasks: Mutex<BTreeMap<String, Acknowledged>>,
    count: watch::Sender<usize>,
}

impl Ledger {
    fn note(&self, task: &TaskView) {
        let stage = stage(task);
        let mut tasks = self.tasks.lock().unwrap();
        let known = tasks.entry(task.id.clone()).or_default();
        if stage == 1 {
            assert_eq!(known.agent, None, "{} was claimed twice", task.id);
            known.agent.clone_from(&task.claimed_by);
        }
        // Whoever created a task may hear of it after somebody else has claimed it.
        known.stage = known.stage.max(stage);
        self.count.send_modify(|count| *count += 1);
    }

    fn snapshot(&self) -> BTreeMap<String, Acknowledged> {
        self.tasks.lock().unwrap().clone()
    }
}

fn stage(task: &TaskView) -> usize {
    let stage = LIFE.iter().position(|(queue, _)| *queue == task.queue);
    stage.unwrap_or_else(|| panic!("{} is in {}", task.id, task.queue))
}

/// Sees tasks through their lives, until the server is gone.
async fn work(client: Client, ledger: Arc<Ledger>, name: String) -> Error {
    for number in 0.. {
        if let Err(error) = one_life(&client, &ledger, &format!("{name}-{number}")).await {
            return error;
        }
    }
    unreachable!("numbers do not end")
}

async fn one_life(client: &Client, ledger: &Ledger, name: &str) -> Result<()> {
    ledger.note(&client.create_task(&new_task(name)).await?);
    let Some(task) = client.claim_task(&claim_by(name)).await? else {
        // Another worker took it before its creator could.
        return Ok(());
    };
    ledger.note(&task);
    ledger.note(&client.submit_task(&task.id, &report()).await?);
    ledger.note(&client.accept_task(&task.id, &approval()).await?);
    Ok(())
}

/// Loads a server until it has acknowledged so much more, and kills it.
async fn load_and_kill(disk: &Disk, ledger: &Arc<Ledger>, round: usize, writes: usize) {
    let server = disk.serve().await;
    let mut count = ledger.count.subscribe();
    let target = *count.borrow_and_update() + writes;
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let name = format!("r{round}-w{worker}");
        workers.spawn(work(server.client(), Arc::clone(ledger), name));
    }
    let reached = tokio::time::timeout(PATIENCE, count.wait_for(|count| *count >= target)).await;
    reached.expect("the workers make progress").unwrap();
    server.kill().await;
    for error in workers.join_all().await {
        assert!(matches!(error, Error::Transport(_)), "refused under load: {error}");
    }
}

/// Compares what is there with what was acknowledged.
async fn check(client: &Client, acknowledged: &BTreeMap<String, Acknowledged>) {
    let there: BTreeMap<_, _> =
        all_tasks(client).await.unwrap().into_iter().map(|task| (task.id.clone(), task)).collect();
    for (id, known) in acknowledged {
        let task = there.get(id).unwrap_or_else(|| panic!("{id} is lost: {known:?}"));
        assert!(stage(task) >= known.stage, "{id} fell back to {}: {known:?}", task.queue);
    }
    for (id, task) in &there {
        let agent = acknowledged.get(id).and_then(|known| known.agent.as_deref());
        check_history(client, task, agent).await;
    }
}

/// History tells each step of the life once, whether or not it was acknowledged.
async fn check_history(client: &Client, task: &TaskView, agent: Option<&str>) {
    let events = events(client, &task.id).await.unwrap();
    let names: Vec<_> = events.iter().map(|(name, _)| name.as_str()).collect();
    let expected: Vec<_> = LIFE[..=stage(task)].iter().map(|(_, event)| *event).collect();
    assert_eq!(names, expected, "{} in {}", task.id, task.queue);
    if let (Some(agent), Some((_, claimer))) = (agent, events.get(1)) {
        assert_eq!(claimer.as_deref(), Some(agent), "{}", task.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_nothing_is_claimed_twice() {
    let (disk, ledger) = (Disk::new().await, Arc::new(Ledger::default()));
    for round in 0..ROUNDS {
        // Early and late, so that the end comes in each phase of the load.
        load_and_kill(&disk, &ledger, round, 20 + (round * 97) % 400).await;
    }
    let server = disk.serve().await;
    let acknowledged = ledger.snapshot();
    check(&server.client(), &acknowledged).await;
    let claimed: Vec<_> = acknowledged.values().filter_map(|known| known.agent.as_ref()).collect();
    assert_eq!(
        claimed.iter().collect::<BTreeSet<_>>().len(),
        claimed.len(),
        "one agent, two tasks"
    );
    assert!(claimed.len() > ROUNDS * 10, "there was hardly any load: {}", claimed.len());
}
