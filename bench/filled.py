"""Fills a fresh ledger with a valid log of finished changes and with the rows that go with it.

The chain is computed here, from docs/audit-format.md, and not by the program that is measured.
"""

import hashlib, json, multiprocessing, sqlite3, subprocess, sys, time, uuid

import schema

STEPS = ["requested", "submitted", "succeeded"]


def log(count):
    """Events, each with the row of its operation if it is the operation's last event here."""
    before = bytes(32)
    for at in range(count):
        change, step = divmod(at, len(STEPS))
        event = event_of(at, change, step)
        canonical = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        hash_ = hashlib.sha256(before + canonical.encode()).digest()
        is_last = step == len(STEPS) - 1 or at == count - 1
        row = {name: as_json(value) if isinstance(value, dict) else value for name, value in event.items()}
        yield {**row, "prev_hash": before, "hash": hash_}, operation_of(event, change, step) if is_last else None
        before = hash_


def when(change, step):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1_767_225_600 + change // 50)) + f".{change % 50 * 20_000 + step:06}Z"


def ids(change):
    return {"vpc_id": f"vpc-{change % 200:08}", "gateway_id": f"vpngw-{change % 900:08}", "tunnel_id": f"vpnx-{change % 5000:08}",
            "account": "default", "region": "ap-guangzhou", "api": "2.0", "actor_id": str(uuid.UUID(int=change % 40 + 1)),
            "actor_kind": "api_key", "request_id": f"request-{change}", "reason": f"CHG-{change} 上海 office"}


def asked(change):
    return {"changes": {"peer_cidrs": [f"10.{change % 250}.2.0/24", "192.168.7.0/24"], "name": "上海 office",
                        "pre_shared_key": {"hmac_sha256": f"{change:064x}"}},
            "before": {"peer_cidrs": [f"10.{change % 250}.1.0/24"], "name": "上海", "pre_shared_key": {"hmac_sha256": f"{change + 1:064x}"}}}


def outcome(change, step):
    return {"status": ["pending", "running", "succeeded"][step], "task_id": str(change) if step else None, "error": None,
            "verification": {"result": "confirmed"} if step == 2 else None}


def event_of(at, change, step):
    event = {"format": 1, "seq": at + 1, "id": str(uuid.UUID(int=(at + 1) << 80 | 0x7000_8000_0000_0000_0000)), "occurred_at": when(change, step),
             "event": STEPS[step], "operation_id": str(operation_id(change)), "actor": f"team-{change % 40}",
             "source_ip": f"10.0.{change % 250}.7" if step < 2 else None, "user_agent": "netops/1" if step < 2 else None,
             "trace_id": None, "changes": None, "before": None, "sent": None, "outcome": outcome(change, step), "rollback_of": None,
             "upstream": None, **ids(change)}
    if step == 0:
        event |= asked(change)
    else:
        event["upstream"] = {"action": ["", "ModifyVpnConnEx", "DescribeVpcTaskResult"][step], "code": "0", "code_desc": "Success",
                             "message": "", "task_id": str(change), "latency_ms": 37, "attempts": 1}
    if step == 1:
        event["sent"] = {"Action": "ModifyVpnConnEx", "vpcId": event["vpc_id"], "vpnGwId": event["gateway_id"], "vpnConnId": event["tunnel_id"],
                         "vpnConnName": "上海 office", "userGwCidrBlock.0": f"10.{change % 250}.2.0/24", "userGwCidrBlock.1": "192.168.7.0/24",
                         "preSharedKey": {"hmac_sha256": f"{change:064x}"}}
    return event


def operation_id(change):
    return uuid.UUID(int=(1_767_225_600_000 + change) << 80 | 0x7000_8000_0000_0000_0000)


def operation_of(event, change, step):
    now = outcome(change, step)
    return {"id": event["operation_id"], "status": now["status"], "lock_id": f"{change}", "task_id": now["task_id"], "requested_by": event["actor"],
            "created_at": when(change, 0), "updated_at": when(change, step), "finished_at": when(change, step) if step == 2 else None,
            "error": None, "verification": as_json(now["verification"]), "last_seq": event["seq"],
            **{name: as_json(value) for name, value in asked(change).items()}, **ids(change)}


def as_json(value):
    return None if value is None else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def fill(count, write):
    """Writes blocks of rows: `write(table, rows)`. Returns the newest event."""
    newest, events, operations = None, [], []
    for event, operation in log(count):
        newest = event
        events.append(event)
        if operation:
            operations.append(operation)
        if len(events) == 50_000:
            write("audit_events", events), write("operations", operations)
            events, operations = [], []
    write("audit_events", events), write("operations", operations)
    return newest


def in_a_process(fill, *args):
    """Keeps the memory of the filling out of the peak memory that the system reports for the commands started later."""
    process = multiprocessing.Process(target=fill, args=args)
    process.start()
    process.join()
    if process.exitcode != 0:
        sys.exit("the ledger could not be filled")


def fill_sqlite(file, count):
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA synchronous = OFF")
    tables = {name: schema.of_sqlite(connection, name) for name in ["audit_events", "operations"]}

    def write(name, rows):
        places = ",".join("?" * len(tables[name].columns))
        connection.executemany(f"INSERT INTO {name} VALUES ({places})", tables[name].values(rows))

    newest = fill(count, write)
    connection.execute("UPDATE chain_head SET seq = ?, hash = ?", (newest["seq"], newest["hash"]))
    connection.commit()
    connection.close()


def fill_postgres(url, count, partition=None):
    def field(value):
        if value is None:
            return "\\N"
        text = f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)
        return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")

    tables = {name: schema.of_postgres(url, name) for name in ["audit_events", "operations"]}

    def write(name, rows):
        copy = subprocess.Popen(["psql", "-q", "-v", "ON_ERROR_STOP=1", url, "-c",
                                 f"COPY {name} ({','.join(tables[name].columns)}) FROM STDIN"], stdin=subprocess.PIPE)
        for row in tables[name].values(rows):
            copy.stdin.write(("\t".join(map(field, row)) + "\n").encode())
        copy.stdin.close()
        if copy.wait() != 0:
            sys.exit("the rows could not be written")

    def sql(text):
        subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", url, "-c", text], check=True, stdout=subprocess.DEVNULL)

    schema.make_partitions(sql, count, partition)
    newest = fill(count, write)
    head = f"UPDATE chain_head SET seq = {newest['seq']}, hash = '\\x{newest['hash'].hex()}'"
    subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", url, "-c", head], check=True)
    subprocess.run(["psql", "-q", url, "-c", "VACUUM ANALYZE"], check=True)
