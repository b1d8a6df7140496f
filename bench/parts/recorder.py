"""The recorder compared with its limit, on a real Kafka and Postgres.

*Limit*: aiokafka's ``getmany``, the same reading of an execution, and a binary COPY of the same
rows into a table of the same definition; nothing else: no duplicates, no metrics, no offsets.

In every round both read the same log, one after the other, each in a process of its own. Compared
are the CPU time of that process, the CPU time of all of Postgres, and the elapsed time. The CPU
time of a recorder that finds an empty log (imports, joining the group) is subtracted; its elapsed
time begins with the first batch that it has committed. The embedded Postgres does not wait for the
disk, because ``fsync`` is off.

Both tables hold ``rows`` rows before, to show what a full table costs.
"""

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from uuid import uuid4

import asyncpg
import psutil
import typer
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import ConsumerRecord

from bench.setup.servers import apache_kafka
from bench.setup.usage import PostgresUsage, cpu_of
from rollguard.embedded.stack import EmbeddedStack
from rollguard_client.kafka.access import consumer_options
from schemas.execution_entry import read_execution_entry
from schemas.fields import time_of
from schemas.settings import Settings
from streams.topics import Topics
from tests.support.inputs.messages import activation, execution
from tests.support.systems.system import System
from tests.support.waiting import until

TOOLS = 50
_ROW_BYTES = 1_000
"""At most so much disk for a row of both tables, with indexes and the space to build them."""
_FILL = """
insert into {table} (
    execution_id, tool_name, version_id, success, error, error_type, executed_at, duration_ms,
    session_id, log_offset
)
select
    gen_random_uuid(), 'tool-' || n % $2::int, 1 + n % $2::int, n % 50 > 0,
    case when n % 50 = 0 then 'ValueError: no' end, case when n % 50 = 0 then 'ValueError' end,
    now() - interval '1 day' - n * interval '1 ms', 1.5, 'bench', $1::bigint - n
from generate_series(1, $1::bigint) n
"""
_VERSIONS = """
insert into tool_versions (tool_name, version_number, code, code_hash, is_current)
select 'tool-' || n, 1, '', repeat('0', 64), true from generate_series(0, $1::int - 1) n
"""
_COLUMNS = (
    *("log_offset", "execution_id", "tool_name", "version_id", "success", "error", "error_type"),
    *("executed_at", "duration_ms", "session_id", "caller", "input_hash"),
)


@dataclass(frozen=True)
class Cost:
    """The cost of one execution, in µs."""

    worker: float
    """CPU time of the process that reads and writes."""
    postgres: float
    """CPU time of all processes of Postgres."""
    wall: float

    def __str__(self) -> str:
        rate = 1e6 / self.wall
        return f"worker {self.worker:.1f} µs, Postgres {self.postgres:.1f} µs, {rate:,.0f}/s"


@dataclass(frozen=True)
class Round:
    """The limit and the recorder on the same log."""

    limit: Cost
    recorder: Cost

    @property
    def share(self) -> float:
        """The recorder's throughput, as a share of its limit's."""
        return self.limit.wall / self.recorder.wall

    @property
    def cpu_share(self) -> float:
        """The same share by CPU time, as if nothing else ran on the machine."""
        spent = self.recorder.worker + self.recorder.postgres
        return (self.limit.worker + self.limit.postgres) / spent


@dataclass(frozen=True)
class Result:
    """The result of all rounds.

    ``rows`` were in the tables before. The bytes are those of one execution in Postgres.
    """

    executions: int
    rows: int
    rounds: list[Round]
    table_bytes: float
    index_bytes: dict[str, float]

    @property
    def share(self) -> float:
        """The median of the rounds' shares."""
        return statistics.median(each.share for each in self.rounds)


async def fill_log(settings: Settings, executions: int) -> None:
    """Send activations of 50 tools, then executions in turn; one of 50 of each tool fails."""
    topic = Topics.of(settings).executions
    tools = [f"tool-{number}" for number in range(TOOLS)]
    producer = AIOKafkaProducer(
        bootstrap_servers=list(settings.kafka_brokers), linger_ms=20, max_batch_size=100_000
    )
    await producer.start()
    try:
        for number, tool in enumerate(tools, 1):
            await producer.send(topic, activation(tool, number, 1).to_bytes(), key=tool.encode())
        for number in range(executions):
            tool = tools[number % TOOLS]
            run = execution(
                tool,
                None if number // TOOLS % 50 else "ValueError: no",
                version_id=1 + number % TOOLS,
                executed_at=datetime.now(UTC),
                duration_ms=1.5,
                session_id="bench",
            )
            await producer.send(topic, run.to_bytes(), key=tool.encode())
        await producer.flush()
    finally:
        await producer.stop()


