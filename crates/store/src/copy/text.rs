//! Rows as text in SQLite's dialect, for databases that take files of statements. Their own tools
//! migrate them.
//!
//! No statement is longer than 100,000 bytes, which is what the edge database takes: long texts are
//! put in piece by piece.

use super::{Table, counters};
use crate::engine::{Row, Value};

/// Texts up to this length stand in the row's own statement, however many it has.
const INLINE_MAX: usize = 1_000;
/// The most bytes of a piece, as it is before it is quoted.
const PIECE_MAX: usize = 45_000;

/// The statements that insert a row.
pub fn inserting(table: &Table, row: &Row) -> Vec<String> {
    let key = table.key_columns().len();
    let is_long = |at: usize, value: &Value| {
        at >= key && matches!(value, Value::Text(text) if text.len() > INLINE_MAX)
    };
    let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
    let short = row
        .iter()
        .enumerate()
        .map(|(at, value)| if is_long(at, value) { "''".to_owned() } else { literal(value) });
    let values = short.collect::<Vec<_>>().join(", ");
    let mut statements =
        vec![format!("INSERT INTO {} ({}) VALUES ({values});", table.name, names.join(", "))];
    let keys = names.iter().zip(row).take(key);
    let keys: Vec<_> = keys.map(|(name, value)| format!("{name} = {}", literal(value))).collect();
    for (at, value) in row.iter().enumerate() {
        let Value::Text(text) = value else { continue };
        if !is_long(at, value) {
            continue;
        }
        let (table, name, keys) = (table.name, names[at], keys.join(" AND "));
        let pieces = pieces(text).map(quoted);
        statements.extend(
            pieces.map(|piece| {
                format!("UPDATE {table} SET {name} = {name} || {piece} WHERE {keys};")
            }),
        );
    }
    statements
}

/// The statement before all others, which marks the database as unfinished.
pub fn beginning() -> String {
    let [begin, _] = crate::migrate::filling_texts();
    begin
}

/// The statement after all others, which takes the mark away.
pub fn finishing() -> String {
    let [_, finish] = crate::migrate::filling_texts();
    finish
}

/// The statements that let the tables go on counting after these numbers.
pub fn counting(numbers: &[(&str, i64)]) -> Vec<String> {
    counters::sqlite_texts(numbers)
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Text(text) => quoted(text),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, more) = rest.split_at(rest.floor_char_boundary(PIECE_MAX));
        rest = more;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::inserting;
    use crate::{
        copy::table,
        engine::{Row, Value},
    };

    fn role(description: String) -> Row {
        let text = |text: &str| Value::from(text);
        let description = Value::Text(description);
        let (one, mark) = (Value::Int(1), Value::Int(0));
        vec![text("it's"), text("s"), description, text("incoming"), text("o"), one, mark]
    }

    #[test]
    fn texts_are_quoted() {
        let statements = inserting(table("roles").unwrap(), &role("a 'b'\nc".to_owned()));
        let columns =
            "name, scope, description, claims_from, orchestrator_id, created_at, write_id";
        let values = "'it''s', 's', 'a ''b''\nc', 'incoming', 'o', 1, 0";
        assert_eq!(statements, [format!("INSERT INTO roles ({columns}) VALUES ({values});")]);
    }

    #[test]
    fn no_statement_is_longer_than_the_edge_takes() {
        let long = "'ü".repeat(100_000);
        let statements = inserting(table("roles").unwrap(), &role(long.clone()));
        assert!(statements.len() > 5);
        assert!(statements.iter().all(|statement| statement.len() < 100_000));
        let pieces: String = statements[1..]
            .iter()
            .map(|statement| {
                let rest = statement
                    .strip_prefix("UPDATE roles SET description = description || '")
                    .unwrap();
                let piece = rest.strip_suffix("' WHERE name = 'it''s' AND scope = 's';").unwrap();
                piece.replace("''", "'")
            })
            .collect();
        assert_eq!(pieces, long);
    }
}
