//! Decodes rows.

use std::fmt;

use octopoid_store::engine::{Row, Value};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};

/// A row. D1 returns an object for each row, whose keys are the column names in the order of the
/// statement. JavaScript keeps that order if no name is a number, and keeps all columns if their
/// names are unique. The store's statements ensure both.
#[derive(Debug)]
pub(crate) struct Cells(Row);

impl From<Cells> for Row {
    fn from(cells: Cells) -> Self {
        cells.0
    }
}

impl<'de> Deserialize<'de> for Cells {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Cells;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut columns: A) -> Result<Cells, A::Error> {
        let mut row = Row::with_capacity(columns.size_hint().unwrap_or_default());
        while let Some((IgnoredAny, Cell(value))) = columns.next_entry()? {
            row.push(value);
        }
        Ok(Cells(row))
    }
}

/// A value of a row.
struct Cell(Value);

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl Visitor<'_> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("null, an integer below 2^53 or text")
    }

    fn visit_unit<E: Error>(self) -> Result<Cell, E> {
        Ok(Cell(Value::Null))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Cell, E> {
        Ok(Cell(Value::Int(number)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Cell, E> {
        i64::try_from(number).map(|number| Cell(Value::Int(number))).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell(Value::Text(text.to_owned())))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Cell, E> {
        Ok(Cell(Value::Text(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(row: &str) -> Result<Row, String> {
        serde_json::from_str::<Cells>(row).map(Row::from).map_err(|error| error.to_string())
    }

    #[test]
    fn a_row_keeps_the_order_of_its_columns() {
        let row = read(r#"{"z":"text","a":null,"m":-7,"COUNT(*)":9007199254740991}"#);
        let expected = vec![
            Value::Text("text".to_owned()),
            Value::Null,
            Value::Int(-7),
            Value::Int((1 << 53) - 1),
        ];
        assert_eq!(row, Ok(expected));
    }

    #[test]
    fn what_the_store_has_no_kind_for_is_refused() {
        for row in [r#"{"a":1.5}"#, r#"{"a":true}"#, r#"{"a":[1]}"#] {
            assert!(read(row).unwrap_err().contains("below 2^53"), "{row}");
        }
    }
}
