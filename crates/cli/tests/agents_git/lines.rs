//! What a new user types: `octopoid up`, `add`, `status`, `task accept` and `task reject`.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{machine::Machine, program::World, up::Up};

/// An agent that keeps its prompt at home, and commits a file named like the task.
const AGENT: &str = "mkdir -p ~/prompts
cat > ~/prompts/$OCTOPOID_TASK_ID.$OCTOPOID_ATTEMPT
echo \"$OCTOPOID_TASK_TITLE\" >> $OCTOPOID_TASK_ID.txt
git add .
git commit -q -m \"$OCTOPOID_TASK_TITLE\"";

#[test]
fn the_first_lines_of_a_new_user_work() {
    let world = World::alone();
    let machine = Machine::new(&world);
    let mut up = Up::start(&machine, "--agents 3", AGENT);
    let titles = ["Fix the flaky login test", "Port the parser", "Write the notes"];
    let ids = titles.map(|title| machine.ok(&format!("add -q '{title}'")).trim().to_owned());
    for id in &ids {
        up.notice("submitted", id);
        assert_eq!(up.queue(id), "provisional");
    }
    let status = machine.ok("status");
    for (id, title) in ids.iter().zip(titles) {
        assert!(status.contains(id) && status.contains(title), "{status}");
    }
    let rejected = machine.ok(&format!("task reject {} --reason 'Twice, please'", ids[0]));
    assert!(rejected.contains("incoming"), "{rejected}");
    up.notice("submitted", &ids[0]);
    let prompt = fs::read_to_string(machine.home.join(format!("prompts/{}.2", ids[0]))).unwrap();
    assert!(prompt.contains("rejected the work: Twice, please"), "{prompt}");
    assert!(prompt.contains(titles[0]) && prompt.contains("agent/"), "{prompt}");
    for id in &ids {
        let accepted = machine.ok(&format!("task accept {id}"));
        assert!(accepted.contains("approved"), "{accepted}");
        up.notice("merged", id);
        assert_eq!(up.queue(id), "done");
    }
    assert_eq!(machine.read(&format!("{}.txt", ids[0])), format!("{0}\n{0}\n", titles[0]));
    assert_eq!(machine.read(&format!("{}.txt", ids[2])), format!("{}\n", titles[2]));
    assert_eq!(machine.git("status --porcelain"), "");
    let log = machine.git("log --format=%s --reverse main");
    let [first, second, third] = titles;
    assert_eq!(log, format!("README.md\n{first}\n{first}\n{second}\n{third}"));
    up.stop();
}

#[test]
fn the_demo_ends_by_itself_with_everything_done() {
    let world = World::alone();
    let machine = Machine::new(&world);
    let temporary = machine.home.join("tmp");
    fs::create_dir(&temporary).unwrap();
    let mut command = machine.command("up --demo");
    let ended = crate::program::finish(command.env("TMPDIR", &temporary));
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    for expected in [
        "person answers port: use 9090",
        "person rejects greeting: ",
        "failed     licence  ",
        "every task is done; the branch main has their commits:",
        "Greet the reader by name",
        "Write the release notes",
    ] {
        assert!(ended.stdout.contains(expected), "{expected}: {}", ended.stdout);
    }
    assert_eq!(ended.stdout.matches("  merged ").count(), 4, "{}", ended.stdout);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "nothing is left");
    assert!(!machine.home.join(".local").exists(), "nothing is kept");
}

#[test]
fn the_demo_leaves_the_decisions_to_the_user_by_hand() {
    let world = World::alone();
    let machine = Machine::new(&world);
    let mut command = machine.command("up --demo --by-hand");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut lines = output.lines().map(Result::unwrap);
    let link = lines.find(|line| line.starts_with("demo · ")).unwrap();
    assert!(link.contains("/?scope=sample#k="), "{link}");
    lines.find(|line| line.contains("submitted  greeting")).unwrap();
    // No simulated person decides: the task stays in review until the demo is stopped.
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let rest: Vec<_> = lines.collect();
    assert!(rest.iter().all(|line| !line.contains("person ")), "{rest:?}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn tasks_from_files_and_drafts_are_merged_too() {
    let world = World::alone();
    let machine = Machine::new(&world);
    let mut up = Up::start(&machine, "", AGENT);
    fs::write(machine.home.join("plan.md"), "* First\n* Second\n").unwrap();
    let plan = machine.home.join("plan.md");
    let added = machine.ok(&format!("add -q --in-order -f {}", plan.display()));
    let mut ids: Vec<_> = added.lines().map(str::to_owned).collect();
    let draft = machine.ok("draft create -q Third");
    ids.push(machine.ok(&format!("draft promote -q {}", draft.trim())).trim().to_owned());
    assert_eq!(ids.len(), 3);
    for id in &ids {
        assert_eq!(up.flow(id).as_deref(), Some("octopoid"), "{id}");
        up.notice("submitted", id);
        machine.ok(&format!("task accept {id}"));
        up.notice("merged", id);
    }
    assert_eq!(machine.git("log --format=%s -n 3 main"), "Third\nSecond\nFirst");
    up.stop();
}

#[test]
fn accepted_work_goes_where_its_flow_leads() {
    let world = World::alone();
    let machine = Machine::new(&world);
    let mut up = Up::start(&machine, "", AGENT);
    let id = machine.ok("add -q Work").trim().to_owned();
    up.notice("submitted", &id);
    let refused = machine.run(&format!("task accept {id} --queue done"));
    assert_eq!(refused.code, Some(4), "{}{}", refused.stdout, refused.stderr);
    assert_eq!(up.queue(&id), "provisional");
    machine.ok(&format!("task accept {id} --queue approved"));
    up.notice("merged", &id);
    // A flow without a merge: accepting ends it.
    let other = machine.ok("add -q --flow default Other").trim().to_owned();
    up.notice("submitted", &other);
    let accepted = machine.ok(&format!("task accept {other}"));
    assert!(accepted.contains("done"), "{accepted}");
    assert_eq!(machine.git("log --format=%s main"), "Work\nREADME.md");
    up.stop();
}

#[test]
fn a_second_repository_has_agents_on_the_same_server() {
    let world = World::alone();
    let first = Machine::new(&world);
    let second = first.beside("second");
    let mut one = Up::start(&first, "", AGENT);
    let mut other = Up::start(&second, "", AGENT);
    for (machine, up) in [(&first, &mut one), (&second, &mut other)] {
        let id = machine.ok("add -q Work").trim().to_owned();
        up.notice("submitted", &id);
        machine.ok(&format!("task accept {id}"));
        up.notice("merged", &id);
        assert_eq!(machine.git("log --format=%s main"), "Work\nREADME.md");
    }
    other.stop();
    one.stop();
}
