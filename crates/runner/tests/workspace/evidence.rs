use std::fs;

use crate::support::{World, change, commit, head, sh, write};

crate::tests![
    a_tree_without_work_has_no_evidence,
    commits_and_changes_are_counted,
    a_patch_that_is_too_long_is_cut_at_a_line,
    a_patch_that_is_not_utf_8_is_left_out,
    a_binary_file_is_in_the_patch,
    settings_for_differences_do_not_change_the_patch,
    what_came_with_a_newer_base_is_not_the_agents_work,
    commits_on_another_branch_are_put_on_the_trees_branch,
    many_changes_are_named_up_to_a_limit,
];

async fn a_tree_without_work_has_no_evidence() {
    let world = World::new();
    let tree = world.place().await.work("a", None).await.unwrap();
    let evidence = tree.evidence(1000).await.unwrap();
    assert_eq!((&evidence.head_sha, &evidence.base_sha), (&tree.start_sha, &tree.base_sha));
    assert_eq!((evidence.commits, evidence.files_changed), (0, 0));
    assert!(!evidence.is_dirty && evidence.patch.is_none() && !evidence.is_patch_truncated);
    assert_eq!(tree.diff(1000).await.unwrap().text, "");
}

async fn commits_and_changes_are_counted() {
    let world = World::new();
    let place = world.place().await;
    let tree = place.work("a", None).await.unwrap();
    change(&tree.path, "file", "two\nthree\n");
    drop(tree);
    let tree = place.work("a", None).await.unwrap();
    write(&tree.path, "schön \"neu\"\n", "x\n");
    sh(&tree.path, "git mv file moved");
    let head = commit(&tree.path, "Two");
    write(&tree.path, "ä ö", "");
    write(&tree.path, "moved", "four\n");
    let evidence = tree.evidence(10_000).await.unwrap();
    assert_eq!(evidence.head_sha, head);
    // One commit in this run; the difference is that of the whole branch.
    assert_eq!(evidence.commits, 1);
    let counts = (evidence.files_changed, evidence.insertions, evidence.deletions);
    assert_eq!(counts, (3, 3, 1));
    assert_eq!(evidence.dirty, ["moved", "ä ö"]);
    let patch = evidence.patch.unwrap();
    assert!(patch.contains("+three\n") && !evidence.is_patch_truncated);
    assert_eq!(tree.diff(10_000).await.unwrap().text, patch);
}

async fn a_patch_that_is_too_long_is_cut_at_a_line() {
    let world = World::new();
    let tree = world.place().await.work("a", None).await.unwrap();
    change(&tree.path, "file", &"zwölf ö\n".repeat(200_000));
    let evidence = tree.evidence(1001).await.unwrap();
    assert!(evidence.is_patch_truncated);
    assert_eq!(evidence.insertions, 200_000);
    let patch = evidence.patch.unwrap();
    assert!(patch.len() <= 1001 && patch.len() > 900 && patch.ends_with("+zwölf ö\n"));
    let diff = tree.diff(1001).await.unwrap();
    assert!(diff.is_truncated && diff.text.starts_with("diff --git"));
    let evidence = tree.evidence(0).await.unwrap();
    assert!(evidence.patch.is_none() && evidence.is_patch_truncated);
}

async fn a_patch_that_is_not_utf_8_is_left_out() {
    let world = World::new();
    let tree = world.place().await.work("a", None).await.unwrap();
    write(&tree.path, "latin", b"f\xfcr\n");
    commit(&tree.path, "Latin");
    let evidence = tree.evidence(1000).await.unwrap();
    assert!(evidence.patch.is_none() && !evidence.is_patch_truncated);
    assert_eq!(evidence.insertions, 1);
    assert!(tree.diff(1000).await.unwrap().text.contains("+f\u{fffd}r"));
}

async fn a_binary_file_is_in_the_patch() {
    let world = World::new();
    let tree = world.place().await.work("a", None).await.unwrap();
    write(&tree.path, "image", b"\0\x01\xff");
    commit(&tree.path, "Image");
    let patch = tree.evidence(10_000).await.unwrap().patch.unwrap();
    assert!(patch.contains("GIT binary patch"), "{patch}");
}

async fn settings_for_differences_do_not_change_the_patch() {
    let world = World::new();
    let tree = world.place().await.work("a", None).await.unwrap();
    change(&tree.path, "file", "two\n");
    let plain = tree.evidence(10_000).await.unwrap();
    for setting in
        ["diff.noprefix true", "diff.external false", "color.ui always", "diff.renames copies"]
    {
        world.sh(&format!("git config {setting}"));
    }
    assert_eq!(tree.evidence(10_000).await.unwrap(), plain);
}

async fn what_came_with_a_newer_base_is_not_the_agents_work() {
    let world = World::new();
    let tree = world.place().await.work("a", None).await.unwrap();
    change(&tree.path, "file", "two\n");
    let newer = change(&world.repo, "other", "theirs\n");
    for line in ["git merge -q --no-edit main", "git reset -q --hard HEAD~1 && git rebase -q main"]
    {
        sh(&tree.path, line);
        let evidence = tree.evidence(10_000).await.unwrap();
        assert_eq!(evidence.base_sha, newer);
        assert_eq!(evidence.files_changed, 1);
        assert!(!evidence.patch.unwrap().contains("theirs"));
    }
    assert_eq!(tree.evidence(0).await.unwrap().commits, 1);
}

async fn commits_on_another_branch_are_put_on_the_trees_branch() {
    let world = World::new();
    let tree = world.place().await.work("a", None).await.unwrap();
    for line in ["git checkout -qb feature", "git checkout -q --detach"] {
        sh(&tree.path, line);
        let work = change(&tree.path, "file", line);
        assert_eq!(tree.evidence(0).await.unwrap().head_sha, work);
        assert_eq!(world.sh("git rev-parse agent/a"), work);
    }
    // A commit on the tree's branch that the other one has not is not lost.
    let kept = world.sh("git rev-parse agent/a");
    sh(&tree.path, "git checkout -q main~0");
    change(&tree.path, "file", "else\n");
    tree.evidence(0).await.unwrap();
    assert_eq!(world.sh("git rev-parse agent/a"), kept);
    assert_ne!(head(&tree.path), kept);
}

async fn many_changes_are_named_up_to_a_limit() {
    let world = World::new();
    let tree = world.place().await.work("a", None).await.unwrap();
    for number in 0..60 {
        fs::write(tree.path.join(format!("{number}")), "").unwrap();
    }
    assert_eq!(tree.evidence(0).await.unwrap().dirty.len(), 20);
}
