-- name: claim
insert into replayed_records (topic, partition, log_offset)
values ($1, $2, $3)
on conflict do nothing
returning replayed_at

-- name: published
update replayed_records
set to_partition = $4, to_offset = $5
where topic = $1 and partition = $2 and log_offset = $3

-- name: give_back
delete from replayed_records where topic = $1 and partition = $2 and log_offset = $3

-- name: among
select replayed.*
from replayed_records replayed
join unnest($1::text[], $2::int[], $3::bigint[]) as position (topic, partition, log_offset)
    using (topic, partition, log_offset)

-- When Postgres made the current version current, by its own clock. A person's command and an
-- automatic one may have the same id: the later one is the newest change of the tool.
-- name: changed_at
select coalesce(deployments.applied_at, rolled_back.applied_at, version.activated_at)
from tool_versions version
left join deployments
    on version.activated_by_kind = 'deployment'
    and deployments.tool_name = version.tool_name
    and deployments.deployment_id = version.activated_by_id
left join lateral (
    select max(rollbacks.applied_at) as applied_at
    from rollbacks
    where version.activated_by_kind = 'rollback'
        and rollbacks.tool_name = version.tool_name
        and rollbacks.command_id = version.activated_by_id
        and rollbacks.status = 'applied'
) rolled_back on true
where version.tool_name = $1 and version.is_current
