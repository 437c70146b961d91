//! The columns of a noun, described once.
//!
//! `record!` names the fields of a domain type that are columns. From that follow the list of
//! columns in statements, the reader of a row, the parameters of an insert, and what a copy of the
//! table copies; so a column is added to the store in one line.

use crate::{
    Result,
    columns::{Column, Kind},
    engine::{Parameter, Row, Statement},
    row::RowReader,
};

/// Columns in a row of a statement: all those of a record, or some.
pub(crate) trait Columns {
    /// The domain type that has them.
    type Of;

    /// The columns as a statement lists them.
    const NAMES: &'static str;

    /// How many they are.
    const COUNT: usize;

    /// The columns, in the order of [`Self::NAMES`].
    fn columns() -> Vec<Column>;

    /// Appends their values, in their order.
    fn bind(of: &Self::Of, parameters: &mut Vec<Parameter>);
}

/// A domain type that is stored in columns.
pub(crate) trait Record: Columns<Of = Self> + Sized {
    /// Reads a row that begins with its columns.
    fn read(row: &mut RowReader) -> Result<Self>;
}

/// A table: what the domain shows of a row, and what only the store knows of it.
pub(crate) struct Layout {
    /// Its name.
    pub(crate) name: &'static str,
    /// The names of the columns of its key, in their order.
    pub(crate) key: &'static [&'static str],
    /// The columns that no domain type has.
    internal: &'static [Column],
    record: fn() -> Vec<Column>,
}

impl Layout {
    /// The table of a domain type.
    pub(crate) const fn of<R: Record>(name: &'static str, key: &'static [&'static str]) -> Self {
        Self { name, key, internal: &[], record: R::columns }
    }

    /// A table that only the store knows.
    pub(crate) const fn internal(
        name: &'static str,
        key: &'static [&'static str],
        columns: &'static [Column],
    ) -> Self {
        Self { name, key, internal: columns, record: Vec::new }
    }

    /// The same table with columns that the domain type does not have.
    pub(crate) const fn with(self, internal: &'static [Column]) -> Self {
        Self { internal, ..self }
    }

    /// All its columns, those of the key first, and those last that only the store knows.
    pub(crate) fn columns(&self) -> Vec<Column> {
        let mut columns = (self.record)();
        columns.extend_from_slice(self.internal);
        let place = |column: &Column| self.key.iter().position(|name| *name == column.name);
        columns.sort_by_key(|column| place(column).unwrap_or(self.key.len()));
        columns
    }
}

/// Reads a row of a record.
pub(crate) fn read<R: Record>(row: Row) -> Result<R> {
    R::read(&mut RowReader::new(row))
}

/// A statement whose next parameters are these columns of a row.
pub(crate) fn binding<C: Columns>(mut statement: Statement, of: &C::Of) -> Statement {
    statement.parameters.reserve(C::COUNT);
    C::bind(of, &mut statement.parameters);
    statement
}

/// The longest list of parameters.
const PARAMETERS: &str = "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, \
     ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, \
     ?36, ?37, ?38, ?39, ?40, ?41, ?42, ?43, ?44, ?45, ?46, ?47, ?48, ?49, ?50, ?51, ?52, ?53, ?54, \
     ?55, ?56, ?57, ?58, ?59, ?60, ?61, ?62, ?63, ?64";

/// The text of `count` parameters from number `first` on: `?3, ?4, ?5`.
pub(crate) const fn parameters(first: usize, count: usize) -> &'static str {
    let last = first + count - 1;
    assert!(last <= 64, "a statement of a record has at most 64 parameters");
    PARAMETERS.split_at(after(last) - ", ".len()).0.split_at(after(first - 1)).1
}

/// Where the parameter after this one begins in [`PARAMETERS`]: "?1, " has four bytes, "?10, " five.
const fn after(number: usize) -> usize {
    if number < 10 { number * 4 } else { 36 + (number - 9) * 5 }
}

/// What the column of a field holds.
pub(crate) fn kind_of<R, T: crate::row::Stored>(_field: fn(&R) -> &T) -> Kind {
    T::KIND
}

