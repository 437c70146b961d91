use octopoid_runner::workspace::{Error, Submitted};

use crate::support::{World, branch, change, commit, head, read, sh, submitted, write};

crate::tests![
    a_review_is_at_the_commit_that_was_handed_in,
    work_is_fetched_from_the_remote,
    work_without_a_remote_is_applied_as_a_patch,
    a_mailbox_is_applied_as_its_commits,
    work_that_cannot_be_found_says_what_was_tried,
    what_was_handed_in_is_never_an_option_or_a_path,
];

async fn a_review_is_at_the_commit_that_was_handed_in() {
    let world = World::new();
    let place = world.place().await;
    let tree = place.work("a", None).await.unwrap();
    change(&tree.path, "file", "two\n");
    let work = submitted(&tree, tree.evidence(1000).await.unwrap());
    // Later commits are not part of it.
    change(&tree.path, "file", "three\n");
    change(&world.repo, "other", "");
    let review = place.review("a", None, &work).await.unwrap();
    assert_eq!(Some(&review.start_sha), work.head_sha.as_ref());
    assert_eq!((review.branch.as_deref(), review.base.as_str()), (None, "main"));
    assert_eq!(read(&review.path, "file"), "two\n");
    assert_eq!(Some(review.diff(10_000).await.unwrap().text), work.patch);
    assert!(review.run_dir().is_dir());
    let again = place.review("a", None, &work).await.unwrap_err();
    assert!(matches!(again, Error::InUse(_)), "{again}");
    // What a reviewer leaves is not the next one's.
    write(&review.path, "file", "scribbled\n");
    drop(review);
    let review = place.review("a", None, &work).await.unwrap();
    assert_eq!(read(&review.path, "file"), "two\n");
    // By its branch, where the commit was not handed in.
    let work = Submitted { branch: tree.branch.clone(), ..Submitted::default() };
    drop(review);
    let review = place.review("a", None, &work).await.unwrap();
    assert_eq!(read(&review.path, "file"), "three\n");
}

async fn work_is_fetched_from_the_remote() {
    let world = World::new();
    let remote = world.with_remote();
    let (other, elsewhere) = world.other_machine(&remote).await;
    let place = world.place_with(|options| options.remote = Some("origin".into())).await;
    let tree = place.work("a", None).await.unwrap();
    let first = change(&tree.path, "file", "two\n");
    tree.push().await.unwrap();
    let mut work = submitted(&tree, tree.evidence(0).await.unwrap());
    let review = elsewhere.review("a", None, &work).await.unwrap();
    assert_eq!(review.start_sha, first);
    drop(review);
    // A commit that is not the branch's last, nor on a branch that was named.
    let second = change(&tree.path, "file", "three\n");
    change(&tree.path, "file", "four\n");
    tree.push().await.unwrap();
    work.head_sha = Some(second.clone());
    work.branch = None;
    sh(&remote, "git config uploadpack.allowAnySHA1InWant true");
    let review = elsewhere.review("b", None, &work).await.unwrap();
    assert_eq!(review.start_sha, second);
    assert_eq!(branch(&other, "agent/a"), "");
}

async fn work_without_a_remote_is_applied_as_a_patch() {
    let world = World::new();
    let remote = world.with_remote();
    let (_, elsewhere) = world.other_machine(&remote).await;
    let tree = world.place().await.work("a", None).await.unwrap();
    write(&tree.path, "ordner ü/größe", "x\r\n y \n");
    write(&tree.path, "image", b"\0\xff");
    sh(&tree.path, "git mv file moved && chmod +x moved");
    commit(&tree.path, "Work");
    let work = submitted(&tree, tree.evidence(10_000).await.unwrap());
    let review = elsewhere.review("a", None, &work).await.unwrap();
    let tree_of = "git rev-parse HEAD^{tree}";
    assert_eq!(sh(&review.path, tree_of), sh(&tree.path, tree_of));
    assert_eq!(Some(&review.base_sha), work.base_sha.as_ref());
    assert_eq!(sh(&review.path, "git log -1 --format=%s"), "Work on task a");
    drop(review);

    let bad =
        Submitted { patch: work.patch.clone().map(|p| p.replace("file", "f")), ..work.clone() };
    let error = elsewhere.review("a", None, &bad).await.unwrap_err();
    assert!(matches!(&error, Error::NoWork(text) if text.contains("does not apply")), "{error}");
}

async fn a_mailbox_is_applied_as_its_commits() {
    let world = World::new();
    let place = world.place().await;
    let base = head(&world.repo);
    change(&world.repo, "file", "two\n");
    change(&world.repo, "file", "three\n");
    let patch = world.sh("git format-patch --stdout HEAD~2") + "\n";
    world.sh("git reset -q --hard HEAD~2");
    let (base_sha, patch) = (Some(base), Some(patch));
    let work = Submitted { base_sha, patch, ..Submitted::default() };
    let review = place.review("a", None, &work).await.unwrap();
    assert_eq!(read(&review.path, "file"), "three\n");
    assert_eq!(sh(&review.path, "git rev-list --count main..HEAD"), "2");
}

async fn work_that_cannot_be_found_says_what_was_tried() {
    let world = World::new();
    let place = world.place().await;
    let error = async |work| {
        let error = place.review("a", None, &work).await.unwrap_err();
        assert!(matches!(error, Error::NoWork(_)), "{error}");
        error.to_string()
    };
    let text = error(Submitted::default()).await;
    assert!(text.contains("neither a commit nor a branch") && text.contains("no patch"), "{text}");
    let absent = "1".repeat(40);
    let cut = Submitted {
        head_sha: Some(absent.clone()),
        base_sha: Some(head(&world.repo)),
        patch: Some("diff".to_owned()),
        is_patch_truncated: true,
        ..Submitted::default()
    };
    let text = error(cut.clone()).await;
    assert!(text.contains(&absent) && text.contains("not complete"), "{text}");
    assert!(text.contains("--push"), "{text}");
    let based = Submitted { base_sha: Some(absent.clone()), is_patch_truncated: false, ..cut };
    let text = error(based).await;
    assert!(text.contains("which the patch applies to"), "{text}");
}

async fn what_was_handed_in_is_never_an_option_or_a_path() {
    let world = World::new();
    world.with_remote();
    let place = world.place_with(|options| options.remote = Some("origin".into())).await;
    let tried = world.path("tried");
    for text in [format!("--upload-pack=touch {}", tried.display()), "HEAD".into(), "main:x".into()]
    {
        let work = Submitted {
            branch: Some(text.clone()),
            base_sha: Some(text.clone()),
            head_sha: Some(text),
            patch: Some("x".to_owned()),
            ..Submitted::default()
        };
        let error = place.review("a", None, &work).await.unwrap_err();
        assert!(matches!(error, Error::NoWork(_)), "{error}");
    }
    assert!(!tried.exists());
    let base = Some(head(&world.repo));
    for name in ["../escaped", ".git/hooks/post-checkout"] {
        let patch = format!(
            "diff --git a/{name} b/{name}\nnew file mode 100755\n--- /dev/null\n+++ b/{name}\n\
             @@ -0,0 +1 @@\n+x\n"
        );
        let work = Submitted { base_sha: base.clone(), patch: Some(patch), ..Submitted::default() };
        let error = place.review("a", None, &work).await.unwrap_err();
        assert!(matches!(error, Error::NoWork(_)), "{error}");
        assert!(!world.root.join("escaped").exists());
    }
}
