//! Which statements of several batches run as one.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use octopoid_store::{
    engine::{Parameter, Rows, Statement, Value},
    merge::{Merged, Turn},
};

use crate::{Aim, failure::Failure, values::Bound};

/// Several batches that run as one transaction, with their statements merged.
pub(crate) struct Group {
    batches: Vec<Arc<Vec<Statement>>>,
    statements: Vec<MergedStatement>,
}

/// The statements of one text, which run as one.
pub(crate) struct MergedStatement {
    merged: Merged,
    /// Each row of the input. In a read, several statements may want the same.
    inputs: Vec<Vec<Place>>,
}

/// A statement: the number of its batch, and its own in the batch.
type Place = (usize, usize);

/// What two batches of a group must not have in common.
#[derive(PartialEq, Eq, Hash)]
enum Exclusive<'a> {
    /// The name of a lock.
    Name(&'a Parameter),
    /// A row that is marked, by its key.
    Row(&'a Parameter),
}

/// Whether all statements of a batch can be merged.
pub(crate) fn can_join(batch: &[Statement], aim: Aim) -> bool {
    let is_skipped = |statement: &Statement| statement.sql.postgres().is_none();
    batch.iter().any(|statement| !is_skipped(statement))
        && batch.iter().all(|statement| is_skipped(statement) || merged(statement, aim).is_some())
}

fn merged(statement: &Statement, aim: Aim) -> Option<Merged> {
    match aim {
        Aim::Read => statement.sql.for_reads(statement.parameters.len()),
        Aim::Write => statement.sql.for_writes(statement.parameters.len()),
    }
}

/// The maximum number of bytes of text in the parameters of a group, unless its first batch has more.
const TEXT_MAX: usize = 8 << 20;

/// Which of these batches, by their places, are the next group: the first `max` that can be together.
/// A batch of a write that has a name or a row in common with one before it cannot be in its group,
/// nor can one whose texts are too long for the rest of the group.
pub(crate) fn choose(batches: &[Arc<Vec<Statement>>], aim: Aim, max: usize) -> Vec<bool> {
    if aim == Aim::Read {
        return (0..batches.len()).map(|place| place < max).collect();
    }
    let (mut held, mut shared) = (HashSet::new(), HashSet::new());
    let mut joins = Vec::with_capacity(batches.len());
    let (mut text, mut count) = (0, 0);
    for batch in batches {
        if count == max {
            joins.push(false);
            continue;
        }
        let (mut own, mut own_shared) = (HashSet::new(), HashSet::new());
        let bytes: usize = batch.iter().map(Statement::text_bytes).sum();
        for statement in &**batch {
            let Some(key) = statement.parameters.first() else { continue };
            match merged(statement, Aim::Write).map(|merged| merged.turn) {
                Some(Turn::Share) => drop(own_shared.insert(Exclusive::Name(key))),
                Some(Turn::Hold) => drop(own.insert(Exclusive::Name(key))),
                Some(Turn::Create | Turn::Change) => drop(own.insert(Exclusive::Row(key))),
                _ => {}
            }
        }
        let is_free = own.is_disjoint(&held)
            && own.is_disjoint(&shared)
            && own_shared.is_disjoint(&held)
            && (text == 0 || text + bytes <= TEXT_MAX);
        if is_free {
            count += 1;
            text += bytes;
            held.extend(own);
            shared.extend(own_shared);
        }
        joins.push(is_free);
    }
    joins
}

impl Group {
    /// Merges the statements of batches that [can join](can_join) and were [chosen](choose) together.
    pub(crate) fn new(batches: Vec<Arc<Vec<Statement>>>, aim: Aim) -> Self {
        let statements = merge(&batches, aim);
        Self { batches, statements }
    }

    /// The merged statements, in the order in which they run.
    pub(crate) fn statements(&self) -> &[MergedStatement] {
        &self.statements
    }

    fn statement(&self, (batch, statement): Place) -> &Statement {
        &self.batches[batch][statement]
    }

    /// The answers to each batch, from those to the merged statements. `None` if a row does not say
    /// which statement it answers.
    pub(crate) fn distribute(&self, answers: Vec<Rows>) -> Option<Vec<Vec<Rows>>> {
        let mut results: Vec<_> =
            self.batches.iter().map(|batch| vec![Rows::new(); batch.len()]).collect();
        for (statement, rows) in self.statements.iter().zip(answers) {
            for mut row in rows {
                let Some(Value::Int(number)) = row.first() else { return None };
                let place = usize::try_from(*number).ok()?.checked_sub(1)?;
                let (last, others) = statement.inputs.get(place)?.split_last()?;
                row.remove(0);
                for (batch, number) in others {
                    results[*batch][*number].push(row.clone());
                }
                results[last.0][last.1].push(row);
            }
        }
        Some(results)
    }
}

impl MergedStatement {
    /// The text.
    pub(crate) fn text(&self) -> &'static str {
        self.merged.text
    }

    /// The parameters: those that all statements share, and an array for each other.
    pub(crate) fn parameters<'a>(&self, group: &'a Group) -> Result<Vec<Bound<'a>>, Failure> {
        let of_first = &group.statement(self.inputs[0][0]).parameters;
        let shared = of_first[..self.merged.shared].iter().map(|one| Ok(Bound::One(one)));
        let arrays = (self.merged.shared..of_first.len()).map(|number| {
            let statements = self.inputs.iter().map(|places| group.statement(places[0]));
            Bound::many(statements.map(|statement| &statement.parameters[number]))
        });
        shared.chain(arrays).collect()
    }
}

