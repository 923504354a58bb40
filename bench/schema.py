"""A ledger's columns, read from a fresh ledger: the programs here name only the values that they fill in."""
import subprocess, sys


class Table:
    def __init__(self, name, columns):
        """`columns`: pairs of a name and whether a row must have a value there, in the order of the table."""
        self.name, self.columns = name, [column for column, _ in columns]
        self.required = {column for column, is_required in columns if is_required}

    def values(self, rows):
        """The values of rows, which are dictionaries, in the order of the columns."""
        is_checked = False
        for row in rows:
            if not is_checked:
                self.check(row)
                is_checked = True
            yield [row.get(column) for column in self.columns]

    def check(self, row):
        unknown, missing = row.keys() - set(self.columns), self.required - row.keys()
        if unknown or missing:
            sys.exit(f"the ledger's table {self.name} has changed: no column {sorted(unknown)}, no value for {sorted(missing)}")


def of_sqlite(connection, name):
    rows = connection.execute(f"PRAGMA table_info({name})").fetchall()
    return Table(name, [(column, bool(not_null) and default is None) for _, column, _, not_null, default, _ in rows])


def of_postgres(url, name):
    query = (f"SELECT column_name, is_nullable = 'NO' AND column_default IS NULL FROM information_schema.columns "
             f"WHERE table_schema = 'public' AND table_name = '{name}' ORDER BY ordinal_position")
    text = subprocess.check_output(["psql", "-qAtX", "-F", " ", "-c", query, url], text=True)
    return Table(name, [(column, flag == "t") for column, flag in map(str.split, text.splitlines())])


def make_partitions(sql, events, size=None):
    """Makes partitions for `events` events, in a ledger that is still empty; `size` events each. `sql` runs a statement."""
    if size:
        sql(f"CREATE OR REPLACE FUNCTION audit_partition_size() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT bigint '{size}' $$")
        sql("DO $$ DECLARE name text; BEGIN FOR name IN SELECT p.name FROM audit_partitions() p LOOP "
            "EXECUTE format('DROP TABLE %I', name); END LOOP; END $$")
    sql(f"UPDATE chain_head SET seq = {events}; SELECT audit_events_extend(); UPDATE chain_head SET seq = 0")
