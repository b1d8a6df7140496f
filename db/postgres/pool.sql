-- The types of arguments that asyncpg does not know by itself.
-- name: types
select null::int[], null::bigint[], null::uuid[], null::timestamptz[], null::interval[], null::boolean[]

-- name: process_id
select pg_backend_pid()