/// Merges the statements of the same text and the same shared parameters.
fn merge(batches: &[Arc<Vec<Statement>>], aim: Aim) -> Vec<MergedStatement> {
    let mut statements: Vec<MergedStatement> = Vec::new();
    let mut known: HashMap<(*const u8, &[Parameter]), usize> = HashMap::new();
    let mut reads: HashMap<(*const u8, &[Parameter]), usize> = HashMap::new();
    for (batch, number) in places(batches) {
        let statement = &batches[batch][number];
        let Some(merged) = merged(statement, aim) else { continue };
        let text = merged.text.as_ptr();
        let shared = &statement.parameters[..merged.shared];
        let of_text = *known.entry((text, shared)).or_insert_with(|| {
            statements.push(MergedStatement { merged, inputs: Vec::new() });
            statements.len() - 1
        });
        let inputs = &mut statements[of_text].inputs;
        if aim == Aim::Read {
            let input = *reads.entry((text, &statement.parameters)).or_insert_with(|| {
                inputs.push(Vec::new());
                inputs.len() - 1
            });
            inputs[input].push((batch, number));
        } else {
            inputs.push(vec![(batch, number)]);
        }
    }
    // Groups of two servers that lock the same rows lock them in the same order.
    statements.sort_by_key(|statement| (statement.merged.turn, statement.merged.text));
    for statement in &mut statements {
        let shared = statement.merged.shared;
        statement.inputs.sort_by(|one, other| {
            let key = |places: &[Place]| {
                let (batch, number) = places[0];
                batches[batch][number].parameters.get(shared)
            };
            key(one).cmp(&key(other))
        });
    }
    statements
}

