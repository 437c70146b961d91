use std::{fs, os::unix::fs::PermissionsExt as _, os::unix::fs::symlink};

use octopoid_runner::workspace::Error;

use crate::support::{World, change, commit, library, read, sh, write};

crate::tests![
    the_folder_of_the_run_is_no_part_of_the_work,
    a_folder_of_the_run_that_is_something_else_is_refused,
    ignored_files_that_are_listed_are_copied,
    nothing_is_copied_out_of_the_tree_or_over_a_file,
    submodules_are_checked_out,
    a_submodule_that_cannot_be_fetched_is_an_error_with_its_text,
];

async fn the_folder_of_the_run_is_no_part_of_the_work() {
    let world = World::new();
    write(&world.repo, ".octopoid/settings.toml", "");
    commit(&world.repo, "Settings");
    let tree = world.place().await.work("a", None).await.unwrap();
    fs::write(tree.run_dir().join("outcome"), "done").unwrap();
    assert!(tree.path.join(".octopoid/settings.toml").exists());
    assert_eq!(sh(&tree.path, "git status --porcelain"), "");
    assert!(!tree.evidence(0).await.unwrap().is_dirty);
    // Whatever the agent does to it.
    fs::remove_file(tree.run_dir().join(".gitignore")).unwrap();
    assert!(!tree.evidence(0).await.unwrap().is_dirty);
    sh(&tree.path, "git add -f .octopoid/run/outcome");
    write(&tree.path, "file", "two\n");
    assert!(tree.commit_all("Work").await.unwrap());
    assert_eq!(sh(&tree.path, "git show --format= --name-only"), "file");
    assert!(tree.run_dir().join("outcome").exists());
}

async fn a_folder_of_the_run_that_is_something_else_is_refused() {
    let outside = tempfile::tempdir().unwrap();
    for number in 0..5 {
        let world = World::new();
        let place = world.place().await;
        match number {
            0 => symlink(outside.path(), world.repo.join(".octopoid")).unwrap(),
            1 => write(&world.repo, ".octopoid", ""),
            2 => {
                fs::create_dir(world.repo.join(".octopoid")).unwrap();
                symlink(outside.path(), world.repo.join(".octopoid/run")).unwrap();
            }
            3 => write(&world.repo, ".octopoid/run", ""),
            _ => write(&world.repo, ".octopoid/run/outcome", "done"),
        }
        commit(&world.repo, "In the way");
        let error = place.work("a", None).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Tree(_)), "{text}");
        assert!(text.contains(".octopoid") && text.contains("remove it"), "{text}");
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

async fn ignored_files_that_are_listed_are_copied() {
    let world = World::new();
    write(&world.repo, ".gitignore", ".env*\nbuild/\n*.key\ntool\nlink\n");
    commit(&world.repo, "Ignore");
    write(&world.repo, ".worktreeinclude", "/.env\n*.key\n!not.key\n/tool\n/link\nfile\nnotes\n");
    write(&world.repo, ".env", "A=1\n");
    write(&world.repo, ".env.local", "not listed\n");
    write(&world.repo, "build/schlüssel ä.key", "k\n");
    write(&world.repo, "build/other", "not listed\n");
    write(&world.repo, "not.key", "excepted\n");
    write(&world.repo, "notes", "listed, but not ignored\n");
    write(&world.repo, "tool", "#!/bin/sh\n");
    fs::set_permissions(world.repo.join("tool"), fs::Permissions::from_mode(0o750)).unwrap();
    symlink(".env", world.repo.join("link")).unwrap();
    write(&world.repo, "file", "changed and tracked\n");

    let tree = world.place().await.work("a", None).await.unwrap();
    assert_eq!(read(&tree.path, ".env"), "A=1\n");
    assert_eq!(read(&tree.path, "build/schlüssel ä.key"), "k\n");
    assert_eq!(fs::read_link(tree.path.join("link")).unwrap().to_str(), Some(".env"));
    let mode = fs::metadata(tree.path.join("tool")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o750);
    for absent in [".env.local", "build/other", "not.key", "notes", ".worktreeinclude"] {
        assert!(!tree.path.join(absent).exists(), "{absent}");
    }
    assert_eq!(read(&tree.path, "file"), "one\n");
    assert!(!tree.evidence(0).await.unwrap().is_dirty);
}

async fn nothing_is_copied_out_of_the_tree_or_over_a_file() {
    let world = World::new();
    let outside = world.path("outside");
    fs::create_dir(&outside).unwrap();
    // On the base of the task, what is a folder in the checkout is a link that leads out.
    world.sh("git checkout -qb base");
    symlink(&outside, world.repo.join("conf")).unwrap();
    write(&world.repo, ".env", "tracked\n");
    commit(&world.repo, "Link");
    world.sh("git checkout -q main");
    write(&world.repo, ".gitignore", "conf/\n.env\n.octopoid/\n");
    commit(&world.repo, "Ignore");
    write(&world.repo, ".worktreeinclude", "*\n");
    write(&world.repo, "conf/secret", "s\n");
    write(&world.repo, ".env", "mine\n");
    write(&world.repo, ".octopoid/run/outcome", "done\n");

    let tree = world.place().await.work("a", Some("base")).await.unwrap();
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert_eq!(read(&tree.path, ".env"), "tracked\n");
    assert!(!tree.run_dir().join("outcome").exists());
    drop(tree);
    // What an earlier attempt has made of a copied file stays.
    let tree = world.place().await.work("b", None).await.unwrap();
    write(&tree.path, ".env", "the agent's\n");
    drop(tree);
    let tree = world.place().await.work("b", None).await.unwrap();
    assert_eq!(read(&tree.path, ".env"), "the agent's\n");
}

async fn submodules_are_checked_out() {
    let world = World::new();
    let library = library(&world);
    world.sh(&format!("git submodule --quiet add '{library}' 'lib ü'"));
    commit(&world.repo, "Library");
    let place = world.place().await;
    let tree = place.work("a", None).await.unwrap();
    assert_eq!(read(&tree.path, "lib ü/file"), "one\n");
    let evidence = tree.evidence(0).await.unwrap();
    assert!(!evidence.is_dirty && evidence.commits == 0);
    write(&tree.path, "lib ü/new", "");
    let evidence = tree.evidence(0).await.unwrap();
    assert_eq!(evidence.dirty, ["lib ü"]);
    drop(tree);
    let tree = place.work("a", None).await.unwrap();
    assert!(tree.has_leftovers && tree.path.join("lib ü/new").exists());
}

async fn a_submodule_that_cannot_be_fetched_is_an_error_with_its_text() {
    let world = World::new();
    let library = library(&world);
    world.sh(&format!("git submodule --quiet add '{library}' lib"));
    commit(&world.repo, "Library");
    let place = world.place().await;
    fs::rename(&library, world.path("moved")).unwrap();
    let error = place.work("a", None).await.unwrap_err().to_string();
    assert!(error.contains("git submodule update") && error.contains("lib"), "{error}");
    // The next attempt finishes what this one could not.
    fs::rename(world.path("moved"), &library).unwrap();
    let tree = place.work("a", None).await.unwrap();
    assert_eq!(read(&tree.path, "lib/file"), "one\n");
    change(&tree.path, "file", "two\n");
}
