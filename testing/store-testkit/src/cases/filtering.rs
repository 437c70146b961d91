//! Claims that take only what fits.

use serde_json::json;

use crate::{Verdict, World, ensure_eq, ensure_refused};

cases! {
    a_role_filter_passes_over_other_roles,
    a_type_filter_passes_over_other_types,
    both_filters_must_fit,
    an_empty_filter_is_no_filter,
    priority_and_age_decide_across_roles_and_types,
    a_filter_fits_whole_names_only,
    names_may_hold_anything_that_is_printed,
    names_may_not_hold_what_separates_them,
    a_changed_role_changes_who_may_claim,
    a_long_filter_is_as_good_as_a_short_one,
}

async fn a_role_filter_passes_over_other_roles(world: &World) -> Verdict {
    world.creates("none").await?;
    for id in ["a1", "b1", "c1", "a2"] {
        world.creates_with(id, json!({ "role": id[..1] })).await?;
    }
    let order = world.drains(json!({ "role_filter": "b" })).await?;
    ensure_eq!(order, ["b1"], "one role as text");
    let order = world.drains(json!({ "role_filter": ["c", "a"] })).await?;
    ensure_eq!(order, ["a1", "c1", "a2"], "several roles, the oldest first");
    ensure_eq!(world.drains(json!({})).await?, ["none"], "without a filter, the rest");
    Ok(())
}

async fn a_type_filter_passes_over_other_types(world: &World) -> Verdict {
    world.creates("none").await?;
    for id in ["a1", "b1", "c1", "a2"] {
        world.creates_with(id, json!({ "type": id[..1] })).await?;
    }
    let order = world.drains(json!({ "type_filter": "b" })).await?;
    ensure_eq!(order, ["b1"], "one type as text");
    let order = world.drains(json!({ "type_filter": ["c", "a"] })).await?;
    ensure_eq!(order, ["a1", "c1", "a2"], "several types, the oldest first");
    ensure_eq!(world.drains(json!({})).await?, ["none"], "without a filter, the rest");
    Ok(())
}

async fn both_filters_must_fit(world: &World) -> Verdict {
    for (id, role, kind) in [
        ("role-only", "r", "other"),
        ("type-only", "other", "t"),
        ("both", "r", "t"),
        ("swapped", "t", "r"),
    ] {
        world.creates_with(id, json!({ "role": role, "type": kind })).await?;
    }
    let order = world.drains(json!({ "role_filter": "r", "type_filter": "t" })).await?;
    ensure_eq!(order, ["both"], "role and type");
    Ok(())
}

async fn an_empty_filter_is_no_filter(world: &World) -> Verdict {
    for empty in [json!([]), json!(null), json!(""), json!(false)] {
        world.creates_with("plain", json!({ "priority": "P3" })).await?;
        world.creates_with("special", json!({ "role": "r", "type": "t" })).await?;
        let filters = json!({ "role_filter": empty, "type_filter": empty });
        let order = world.drains(filters).await?;
        ensure_eq!(order, ["special", "plain"], "for {empty}");
        world.deletes("plain").await?;
        world.deletes("special").await?;
    }
    Ok(())
}

async fn priority_and_age_decide_across_roles_and_types(world: &World) -> Verdict {
    let mut expected = Vec::new();
    for (round, role) in ["d", "b", "c", "a", "b", "d"].into_iter().enumerate() {
        for priority in ["P2", "P0", "P1"] {
            let id = format!("{priority}-{round}");
            let kind = ["x", "y"][round % 2];
            let fields = json!({ "role": role, "type": kind, "priority": priority });
            world.creates_with(&id, fields).await?;
            expected.push(id);
        }
    }
    expected.sort();
    ensure_eq!(world.drains(json!({})).await?, expected, "by priority, then age");
    Ok(())
}

async fn a_filter_fits_whole_names_only(world: &World) -> Verdict {
    for role in ["review", "reviewer", "Review", "re view"] {
        world.creates_with(role, json!({ "role": role })).await?;
    }
    let order = world.drains(json!({ "role_filter": "review" })).await?;
    ensure_eq!(order, ["review"], "no prefix and no other case");
    Ok(())
}

async fn names_may_hold_anything_that_is_printed(world: &World) -> Verdict {
    let names = [
        "it's",
        "say \"hi\"",
        "50%",
        "a_b",
        "a,b",
        "[\"a\"]",
        "{}",
        "\\",
        "null",
        "--",
        "\u{1f419}",
        "\u{e4}\u{f6}",
        " ",
        "\t",
    ];
    for name in names {
        let fields = json!({ "role": name, "type": name });
        world.creates_with(name, fields).await?;
    }
    for name in names {
        let filters = json!({ "role_filter": [name], "type_filter": name });
        ensure_eq!(world.drains(filters).await?, [name], "for {name:?}");
    }
    Ok(())
}

async fn names_may_not_hold_what_separates_them(world: &World) -> Verdict {
    world.creates("b").await?;
    for field in ["role", "type"] {
        let fields = json!({ field: "a\u{1f}b" });
        let answer = world.creates_with("a", fields.clone()).await;
        ensure_refused!(answer, "invalid_request");
        ensure_refused!(world.patches("b", fields).await, "invalid_request");
    }
    Ok(())
}

async fn a_changed_role_changes_who_may_claim(world: &World) -> Verdict {
    world.creates_with("a", json!({ "role": "old" })).await?;
    world.patches("a", json!({ "role": "new" })).await?;
    let order = world.drains(json!({ "role_filter": "old" })).await?;
    ensure_eq!(order, [""; 0], "not by its old role");
    let order = world.drains(json!({ "role_filter": "new" })).await?;
    ensure_eq!(order, ["a"], "by its new role");
    Ok(())
}

/// The first server failed from about a hundred values.
async fn a_long_filter_is_as_good_as_a_short_one(world: &World) -> Verdict {
    world.creates_with("a", json!({ "role": "r99", "type": "t7" })).await?;
    let roles: Vec<_> = (0..100).map(|number| format!("r{number}")).collect();
    let types: Vec<_> = (0..100).map(|number| format!("t{number}")).collect();
    let filters = json!({ "role_filter": roles, "type_filter": types });
    ensure_eq!(world.drains(filters).await?, ["a"], "one of a hundred");
    Ok(())
}
