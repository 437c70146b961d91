use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use octopoid_runner::workspace::{Error, Keep, Place, Submitted};

use crate::support::{World, branch, change, head, sh};

crate::tests![
    a_task_has_a_tree_on_a_branch_of_its_own,
    the_base_is_the_options_or_the_tasks_or_the_checked_out_branch,
    a_base_that_only_the_remote_has_is_fetched,
    a_name_from_the_server_is_never_an_expression,
    odd_ids_have_trees_of_their_own_inside_of_the_folder,
    git_takes_every_slug_as_a_branch,
    a_folder_without_a_repository_or_commit_is_refused,
    options_that_cannot_work_are_refused,
    what_is_in_the_way_is_set_aside,
    a_branch_that_the_user_has_checked_out_is_left_alone,
    slots_that_start_at_once_each_get_a_tree,
    trees_inside_of_the_repository_are_not_its_files,
    a_runtime_may_move_every_operation_between_threads,
];

async fn a_task_has_a_tree_on_a_branch_of_its_own() {
    let world = World::new();
    // A folder below the top will do.
    fs::create_dir(world.repo.join("sub")).unwrap();
    let place = Place::open(&world.repo.join("sub"), world.options()).await.unwrap();
    let tree = place.work("4f1c2a9b", None).await.unwrap();
    assert_eq!(tree.path, world.root.join("4f1c2a9b"));
    assert_eq!(tree.branch.as_deref(), Some("agent/4f1c2a9b"));
    assert_eq!(tree.base, "main");
    assert_eq!((&tree.base_sha, &tree.start_sha), (&head(&world.repo), &head(&world.repo)));
    assert!(!tree.has_leftovers);
    assert_eq!(sh(&tree.path, "git branch --show-current"), "agent/4f1c2a9b");
    assert_eq!(sh(&tree.path, "git config --get-regexp ^branch. || true"), "");
    assert_eq!(world.sh("git branch --show-current"), "main");
}

async fn the_base_is_the_options_or_the_tasks_or_the_checked_out_branch() {
    let world = World::new();
    let start = head(&world.repo);
    world.sh("git checkout -qb next");
    let next = change(&world.repo, "file", "next\n");
    world.sh("git tag v1 && git checkout -q -b current main");
    let place = world.place().await;
    let tree = place.work("a", Some("next")).await.unwrap();
    assert_eq!((tree.base.as_str(), &tree.base_sha), ("next", &next));
    let tree = place.work("b", Some("absent")).await.unwrap();
    assert_eq!((tree.base.as_str(), &tree.base_sha), ("current", &start));

    let place = world.place_with(|options| options.base = Some("next".into())).await;
    let tree = place.work("c", Some("main")).await.unwrap();
    assert_eq!((tree.base.as_str(), &tree.base_sha), ("next", &next));
    let place = world.place_with(|options| options.base = Some("v1".into())).await;
    let tree = place.work("d", None).await.unwrap();
    assert_eq!((tree.base.as_str(), &tree.base_sha), ("v1", &next));
    for absent in ["absent", "--all"] {
        let mut options = world.options();
        options.base = Some(absent.into());
        let error = Place::open(&world.repo, options).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("the base `{absent}` is neither")), "{error}");
    }

    world.sh("git checkout -q --detach");
    let tree = world.place().await.work("f", None).await.unwrap();
    assert_eq!((tree.base.as_str(), &tree.base_sha), ("HEAD", &start));
}

async fn a_base_that_only_the_remote_has_is_fetched() {
    let world = World::new();
    let remote = world.with_remote();
    let (other, _) = world.other_machine(&remote).await;
    let next = {
        sh(&other, "git checkout -qb next");
        change(&other, "file", "next\n")
    };
    sh(&other, "git push -q origin next");
    let newer = {
        sh(&other, "git checkout -q main");
        change(&other, "file", "newer\n")
    };
    sh(&other, "git push -q origin main");

    let place = world.place_with(|options| options.remote = Some("origin".into())).await;
    let tree = place.work("a", Some("next")).await.unwrap();
    assert_eq!((tree.base.as_str(), &tree.base_sha), ("next", &next));
    // The remote's `main` is ahead of the local one, which stays.
    let tree = place.work("b", Some("main")).await.unwrap();
    assert_eq!((tree.base.as_str(), &tree.base_sha), ("main", &newer));
    assert_ne!(head(&world.repo), newer);
    let named = world.place_with(|options| options.base = Some("origin/next".into())).await;
    let tree = named.work("c", None).await.unwrap();
    assert_eq!((tree.base.as_str(), &tree.base_sha), ("next", &next));

    fs::remove_dir_all(remote).unwrap();
    let tree = place.work("d", Some("main")).await.unwrap();
    assert_eq!(tree.base_sha, newer);
}