async def fill_tables(conn: asyncpg.Connection, rows: int) -> None:
    """Create the versions of the tools, and so many rows in each table."""
    await conn.execute("create table limit_executions (like tool_executions including all)")
    await conn.execute(_VERSIONS, TOOLS)
    for table in ("tool_executions", "limit_executions"):
        if rows:
            await _fill_table(conn, table, rows)
    await conn.execute("checkpoint")


async def _fill_table(conn: asyncpg.Connection, table: str, rows: int) -> None:
    """Fill the table, then build its indexes, which takes a fraction of the time."""
    indexes = await conn.fetch("select * from pg_indexes where tablename = $1", table)
    await conn.execute(f"alter table {table} drop constraint {table}_pkey")
    others = [each for each in indexes if each["indexname"] != f"{table}_pkey"]
    for each in others:
        await conn.execute(f"drop index {each['indexname']}")
    await conn.execute(_FILL.format(table=table), rows, TOOLS)
    await conn.execute(f"alter table {table} add primary key (execution_id, tool_name)")
    for each in others:
        await conn.execute(each["indexdef"])
    await conn.execute(f"vacuum analyze {table}")


def _row(record: ConsumerRecord) -> tuple[object, ...] | None:
    """Return the row of an execution; None for an activation."""
    entry = read_execution_entry(record.value)
    if entry is None:
        return None
    return (
        *(record.offset, entry.execution_id, entry.tool_name, entry.version_id, entry.success),
        *(entry.error, entry.error_class, time_of(entry.executed_us), entry.duration_ms),
        *(entry.session_id, entry.caller, entry.input_hash),
    )


async def _limit(settings: Settings, executions: int) -> tuple[float, float]:
    topic = Topics.of(settings).executions
    conn = await asyncpg.connect(settings.postgres_dsn.get_secret_value())
    consumer = AIOKafkaConsumer(**consumer_options(settings), enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, number) for number in range(settings.partitions)])
        await consumer.seek_to_beginning()
        written, began, used = 0, time.perf_counter(), time.process_time()
        while written < executions:
            fetched = await consumer.getmany(timeout_ms=1000, max_records=settings.max_poll_records)
            for records in fetched.values():
                rows = [row for record in records if (row := _row(record)) is not None]
                await conn.copy_records_to_table("limit_executions", records=rows, columns=_COLUMNS)
                written += len(rows)
        return time.process_time() - used, time.perf_counter() - began
    finally:
        await consumer.stop()
        await conn.close()


def limit_process(settings: Settings, executions: int) -> tuple[float, float]:
    """Return the CPU and the elapsed seconds of the limit, measured in this process."""
    return uvloop.run(_limit(settings, executions))


