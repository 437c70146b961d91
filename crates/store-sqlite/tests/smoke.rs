//! smoke
use octopoid_domain::{Millis, input::parse_body, task::*, transition::Request};
use octopoid_store::{
    Stamp, Store,
    lists::{Filter, Page},
};
use octopoid_store_sqlite::{Location, Sqlite};
use std::sync::Arc;

fn stamp(n: u64) -> Stamp {
    Stamp::new(n << 20, Millis(1_795_294_738_605 + n as i64))
}

#[tokio::test]
async fn smoke() {
    let dir = tempfile::tempdir().unwrap();
    for loc in [Location::Memory, Location::File(dir.path().join("x.db"))] {
        let store = Store::new(Arc::new(Sqlite::open(&loc).unwrap()));
        println!("{:?}", store.migrate(Millis(0)).await.unwrap());
        let new = |id: &str, extra: &str| {
            parse_body::<NewTask>(
                format!(
                    r#"{{"id":"{id}","file_path":"{id}.md","branch":"main","scope":"s"{extra}}}"#
                )
                .as_bytes(),
            )
            .unwrap()
            .into_task(None, stamp(1).now)
            .unwrap()
        };
        let a = store.create_task(new("a", ""), stamp(1)).await.unwrap();
        println!("{}", serde_json::to_string(&a).unwrap());
        assert_eq!(store.get_task("a", None).await.unwrap(), a);
        let b = store
            .create_task(
                new("b", r#","blocked_by":"a, x","priority":"P0","role":"impl""#),
                stamp(2),
            )
            .await
            .unwrap();
        assert_eq!(b.blocked_by.as_deref(), Some("a,x"));
        store.create_task(new("a", ""), stamp(3)).await.unwrap_err();
        let claim: ClaimRequest =
            parse_body(br#"{"orchestrator_id":"o","agent_name":"ag"}"#).unwrap();
        let c = store.claim_task("s", &claim, stamp(4)).await.unwrap().unwrap();
        assert_eq!(c.id, "a");
        assert!(store.claim_task("s", &claim, stamp(5)).await.unwrap().is_none());
        let s = store
            .change_task(
                "a",
                None,
                &Request::Submit(parse_body(br#"{"commits_count":1,"turns_used":2}"#).unwrap()),
                stamp(6),
            )
            .await
            .unwrap();
        assert_eq!(store.get_task("a", None).await.unwrap(), s);
        let s = store
            .change_task(
                "a",
                None,
                &Request::Accept(parse_body(br#"{"accepted_by":"me"}"#).unwrap()),
                stamp(7),
            )
            .await
            .unwrap();
        assert_eq!(store.get_task("a", None).await.unwrap(), s);
        assert_eq!(store.get_task("b", None).await.unwrap().blocked_by.as_deref(), Some("x"));
        let b = store
            .update_task(
                "b",
                None,
                parse_body(br#"{"blocked_by":null,"title":"new"}"#).unwrap(),
                stamp(8),
            )
            .await
            .unwrap();
        assert_eq!(b.blocked_by, None);
        for f in [
            Filter { scope: "s".into(), ..Filter::default() },
            Filter {
                scope: "s".into(),
                queues: vec!["done".into(), "incoming".into()],
                roles: vec!["impl".into()],
                ..Filter::default()
            },
            Filter { scope: "s".into(), by_priority: true, ..Filter::default() },
            Filter { scope: "s".into(), project_id: Some("x".into()), ..Filter::default() },
        ] {
            let l = store.list_tasks(&f, Page { limit: 50, offset: 0 }).await.unwrap();
            println!("{} {:?}", l.total, l.items.iter().map(|t| &t.id).collect::<Vec<_>>());
        }
        let claim: ClaimRequest =
            parse_body(br#"{"orchestrator_id":"o","agent_name":"ag","role_filter":["impl"]}"#)
                .unwrap();
        assert_eq!(store.claim_task("s", &claim, stamp(9)).await.unwrap().unwrap().id, "b");
        let r = store.release_lapsed(Millis(1_995_294_738_605), 10, stamp(10)).await.unwrap();
        assert_eq!(r.len(), 1);
        store.delete_task("b", None, stamp(11)).await.unwrap();
        for e in store.task_history("b", None, 0, 100).await.unwrap() {
            println!("{e:?}");
        }
        for e in store.task_history("a", None, 0, 100).await.unwrap() {
            println!("{e:?}");
        }
    }
}
