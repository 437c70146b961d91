//! Encodes statements.

use octopoid_store::{
    EngineError,
    engine::{PARAMETERS_MAX, Parameter, Statement},
};
use worker::{D1Database, D1PreparedStatement, wasm_bindgen::JsValue};

use crate::failure::engine_error;

/// JavaScript's numbers are exact below 2^53.
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// A parameter as a JavaScript value.
fn bound(parameter: &Parameter) -> Result<JsValue, EngineError> {
    match parameter {
        Parameter::Int(None) | Parameter::Text(None) => Ok(JsValue::NULL),
        Parameter::Int(Some(number)) => exact(*number).map(JsValue::from_f64),
        Parameter::Text(Some(text)) => Ok(JsValue::from_str(text)),
    }
}

/// The statement with its parameters bound; `None` if it is not for D1.
pub(crate) fn prepare(
    database: &D1Database,
    statement: &Statement,
) -> Result<Option<D1PreparedStatement>, EngineError> {
    let Some(text) = statement.sql.sqlite() else { return Ok(None) };
    check_count(statement.parameters.len())?;
    let prepared = database.prepare(text);
    if statement.parameters.is_empty() {
        return Ok(Some(prepared));
    }
    let parameters: Vec<JsValue> =
        statement.parameters.iter().map(bound).collect::<Result<_, _>>()?;
    // Nothing has been sent yet.
    prepared.bind(&parameters).map(Some).map_err(|error| engine_error(&error, false))
}

fn check_count(parameters: usize) -> Result<(), EngineError> {
    if parameters > PARAMETERS_MAX {
        let text = format!("{parameters} parameters; D1 binds at most {PARAMETERS_MAX}");
        return Err(EngineError::Statement(text));
    }
    Ok(())
}

/// The same number in JavaScript, or an error rather than one close to it.
fn exact(number: i64) -> Result<f64, EngineError> {
    if number.unsigned_abs() > INTEGER_MAX {
        return Err(EngineError::Statement(format!("{number} does not fit in 53 bits")));
    }
    #[expect(clippy::cast_precision_loss, reason = "below 2^53 there is none")]
    Ok(number as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_go_in_exactly_or_not_at_all() {
        let largest = (1_i64 << 53) - 1;
        for number in [0, -1, largest, -largest] {
            assert_eq!(exact(number).map(|number| format!("{number:.0}")).unwrap(), {
                number.to_string()
            });
        }
        for number in [largest + 1, -largest - 1, i64::MAX, i64::MIN] {
            assert!(matches!(exact(number), Err(EngineError::Statement(_))), "{number}");
        }
    }

    #[test]
    fn a_statement_has_at_most_a_hundred_parameters() {
        check_count(100).unwrap();
        assert!(matches!(check_count(101), Err(EngineError::Statement(_))));
    }
}
