-- The seed of the hash keeps these locks apart from others in the same database.

-- name: limit_waits
select set_config('lock_timeout', $1, true)

-- name: lock
select pg_advisory_lock(hashtextextended($1, 7655))

-- name: lock_until_commit
select pg_advisory_xact_lock(hashtextextended($1, 7655))

-- name: unlock
select pg_advisory_unlock(hashtextextended($1, 7655))
