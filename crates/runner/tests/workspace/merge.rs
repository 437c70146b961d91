use std::fs;

use octopoid_runner::workspace::{Advance, Place, Rebase, Submitted, Tree};

use crate::support::{World, branch, change, head, read, sh, submitted, write};

crate::tests![
    work_is_rebased_and_its_base_advanced_where_it_is_checked_out,
    a_base_that_is_checked_out_nowhere_is_advanced,
    a_base_that_moves_after_the_rebase_is_not_advanced,
    two_branches_that_conflict,
    changes_in_the_checkout_of_the_base_block_it,
    untracked_and_ignored_files_in_the_checkout_block_it,
    a_rebase_of_the_base_by_the_user_blocks_it,
    the_remote_is_advanced_first,
    a_base_that_only_the_remote_has_is_advanced_there,
    a_base_that_has_diverged_from_the_remote_blocks_it,
    a_base_that_is_no_branch_is_an_error,
    checks_that_leave_changes_do_not_disturb_the_next_try,
];

/// Work of a task that sets a file to a text.
async fn work_of(place: &Place, id: &str, name: &str, text: &str) -> Submitted {
    let tree = place.work(id, None).await.unwrap();
    change(&tree.path, name, text);
    submitted(&tree, tree.evidence(10_000).await.unwrap())
}

async fn rebased(tree: &mut Tree) -> String {
    match tree.rebase().await.unwrap() {
        Rebase::Done(sha) => sha,
        other => panic!("{other:?}"),
    }
}

fn text_of(advance: Advance, checkout: &std::path::Path) -> String {
    match advance {
        Advance::Blocked { path, text } if path == checkout => text,
        other => panic!("{other:?}"),
    }
}

async fn work_is_rebased_and_its_base_advanced_where_it_is_checked_out() {
    let world = World::new();
    let place = world.place().await;
    let work = work_of(&place, "a", "new", "x\n").await;
    let base = change(&world.repo, "other", "y\n");
    let mut tree = place.merge("a", None, &work).await.unwrap();
    let sha = rebased(&mut tree).await;
    assert_eq!(tree.base_sha, base);
    assert!(tree.path.join("new").exists() && tree.path.join("other").exists());
    assert_eq!(head(&world.repo), base);
    // Changes of the user that are not in the way stay.
    write(&world.repo, "file", "edited\n");
    write(&world.repo, "untracked", "");
    assert_eq!(tree.advance(&sha).await.unwrap(), Advance::Done);
    assert_eq!(head(&world.repo), sha);
    assert_eq!(
        (read(&world.repo, "new"), read(&world.repo, "file")),
        ("x\n".into(), "edited\n".into())
    );
    // Once more is no change.
    assert_eq!(rebased(&mut tree).await, sha);
    assert_eq!(tree.advance(&sha).await.unwrap(), Advance::Done);
}

async fn a_base_that_is_checked_out_nowhere_is_advanced() {
    let world = World::new();
    let place = world.place_with(|options| options.base = Some("main".into())).await;
    world.sh("git checkout -qb mine");
    let work = work_of(&place, "a", "new", "x\n").await;
    let mut tree = place.merge("a", None, &work).await.unwrap();
    let sha = rebased(&mut tree).await;
    assert_eq!(tree.advance(&sha).await.unwrap(), Advance::Done);
    assert_eq!(branch(&world.repo, "main"), sha);
    assert!(!world.repo.join("new").exists());
}

async fn a_base_that_moves_after_the_rebase_is_not_advanced() {
    let world = World::new();
    let place = world.place_with(|options| options.base = Some("main".into())).await;
    let work = work_of(&place, "a", "new", "x\n").await;
    let mut tree = place.merge("a", None, &work).await.unwrap();
    let sha = rebased(&mut tree).await;
    let moved = change(&world.repo, "other", "y\n");
    assert_eq!(tree.advance(&sha).await.unwrap(), Advance::Moved);
    assert_eq!(head(&world.repo), moved);
    let sha = rebased(&mut tree).await;
    assert_eq!(tree.advance(&sha).await.unwrap(), Advance::Done);
    assert_eq!(head(&world.repo), sha);
    // Nor to a commit that is not on top of it.
    let error = tree.advance(&moved).await;
    assert_eq!(error.unwrap(), Advance::Moved);
}

