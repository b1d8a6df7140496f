-- A tool has a row of each kind in `tool_locks`, and who locks the row has the lock. So only roles that
-- may write there can lock a tool. Several rows are always locked in the order of their names, so that
-- nobody waits for another one in a circle. What is set ends with the transaction. It is set first:
-- Postgres evaluates what follows `from`, and sorts, before it locks anything.
--
-- If a machine disappears, the keepalives let Postgres release the locks of its transaction after half
-- a minute. If a client stands still, the limit for idle transactions does.

-- name: limit_waits
select pg_backend_pid(),
    set_config('lock_timeout', $1, true),
    set_config('idle_in_transaction_session_timeout', $2, true),
    set_config('tcp_keepalives_idle', '10', true),
    set_config('tcp_keepalives_interval', '5', true),
    set_config('tcp_keepalives_count', '4', true)

-- A transaction that holds tools for publishing changes nothing that must survive a crash of the server,
-- so its end need not wait until it is on disk.
-- name: lock
select tool_locks.tool_name
from set_config('lock_timeout', $3, true),
    set_config('idle_in_transaction_session_timeout', $4, true) as idle_limit,
    set_config('tcp_keepalives_idle', '10', true) as idle,
    set_config('tcp_keepalives_interval', '5', true) as pause,
    set_config('tcp_keepalives_count', '4', true) as count,
    set_config(
        'synchronous_commit',
        case $2 when 'publish' then 'off' else current_setting('synchronous_commit') end,
        true
    ) as on_disk,
    tool_locks
where tool_locks.tool_name = any($1::text[]) and tool_locks.kind = $2
order by tool_locks.tool_name
for update of tool_locks

-- name: known
select tool_name from tool_locks where tool_name = any($1::text[]) and kind = $2

-- name: add
insert into tool_locks (tool_name, kind)
select tool_name, $2 from unnest($1::text[]) as tool_name order by tool_name
on conflict do nothing

-- name: lock_fleet
select tool_name from tool_locks where kind = 'fleet' for update

-- The order is the one in which the recorder locks them, so that neither waits for the other in a
-- circle.
-- name: lock_versions
select version_id
from tool_versions
where version_id = any($1::int[])
order by version_id
for no key update

-- Those of these tools that nobody else keeps from being changed at this moment.
-- name: free_versions
select tool_name
from tool_versions
where tool_name = any($1::text[]) and is_current
order by version_id
for no key update skip locked

-- name: with_versions
select tool_name from tool_versions where tool_name = any($1::text[]) and is_current

-- name: may_be_idle
select pg_backend_pid(), set_config('idle_in_transaction_session_timeout', '0', true)
