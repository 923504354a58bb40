"""The rows that the service writes for one change, recorded by triggers, so that they follow the schema.

A change is two transactions: the first opens it, the second records the cloud's answer. Each is a list of `Write`s, one
for each row. Rows that the schema's own triggers write (`audit_hours`) are not recorded.
"""
import collections, json, sqlite3, subprocess

# A row after the write; for an update also the row before it.
Write = collections.namedtuple("Write", "table keys new old")
TUNNEL = "vpnx-recorded"


def transactions(writes):
    """Splits the writes where a table is written for the second time: there the second transaction begins."""
    seen = set()
    for place, write in enumerate(writes):
        if write.table in seen:
            return writes[:place], writes[place:]
        seen.add(write.table)
    raise SystemExit(f"the service wrote {sorted(seen)} once; a change writes twice")


def changed(write):
    return {column: value for column, value in write.new.items() if value != write.old[column]}


class Postgres:
    """Records in a database; writes the same as a script for pgbench."""

    def __init__(self, url, psql):
        self.url, self.psql = url, psql

    def sql(self, text):
        command = [self.psql, "-qAtX", "-v", "ON_ERROR_STOP=1", self.url]
        return subprocess.run(command, input=text, text=True, check=True, stdout=subprocess.PIPE).stdout

    def record(self):
        self.sql("""
            CREATE TABLE recorded (n bigserial, name text, new jsonb, old jsonb);
            CREATE FUNCTION record() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF pg_trigger_depth() = 1 THEN
                    INSERT INTO recorded (name, new, old)
                    VALUES (coalesce((SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = TG_RELID), TG_TABLE_NAME),
                            to_jsonb(NEW), CASE TG_OP WHEN 'UPDATE' THEN to_jsonb(OLD) END);
                END IF;
                RETURN NULL;
            END $$;
            DO $$ DECLARE t text; BEGIN
                FOR t IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
                         AND NOT relispartition AND relname <> 'recorded' LOOP
                    EXECUTE format('CREATE TRIGGER record AFTER INSERT OR UPDATE ON %I FOR EACH ROW
                                    EXECUTE FUNCTION record()', t);
                END LOOP;
            END $$;""")

    def recorded(self):
        columns = json.loads(self.sql("""
            SELECT json_object_agg(name, columns) FROM (
                SELECT table_name AS name, json_object_agg(column_name, udt_name) AS columns
                FROM information_schema.columns WHERE table_schema = 'public' GROUP BY 1) AS tables"""))
        keys = json.loads(self.sql("""
            SELECT json_object_agg(name, keys) FROM (
                SELECT indrelid::regclass::text AS name, json_agg(attname) AS keys FROM pg_index
                JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey) WHERE indisprimary
                AND indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace) GROUP BY 1
            ) AS tables"""))
        rows = json.loads(self.sql("SELECT json_agg(recorded ORDER BY n) FROM recorded"))
        self.types = columns
        return transactions([Write(row["name"], keys[row["name"]], row["new"], row["old"]) for row in rows])

    def script(self, batch):
        """The same rows for `batch` changes at a time, in two commits of one statement each."""
        opened, submitted = self.recorded()
        self.operation = next(write.new["id"] for write in opened if write.table == "operations")
        return (self.statement(opened, batch, "r.seq + n", "base") + self.statement(submitted, batch, ":base::bigint + n", "done"))

    def statement(self, writes, batch, change, into):
        head = next(write for write in writes if write.table == "chain_head")
        moved = changed(head)
        self.newest = moved["seq"]
        steps = moved["seq"] - head.old["seq"]
        assert steps == 1, "a change writes one event in each transaction"
        sets = ", ".join(f"{column} = seq + {batch}" if column == "seq" else f"{column} = {self.literal(head.table, column, value)}"
                         for column, value in moved.items())
        parts = [f"WITH r AS (UPDATE chain_head SET {sets} RETURNING seq - {batch} AS seq)"]
        source = f"FROM r, generate_series(1, {batch}) AS n"
        for write in writes:
            value = lambda column, value: self.value(write, column, value, change)
            if write.table == "chain_head":
                continue
            if write.old is None:
                row = {column: value(column, v) for column, v in write.new.items() if v is not None}
                parts.append(f"w{len(parts)} AS (INSERT INTO {write.table} ({', '.join(row)})\n  SELECT {', '.join(row.values())} {source})")
            else:
                sets = ", ".join(f"{column} = {value(column, v)}" for column, v in changed(write).items())
                keys = " AND ".join(f"t.{key} = {value(key, write.new[key])}" for key in write.keys)
                parts.append(f"w{len(parts)} AS (UPDATE {write.table} AS t SET {sets}\n  {source} WHERE {keys})")
        return ",\n".join(parts) + f"\nSELECT seq AS {into} FROM r \\gset\n"

    def value(self, write, column, value, change):
        """The expression for the row of change `n` of a batch; ids ascend, as the service's do."""
        kind = self.types[write.table][column]
        as_id = "lpad(to_hex({}), 32, '0')::uuid"
        if value is not None and kind == "timestamptz":
            return "now()"
        if value == self.operation and kind == "uuid":
            return as_id.format(change)
        if kind == "uuid":
            return as_id.format("r.seq + n")
        if kind == "int8" and "seq" in column and value == self.newest:
            return "r.seq + n"
        before, tunnel, after = self.literal(write.table, column, value).partition(TUNNEL)
        if not tunnel:
            return before
        after, cast = after.rsplit("::", 1)
        return f"({before}vpnx-' || ({change}) || '{after})::{cast}"

    def literal(self, table, column, value):
        if value is None:
            return "NULL"
        text = value if isinstance(value, str) else json.dumps(value)
        quoted = text.replace("'", "''")
        # pgbench reads a colon before a name as a variable.
        assert ":" not in quoted or self.types[table][column] in ("jsonb", "timestamptz"), f"{table}.{column}: {text}"
        return f"'{quoted}'::{self.types[table][column]}".replace('":', '" :')


