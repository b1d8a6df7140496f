-- name: process_id
select pg_backend_pid()

-- Whoever may connect sees the name of an application and its user, of any session.
-- name: blockers
select distinct blocker.pid, blocker.application_name, blocker.usename
from unnest($1::int[]) as waiting (pid)
cross join lateral unnest(pg_blocking_pids(waiting.pid)) as found (pid)
join pg_stat_activity blocker on blocker.pid = found.pid
where found.pid <> all($1::int[])
order by blocker.pid