async fn two_branches_that_conflict() {
    let world = World::new();
    let place = world.place().await;
    let first = work_of(&place, "a", "file", "first ü\n").await;
    let second = work_of(&place, "b", "file", "second\n").await;
    let mut tree = place.merge("a", None, &first).await.unwrap();
    let sha = rebased(&mut tree).await;
    assert_eq!(tree.advance(&sha).await.unwrap(), Advance::Done);
    let mut tree = place.merge("b", None, &second).await.unwrap();
    let Rebase::Conflict { files, text } = tree.rebase().await.unwrap() else { panic!("conflict") };
    assert_eq!(files, ["file"]);
    assert!(text.contains("CONFLICT (content)"), "{text}");
    assert!(text.contains("first ü") && text.contains("second"), "{text}");
    assert!(!text.contains("hint:"), "{text}");
    assert_eq!(Some(head(&tree.path)), second.head_sha);
    assert!(sh(&tree.path, "LC_ALL=C git status").contains("nothing to commit"));
    drop(tree);
    // The next attempt has the newer base to work on.
    let tree = place.work("b", None).await.unwrap();
    assert_eq!(Some(&tree.start_sha), second.head_sha.as_ref());
    sh(&tree.path, "git rebase -q main || (git checkout --theirs file && git add file)");
    sh(&tree.path, "GIT_EDITOR=true git rebase --continue");
    let work = submitted(&tree, tree.evidence(1000).await.unwrap());
    let mut tree = place.merge("b", None, &work).await.unwrap();
    let sha = rebased(&mut tree).await;
    assert_eq!(tree.advance(&sha).await.unwrap(), Advance::Done);
    assert_eq!(read(&world.repo, "file"), "second\n");
}

async fn changes_in_the_checkout_of_the_base_block_it() {
    let world = World::new();
    world.with_remote();
    let place = world.place_with(|options| options.remote = Some("origin".into())).await;
    let work = work_of(&place, "a", "file", "agent\n").await;
    let mut tree = place.merge("a", None, &work).await.unwrap();
    let sha = rebased(&mut tree).await;
    let before = head(&world.repo);
    for stage in ["true", "git add file"] {
        write(&world.repo, "file", "user\n");
        world.sh(stage);
        let text = text_of(tree.advance(&sha).await.unwrap(), &world.repo);
        assert!(text.contains("commit or stash them") && text.contains("file"), "{text}");
        assert_eq!(
            (head(&world.repo), read(&world.repo, "file")),
            (before.clone(), "user\n".into())
        );
        assert_eq!(branch(&world.path("remote.git"), "main"), before);
    }
    world.sh("git checkout -q HEAD file && touch -t 200101010000 file");
    assert_eq!(tree.advance(&sha).await.unwrap(), Advance::Done);
    assert_eq!(read(&world.repo, "file"), "agent\n");
}

async fn untracked_and_ignored_files_in_the_checkout_block_it() {
    let world = World::new();
    write(&world.repo, ".gitignore", ".env\n");
    crate::support::commit(&world.repo, "Ignore");
    let place = world.place().await;
    let tree = place.work("a", None).await.unwrap();
    write(&tree.path, ".env", "agent\n");
    write(&tree.path, "neu ü", "agent\n");
    sh(&tree.path, "git add -f .env 'neu ü' && git commit -qm Work");
    let work = submitted(&tree, tree.evidence(1000).await.unwrap());
    let mut tree = place.merge("a", None, &work).await.unwrap();
    let sha = rebased(&mut tree).await;
    for name in [".env", "neu ü"] {
        write(&world.repo, name, "user\n");
        let text = text_of(tree.advance(&sha).await.unwrap(), &world.repo);
        assert!(text.contains(name) && text.contains("move or remove"), "{text}");
        assert_eq!(read(&world.repo, name), "user\n");
        fs::remove_file(world.repo.join(name)).unwrap();
    }
    assert_eq!(tree.advance(&sha).await.unwrap(), Advance::Done);
}

