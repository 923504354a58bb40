//! Conditions for what a filter gives.

/// Adds ` AND condition value` for each value that is given.
macro_rules! push_filters {
    ($query:ident, $($value:expr => $sql:literal),+ $(,)?) => {
        $(if let Some(value) = $value { $query.push(concat!(" AND ", $sql, " ")).push_bind(value); })+
    };
}
