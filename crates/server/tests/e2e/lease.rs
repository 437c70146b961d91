use std::time::Duration;

use octopoid_domain::{
    lease::{LeaseToken, Token},
    steps::Submit,
    task::{ClaimRequest, LeaseSeconds},
};

use crate::{
    load::{claim_by, events, new_task, report},
    server::{Disk, eventually},
};

#[tokio::test]
async fn an_abandoned_claim_is_claimable_again_within_three_seconds() {
    let disk = Disk::new().await;
    let arguments = ["--lease-grace", "0s", "--reap-interval", "1s"];
    let client = disk.serve_with(&arguments, &[]).await;
    let (_server, client) = (&client, client.client());
    client.create_task(&new_task("a")).await.unwrap();
    let for_a_second =
        ClaimRequest { lease_duration_seconds: LeaseSeconds::new(1.0), ..claim_by("agent-1") };
    client.claim_task(&for_a_second).await.unwrap().expect("the task is there");
    assert_eq!(client.claim_task(&claim_by("agent-2")).await.unwrap(), None);

    let task = eventually("the task is claimed again", Duration::from_secs(3), async || {
        client.claim_task(&claim_by("agent-2")).await.unwrap()
    })
    .await;
    assert_eq!((&*task.id, task.attempt_count), ("a", Some(1)));
    let by = |name: &str, agent: Option<&str>| (name.to_owned(), agent.map(str::to_owned));
    assert_eq!(
        events(&client, "a").await.unwrap(),
        [
            by("created", None),
            by("claimed", Some("agent-1")),
            by("requeued", Some("agent-1")),
            by("claimed", Some("agent-2")),
        ]
    );
    let history = client.task_history("a", &[]).await.unwrap();
    assert_eq!(history.events[2].details.as_deref(), Some("Lease expired"));
    // The new claim is for hours, and the old agent comes too late.
    let mut late = report();
    late.agent_name = "agent-1".into();
    let refusal = client.submit_task("a", &late).await.unwrap_err();
    assert_eq!(refusal.status(), Some(409), "{refusal}");
}

/// An agent on a laptop that was closed: its lease lapses, and the reaper takes the task back.
#[tokio::test]
async fn an_agent_that_slept_submits_unless_another_has_claimed() {
    let disk = Disk::new().await;
    let server = disk.serve_with(&["--lease-grace", "0s", "--reap-interval", "1s"], &[]).await;
    let client = server.client();
    for id in ["alone", "taken"] {
        client.create_task(&new_task(id)).await.unwrap();
        let short =
            ClaimRequest { lease_duration_seconds: LeaseSeconds::new(1.0), ..claim_by("sleeper") };
        let claimed = client.claim_task(&short).await.unwrap().expect("the task is there");
        assert_eq!(claimed.id, id);
        eventually("the task is taken back", Duration::from_secs(10), async || {
            let task = client.get_task(id).await.unwrap();
            (task.queue == "incoming").then_some(())
        })
        .await;
        let token = LeaseToken::parse(&claimed.lease_token);
        let late = Submit { lease_token: Token(token), ..report() };
        if id == "taken" {
            let next = client.claim_task(&claim_by("another")).await.unwrap();
            assert_eq!(next.map(|next| next.run), Some(2));
            let refusal = client.submit_task(id, &late).await.unwrap_err();
            assert_eq!(refusal.status(), Some(409), "{refusal}");
            assert_eq!(client.get_task(id).await.unwrap().claimed_by.as_deref(), Some("another"));
        } else {
            let submitted = client.submit_task(id, &late).await.unwrap();
            assert_eq!((&*submitted.queue, submitted.attempt_count), ("provisional", Some(0)));
            let names: Vec<_> =
                events(&client, id).await.unwrap().into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["created", "claimed", "requeued", "resumed", "submitted"]);
        }
    }
}