class Sqlite:
    """Records in a file; writes the same in a loop."""

    def __init__(self, file):
        self.connection = sqlite3.connect(file, isolation_level=None, timeout=30)

    def tables(self):
        """The columns of each table that the service writes itself, and which of them are the key."""
        query = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%'"
        schema = self.connection.execute(query).fetchall()
        bodies = " ".join(sql for kind, _, sql in schema if kind == "trigger" and "record_" not in sql)
        for kind, table, _ in schema:
            if kind == "table" and f"INTO {table}" not in bodies and table != "recorded":
                yield table, self.connection.execute(f"PRAGMA table_info({table})").fetchall()

    def record(self):
        self.connection.execute("CREATE TABLE recorded (n INTEGER PRIMARY KEY, name text, new text, old text)")
        for table, columns in list(self.tables()):
            row = lambda which: "json_array(" + ", ".join(f"quote({which}.{column[1]})" for column in columns) + ")"
            for action, old in [("INSERT", "NULL"), ("UPDATE", row("OLD"))]:
                self.connection.execute(f"CREATE TRIGGER record_{action}_{table} AFTER {action} ON {table} BEGIN INSERT INTO recorded "
                                        f"(name, new, old) VALUES ('{table}', {row('NEW')}, {old}); END")

    def recorded(self):
        tables = dict(self.tables())

        def row(table, text):
            if text is None:
                return None
            # `quote` wrote each value as SQL writes it.
            values = [self.connection.execute(f"SELECT {value}").fetchone()[0] for value in json.loads(text)]
            return {column[1]: value for column, value in zip(tables[table], values)}

        rows = self.connection.execute("SELECT name, new, old FROM recorded ORDER BY n").fetchall()
        return transactions([Write(table, [c[1] for c in tables[table] if c[5]], row(table, new), row(table, old))
                             for table, new, old in rows])


class SqliteBatches:
    """The recorded writes as statements with parameters, for a batch of changes at a time."""

    def __init__(self, recorded):
        self.operation = next(write.new["id"] for write in recorded[0] if write.table == "operations")
        self.parts = [[self.statement(write) for write in writes if write.table != "chain_head"] for writes in recorded]
        self.heads = [next(write.new for write in writes if write.table == "chain_head") for writes in recorded]

    def statement(self, write):
        if write.old is None:
            columns = {column: value for column, value in write.new.items() if value is not None}
            places = ", ".join("?" * len(columns))
            return f"INSERT INTO {write.table} ({', '.join(columns)}) VALUES ({places})", write, list(columns)
        columns = list(changed(write))
        sets = ", ".join(f"{column} = ?" for column in columns)
        keys = " AND ".join(f"{key} = ?" for key in write.keys)
        return f"UPDATE {write.table} SET {sets} WHERE {keys}", write, columns + write.keys

    def run(self, connection, first, batch):
        """Writes one batch; `first` is the place of its first event in the chain."""
        for number, (parts, head) in enumerate(zip(self.parts, self.heads)):
            start = first + number * batch
            connection.execute("BEGIN IMMEDIATE")
            for sql, write, columns in parts:
                connection.executemany(sql, [[self.value(write, column, head, start + n, first + n) for column in columns]
                                             for n in range(batch)])
            connection.execute("UPDATE chain_head SET seq = ?, hash = ?", (start + batch - 1, head["hash"]))
            connection.execute("COMMIT")
        return first + 2 * batch

    def value(self, write, column, head, seq, change):
        value = write.new[column]
        if value == self.operation:
            return as_id(change)
        if "seq" in column and value == head["seq"]:
            return seq
        if isinstance(value, str) and TUNNEL in value:
            return value.replace(TUNNEL, f"vpnx-{change}")
        if column == "id":
            return as_id(seq)
        return value


def as_id(number):
    """A UUID; ids ascend, as the service's do."""
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
