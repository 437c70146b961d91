use std::{
    fs,
    time::{Duration, SystemTime},
};

use octopoid_runner::workspace::{Advance, Closed, Keep, Place, Rebase, Swept};

use crate::support::{Holder, World, branch, change, commit, library, sh, submitted, write};

crate::tests![
    a_tree_without_work_is_deleted_with_its_branch,
    a_tree_is_kept_as_the_user_wishes,
    work_that_is_nowhere_else_is_kept,
    pushed_work_is_deleted_and_its_branch_stays,
    merged_work_is_deleted_with_its_branch,
    an_unfinished_rebase_is_kept,
    commits_in_a_submodule_are_kept,
    trees_for_review_and_merge_are_deleted,
    gc_deletes_what_is_merged_and_says_why_it_keeps_the_rest,
    gc_leaves_what_is_in_use_or_recent,
];

const REMOVED: Closed = Closed::Removed { is_branch_deleted: true };

fn why(closed: Closed) -> String {
    match closed {
        Closed::Kept { why } => why,
        Closed::Removed { .. } => panic!("it was removed"),
    }
}

/// Brings a task's branch into its base.
async fn merge(place: &Place, id: &str) {
    let tree = place.work(id, None).await.unwrap();
    let work = submitted(&tree, tree.evidence(0).await.unwrap());
    drop(tree);
    let mut tree = place.merge(id, None, &work).await.unwrap();
    let Rebase::Done(sha) = tree.rebase().await.unwrap() else { panic!("no conflict") };
    assert_eq!(tree.advance(&sha).await.unwrap(), Advance::Done);
    tree.close(Keep::None, true).await;
}

async fn a_tree_without_work_is_deleted_with_its_branch() {
    let world = World::new();
    let place = world.place().await;
    let tree = place.work("a", None).await.unwrap();
    fs::write(tree.run_dir().join("outcome"), "no_change").unwrap();
    assert_eq!(tree.close(Keep::None, false).await, REMOVED);
    assert_eq!(fs::read_dir(&world.root).unwrap().count(), 0);
    assert_eq!(branch(&world.repo, "agent/a"), "");
    assert_eq!(world.sh("git worktree list --porcelain | grep -c '^worktree '"), "1");
}

async fn a_tree_is_kept_as_the_user_wishes() {
    let world = World::new();
    let place = world.place().await;
    let tree = place.work("a", None).await.unwrap();
    assert_eq!(why(tree.close(Keep::Failed, false).await), "the run has failed");
    let tree = place.work("a", None).await.unwrap();
    assert_eq!(why(tree.close(Keep::All, true).await), "all work trees are kept");
    let tree = place.work("a", None).await.unwrap();
    assert_eq!(tree.close(Keep::Failed, true).await, REMOVED);
}

async fn work_that_is_nowhere_else_is_kept() {
    let world = World::new();
    let place = world.place().await;
    let tree = place.work("a", None).await.unwrap();
    let path = tree.path.clone();
    write(&path, "neu ü", "");
    write(&path, "other", "");
    let text = why(tree.close(Keep::None, true).await);
    assert_eq!(text, "it has changes that are not committed: neu ü and 1 more");
    commit(&path, "Work");
    let tree = place.work("a", None).await.unwrap();
    let text = why(tree.close(Keep::None, true).await);
    assert_eq!(text, "it has commits that are neither in `main` nor on a remote");
    // On no branch, with the tree's own branch back at its beginning.
    sh(&path, "git checkout -q --detach && git branch -qf agent/a main");
    let tree = place.work("a", None).await.unwrap();
    why(tree.close(Keep::None, true).await);
    assert!(path.join("neu ü").exists());
}

async fn pushed_work_is_deleted_and_its_branch_stays() {
    let world = World::new();
    world.with_remote();
    let place = world.place_with(|options| options.remote = Some("origin".into())).await;
    let tree = place.work("a", None).await.unwrap();
    let work = change(&tree.path, "file", "two\n");
    tree.push().await.unwrap();
    let closed = tree.close(Keep::None, true).await;
    assert_eq!(closed, Closed::Removed { is_branch_deleted: false });
    assert_eq!(branch(&world.repo, "agent/a"), work);
    let tree = place.work("a", None).await.unwrap();
    assert_eq!(tree.start_sha, work);
    change(&tree.path, "file", "three\n");
    why(tree.close(Keep::None, true).await);
}

async fn merged_work_is_deleted_with_its_branch() {
    let world = World::new();
    let place = world.place().await;
    let tree = place.work("a", None).await.unwrap();
    change(&tree.path, "file", "two\n");
    change(&tree.path, "new", "x\n");
    drop(tree);
    // The rebase makes other commits of them.
    change(&world.repo, "other", "y\n");
    merge(&place, "a").await;
    assert_ne!(branch(&world.repo, "agent/a"), branch(&world.repo, "main"));
    let tree = place.work("a", None).await.unwrap();
    assert_eq!(tree.close(Keep::Failed, true).await, REMOVED);
    assert_eq!(branch(&world.repo, "agent/a"), "");
}

async fn an_unfinished_rebase_is_kept() {
    let world = World::new();
    let tree = world.place().await.work("a", None).await.unwrap();
    let path = tree.path.clone();
    change(&path, "file", "two\n");
    sh(
        &path,
        "GIT_SEQUENCE_EDITOR='perl -pi -e s/^pick/edit/' git rebase -q -i main >/dev/null 2>&1",
    );
    sh(&path, "git reset -q --hard main");
    assert_eq!(why(tree.close(Keep::None, true).await), "a rebase is not finished in it");
}

