//! Drafts that many promote at the same moment.

use std::sync::Arc;

use octopoid_domain::draft::{NewDraft, Promotion};
use octopoid_domain::input::parse_body;
use octopoid_store::{lists::Page, projects};
use octopoid_store_testkit::{
    audit,
    world::{SCOPE, everything},
};
use serde_json::json;

use crate::{Arena, at_once, won};

const DRAFTS: usize = 40;
const PROMOTERS: usize = 8;
const FIRST: Page = Page::first(1);

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_that_promote_the_same_draft_wins() {
    let arena = Arena::new().await;
    let world = &arena.world;
    for round in 0..DRAFTS {
        let body = json!({ "title": "t", "author": "human", "scope": SCOPE });
        let new: NewDraft = parse_body(body.to_string().as_bytes()).unwrap();
        let new = new.into_draft(None, world.now()).unwrap();
        let draft = world.store.create_draft(new, world.stamp()).await;
        let draft = draft.unwrap().id;
        let promoters = (0..PROMOTERS).map(|number| {
            let (world, id) = (Arc::clone(world), format!("n{round}-{number}"));
            let body = if number % 2 == 0 {
                json!({ "to": "task", "id": id, "file_path": id, "branch": "main" })
            } else {
                json!({ "to": "project", "id": id, "branch": "b" })
            };
            let promotion = Promotion::parse(body.to_string().as_bytes()).unwrap();
            async move {
                let promoted =
                    world.store.promote_draft(draft, None, promotion, world.stamp()).await;
                won(promoted).then_some(id)
            }
        });
        let winners: Vec<_> = at_once(promoters.collect()).await.into_iter().flatten().collect();
        let draft = world.store.get_draft(draft, None).await.unwrap();
        let linked: Vec<_> =
            [draft.linked_task_id, draft.linked_project_id].into_iter().flatten().collect();
        assert_eq!((winners.len(), &linked), (1, &winners), "who won, and what is linked");
    }
    let tasks = world.store.list_tasks(&everything(), &FIRST).await.unwrap().total.unwrap();
    let projects = world.store.list_projects(&projects::Filter::default(), &FIRST).await.unwrap();
    assert_eq!(
        tasks + projects.total.unwrap(),
        i64::try_from(DRAFTS).unwrap(),
        "one of each draft"
    );
    audit::check(world).await.unwrap();
}
