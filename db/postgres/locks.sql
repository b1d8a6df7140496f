-- The seed of the hash keeps these locks apart from other locks in the same database. Several locks
-- are always taken in the order of their keys, so that nobody waits for another one in a circle. The
-- wait for each is limited first: Postgres evaluates what follows `from` before it locks anything.

-- name: limit_waits
select set_config('lock_timeout', $1, true)

-- name: lock
select pg_advisory_lock(key)
from set_config('lock_timeout', $2, true),
    (
        select hashtextextended(tool_name, 7655) as key
        from unnest($1::text[]) as tool_name
        order by key
    ) as in_order

-- name: lock_until_commit
select pg_advisory_xact_lock(key)
from set_config('lock_timeout', $2, true),
    (
        select hashtextextended(tool_name, 7655) as key
        from unnest($1::text[]) as tool_name
        order by key
    ) as in_order

-- name: unlock
select pg_advisory_unlock(hashtextextended(tool_name, 7655)) from unnest($1::text[]) as tool_name

-- The order is the one in which the recorder locks them, so that neither waits for the other in a
-- circle.
-- name: lock_versions
select version_id
from tool_versions
where version_id = any($1::int[])
order by version_id
for no key update
