//! The queue `cancelled`, and the columns of tasks that the first server did not have.

use octopoid_store::engine::Value;

use super::{
    fixtures::{dump, task},
    import,
};

#[test]
fn a_queue_named_cancelled_is_renamed_wherever_it_is_named() {
    let rows = [
        task("t", ",scope,claimed_by", ",'s','a'").replace("'incoming'", "'cancelled'"),
        task("u", ",scope", ",'s'"),
        "INSERT INTO flows (name,scope,states,transitions,registered_at,updated_at) VALUES('f','s',\
         '[\"incoming\",\"cancelled\"]','[{\"from\":\"claimed\",\"to\":\"cancelled\"}]',\
         '2026-01-01 00:00:00','2026-01-01 00:00:00'),('g','s','[ \"incoming\" ]','[ ]',\
         '2026-01-01 00:00:00','2026-01-01 00:00:00'),('h','s','[\"cancelled\"','[]',\
         '2026-01-01 00:00:00','2026-01-01 00:00:00');\n"
            .to_owned(),
        "INSERT INTO orchestrators (id,cluster,machine_id,scope) VALUES('o','c','m','s');\n".into(),
        "INSERT INTO roles (name,claims_from,orchestrator_id) \
         VALUES('r','cancelled','o'),('s','provisional','o');\n"
            .into(),
    ];
    let imported = import(&dump(20, &rows.concat()));
    let texts = |table, column| imported.column(table, column);
    assert_eq!(texts("tasks", "queue"), ["cancelled_before".into(), "incoming".into()]);
    assert_eq!(texts("tasks", "claimed_in"), [Value::Null, Value::Null]);
    assert_eq!(texts("finished_counts", "tasks"), [], "it is not finished");
    let states = [r#"["incoming","cancelled_before"]"#, r#"[ "incoming" ]"#, r#"["cancelled""#];
    assert_eq!(texts("flows", "states"), states.map(Value::from));
    let steps = [r#"[{"from":"claimed","to":"cancelled_before"}]"#, "[ ]", "[]"];
    assert_eq!(texts("flows", "transitions"), steps.map(Value::from));
    assert_eq!(texts("roles", "claims_from"), ["cancelled_before".into(), "provisional".into()]);
    let what = "renamed \"cancelled\" to \"cancelled_before\", because tasks in \"cancelled\" are \
         finished on this server";
    for row in ["tasks t: queue", "flows f: states", "flows f: transitions", "roles r: claims_from"]
    {
        imported.reports(&format!("{row}: {what}"));
    }
    let told = imported.report.iter().filter(|line| line.contains("renamed")).count();
    assert_eq!(told, 4, "{:#?}", imported.report);
}

#[test]
fn tasks_begin_without_runs_and_machines_without_what_heartbeats_say() {
    let rows = task("t", ",scope,attempt_count,turns_used", ",'s',3,9")
        + "INSERT INTO orchestrators (id,cluster,machine_id,scope) VALUES('o','c','m','s');\n";
    let imported = import(&dump(20, &rows));
    for count in ["run", "attempt", "failure_count", "lapse_count", "setback_count"] {
        assert_eq!(imported.column("tasks", count), [0.into()], "{count}");
    }
    assert_eq!(imported.column("tasks", "attempt_count"), [3.into()]);
    let of_runs = ["lease_run", "accepted_attempt", "max_attempts", "usage"];
    for column in of_runs.into_iter().chain(["not_before", "cancel_requested_at"]) {
        assert_eq!(imported.column("tasks", column), [Value::Null], "{column}");
    }
    for column in ["slots", "busy", "roles", "queues", "pools"] {
        assert_eq!(imported.column("orchestrators", column), [Value::Null], "{column}");
    }
    for table in ["runs", "run_outputs", "run_logs", "hourly_counts", "pauses"] {
        assert!(imported.rows.iter().all(|(name, _)| *name != table), "{table}");
    }
}