/// Describes the columns of a domain type: its fields, in the order of the columns.
///
/// `name` is a column of this name, `name = "other"` one of another name, and `name: [Type]` stands
/// for the columns of a field that is a record itself. What a column holds follows from the field's
/// type. Fields may stand in named parts, for statements that write only some of them.
macro_rules! record {
    ($type:ident { $($field:ident $(= $name:literal)? $(: [$record:ident])?),+ $(,)? }) => {
        $crate::record::columns!($type of $type { $($field $(= $name)? $(: [$record])?,)+ });

        impl $crate::record::Record for $type {
            fn read(row: &mut $crate::row::RowReader) -> $crate::Result<Self> {
                Ok(Self { $($field: $crate::record::read_field!(row $($record)?),)+ })
            }
        }
    };
    ($type:ident {
        $(
            $(#[$doc:meta])*
            $part:ident { $($field:ident $(= $name:literal)? $(: [$record:ident])?),+ $(,)? }
        )+
    }) => {
        $(
            $(#[$doc])*
            pub(crate) struct $part;

            $crate::record::columns!($part of $type { $($field $(= $name)? $(: [$record])?,)+ });
        )+

        impl $crate::record::Columns for $type {
            type Of = Self;

            const NAMES: &'static str =
                $crate::record::join!($(<$part as $crate::record::Columns>::NAMES),+);
            const COUNT: usize = 0 $(+ <$part as $crate::record::Columns>::COUNT)+;

            fn columns() -> Vec<$crate::columns::Column> {
                let mut columns = Vec::with_capacity(Self::COUNT);
                $(columns.extend(<$part as $crate::record::Columns>::columns());)+
                columns
            }

            fn bind(of: &Self, parameters: &mut Vec<$crate::engine::Parameter>) {
                $(<$part as $crate::record::Columns>::bind(of, parameters);)+
            }
        }

        impl $crate::record::Record for $type {
            fn read(row: &mut $crate::row::RowReader) -> $crate::Result<Self> {
                Ok(Self { $($($field: $crate::record::read_field!(row $($record)?),)+)+ })
            }
        }
    };
}
pub(crate) use record;

macro_rules! columns {
    ($part:ident of $type:ident {
        $($field:ident $(= $name:literal)? $(: [$record:ident])?),+ $(,)?
    }) => {
        impl $crate::record::Columns for $part {
            type Of = $type;

            const NAMES: &'static str = $crate::record::join!(
                $($crate::record::name!($field $(= $name)? $(: $record)?)),+
            );
            const COUNT: usize = 0 $(+ $crate::record::count!($($record)?))+;

            fn columns() -> Vec<$crate::columns::Column> {
                let mut columns = Vec::with_capacity(Self::COUNT);
                $($crate::record::describe!($type columns $field $(= $name)? $(: $record)?);)+
                columns
            }

            fn bind(of: &$type, parameters: &mut Vec<$crate::engine::Parameter>) {
                $($crate::record::bind_field!(parameters, &of.$field $(, $record)?);)+
            }
        }
    };
}
pub(crate) use columns;

macro_rules! join {
    ($first:expr $(, $rest:expr)*) => {
        const_format::concatcp!($first $(, ", ", $rest)*)
    };
}
pub(crate) use join;

macro_rules! name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident = $name:literal) => {
        $name
    };
    ($field:ident : $record:ident) => {
        <$record as $crate::record::Columns>::NAMES
    };
}
pub(crate) use name;

macro_rules! count {
    () => {
        1
    };
    ($record:ident) => {
        <$record as $crate::record::Columns>::COUNT
    };
}
pub(crate) use count;

macro_rules! describe {
    ($type:ident $columns:ident $field:ident : $record:ident) => {
        $columns.extend(<$record as $crate::record::Columns>::columns())
    };
    ($type:ident $columns:ident $field:ident $(= $name:literal)?) => {
        $columns.push($crate::columns::Column {
            name: $crate::record::name!($field $(= $name)?),
            kind: $crate::record::kind_of(|of: &$type| &of.$field),
        })
    };
}
pub(crate) use describe;

macro_rules! read_field {
    ($row:ident) => {
        $row.next()?
    };
    ($row:ident $record:ident) => {
        <$record as $crate::record::Record>::read($row)?
    };
}
pub(crate) use read_field;

macro_rules! bind_field {
    ($parameters:ident, $value:expr) => {
        $parameters.push($crate::row::Stored::bind($value))
    };
    ($parameters:ident, $value:expr, $record:ident) => {
        <$record as $crate::record::Columns>::bind($value, $parameters)
    };
}
pub(crate) use bind_field;

#[cfg(test)]
mod tests {
    use super::parameters;

    #[test]
    fn parameters_are_listed_from_any_number_on() {
        assert_eq!(parameters(1, 3), "?1, ?2, ?3");
        assert_eq!(parameters(3, 1), "?3");
        assert_eq!(parameters(8, 4), "?8, ?9, ?10, ?11");
        assert_eq!(parameters(1, 64), super::PARAMETERS);
        assert_eq!(parameters(64, 1), "?64");
    }
}
