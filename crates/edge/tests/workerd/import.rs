//! What became of the first server's database, which was imported before the Worker started.

use anyhow::{Context as _, ensure};
use octopoid_client::Client;
use octopoid_domain::draft::NewDraft;

use crate::{Edge, Verdict, claim_by};

/// The key of scope `shop`, whose hash is in the dump.
const KEY: &str = "oct_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

pub(crate) async fn clients_of_the_first_server_go_on(edge: Edge) -> Verdict {
    let client = Client::new(&edge.url)?.with_key(KEY).with_scope("shop");
    let done = client.get_task("t-done").await?;
    ensure!((done.version, &*done.queue) == (4, "done"), "{done:?}");
    let told = client.task_history("t-done", &[]).await?.events;
    let told: Vec<_> = told.iter().map(|event| &*event.event).collect();
    ensure!(told == ["created", "claimed", "submitted", "accepted"], "{told:?}");
    let first = client.get_task("t-first").await?;
    let text = first.content.as_deref();
    ensure!(text == Some("# It's \"first\"\n\nsay 'hello' 🐙"), "{text:?}");
    let hidden = client.get_task("t-other").await;
    let status = hidden.as_ref().err().and_then(octopoid_client::Error::status);
    ensure!(status == Some(404), "another scope's task: {hidden:?}");
    let new = NewDraft { title: "t".into(), author: "me".into(), ..NewDraft::default() };
    let draft = client.create_draft(&new).await?;
    ensure!(draft.id == 10, "9 was given away before, and now {}", draft.id);
    let claimed = client.claim_task(&claim_by("agent-1")).await?.context("nothing to claim")?;
    ensure!(claimed.id == "t-first", "{claimed:?}");
    Ok(())
}
