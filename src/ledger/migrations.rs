//! The migrations of each store, embedded in the binary.
//!
//! `sqlx::migrate!` would do the same, but the macro's crate compiles both drivers a second time for the compiler.

use std::sync::LazyLock;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Decode, Row, SqlSafeStr, Type};

use super::unready::Reason;

/// Number, description, SQL.
pub type Source = (i64, &'static str, &'static str);

/// The first line of a migration that runs outside of a transaction, for `CREATE INDEX CONCURRENTLY`. It is one statement.
const NO_TRANSACTION: &str = "-- no-transaction\n";

macro_rules! sources {
    ($store:literal, $($number:literal $name:literal $file:literal),* $(,)?) => {
        &[$(($number, $name, include_str!(concat!("../../migrations/", $store, "/", $file)))),*]
    };
}

const POSTGRES: &[Source] = sources!(
    "postgres", 1 "ledger" "0001_ledger.sql", 2 "webhooks" "0002_webhooks.sql", 3 "drift" "0003_drift.sql",
    4 "drift since" "0004_drift_since.sql"
);

const SQLITE: &[Source] = sources!(
    "sqlite", 1 "ledger" "0001_ledger.sql", 2 "webhooks" "0002_webhooks.sql", 3 "drift" "0003_drift.sql",
    4 "drift since" "0004_drift_since.sql"
);

pub(super) static FOR_POSTGRES: LazyLock<Migrator> = LazyLock::new(|| for_postgres(&[]));
pub(super) static FOR_SQLITE: LazyLock<Migrator> = LazyLock::new(|| migrator(SQLITE));

/// The migrations of this version, and those of a later one.
pub(super) fn for_postgres(later: &[Source]) -> Migrator {
    let mut migrator = migrator(&[POSTGRES, later].concat());
    // The process that migrates has a lock of its own.
    migrator.set_locking(false);
    migrator
}

/// Ignores applied migrations that this version does not know: old replicas keep running during a rolling upgrade.
fn migrator(sources: &[Source]) -> Migrator {
    let migrations = sources
        .iter()
        .map(|&(number, name, sql)| {
            let no_transaction = sql.starts_with(NO_TRANSACTION);
            Migration::new(number, name.into(), MigrationType::Simple, sql.into_sql_str(), no_transaction)
        })
        .collect();
    let mut migrator = Migrator::with_migrations(migrations);
    migrator.set_ignore_missing(true);
    migrator
}

/// Reads [`Applied`].
pub(super) const APPLIED: &str = "SELECT version, success, checksum FROM _sqlx_migrations";

/// A row of the table in which sqlx keeps the applied migrations.
pub(super) struct Applied {
    pub(super) version: i64,
    pub(super) success: bool,
    pub(super) checksum: Vec<u8>,
}

impl Applied {
    pub(super) fn of<'r, R: Row>(row: &'r R) -> Result<Self, sqlx::Error>
    where
        &'static str: sqlx::ColumnIndex<R>,
        i64: Decode<'r, R::Database> + Type<R::Database>,
        bool: Decode<'r, R::Database> + Type<R::Database>,
        Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
    {
        Ok(Self {
            version: row.try_get("version")?,
            success: row.try_get("success")?,
            checksum: row.try_get("checksum")?,
        })
    }
}

/// Fails unless every migration of this program is applied, whole and with the same text. Those of later versions may be
/// there too.
pub(super) fn check(migrations: &Migrator, applied: &[Applied]) -> Result<(), Reason> {
    for migration in migrations.iter() {
        let number = migration.version;
        match applied.iter().find(|applied| applied.version == number) {
            None => return Err(Reason::NotMigrated(number)),
            Some(applied) if !applied.success => return Err(Reason::MigrationUnfinished(number)),
            Some(applied) if *applied.checksum != *migration.checksum => {
                return Err(Reason::MigrationDiffers(number));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_migrations_folder_is_embedded() {
        for (store, sources) in [("postgres", POSTGRES), ("sqlite", SQLITE)] {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(store);
            let mut files: Vec<_> = std::fs::read_dir(folder)
                .expect("the migrations folder")
                .map(|entry| std::fs::read_to_string(entry.expect("an entry").path()).expect("a migration"))
                .collect();
            let mut embedded: Vec<_> = sources.iter().map(|(_, _, sql)| (*sql).to_owned()).collect();
            files.sort();
            embedded.sort();
            assert_eq!(files, embedded, "{store}");
        }
    }

    /// A process may end between the statement and the note that it ran.
    #[test]
    fn a_migration_without_a_transaction_is_one_statement_that_can_run_again() {
        for (_, name, sql) in POSTGRES.iter().filter(|(_, _, sql)| sql.starts_with(NO_TRANSACTION)) {
            let statement = sql.trim_end().trim_end_matches(';');
            assert!(!statement.contains(';') && statement.contains("IF NOT EXISTS"), "{name}");
        }
    }
}
