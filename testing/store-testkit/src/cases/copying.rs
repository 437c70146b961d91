//! What a copy must know of the schema.

use octopoid_store::{
    Sql,
    copy::{Kind, tables},
    engine::{Statement, Value},
};

use crate::{Verdict, World, ensure_eq};

cases! {
    a_copy_knows_every_table_and_every_column,
    a_copy_goes_by_primary_keys,
}

/// Every column that can be written, and what it holds, but for the order of insertion that
/// PostgreSQL goes by until an event has a position. D1 has tables of its own, which nobody may
/// look into. What servers note about the schema and about themselves is not copied.
const COLUMNS: Sql = Sql::Differs {
    sqlite: "SELECT tables.name AS table_name, columns.name, columns.type \
         FROM sqlite_schema AS tables \
         CROSS JOIN pragma_table_info(tables.name) AS columns \
         WHERE tables.type = 'table' AND substr(tables.name, 1, 7) <> 'sqlite_' \
         AND substr(tables.name, 1, 4) <> '_cf_' AND tables.name <> 'd1_migrations' \
         AND tables.name NOT IN ('schema_versions', 'availability', 'idempotency', \
         'webhooks', 'webhook_deliveries', 'webhook_cursor') ORDER BY 1, 2",
    postgres: "SELECT table_name, column_name, \
         CASE data_type WHEN 'bigint' THEN 'INTEGER' ELSE UPPER(data_type) END \
         FROM information_schema.columns WHERE table_schema = current_schema() \
         AND is_generated = 'NEVER' AND (table_name, column_name) <> ('events', 'n') \
         AND table_name NOT IN ('schema_versions', 'availability', 'idempotency', \
         'webhooks', 'webhook_deliveries', 'webhook_cursor') \
         ORDER BY table_name COLLATE \"C\", column_name COLLATE \"C\"",
};

/// The columns of each primary key, in their order. On PostgreSQL the key of events is null at first,
/// so that it cannot be a primary key.
const KEYS: Sql = Sql::Differs {
    sqlite: "SELECT tables.name AS table_name, string_agg(columns.name, ', ' ORDER BY columns.pk) \
         FROM sqlite_schema AS tables CROSS JOIN pragma_table_info(tables.name) AS columns \
         WHERE tables.type = 'table' AND substr(tables.name, 1, 7) <> 'sqlite_' \
         AND substr(tables.name, 1, 4) <> '_cf_' AND tables.name <> 'd1_migrations' \
         AND columns.pk > 0 AND tables.name NOT IN ('schema_versions', 'availability', \
         'idempotency', 'webhooks', 'webhook_deliveries', 'webhook_cursor') \
         GROUP BY tables.name ORDER BY 1",
    postgres: "SELECT keys.table_name, string_agg(keys.column_name, ', ' \
         ORDER BY keys.ordinal_position) FROM information_schema.key_column_usage AS keys \
         JOIN information_schema.table_constraints AS kinds USING (table_schema, constraint_name) \
         WHERE table_schema = current_schema() AND kinds.constraint_type = 'PRIMARY KEY' \
         AND keys.table_name NOT IN ('schema_versions', 'availability', 'idempotency', \
         'webhooks', 'webhook_deliveries', 'webhook_cursor') \
         GROUP BY keys.table_name UNION ALL SELECT 'events', 'position'",
};

async fn finds(world: &World, sql: Sql) -> Result<Vec<Vec<Value>>, crate::Failure> {
    let statement = Statement { sql, parameters: Vec::new() };
    Ok(world.engine.read(vec![statement]).await?.pop().unwrap_or_default())
}

async fn a_copy_knows_every_table_and_every_column(world: &World) -> Verdict {
    let mut known = Vec::new();
    for table in tables() {
        for column in &table.columns {
            let kind = if column.kind == Kind::Int { "INTEGER" } else { "TEXT" };
            known.push([table.name, column.name, kind].map(Value::from).to_vec());
        }
    }
    known.sort_by_key(|row| format!("{row:?}"));
    let mut found = finds(world, COLUMNS).await?;
    found.sort_by_key(|row| format!("{row:?}"));
    ensure_eq!(found, known, "table, column and kind");
    Ok(())
}

async fn a_copy_goes_by_primary_keys(world: &World) -> Verdict {
    let mut known = Vec::new();
    for table in tables() {
        let names: Vec<_> = table.key_columns().iter().map(|column| column.name).collect();
        known.push([table.name, &*names.join(", ")].map(Value::from).to_vec());
    }
    known.sort_by_key(|row| format!("{row:?}"));
    let mut found = finds(world, KEYS).await?;
    found.sort_by_key(|row| format!("{row:?}"));
    ensure_eq!(found, known, "table and key");
    Ok(())
}
