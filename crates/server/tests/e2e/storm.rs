use std::collections::BTreeSet;

use tokio::task::JoinSet;

use crate::{
    load::{all_tasks, claim_by, events, new_task},
    server::Disk,
};

const CLIENTS: usize = 64;
const TASKS: usize = 2_000;

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_clients_share_two_thousand_tasks_without_a_quarrel() {
    let disk = Disk::new().await;
    let server = disk.serve().await;
    let client = server.client();
    let mut makers = JoinSet::new();
    for maker in 0..CLIENTS {
        let client = client.clone();
        makers.spawn(async move {
            for number in (maker..TASKS).step_by(CLIENTS) {
                client.create_task(&new_task(&format!("t{number}"))).await.unwrap();
            }
        });
    }
    makers.join_all().await;

    let mut claimers = JoinSet::new();
    for number in 0..CLIENTS {
        let client = client.clone();
        claimers.spawn(async move {
            let (agent, mut claimed) = (format!("agent-{number}"), Vec::new());
            // Any status but 200 and the 404 that says "nothing" is an error here.
            while let Some(task) = client.claim_task(&claim_by(&agent)).await.unwrap() {
                assert_eq!(task.claimed_by.as_deref(), Some(&*agent));
                claimed.push(task.id.clone());
                assert!(claimed.len() <= TASKS, "tasks are handed out again and again");
            }
            claimed
        });
    }
    let claimed: Vec<_> = claimers.join_all().await.into_iter().flatten().collect();
    assert_eq!(claimed.len(), TASKS);
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), TASKS, "a task was claimed twice");

    let tasks = all_tasks(&client).await.unwrap();
    assert_eq!(tasks.len(), TASKS);
    assert!(tasks.iter().all(|task| task.queue == "claimed" && task.version == 2));
    for id in claimed.iter().step_by(97) {
        let names: Vec<_> =
            events(&client, id).await.unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["created", "claimed"], "{id}");
    }
}