async fn a_name_from_the_server_is_never_an_expression() {
    let world = World::new();
    world.with_remote();
    change(&world.repo, "file", "two\n");
    let place = world.place_with(|options| options.remote = Some("origin".into())).await;
    let names =
        ["main~1", "HEAD^", "--all", "-x", "main:file", "@{-1}", "ma*", "a b", "", "\0", "x\ny"];
    for (number, name) in names.into_iter().enumerate() {
        let tree = place.work(&format!("t{number}"), Some(name)).await.unwrap();
        assert_eq!((tree.base.as_str(), &tree.base_sha), ("main", &head(&world.repo)), "{name:?}");
    }
}

async fn odd_ids_have_trees_of_their_own_inside_of_the_folder() {
    let world = World::new();
    let place = world.place().await;
    let long = "x".repeat(300);
    let ids =
        ["a b", "a-b", "../x", "/etc", "say \"hi\"\n🐙", &long, "", " ", ".git", "a.lock", "-f"];
    let mut trees = Vec::new();
    for id in ids {
        let tree = place.work(id, None).await.unwrap();
        assert_eq!(tree.path.canonicalize().unwrap().parent(), Some(place.root()), "{id:?}");
        trees.push(tree);
    }
    trees.sort_by(|a, b| a.path.cmp(&b.path));
    trees.dedup_by(|a, b| a.path == b.path || a.branch == b.branch);
    assert_eq!(trees.len(), ids.len());
}

async fn git_takes_every_slug_as_a_branch() {
    let world = World::new();
    for id in ["a", "a.lock", "a..b", "@{", "-", "A/B", "\u{1f419}", "x~^:?*[\\", "\u{7f}"] {
        let name = format!("agent/{}", Place::slug(id));
        assert_eq!(world.sh(&format!("git check-ref-format --branch '{name}'")), name);
    }
}

async fn a_folder_without_a_repository_or_commit_is_refused() {
    let world = World::new();
    let folder = world.path("folder");
    fs::create_dir(&folder).unwrap();
    let opened =
        async |path: &Path| Place::open(path, world.options()).await.unwrap_err().to_string();
    let error = opened(&folder).await;
    assert!(error.contains("is not in the work tree of a git repository"), "{error}");
    sh(&folder, "git init -q .");
    let error = opened(&folder).await;
    assert!(error.contains("has no commit yet") && error.contains("--allow-empty"), "{error}");
    sh(&folder, "git init -q --bare bare");
    let error = opened(&folder.join("bare")).await;
    assert!(error.contains("must be run in a work tree"), "{error}");
    let error = opened(&world.path("absent")).await;
    assert!(error.contains("does not exist"), "{error}");
}

async fn options_that_cannot_work_are_refused() {
    let world = World::new();
    for prefix in ["", "a b/", "/", "..", "a//"] {
        let mut options = world.options();
        options.branch_prefix = prefix.to_owned();
        let error = Place::open(&world.repo, options).await.unwrap_err();
        assert!(matches!(error, Error::Repository(_)), "{prefix}: {error}");
    }
    let mut options = world.options();
    options.remote = Some("origin".to_owned());
    let error = Place::open(&world.repo, options).await.unwrap_err().to_string();
    assert!(error.ends_with("has no remote `origin`; it has none"), "{error}");
    let mut options = world.options();
    options.root = world.repo.join("file");
    let error = Place::open(&world.repo, options).await.unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}

