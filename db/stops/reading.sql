-- Those that have not ended, whether they have expired or not.
-- name: of_deployments
select asked.tool_name as asked_tool, stops.*, version.version_number, clock.now
from unnest($1::text[], $2::text[]) as asked (tool_name, code_hash)
join stops on stops.tool_name = any(array[asked.tool_name, '']) and stops.ended_at is null
left join tool_versions version on version.version_id = stops.version_id
cross join clock_timestamp() as clock (now)
where stops.code_hash is null or stops.code_hash = asked.code_hash

-- The newest first, from the one that comes after a stop. Of a tool, those of all tools are among them.
-- name: page
select stops.*, version.version_number, clock.now
from stops
left join tool_versions version on version.version_id = stops.version_id
cross join clock_timestamp() as clock (now)
where ($1::text is null or stops.tool_name = any(array[$1::text, '']))
    and ($2::text is null or stops.kind = $2::text)
    and ($3::boolean or stops.ended_at is null)
    and ($3::boolean or stops.expires_at is null or stops.expires_at > clock.now)
    and ($5::bigint is null or (stops.began_at, stops.stop_id) < ($4::timestamptz, $5::bigint))
order by stops.began_at desc, stops.stop_id desc
limit $6

-- name: of_kind
select stops_in_force.*
from stops_in_force
where kind = $1 and ($2::text[] is null or tool_name = any($2::text[]))
order by tool_name

-- name: count_tools
select
    count(*) filter (where is_pinned)::int as pinned,
    count(*) filter (where is_frozen)::int as frozen,
    count(*) filter (where waits)::int as waiting
from (
    select
        bool_or(stop.kind = 'pin') as is_pinned,
        bool_or(stop.kind = 'freeze') as is_frozen,
        bool_or(stop.kind = 'wait') as waits
    from tool_versions version
    join stops_in_force stop on stop.tool_name = any(array[version.tool_name, ''])
    where version.is_current
    group by version.tool_name
) as tool
