//! Tables for people, and single things as lists of their fields.

use std::fmt::Write as _;

use comfy_table::{Attribute, Color, ColumnConstraint, ContentArrangement, Row, Table, presets};
use serde_json::{Map, Value};

use crate::output::{
    Tone,
    noun::{Cell, Times, many_lines},
};
use octopoid_domain::Millis;

/// The widest label of a field.
const LABEL_WIDTH: usize = 16;

/// Columns that are not wider keep their width on a narrow terminal: ids, queues, times.
const KEPT_WIDTH: u16 = 28;

/// On a terminal that is narrower, or does not say how wide it is, nothing is shortened.
const WIDTH_MIN: u16 = 40;

/// A table as text. On a terminal, wide columns are shortened so that a row is a line.
pub(crate) fn table(headings: &[&str], rows: Vec<Vec<Cell>>, has_colour: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if table.width().is_some_and(|width| width >= WIDTH_MIN) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    if !headings.is_empty() {
        let heading = |text: &&str| paint(Cell::new(text).tone(Tone::Quiet), has_colour);
        let mut row = Row::from(headings.iter().map(heading).collect::<Vec<_>>());
        row.max_height(1);
        table.set_header(row);
    }
    for cells in rows {
        let cells = cells.into_iter().map(|cell| paint(cell, has_colour));
        let mut row = Row::from(cells.collect::<Vec<_>>());
        row.max_height(1);
        table.add_row(row);
    }
    let widths = table.column_max_content_widths();
    for (column, width) in table.column_iter_mut().zip(widths) {
        column.set_padding((0, 2));
        if width <= KEPT_WIDTH {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect()
}

fn paint(cell: Cell, has_colour: bool) -> comfy_table::Cell {
    let painted = comfy_table::Cell::new(cell.text);
    if !has_colour {
        return painted;
    }
    match cell.tone {
        Tone::Plain => painted,
        Tone::Quiet => painted.add_attribute(Attribute::Dim),
        Tone::Running => painted.fg(Color::Blue),
        Tone::NeedsYou => painted.fg(Color::Yellow),
        Tone::Done => painted.fg(Color::Green),
        Tone::Failed => painted.fg(Color::Red),
    }
}

/// One thing: a line for each field that has a value other than 0 and `false`, and below them the
/// texts of many lines.
pub(crate) fn details(fields: &Map<String, Value>, times: &Times) -> String {
    let (mut lines, mut texts) = (String::new(), String::new());
    // The title says most.
    let title = fields.get_key_value("title");
    let others = fields.iter().filter(|(name, _)| *name != "title");
    let mut others = others.collect::<Vec<_>>();
    others.splice(others.len().min(1)..others.len().min(1), title);
    for (name, value) in others {
        let label = name.replace('_', " ");
        match value {
            Value::Null | Value::Bool(false) => {}
            Value::Number(number) if number.as_f64() == Some(0.0) => {}
            Value::String(text) if text.trim_end().contains('\n') => {
                let text = many_lines(text.trim_end());
                let _ = write!(texts, "\n{label}:\n{text}\n");
            }
            value => {
                let text = plain(name, value, times);
                let _ = writeln!(lines, "{label:<LABEL_WIDTH$}  {text}");
            }
        }
    }
    lines + &texts
}

/// The value of a field on one line.
fn plain(name: &str, value: &Value, times: &Times) -> String {
    match value {
        Value::String(text) => match Millis::parse(text).filter(|_| is_time(name)) {
            Some(instant) if times.now.is_some() => times.text(instant),
            _ => Cell::new(text).text,
        },
        value => Cell::new(value.to_string()).text,
    }
}

/// Whether a field of this name holds an instant.
fn is_time(name: &str) -> bool {
    name.ends_with("_at") || matches!(name, "at" | "until" | "not_before" | "last_heartbeat")
}

#[cfg(test)]
mod tests {
    use octopoid_domain::Millis;
    use serde_json::json;

    use super::{Cell, Times, details, table};

    #[test]
    fn columns_are_aligned_and_lines_do_not_end_in_spaces() {
        let rows = vec![
            vec![Cell::new("a"), Cell::new("wide text"), Cell::new("")],
            vec![Cell::new("bb"), Cell::new("x"), Cell::new("end")],
        ];
        let text = table(&["ID", "TITLE", "END"], rows, false);
        assert_eq!(text, "ID  TITLE      END\na   wide text\nbb  x          end\n");
        assert_eq!(table(&["ID"], Vec::new(), false), "ID\n");
    }

    #[test]
    fn fields_without_a_value_are_left_out_and_texts_come_last() {
        let fields = json!({
            "id": "a", "content": "x\ny\n", "role": null, "created_at": "1970-01-01 00:00:01",
            "has_plan": 0, "run": 2, "title": "b",
        });
        let times = Times { now: Some(Millis(61_000)) };
        let text = details(fields.as_object().unwrap(), &times);
        let expected = "id                a\ntitle             b\ncreated at        1 min ago\n\
                        run               2\n\ncontent:\nx\ny\n";
        assert_eq!(text, expected);
        let text = details(fields.as_object().unwrap(), &Times { now: None });
        assert!(text.contains("created at        1970-01-01 00:00:01\n"), "{text}");
    }
}
