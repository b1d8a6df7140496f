-- name: lock
select pg_advisory_xact_lock(7655, 1)

-- name: create_table
create table if not exists schema_migrations (
    name text primary key,
    checksum text not null,
    applied_at timestamptz not null default now()
)

-- What a migration leaves to the end of the transaction is checked before the next one begins.
-- name: check_now
set constraints all immediate

-- name: check_at_the_end
set constraints all deferred

-- name: applied
select name, checksum from schema_migrations

-- name: remember
insert into schema_migrations (name, checksum) values ($1, $2)
