-- Only a role that may write to the table can take this lock. Readers do not wait for it.
-- name: lock
lock table schema_migrations in share row exclusive mode

-- name: create_table
create table if not exists schema_migrations (
    name text primary key,
    checksum text not null,
    applied_at timestamptz not null default now()
)

-- Whoever reads a table for long keeps a migration from changing it, and behind the migration everybody
-- else would wait for that table.
-- name: limit_waits
select set_config('lock_timeout', $1, true)

-- What a migration leaves to the end of the transaction is checked before the next one begins.
-- name: check_now
set constraints all immediate

-- name: check_at_the_end
set constraints all deferred

-- name: applied
select name, checksum from schema_migrations

-- name: remember
insert into schema_migrations (name, checksum) values ($1, $2)
