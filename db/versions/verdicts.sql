-- name: of_versions
select version_id, count(*) as judged, count(*) filter (where bad) as bad
from later_verdicts
where tool_name = $1 and version_id = any($2::int[])
group by version_id

-- name: newest_bad
select newest.*
from unnest($2::int[]) as wanted (id)
cross join lateral (
    select version_id, execution_id, judged_by, why, judged_at
    from later_verdicts
    where tool_name = $1 and version_id = wanted.id and bad
    order by judged_at desc, verdict_id
    limit $3
) newest
