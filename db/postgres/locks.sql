-- The seed of the hash keeps these locks apart from each other, and from other locks in the same
-- database. Several locks are always taken in the order of their keys, so that nobody waits for
-- another one in a circle. What is set ends with the transaction. It is set first: Postgres evaluates
-- what follows `from` before it locks anything. If a machine disappears, the keepalives let Postgres
-- release the locks of its transaction after half a minute.

-- name: limit_waits
select set_config('lock_timeout', $1, true),
    set_config('tcp_keepalives_idle', '10', true),
    set_config('tcp_keepalives_interval', '5', true),
    set_config('tcp_keepalives_count', '4', true)

-- name: lock
select pg_advisory_xact_lock(key)
from set_config('lock_timeout', $3, true),
    set_config('tcp_keepalives_idle', '10', true) as idle,
    set_config('tcp_keepalives_interval', '5', true) as pause,
    set_config('tcp_keepalives_count', '4', true) as count,
    (
        select hashtextextended(tool_name, $2) as key
        from unnest($1::text[]) as tool_name
        order by key
    ) as in_order

-- The order is the one in which the recorder locks them, so that neither waits for the other in a
-- circle.
-- name: lock_versions
select version_id
from tool_versions
where version_id = any($1::int[])
order by version_id
for no key update

-- name: may_be_idle
select set_config('idle_in_transaction_session_timeout', '0', true)
