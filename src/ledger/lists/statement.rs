//! A statement under construction: its text and the values of its placeholders.

use uuid::Uuid;

use crate::domain::operation::OperationId;
use crate::domain::principal::VpcPattern;
use crate::domain::timestamp::Timestamp;

/// The database's dialect of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ledger) enum Dialect {
    Postgres,
    Sqlite,
}

/// The value of a placeholder. Each store binds ids and times in the type of its columns.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::ledger) enum Value {
    Text(String),
    /// PostgreSQL only.
    Texts(Vec<String>),
    Number(i64),
    Numbers(Vec<i64>),
    Id(OperationId),
    Ids(Vec<OperationId>),
    Time(Option<Timestamp>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<Uuid> for Value {
    fn from(id: Uuid) -> Self {
        Self::Id(id)
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::Time(Some(at))
    }
}

impl From<Option<Timestamp>> for Value {
    fn from(at: Option<Timestamp>) -> Self {
        Self::Time(at)
    }
}

impl From<&[OperationId]> for Value {
    fn from(ids: &[OperationId]) -> Self {
        Self::Ids(ids.to_vec())
    }
}

impl From<&[i64]> for Value {
    fn from(numbers: &[i64]) -> Self {
        Self::Numbers(numbers.to_vec())
    }
}

/// A statement for one store.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::ledger) struct Statement {
    pub(super) dialect: Dialect,
    pub(in crate::ledger) text: String,
    pub(in crate::ledger) values: Vec<Value>,
    /// False if PostgreSQL should plan the statement for its values each time: a generic plan would be slow for most
    /// values.
    pub(in crate::ledger) is_prepared: bool,
}

impl Statement {
    pub(super) fn new(dialect: Dialect, text: impl Into<String>) -> Self {
        Self { dialect, text: text.into(), values: Vec::new(), is_prepared: true }
    }

    pub(super) fn planned_each_time(mut self) -> Self {
        self.is_prepared = false;
        self
    }

    /// Adds text.
    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a placeholder with its value.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        let placeholder = format!("${}", self.values.len());
        self.push(&placeholder)
    }

    /// Adds ` AND comparison value`, if there is a value.
    pub(super) fn and(&mut self, comparison: &str, value: Option<impl Into<Value>>) -> &mut Self {
        if let Some(value) = value {
            self.push(" AND ").push(comparison).push(" ").bind(value);
        }
        self
    }

    /// Adds `column = any of the values`. The values are a list.
    pub(super) fn is_one_of(&mut self, column: &str, values: impl Into<Value>) -> &mut Self {
        self.push(column);
        match self.dialect {
            Dialect::Postgres => self.push(" = ANY (").bind(values).push(")"),
            Dialect::Sqlite => self.push(" IN (SELECT value FROM json_each(").bind(values).push("))"),
        }
    }

    /// Adds ` AND column matches one of the patterns`.
    pub(super) fn and_matches(&mut self, column: &str, patterns: &[VpcPattern]) -> &mut Self {
        match self.dialect {
            Dialect::Postgres => {
                let patterns = patterns.iter().map(like).collect();
                self.push(" AND ").push(column).push(" LIKE ANY (").bind(Value::Texts(patterns)).push(")")
            }
            // LIKE ignores case on SQLite. Neither ids nor patterns contain GLOB's other special characters.
            Dialect::Sqlite => {
                self.push(" AND (false");
                for pattern in patterns {
                    self.push(" OR ").push(column).push(" GLOB ").bind(pattern.as_str());
                }
                self.push(")")
            }
        }
    }
}

/// A VPC pattern for `LIKE`.
fn like(pattern: &VpcPattern) -> String {
    pattern.as_str().replace('_', "\\_").replace('*', "%")
}