class Bench:
    """Measures rounds on a database that has its versions and rows; each round has a new log."""

    def __init__(self, brokers: str, dsn: str, conn: asyncpg.Connection) -> None:
        self._brokers = brokers
        self._dsn = dsn
        self._conn = conn
        self._postgres = PostgresUsage(conn.get_server_pid())

    async def round(self, executions: int) -> Round:
        """Measure the limit, then the recorder."""
        async with self._system() as system:
            idle = await self._idle(system)
        async with self._system() as system:
            await fill_log(system.settings, executions)
            limit = await self._limit(system.settings, executions)
            recorder = await self._recorder(system, executions, idle)
        return Round(limit, recorder)

    async def _limit(self, settings: Settings, executions: int) -> Cost:
        before = self._postgres.cpu_s
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            call = process.submit(limit_process, settings, executions)
            used, took = await asyncio.wrap_future(call)
        postgres = self._postgres.cpu_s - before
        return Cost(*(1e6 / executions * each for each in (used, postgres, took)))

    async def _recorder(self, system: System, executions: int, idle: tuple[float, float]) -> Cost:
        before = self._postgres.cpu_s
        worker = psutil.Process((await system.spawn("recorder")).pid)
        async with asyncio.timeout(600):
            while not (first := await self._recorded(system)):
                await asyncio.sleep(0.005)
            began = time.perf_counter()
            while (await self._recorded(system)) < executions + TOOLS:
                await asyncio.sleep(0.05)
        took = time.perf_counter() - began
        used = cpu_of(worker) - idle[0]
        postgres = self._postgres.cpu_s - before - idle[1]
        await system.stop_all()
        each = 1e6 / executions
        return Cost(used * each, postgres * each, 1e6 * took / (executions + TOOLS - first))

    async def _idle(self, system: System) -> tuple[float, float]:
        """Return the CPU seconds of a recorder and of Postgres until the recorder is ready."""
        before = self._postgres.cpu_s
        worker = psutil.Process((await system.spawn("recorder")).pid)

        async def ready() -> bool:
            return (await system.page("recorder", "/readyz"))[0] == 200

        await until(ready)
        used = cpu_of(worker), self._postgres.cpu_s - before
        await system.stop_all()
        return used

    async def _recorded(self, system: System) -> int:
        """Return the number of records of the log that are recorded."""
        sql = "select coalesce(sum(next_offset), 0) from recorder_offsets where topic = $1"
        return int(await self._conn.fetchval(sql, system.topics.executions))

    @asynccontextmanager
    async def _system(self) -> AsyncIterator[System]:
        with tempfile.TemporaryDirectory() as folder:
            prefix = f"bench-{uuid4().hex[:8]}-"
            async with System.started(
                self._brokers, self._dsn, prefix, Path(folder), (), 500
            ) as system:
                yield system


async def measure(brokers: str, executions: int, rows: int, rounds: int) -> Result:
    """Measure the limit and the recorder in turn, ``rounds`` times, on tables with so many rows."""
    async with EmbeddedStack() as stack:
        if shutil.disk_usage(stack.folder).free < rows * _ROW_BYTES:
            raise RuntimeError(f"{rows} rows need {rows * _ROW_BYTES:,} bytes in {stack.folder}")
        async with migrated(brokers, stack.postgres_dsn) as conn:
            await fill_tables(conn, rows)
            bench = Bench(brokers, stack.postgres_dsn, conn)
            done = []
            for _ in range(rounds):
                if not rows:
                    await conn.execute("truncate tool_executions, limit_executions")
                done.append(await bench.round(executions))
            return Result(executions, rows, done, *await _bytes(conn))


@asynccontextmanager
async def migrated(brokers: str, dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Create the schema; yield a connection to the database."""
    with tempfile.TemporaryDirectory() as folder:
        async with System.started(brokers, dsn, "bench-schema-", Path(folder), ()):
            pass
    conn = await asyncpg.connect(dsn)
    try:
        yield conn
    finally:
        await conn.close()


async def _bytes(conn: asyncpg.Connection) -> tuple[float, dict[str, float]]:
    """Return the bytes of one execution in the table and in each index."""
    count = await conn.fetchval("select count(*) from tool_executions")
    table = await conn.fetchval("select pg_table_size('tool_executions')")
    sizes = await conn.fetch(
        "select indexrelid::regclass::text as name, pg_relation_size(indexrelid) as size"
        " from pg_index where indrelid = 'tool_executions'::regclass order by 1"
    )
    return table / count, {row["name"]: row["size"] / count for row in sizes}


def show(result: Result) -> None:
    """Print the result."""
    print(f"{result.executions:,} executions on top of {result.rows:,} rows")
    for each in result.rounds:
        print(f"  limit:    {each.limit}\n  recorder: {each.recorder}")
        print(f"  {each.share:.2f} of its limit, by CPU time {each.cpu_share:.2f}")
    print(f"median {result.share:.2f} of its limit")
    indexes = ", ".join(f"{name} {size:.0f}" for name, size in result.index_bytes.items())
    total = result.table_bytes + sum(result.index_bytes.values())
    print(f"bytes of an execution: {total:.0f}: table {result.table_bytes:.0f}, {indexes}")


def main(executions: int = 200_000, rows: int = 0, rounds: int = 3) -> None:
    """Measure on the Apache Kafka at ROLLGUARD_KAFKA_BROKERS, else on one from Maven."""
    with ExitStack() as stack:
        brokers = os.environ.get("ROLLGUARD_KAFKA_BROKERS") or stack.enter_context(apache_kafka())
        show(asyncio.run(measure(brokers, executions, rows, rounds)))


if __name__ == "__main__":
    typer.run(main)
