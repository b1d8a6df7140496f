-- name: insert
insert into later_verdicts
    (tool_name, verdict_id, execution_id, version_id, bad, judged_by, why, judged_at, log_offset)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (tool_name, verdict_id) do nothing

-- name: of_version
select count(*) as judged, count(*) filter (where bad) as bad
from later_verdicts
where tool_name = $1 and version_id = $2

-- name: is_recorded
select exists (select from later_verdicts where tool_name = $1 and verdict_id = $2)
