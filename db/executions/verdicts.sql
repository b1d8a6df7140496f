-- name: insert
insert into later_verdicts
    (tool_name, verdict_id, execution_id, version_id, bad, judged_by, why, judged_at, log_offset)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (tool_name, verdict_id) do nothing

-- name: is_recorded
select exists (select from later_verdicts where tool_name = $1 and verdict_id = $2)

-- The bad verdicts on a version before another one, the newest first. If that one is not recorded yet,
-- no later one is either. Reads only columns that the applier has the privilege to read.
-- name: bad_before
select verdict_id, execution_id, why
from later_verdicts
where tool_name = $1
    and version_id = $2
    and bad
    and verdict_id is distinct from $3
    and log_offset <= coalesce(
        (select log_offset from later_verdicts where tool_name = $1 and verdict_id = $3),
        9223372036854775807
    )
order by log_offset desc
limit $4
