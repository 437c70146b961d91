use std::fs;

use octopoid_runner::workspace::Error;

use crate::support::{Holder, World, branch, change, head, sh, write};

crate::tests![
    a_tree_is_refused_while_another_process_has_it_and_taken_up_after_its_death,
    a_tree_is_held_once_in_one_process_too,
    commits_and_changes_of_an_earlier_attempt_stay,
    a_branch_without_a_tree_gets_one,
    an_interrupted_operation_is_ended,
    what_an_attempt_on_another_machine_has_pushed_is_there,
    files_of_an_earlier_run_are_gone,
];

async fn a_tree_is_refused_while_another_process_has_it_and_taken_up_after_its_death() {
    let world = World::new();
    let place = world.place().await;
    let holder = Holder::start(&world, "a");
    assert_eq!(holder.path, world.root.join("a"));
    let work = change(&holder.path, "file", "two\n");
    write(&holder.path, "draft", "");
    // It died in the middle of a commit.
    let git_dir = sh(&holder.path, "git rev-parse --absolute-git-dir");
    write(git_dir.as_ref(), "index.lock", "");
    write(world.repo.as_path(), ".git/refs/heads/agent/a.lock", "");
    let error = place.work("a", None).await.unwrap_err();
    assert!(matches!(&error, Error::InUse(path) if *path == holder.path), "{error}");

    holder.kill();
    let tree = place.work("a", None).await.unwrap();
    assert_eq!(tree.start_sha, work);
    assert_eq!(tree.base_sha, head(&world.repo));
    assert!(tree.has_leftovers);
    change(&tree.path, "file", "three\n");
}

async fn a_tree_is_held_once_in_one_process_too() {
    let world = World::new();
    let place = world.place().await;
    let tree = place.work("a", None).await.unwrap();
    let error = world.place().await.work("a", None).await.unwrap_err();
    assert!(matches!(error, Error::InUse(_)), "{error}");
    // A review of the same task is another tree.
    drop(tree);
    place.work("a", None).await.unwrap();
}

async fn commits_and_changes_of_an_earlier_attempt_stay() {
    let world = World::new();
    let place = world.place().await;
    let tree = place.work("a", None).await.unwrap();
    let start = tree.start_sha.clone();
    let work = change(&tree.path, "file", "two\n");
    write(&tree.path, "file", "three\n");
    write(&tree.path, "new ü", "");
    drop(tree);
    // The base moves meanwhile.
    change(&world.repo, "other", "");
    let tree = place.work("a", None).await.unwrap();
    assert_eq!((&tree.start_sha, &tree.base_sha), (&work, &start));
    assert!(tree.has_leftovers);
    assert_eq!(fs::read_to_string(tree.path.join("file")).unwrap(), "three\n");
    assert!(tree.path.join("new ü").exists());
}

async fn a_branch_without_a_tree_gets_one() {
    let world = World::new();
    let place = world.place().await;
    world.sh("git checkout -qb agent/a");
    let work = change(&world.repo, "file", "two\n");
    world.sh("git checkout -q main");
    let tree = place.work("a", None).await.unwrap();
    assert_eq!((&tree.start_sha, &tree.base_sha), (&work, &head(&world.repo)));
    assert_eq!(tree.branch.as_deref(), Some("agent/a"));
}

async fn an_interrupted_operation_is_ended() {
    let world = World::new();
    let place = world.place().await;
    let conflicting = change(&world.repo, "file", "theirs\n");
    world.sh("git branch theirs && git reset -q --hard HEAD~1");
    world.sh(&format!("git format-patch -q -1 -o .. {conflicting}"));
    let lines = [
        ("merge", "git merge theirs".to_owned()),
        ("rebase", "git rebase theirs".to_owned()),
        ("pick", format!("git cherry-pick {conflicting}")),
        ("revert", "git revert HEAD~1".to_owned()),
        ("am", "git am -3 ../../*.patch".to_owned()),
        ("bisect", "git bisect start && git bisect bad && git bisect good HEAD~2".to_owned()),
    ];
    for (id, line) in lines {
        let tree = place.work(id, Some("main")).await.unwrap();
        change(&tree.path, "file", "ours\n");
        let ours = change(&tree.path, "file", "ours too\n");
        let (path, own) = (tree.path.clone(), tree.branch.clone());
        drop(tree);
        sh(&path, &format!("{line} >/dev/null 2>&1 || true"));
        let status = sh(&path, "LC_ALL=C git status");
        assert!(!status.contains("nothing to commit") || id == "bisect", "{id}: {status}");
        let tree = place.work(id, Some("main")).await.unwrap();
        assert_eq!((&tree.start_sha, &tree.branch), (&ours, &own), "{id}");
        assert_eq!(sh(&path, "git branch --show-current"), own.unwrap());
        assert!(sh(&path, "LC_ALL=C git status").contains("nothing to commit"), "{id}");
        assert!(!tree.has_leftovers, "{id}");
    }
}

async fn what_an_attempt_on_another_machine_has_pushed_is_there() {
    let world = World::new();
    let remote = world.with_remote();
    let place = world.place_with(|options| options.remote = Some("origin".into())).await;
    let tree = place.work("a", None).await.unwrap();
    change(&tree.path, "file", "two\n");
    tree.push().await.unwrap();
    drop(tree);

    let (other, elsewhere) = world.other_machine(&remote).await;
    let tree = elsewhere.work("a", None).await.unwrap();
    assert_eq!(tree.start_sha, branch(&world.repo, "agent/a"));
    let newer = change(&tree.path, "file", "three\n");
    tree.push().await.unwrap();
    assert_eq!(branch(&other, "agent/a"), newer);

    // Back on the first machine: with the tree, and with the branch alone.
    drop(place.work("a", None).await.unwrap());
    assert_eq!(head(&world.root.join("a")), newer);
    world.sh("git worktree remove --force ../träes/a && git branch -qf agent/a agent/a~1");
    assert_eq!(place.work("a", None).await.unwrap().start_sha, newer);
}

async fn files_of_an_earlier_run_are_gone() {
    let world = World::new();
    let place = world.place().await;
    let tree = place.work("a", None).await.unwrap();
    fs::write(tree.run_dir().join("outcome"), "done").unwrap();
    drop(tree);
    let tree = place.work("a", None).await.unwrap();
    assert!(tree.run_dir().is_dir() && !tree.run_dir().join("outcome").exists());
    assert!(!tree.has_leftovers);
}