async fn a_rebase_of_the_base_by_the_user_blocks_it() {
    let world = World::new();
    let place = world.place_with(|options| options.base = Some("main".into())).await;
    let work = work_of(&place, "a", "new", "x\n").await;
    world.sh("git checkout -qb side");
    change(&world.repo, "file", "side\n");
    world.sh("git checkout -q main");
    change(&world.repo, "file", "main\n");
    let mut tree = place.merge("a", None, &work).await.unwrap();
    let sha = rebased(&mut tree).await;
    world.sh("! git rebase side >/dev/null 2>&1");
    let before = branch(&world.repo, "main");
    let Advance::Blocked { text, .. } = tree.advance(&sha).await.unwrap() else { panic!() };
    assert!(text.contains("being rebased"), "{text}");
    assert_eq!(branch(&world.repo, "main"), before);
    world.sh("git rebase --abort");
    assert_eq!(tree.advance(&sha).await.unwrap(), Advance::Done);
}

async fn the_remote_is_advanced_first() {
    let world = World::new();
    let remote = world.with_remote();
    let place = world.place_with(|options| options.remote = Some("origin".into())).await;
    let work = work_of(&place, "a", "new", "x\n").await;
    let mut tree = place.merge("a", None, &work).await.unwrap();
    let sha = rebased(&mut tree).await;
    // Another machine is faster.
    let (other, _) = world.other_machine(&remote).await;
    let theirs = change(&other, "other", "y\n");
    sh(&other, "git push -q origin main");
    let before = head(&world.repo);
    assert_eq!(tree.advance(&sha).await.unwrap(), Advance::Moved);
    assert_eq!((branch(&remote, "main"), head(&world.repo)), (theirs.clone(), before));
    let sha = rebased(&mut tree).await;
    assert_eq!(tree.base_sha, theirs);
    assert_eq!(tree.advance(&sha).await.unwrap(), Advance::Done);
    assert_eq!((branch(&remote, "main"), head(&world.repo)), (sha.clone(), sha));
    assert!(world.repo.join("new").exists() && world.repo.join("other").exists());
}

async fn a_base_that_only_the_remote_has_is_advanced_there() {
    let world = World::new();
    let remote = world.with_remote();
    world.sh("git push -q origin main:release");
    let place = world
        .place_with(|options| {
            options.remote = Some("origin".into());
            options.base = Some("release".into());
        })
        .await;
    let work = work_of(&place, "a", "new", "x\n").await;
    let mut tree = place.merge("a", None, &work).await.unwrap();
    let sha = rebased(&mut tree).await;
    assert_eq!(tree.advance(&sha).await.unwrap(), Advance::Done);
    assert_eq!(branch(&remote, "release"), sha);
    assert_eq!(branch(&world.repo, "release"), "");
    assert_eq!(world.sh("git rev-parse origin/release"), sha);
}

async fn a_base_that_has_diverged_from_the_remote_blocks_it() {
    let world = World::new();
    let remote = world.with_remote();
    let place = world.place_with(|options| options.remote = Some("origin".into())).await;
    let work = work_of(&place, "a", "new", "x\n").await;
    let (other, _) = world.other_machine(&remote).await;
    change(&other, "theirs", "");
    sh(&other, "git push -q origin main");
    change(&world.repo, "mine", "");
    let mut tree = place.merge("a", None, &work).await.unwrap();
    let Rebase::Blocked { path, text } = tree.rebase().await.unwrap() else { panic!("blocked") };
    assert_eq!(path, world.repo);
    assert!(text.contains("git pull --rebase origin main"), "{text}");
}

async fn a_base_that_is_no_branch_is_an_error() {
    let world = World::new();
    world.sh("git tag v1");
    let place = world.place_with(|options| options.base = Some("v1".into())).await;
    let work = work_of(&place, "a", "new", "x\n").await;
    let mut tree = place.merge("a", None, &work).await.unwrap();
    let error = tree.rebase().await.unwrap_err().to_string();
    assert!(error.contains("`v1` is not a branch"), "{error}");
}

async fn checks_that_leave_changes_do_not_disturb_the_next_try() {
    let world = World::new();
    let place = world.place().await;
    let work = work_of(&place, "a", "file", "agent\n").await;
    let mut tree = place.merge("a", None, &work).await.unwrap();
    rebased(&mut tree).await;
    write(&tree.path, "file", "formatted\n");
    sh(&tree.path, "git commit -qam Formatted");
    write(&tree.path, "file", "once more\n");
    change(&world.repo, "other", "y\n");
    let sha = rebased(&mut tree).await;
    assert_eq!(tree.advance(&sha).await.unwrap(), Advance::Done);
    assert_eq!(read(&world.repo, "file"), "agent\n");
}
