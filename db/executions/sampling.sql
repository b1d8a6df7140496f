-- The first executions of each span of time, by the index of the tool: so it never reads more than
-- $4 times $5 of them. Failures that are not the tool's are not judged.
-- name: sampled
select
    span.number,
    count(*) filter (where is_judged) as executions,
    count(*) filter (where is_judged and success) as successes,
    percentile_cont(0.5) within group (order by duration_ms) as median_ms,
    percentile_cont(0.95) within group (order by duration_ms) as slow_ms
from generate_series(0, $4::int - 1) as span (number)
cross join lateral (
    select
        success,
        duration_ms,
        success or coalesce(error_origin, 'tool') = 'tool' as is_judged
    from tool_executions
    where tool_name = $1
        and executed_at >= $2::timestamptz + span.number * $3::interval
        and executed_at < $2::timestamptz + (span.number + 1) * $3::interval
    order by executed_at
    limit $5
) first
group by span.number
order by span.number
