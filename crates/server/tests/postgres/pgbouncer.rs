//! A pooler in between that gives each transaction another connection.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, chown},
    path::Path,
    process::{Child, Command, Stdio},
};

use octopoid_testbed::{postgres::Scratch, skip};
use tokio::task::JoinSet;

use crate::{
    common::{connect, serve},
    load::{approval, claim_by, new_task, report},
    server::{PATIENCE, eventually},
};

/// Where packages put it; the second is not on everybody's PATH.
const PROGRAMS: [&str; 2] = ["pgbouncer", "/usr/sbin/pgbouncer"];

/// A pooler in front of a cluster; stopped when dropped.
struct Pooler {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Pooler {
    fn start(program: &str, cluster: &Scratch) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = format!(
            "[databases]\npostgres = host=127.0.0.1 port={} user=postgres\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 3\nserver_reset_query_always = 0\n",
            cluster.port()
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, settings).unwrap();
        let mut command = Command::new(program);
        // It does not run as root any more than PostgreSQL does; whoever has the cluster runs it.
        let owner = cluster.data_directory().metadata().unwrap();
        if fs::metadata(&file).unwrap().uid() != owner.uid() {
            use std::os::unix::process::CommandExt as _;
            for path in [folder.path(), &file] {
                chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
            }
            command.uid(owner.uid()).gid(owner.gid());
        }
        let log = fs::File::create(folder.path().join("log")).unwrap();
        command.arg("-q").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().unwrap();
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        Self { child, url, _folder: folder }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Option<&'static str> {
    let is_there = |program: &&str| {
        Path::new(program).is_absolute() && Path::new(program).exists()
            || Command::new(program).arg("--version").output().is_ok()
    };
    PROGRAMS.into_iter().find(is_there)
}

#[tokio::test]
async fn a_lifecycle_passes_through_a_pooler_of_transactions() {
    let Some(program) = program() else {
        return skip("there is no PgBouncer; on Debian: `apt-get install pgbouncer`");
    };
    let Some(cluster) = Scratch::for_tests() else { return };
    let pooler = Pooler::start(program, &cluster);
    let is_up = async || tokio_postgres::connect(&pooler.url, tokio_postgres::NoTls).await.ok();
    drop(eventually("PgBouncer takes connections", PATIENCE, is_up).await);

    let server = serve(&pooler.url, &["--db-prepare", "false", "--db-connections", "8"]).await;
    let mut agents = JoinSet::new();
    for agent in 0..8 {
        let client = server.client();
        agents.spawn(async move {
            for number in 0..10 {
                let (name, id) = (format!("agent-{agent}"), format!("task-{agent}-{number}"));
                client.create_task(&new_task(&id)).await.unwrap();
                let task = client.claim_task(&claim_by(&name)).await.unwrap().unwrap();
                client.submit_task(&task.id, &report()).await.unwrap();
                client.accept_task(&task.id, &approval()).await.unwrap();
            }
        });
    }
    agents.join_all().await;
    let done = server.client().list_tasks(&[("queue", "done")]).await.unwrap();
    assert_eq!(done.total, 80);

    // They did come by way of the pooler, which has fewer connections than the server.
    let database = connect(&cluster.url()).await;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'octopoid-server'";
    let count: i64 = database.query_one(sql, &[]).await.unwrap().get(0);
    assert!((1..=3).contains(&count), "{count} connections");
}