async fn commits_in_a_submodule_are_kept() {
    let world = World::new();
    let library = library(&world);
    world.sh(&format!("git submodule --quiet add '{library}' lib"));
    commit(&world.repo, "Library");
    let place = world.place().await;
    let tree = place.work("a", None).await.unwrap();
    let path = tree.path.clone();
    crate::support::identify(&path.join("lib"));
    change(&path.join("lib"), "file", "two\n");
    commit(&path, "Newer library");
    drop(tree);
    world.sh("git merge -q agent/a");
    let text = why(place.work("a", None).await.unwrap().close(Keep::None, true).await);
    assert_eq!(text, "a submodule has commits that are on no remote");
    sh(&path.join("lib"), "git push -q origin HEAD:refs/heads/pushed");
    assert_eq!(place.work("a", None).await.unwrap().close(Keep::None, true).await, REMOVED);
}

async fn trees_for_review_and_merge_are_deleted() {
    let world = World::new();
    let place = world.place().await;
    let tree = place.work("a", None).await.unwrap();
    let work_sha = change(&tree.path, "file", "two\n");
    let work = submitted(&tree, tree.evidence(0).await.unwrap());
    let removed = Closed::Removed { is_branch_deleted: false };
    let review = place.review("a", None, &work).await.unwrap();
    write(&review.path, "notes", "");
    let path = review.path.clone();
    assert_eq!(review.close(Keep::None, true).await, removed);
    let merge = place.merge("a", None, &work).await.unwrap();
    change(&merge.path, "file", "three\n");
    assert_eq!(merge.close(Keep::Failed, true).await, removed);
    assert!(!path.exists() && tree.path.exists());
    assert_eq!(branch(&world.repo, "agent/a"), work_sha);
}

fn later() -> SystemTime {
    #[allow(
        clippy::disallowed_methods,
        reason = "the files of the test have the time of its clock"
    )]
    let now = SystemTime::now();
    now + Duration::from_hours(25)
}

const DAY: Duration = Duration::from_hours(24);

fn found<'a>(swept: &'a [Swept], name: &str) -> &'a Swept {
    swept.iter().find(|swept| swept.path.ends_with(name)).unwrap()
}

async fn gc_deletes_what_is_merged_and_says_why_it_keeps_the_rest() {
    let world = World::new();
    world.with_remote();
    let place = world.place().await;
    for id in ["empty", "merged", "dirty", "unpushed", "pushed", "broken"] {
        let tree = place.work(id, None).await.unwrap();
        match id {
            "merged" | "unpushed" | "pushed" => drop(change(&tree.path, id, "x\n")),
            "dirty" => write(&tree.path, "new", ""),
            "broken" => fs::remove_file(tree.path.join(".git")).unwrap(),
            _ => {}
        }
    }
    merge(&place, "merged").await;
    world.sh("git push -q origin agent/pushed");
    fs::create_dir(world.root.join("strange")).unwrap();
    write(&world.root, "strange/file", "");
    write(&world.root, "gone.lock", "");

    let dry = place.gc(later(), DAY, true).await.unwrap();
    assert!(world.root.join("empty").exists() && world.root.join("gone.lock").exists());
    let wet = place.gc(later(), DAY, false).await.unwrap();
    for (swept, would) in [(&wet, ""), (&dry, "would be ")] {
        assert_eq!(swept.len(), 7);
        for name in ["empty", "merged"] {
            assert_eq!(
                found(swept, name).text,
                format!("{would}removed with its branch"),
                "{name}"
            );
        }
        assert_eq!(found(swept, "pushed").text, format!("{would}removed"));
        let kept = |name: &str| {
            let found = found(swept, name);
            assert!(!found.is_removed && world.root.join(name).exists(), "{name}");
            found.text.clone()
        };
        assert!(kept("dirty").starts_with("kept: it has changes that are not committed"));
        assert!(kept("unpushed").starts_with("kept: it has commits that are neither"));
        assert!(kept("broken").contains("no work tree of this repository"));
        assert!(kept("strange").contains("delete it by hand"));
    }
    let mut left: Vec<_> =
        fs::read_dir(&world.root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    let expected =
        ["broken", "broken.lock", "dirty", "dirty.lock", "strange", "unpushed", "unpushed.lock"];
    assert_eq!(left, expected);
    assert_eq!(branch(&world.repo, "agent/merged"), "");
    assert_ne!(branch(&world.repo, "agent/pushed"), "");
}

async fn gc_leaves_what_is_in_use_or_recent() {
    let world = World::new();
    let place = world.place().await;
    let tree = place.work("mine", None).await.unwrap();
    let holder = Holder::start(&world, "theirs");
    let swept = place.gc(later(), DAY, false).await.unwrap();
    for name in ["mine", "theirs"] {
        assert_eq!(found(&swept, name).text, "kept: it is in use");
    }
    holder.kill();
    drop(tree);
    let soon = later() - Duration::from_hours(2);
    let swept = place.gc(soon, DAY, false).await.unwrap();
    for name in ["mine", "theirs"] {
        assert_eq!(found(&swept, name).text, "kept: it was used recently");
    }
    let swept = place.gc(later(), DAY, false).await.unwrap();
    assert!(swept.iter().all(|swept| swept.is_removed));
}
