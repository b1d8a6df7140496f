-- Those of the tools that wait, and those that a deployment with one of the ids has superseded.
-- Postgres' clock alone decides whether the time of a held deployment is over.
-- name: about
select *, expires_at <= clock_timestamp() as is_past_hold
from held_deployments
where tool_name = any($1::text[])
    and (status = 'held' or superseded_by = any($2::uuid[]))

-- name: hold
insert into held_deployments (
    tool_name, deployment_id, code, code_hash, created_by, author, authorship, improvement_type,
    improvement_reason, deployed_at, accepted_breaks, checks, findings, status, held_at, expires_at
) values (
    $1, $2, $3, $4, $5, $6, $7, $8,
    $9, $10, $11::text::jsonb, $12::text::jsonb, $13, 'held', $14,
    $14::timestamptz + make_interval(secs => $15)
)

-- name: end
update held_deployments
set status = $3,
    ended_at = $4,
    approved_by = $5,
    dismissed_by = $6,
    dismissal = $7,
    superseded_by = $8,
    code = null
where tool_name = $1 and deployment_id = $2 and status = 'held'
returning tool_name

-- name: tools_due
select tool_name
from held_deployments
where status = 'held' and expires_at <= clock_timestamp()

-- name: waiting
select
    count(*)::int as number,
    coalesce(extract(epoch from clock_timestamp() - min(held_at)), 0)::float8 as oldest_s
from held_deployments
where status = 'held' and expires_at > clock_timestamp()

-- name: superseded
select outcome::text
from held_deployments held
join deployments using (tool_name, deployment_id)
join unnest($1::text[], $2::uuid[]) as newer (tool_name, deployment_id)
    on newer.tool_name = held.tool_name and newer.deployment_id = held.superseded_by
order by held.ended_at

-- name: listed
select *
from held_deployments
where status = 'held'
    and expires_at > clock_timestamp()
    and ($1::text is null or tool_name = $1::text)
order by held_at desc

-- name: of_tool
select *
from held_deployments
where tool_name = $1
order by held_at desc
limit $2

-- name: among
select *
from held_deployments
where tool_name = $1 and deployment_id = any($2::uuid[])

-- name: between
select tool_name, deployment_id
from held_deployments
where deployment_id between $1 and $2 and ($3::text is null or tool_name = $3::text)
order by deployment_id, tool_name
limit $4
