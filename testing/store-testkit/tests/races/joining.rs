//! Projects that are deleted while tasks join them.

use std::sync::Arc;

use futures_util::FutureExt;
use octopoid_domain::input::parse_body;
use octopoid_store_testkit::{audit, world::SCOPE};
use serde_json::json;

use crate::{Arena, ROUNDS, at_once, new_with, won};

/// Tasks of a project that is not there.
const ORPHANS: &str = "SELECT id, project_id FROM tasks WHERE project_id IS NOT NULL \
     AND project_id NOT IN (SELECT id FROM projects)";

#[tokio::test(flavor = "multi_thread")]
async fn no_task_names_a_project_that_was_deleted_while_it_joined() {
    let arena = Arena::new().await;
    let world = &arena.world;
    let mut gone = 0;
    for round in 0..ROUNDS {
        let (project, joins) = (format!("p{round}"), format!("joins-{round}"));
        world.makes_project(&project, "main", Some(SCOPE)).await.unwrap();
        world.creates(&joins).await.unwrap();

        let (other, id, stamp) = (Arc::clone(world), project.clone(), world.stamp());
        let deleting =
            async move { won(other.store.delete_project(&id, None, stamp).await) }.boxed();
        let (other, new) = (
            Arc::clone(world),
            new_with(&format!("made-{round}"), &json!({ "project_id": project })),
        );
        let creating =
            async move { won(other.store.create_task(new, None, other.stamp()).await) }.boxed();
        let (other, body) = (Arc::clone(world), json!({ "project_id": project }));
        let editing = async move {
            let patch = parse_body(body.to_string().as_bytes()).expect("a patch");
            won(other.store.update_task(&joins, None, patch, other.stamp()).await)
        }
        .boxed();

        let won = at_once(vec![deleting, creating, editing]).await;
        let is_gone = world.store.get_project(&project, None).await.is_err();
        assert_eq!(is_gone, won[0], "{project} is gone if that was answered");
        assert!(!is_gone || won[1..] == [false, false], "{project} is gone, and was joined");
        assert!(is_gone || won[1] || won[2], "{project} is there although nothing joined it");
        gone += usize::from(is_gone);
    }
    let orphans = world.runs(ORPHANS, Vec::new()).await.unwrap();
    assert!(orphans.is_empty(), "tasks without their project: {orphans:?}");
    audit::check(world).await.unwrap();
    println!("{gone} of {ROUNDS} projects were deleted before anybody joined");
}