async fn what_is_in_the_way_is_set_aside() {
    let world = World::new();
    let place = world.place().await;
    fs::create_dir(world.root.join("a")).unwrap();
    fs::write(world.root.join("a/notes"), "mine").unwrap();
    let outside = world.path("outside");
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, world.root.join("b")).unwrap();
    fs::create_dir(world.root.join("c")).unwrap();
    for id in ["a", "b", "c"] {
        place.work(id, None).await.unwrap();
    }
    assert_eq!(fs::read_to_string(world.root.join("a.aside-1/notes")).unwrap(), "mine");
    assert!(world.root.join("b.aside-1").is_symlink() && !world.root.join("b").is_symlink());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(!world.root.join("c.aside-1").exists());

    // A tree whose repository has forgotten it, and one that the user has deleted.
    drop(place.work("d", None).await.unwrap());
    let d = world.root.join("d");
    change(&d, "new", "work\n");
    fs::write(d.join("draft"), "").unwrap();
    fs::write(d.join(".git"), "gitdir: /nowhere\n").unwrap();
    let tree = place.work("d", None).await.unwrap();
    assert_eq!(fs::read_to_string(tree.path.join("new")).unwrap(), "work\n");
    assert!(world.root.join("d.aside-1/draft").exists());
    drop(tree);
    fs::remove_dir_all(&d).unwrap();
    world.sh("git worktree list --porcelain | grep -q prunable");
    assert!(place.work("d", None).await.unwrap().path.join("new").exists());
}

async fn a_branch_that_the_user_has_checked_out_is_left_alone() {
    let world = World::new();
    world.sh("git checkout -qb agent/a");
    let place = world.place().await;
    let tree = place.work("a", Some("main")).await.unwrap();
    assert_eq!(tree.branch.as_deref(), Some("agent/a.2"));
    change(&tree.path, "file", "two\n");
    assert_ne!(branch(&world.repo, "agent/a.2"), branch(&world.repo, "agent/a"));
    drop(tree);
    // Taken up with the same branch, though the first is free by now.
    world.sh("git checkout -q main");
    let tree = place.work("a", Some("main")).await.unwrap();
    assert_eq!(tree.branch.as_deref(), Some("agent/a.2"));
}

async fn slots_that_start_at_once_each_get_a_tree() {
    let world = World::new();
    let (first, second) = (world.place().await, world.place().await);
    let works = (0..16).map(|number| {
        let place = if number % 2 == 0 { first.clone() } else { second.clone() };
        tokio::spawn(async move { place.work(&format!("t{number}"), None).await })
    });
    let works: Vec<_> = works.collect();
    for work in works {
        let tree = work.await.unwrap().unwrap();
        assert_eq!(head(&tree.path), head(&world.repo));
    }
}

async fn trees_inside_of_the_repository_are_not_its_files() {
    let world = World::new();
    let place = world.place_with(|options| options.root = world.repo.join(".trees")).await;
    let tree = place.work("a", None).await.unwrap();
    change(&tree.path, "file", "two\n");
    assert_eq!(world.sh("git status --porcelain"), "");
}

async fn a_runtime_may_move_every_operation_between_threads() {
    fn may_move<F: Future + Send>(future: F) -> F {
        future
    }
    let world = World::new();
    let place = may_move(Place::open(&world.repo, world.options())).await.unwrap();
    let tree = may_move(place.work("a", None)).await.unwrap();
    change(&tree.path, "file", "two\n");
    may_move(tree.evidence(0)).await.unwrap();
    may_move(tree.diff(0)).await.unwrap();
    may_move(tree.commit_all("Work")).await.unwrap();
    may_move(tree.push()).await.unwrap_err();
    let work = Submitted { branch: tree.branch.clone(), ..Submitted::default() };
    let review = may_move(place.review("a", None, &work)).await.unwrap();
    may_move(review.close(Keep::None, true)).await;
    let mut merge = may_move(place.merge("a", None, &work)).await.unwrap();
    may_move(merge.rebase()).await.unwrap();
    may_move(merge.advance(&head(&tree.path))).await.unwrap();
    may_move(place.gc(SystemTime::UNIX_EPOCH, Duration::ZERO, true)).await.unwrap();
}
