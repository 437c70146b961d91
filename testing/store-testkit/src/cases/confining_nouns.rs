//! What the holder of a key for one scope sees of another.

use octopoid_domain::{
    action::{EndAction, Outcome},
    draft::Promotion,
};
use serde_json::json;

use crate::{
    Verdict, World, ensure,
    nouns::{PAGE, read, why},
};

cases! {
    a_confined_caller_sees_nothing_of_other_scopes,
}

async fn a_confined_caller_sees_nothing_of_other_scopes(world: &World) -> Verdict {
    let world = world.nouns();
    let action = world.proposes(json!({})).await;
    let draft = world.creates_draft(json!({})).await;
    world.creates_project("p", json!({})).await;
    let (within, stamp) = (Some("x"), world.stamp());
    let store = &world.store;
    let nothing = read::<EndAction>(&json!({}));
    let promotion = Promotion::parse(br#"{"to":"project","id":"q","branch":"b"}"#)?;
    let body = json!({"title": "taken over"});
    for text in [
        why(store.get_project("p", within).await),
        why(store.update_project("p", within, read(&body), stamp).await),
        why(store.delete_project("p", within, stamp).await),
        why(store.list_project_tasks("p", within, None, &PAGE).await),
        why(store.get_draft(draft.id, within).await),
        why(store.update_draft(draft.id, within, read(&body), stamp).await),
        why(store.delete_draft(draft.id, within, stamp).await),
        why(store.promote_draft(draft.id, within, promotion, stamp).await),
        why(store.execute_action(&action.id, within, stamp).await),
        why(store.update_action(&action.id, within, read(&json!({"result": "r"})), stamp).await),
        why(store.end_action(&action.id, within, Outcome::Failed, nothing, stamp).await),
    ] {
        ensure!(text.ends_with(" not found"), "{text}");
    }
    Ok(())
}
