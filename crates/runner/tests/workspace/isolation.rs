use std::fs;

use octopoid_runner::workspace::{Advance, Closed, Isolation, Keep, Place, Rebase};

use crate::support::{World, branch, change, commit, head, library, read, sh, submitted, write};

crate::tests![
    a_clone_needs_nothing_of_the_repository_and_its_commits_arrive_there,
    a_clone_is_taken_up_with_its_commits_and_changes,
    a_clone_whose_commits_are_elsewhere_is_deleted,
    a_clone_is_kept_for_what_only_it_has,
    a_clone_is_pushed_from_the_repository,
    a_clone_has_the_submodules_of_the_repository,
    trees_of_the_other_kind_are_replaced_only_if_nothing_is_lost,
];

async fn clones(world: &World) -> Place {
    world.place_with(|options| options.isolation = Isolation::Clone).await
}

async fn a_clone_needs_nothing_of_the_repository_and_its_commits_arrive_there() {
    let world = World::new();
    world
        .sh("git checkout -qb next && git commit -q --allow-empty -m Next && git checkout -q main");
    let place = clones(&world).await;
    let tree = place.work("a", Some("next")).await.unwrap();
    assert_eq!(tree.isolation(), Isolation::Clone);
    assert_eq!((tree.base.as_str(), &tree.base_sha), ("next", &branch(&world.repo, "next")));
    assert!(tree.path.join(".git").is_dir());
    assert!(!tree.path.join(".git/objects/info/alternates").exists());
    assert_eq!(sh(&tree.path, "git branch --show-current"), "agent/a");
    let work = change(&tree.path, "file", "two\n");
    assert_eq!(branch(&world.repo, "agent/a"), "");
    let evidence = tree.evidence(1000).await.unwrap();
    assert_eq!((evidence.commits, evidence.files_changed), (1, 1));
    assert_eq!(branch(&world.repo, "agent/a"), work);
    // From there it is reviewed and merged as any other.
    let work = submitted(&tree, evidence);
    let mut merge = place.merge("a", Some("next"), &work).await.unwrap();
    let Rebase::Done(sha) = merge.rebase().await.unwrap() else { panic!("no conflict") };
    assert_eq!(merge.advance(&sha).await.unwrap(), Advance::Done);
    assert_eq!(branch(&world.repo, "next"), sha);
    // A rewritten commit arrives too.
    sh(&tree.path, "git commit -q --amend -m Better");
    tree.evidence(0).await.unwrap();
    assert_eq!(branch(&world.repo, "agent/a"), head(&tree.path));
}

async fn a_clone_is_taken_up_with_its_commits_and_changes() {
    let world = World::new();
    let place = clones(&world).await;
    let tree = place.work("a", None).await.unwrap();
    let work = change(&tree.path, "file", "two\n");
    write(&tree.path, "new", "");
    write(&tree.path, ".git/index.lock", "");
    drop(tree);
    let tree = place.work("a", None).await.unwrap();
    assert_eq!((&tree.start_sha, tree.has_leftovers), (&work, true));
    assert_eq!(tree.branch.as_deref(), Some("agent/a"));
    drop(tree);
    // With the folder gone, the branch in the repository is what is left.
    let tree = place.work("a", None).await.unwrap();
    tree.evidence(0).await.unwrap();
    let path = tree.path.clone();
    drop(tree);
    fs::remove_dir_all(path).unwrap();
    let tree = place.work("a", None).await.unwrap();
    assert_eq!((&tree.start_sha, tree.has_leftovers), (&work, false));
}

async fn a_clone_whose_commits_are_elsewhere_is_deleted() {
    let world = World::new();
    world.with_remote();
    let place = clones(&world).await;
    let tree = place.work("a", None).await.unwrap();
    let closed = tree.close(Keep::None, true).await;
    assert_eq!(closed, Closed::Removed { is_branch_deleted: true });
    assert_eq!(branch(&world.repo, "agent/a"), "");

    let tree = place.work("a", None).await.unwrap();
    let work = change(&tree.path, "file", "two\n");
    let path = tree.path.clone();
    // Nothing has looked at it yet; the commits are fetched all the same.
    assert!(matches!(tree.close(Keep::None, true).await, Closed::Kept { .. }));
    assert_eq!(branch(&world.repo, "agent/a"), work);
    world.sh("git push -q origin agent/a");
    let tree = place.work("a", None).await.unwrap();
    let closed = tree.close(Keep::None, true).await;
    assert_eq!(closed, Closed::Removed { is_branch_deleted: false });
    assert!(!path.exists());
}

async fn a_clone_is_kept_for_what_only_it_has() {
    let world = World::new();
    let place = clones(&world).await;
    let lines = [
        (
            "branch",
            "git checkout -qb mine && git commit -q --allow-empty -m X && git checkout -q -",
        ),
        ("stash", "echo x > file && git stash -q"),
    ];
    for (id, line) in lines {
        let tree = place.work(id, None).await.unwrap();
        sh(&tree.path, line);
        let Closed::Kept { why } = tree.close(Keep::None, true).await else { panic!("{id}") };
        assert_eq!(why, "the clone has commits that the repository has not", "{id}");
    }
}

async fn a_clone_is_pushed_from_the_repository() {
    let world = World::new();
    let remote = world.with_remote();
    let place = world
        .place_with(|options| {
            options.isolation = Isolation::Clone;
            options.remote = Some("origin".into());
        })
        .await;
    let tree = place.work("a", None).await.unwrap();
    change(&tree.path, "file", "two\n");
    tree.push().await.unwrap();
    sh(&tree.path, "git commit -q --amend -m Better");
    tree.push().await.unwrap();
    assert_eq!(branch(&remote, "agent/a"), head(&tree.path));
    drop(tree);
    // An attempt on another machine.
    let (_, elsewhere) = world.other_machine(&remote).await;
    let tree = elsewhere.work("a", None).await.unwrap();
    let newer = change(&tree.path, "file", "three\n");
    tree.push().await.unwrap();
    assert_eq!(place.work("a", None).await.unwrap().start_sha, newer);
}

async fn a_clone_has_the_submodules_of_the_repository() {
    let world = World::new();
    let library = library(&world);
    world.sh(&format!("git submodule --quiet add '{library}' lib"));
    // The address in the tree is one that only the user's settings replace.
    world.sh("git config -f .gitmodules submodule.lib.url ../nowhere && git add .gitmodules");
    commit(&world.repo, "Library");
    let tree = clones(&world).await.work("a", None).await.unwrap();
    assert_eq!(read(&tree.path, "lib/file"), "one\n");
}

async fn trees_of_the_other_kind_are_replaced_only_if_nothing_is_lost() {
    let world = World::new();
    let place = world.place().await;
    for id in ["clean", "dirty"] {
        let tree = place.work(id, None).await.unwrap();
        change(&tree.path, id, "x\n");
        if id == "dirty" {
            write(&tree.path, "new", "");
        }
    }
    let place = clones(&world).await;
    let tree = place.work("dirty", None).await.unwrap();
    assert_eq!((tree.isolation(), tree.has_leftovers), (Isolation::Worktree, true));
    let tree = place.work("clean", None).await.unwrap();
    assert_eq!(tree.isolation(), Isolation::Clone);
    assert_eq!(tree.start_sha, branch(&world.repo, "agent/clean"));
    assert!(tree.path.join("clean").exists());
}
