-- name: lock
select pg_advisory_lock(7655, 1)

-- name: unlock
select pg_advisory_unlock(7655, 1)

-- name: create_table
create table if not exists schema_migrations (
    name text primary key,
    checksum text not null,
    applied_at timestamptz not null default now()
)

-- name: applied
select name, checksum from schema_migrations

-- name: remember
insert into schema_migrations (name, checksum) values ($1, $2)
