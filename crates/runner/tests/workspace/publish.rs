use octopoid_runner::workspace::{Closed, Error, Keep};

use crate::support::{World, branch, change, commit, head, read, sh, write};

crate::tests![
    all_changes_are_committed,
    a_commit_has_an_author_where_none_is_set,
    a_hook_that_refuses_a_commit_is_heard,
    conflicts_are_not_committed,
    a_branch_is_pushed_and_replaced_after_a_rebase,
    a_push_is_known_in_a_clone_of_one_branch,
    commits_that_this_tree_never_had_are_not_overwritten,
    a_remote_that_refuses_is_heard_without_credentials,
];

async fn all_changes_are_committed() {
    let world = World::new();
    let tree = world.place().await.work("a", None).await.unwrap();
    assert!(!tree.commit_all("Nothing").await.unwrap());
    assert_eq!(head(&tree.path), tree.start_sha);
    write(&tree.path, "neu ü", "x\n");
    sh(&tree.path, "git rm -q file");
    assert!(tree.commit_all("# A title\n\n\"quoted\" 🐙\n").await.unwrap());
    assert_eq!(sh(&tree.path, "git log -1 --format=%B"), "# A title\n\n\"quoted\" 🐙");
    assert_eq!(sh(&tree.path, "git log -1 --format='%an <%ae>'"), "Tester <tester@localhost>");
    let evidence = tree.evidence(0).await.unwrap();
    assert!(!evidence.is_dirty && evidence.files_changed == 2);
}

async fn a_commit_has_an_author_where_none_is_set() {
    let world = World::new();
    world.sh("git config --unset user.name && git config --unset user.email");
    let tree = world.place().await.work("a", None).await.unwrap();
    write(&tree.path, "new", "");
    assert!(tree.commit_all("Work").await.unwrap());
    let author = sh(&tree.path, "git log -1 --format='%an <%ae> %cn <%ce>'");
    let agent = "Octopoid agent <agent@octopoid.invalid>";
    assert_eq!(author, format!("{agent} {agent}"));
}

async fn a_hook_that_refuses_a_commit_is_heard() {
    let world = World::new();
    let hook = "printf '#!/bin/sh\\necho The tests fail.; exit 1\\n' > .git/hooks/pre-commit";
    world.sh(&format!("mkdir -p .git/hooks && {hook} && chmod +x .git/hooks/pre-commit"));
    let tree = world.place().await.work("a", None).await.unwrap();
    write(&tree.path, "new", "");
    let error = tree.commit_all("Work").await.unwrap_err().to_string();
    assert!(error.contains("git commit") && error.contains("The tests fail."), "{error}");
    assert_eq!(head(&tree.path), tree.start_sha);
}

async fn conflicts_are_not_committed() {
    let world = World::new();
    let tree = world.place().await.work("a", None).await.unwrap();
    change(&tree.path, "file", "ours\n");
    change(&world.repo, "file", "theirs\n");
    sh(&tree.path, "! git merge -q main");
    let error = tree.commit_all("Work").await.unwrap_err();
    assert!(matches!(&error, Error::Tree(text) if text.ends_with("in file")), "{error}");
}

async fn a_branch_is_pushed_and_replaced_after_a_rebase() {
    let world = World::new();
    let remote = world.with_remote();
    let place = world.place_with(|options| options.remote = Some("origin".into())).await;
    let tree = place.work("a", None).await.unwrap();
    change(&tree.path, "file", "two\n");
    tree.push().await.unwrap();
    assert_eq!(branch(&remote, "agent/a"), head(&tree.path));
    assert_eq!(sh(&tree.path, "git config --get-regexp ^branch. || true"), "");
    // Rewritten in the same run, and in a later one.
    sh(&tree.path, "git commit -q --amend -m Better");
    tree.push().await.unwrap();
    assert_eq!(branch(&remote, "agent/a"), head(&tree.path));
    drop(tree);
    change(&world.repo, "other", "");
    let tree = place.work("a", None).await.unwrap();
    sh(&tree.path, "git rebase -q main");
    tree.push().await.unwrap();
    assert_eq!(branch(&remote, "agent/a"), head(&tree.path));
}

async fn a_push_is_known_in_a_clone_of_one_branch() {
    let world = World::new();
    world.with_remote();
    world.sh("git config remote.origin.fetch +refs/heads/main:refs/remotes/origin/main");
    let place = world.place_with(|options| options.remote = Some("origin".into())).await;
    let tree = place.work("a", None).await.unwrap();
    change(&tree.path, "file", "two\n");
    tree.push().await.unwrap();
    let closed = tree.close(Keep::None, true).await;
    assert_eq!(closed, Closed::Removed { is_branch_deleted: false });
}

async fn commits_that_this_tree_never_had_are_not_overwritten() {
    let world = World::new();
    let remote = world.with_remote();
    let place = world.place_with(|options| options.remote = Some("origin".into())).await;
    let tree = place.work("a", None).await.unwrap();
    change(&tree.path, "file", "two\n");
    tree.push().await.unwrap();
    let (other, _) = world.other_machine(&remote).await;
    sh(&other, "git checkout -q agent/a");
    let theirs = change(&other, "file", "theirs\n");
    sh(&other, "git push -q origin agent/a");
    // Even if the user has fetched it here.
    for line in ["true", "git fetch -q origin"] {
        world.sh(line);
        sh(&tree.path, "git commit -q --amend -m Better");
        let error = tree.push().await.unwrap_err();
        assert!(matches!(error, Error::Refused(_)), "{error}");
        assert!(error.to_string().contains("they are not overwritten"), "{error}");
        assert_eq!(branch(&remote, "agent/a"), theirs);
    }
}

async fn a_remote_that_refuses_is_heard_without_credentials() {
    let world = World::new();
    let remote = world.with_remote();
    let place = world.place_with(|options| options.remote = Some("origin".into())).await;
    let tree = place.work("a", None).await.unwrap();
    write(&tree.path, "new", "");
    commit(&tree.path, "Work");
    let hook = "printf '#!/bin/sh\\necho Closed for today.; exit 1\\n' > hooks/pre-receive";
    sh(&remote, &format!("mkdir -p hooks && {hook} && chmod +x hooks/pre-receive"));
    let error = tree.push().await.unwrap_err().to_string();
    assert!(error.contains("does not take the branch `agent/a`"), "{error}");
    assert!(error.contains("hook declined") && error.contains("Closed for today."), "{error}");

    world.sh("git remote set-url origin http://me:secret@127.0.0.1:1/x.git");
    let error = tree.push().await.unwrap_err().to_string();
    assert!(error.contains("git push") && error.contains("127.0.0.1:1/x.git"), "{error}");
    assert!(!error.contains("secret"), "{error}");
    assert_eq!(read(&tree.path, "file"), "one\n");
}