fn places(batches: &[Arc<Vec<Statement>>]) -> impl Iterator<Item = Place> {
    let counts = batches.iter().map(|batch| batch.len()).enumerate();
    counts.flat_map(|(batch, count)| (0..count).map(move |number| (batch, number)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use octopoid_store::{
        Sql,
        engine::{Parameter, Statement, Value},
        merge::{Merge, Turn},
    };

    use super::{Group, TEXT_MAX, can_join, choose};
    use crate::Aim;

    const CHANGE: Sql =
        Sql::merged("UPDATE t SET a = ?2 WHERE id = ?1 RETURNING a", Merge::update(Turn::Change));
    const HOLD: Sql = Sql::merged("SELECT hold(?1)", Merge::query(Turn::Hold));
    const SHARE: Sql = Sql::merged("SELECT share(?1)", Merge::query(Turn::Share));
    const CLAIM: Sql = Sql::merged(
        "SELECT 1 WHERE ?1 = ?2",
        Merge::own(Turn::Claim, "SELECT n FROM input WHERE ?1 = ?2", 1),
    );

    fn statement(sql: impl Into<Sql>, parameters: &[&str]) -> Statement {
        let parameters = parameters.iter().map(|&text| Parameter::from(text)).collect();
        Statement { sql: sql.into(), parameters }
    }

    fn batches(statements: impl IntoIterator<Item = Statement>) -> Vec<Arc<Vec<Statement>>> {
        statements.into_iter().map(|statement| Arc::new(vec![statement])).collect()
    }

    #[test]
    fn a_batch_joins_if_all_its_statements_can_be_merged() {
        let alone = statement("DELETE FROM t WHERE id = ?1", &["a"]);
        assert!(can_join(&[statement(CHANGE, &["a", "b"])], Aim::Write));
        assert!(!can_join(&[statement(CHANGE, &["a", "b"]), alone], Aim::Write));
        assert!(!can_join(&[statement(Sql::OnlySqlite("SELECT ?1"), &["a"])], Aim::Write));
        assert!(can_join(&[statement("SELECT a FROM t WHERE id = ?1", &["a"])], Aim::Read));
        let made = statement("SELECT a FROM t WHERE id = ?1".to_owned(), &["a"]);
        assert!(!can_join(&[made], Aim::Read));
    }

    #[test]
    fn a_row_and_a_name_have_one_batch_of_a_group() {
        let changes = ["a", "b", "a"].map(|id| statement(CHANGE, &[id, "x"]));
        assert_eq!(choose(&batches(changes), Aim::Write, 128), [true, true, false]);
        let names =
            [(HOLD, "a"), (HOLD, "a"), (SHARE, "b"), (SHARE, "b"), (HOLD, "b"), (SHARE, "a")];
        let names = names.map(|(sql, name)| statement(sql, &[name]));
        assert_eq!(
            choose(&batches(names), Aim::Write, 128),
            [true, false, true, true, false, false]
        );
        // A name is no row.
        let both = [statement(HOLD, &["a"]), statement(CHANGE, &["a", "x"])];
        assert_eq!(choose(&batches(both), Aim::Write, 128), [true, true]);
    }

    #[test]
    fn a_group_has_a_limit_of_batches() {
        let all = batches(["a", "b", "a", "c"].map(|id| statement(CHANGE, &[id, "x"])));
        assert_eq!(choose(&all, Aim::Write, 2), [true, true, false, false]);
        assert_eq!(choose(&all, Aim::Read, 3), [true, true, true, false]);
    }

    #[test]
    fn a_group_has_a_limit_of_text_that_its_first_batch_may_pass() {
        let long = "x".repeat(TEXT_MAX);
        let changes = [("a", &*long), ("b", "x")].map(|(id, text)| statement(CHANGE, &[id, text]));
        assert_eq!(choose(&batches(changes), Aim::Write, 128), [true, false]);
    }

    #[test]
    fn statements_are_merged_by_text_and_by_what_they_share_and_run_in_their_turns() {
        let group = Group::new(
            batches([
                statement(CLAIM, &["s", "1"]),
                statement(CHANGE, &["b", "x"]),
                statement(CLAIM, &["t", "2"]),
                statement(CHANGE, &["a", "y"]),
                statement(CLAIM, &["s", "3"]),
            ]),
            Aim::Write,
        );
        let inputs: Vec<_> = group.statements().iter().map(|merged| merged.inputs.len()).collect();
        assert_eq!(inputs, [2, 2, 1], "changes, claims of one filter, claims of the other");
        // The rows are changed in the order of their keys: the first answer is that to the last batch.
        let row = |number, text: &str| vec![Value::Int(number), Value::from(text)];
        let answers = vec![vec![row(1, "of a"), row(2, "of b")], vec![], vec![]];
        let answers = group.distribute(answers).expect("every row has a number");
        assert_eq!(answers[1], [[[Value::from("of b")]]]);
        assert_eq!(answers[3], [[[Value::from("of a")]]]);
        assert!(answers[0][0].is_empty());
    }

    #[test]
    fn equal_reads_run_once() {
        let find = |id| statement("SELECT a FROM t WHERE id = ?1", &[id]);
        let group = Group::new(batches([find("a"), find("b"), find("a")]), Aim::Read);
        assert_eq!(group.statements().len(), 1);
        assert_eq!(group.statements()[0].inputs.len(), 2);
        let answers = vec![vec![vec![Value::Int(1), Value::from("of a")]]];
        let answers = group.distribute(answers).expect("every row has a number");
        assert_eq!(answers[0], answers[2]);
        assert_eq!(answers[0], [[[Value::from("of a")]]]);
        assert!(answers[1][0].is_empty());
    }

    #[test]
    fn an_answer_to_no_statement_is_noticed() {
        let group = Group::new(batches([statement(CHANGE, &["a", "x"])]), Aim::Write);
        for number in [0, 2] {
            assert!(group.distribute(vec![vec![vec![Value::Int(number)]]]).is_none());
        }
    }
}
