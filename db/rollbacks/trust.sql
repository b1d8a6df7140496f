-- The nearest first. The walk ends when `most` versions are found. It ends in a circle too: each time
-- around either more are found or, because of `union`, a version that was met before is the same row
-- and is dropped. `losing`: code that does not count as trusted.
-- name: way_back
select
    leaving.tool_name,
    back.version_id,
    back.version_number,
    back.code_hash,
    back.total_executions,
    back.successful_executions
from unnest($1::text[], $2::int[], $3::text[], $4::int[])
    as leaving (tool_name, version_id, losing, most)
cross join lateral (
    with recursive back as (
        select
            version_id,
            version_number,
            code_hash,
            total_executions,
            successful_executions,
            previous_version_id,
            false as will_do,
            0 as found
        from tool_versions
        where tool_name = leaving.tool_name and version_id = leaving.version_id
        union
        select
            earlier.version_id,
            earlier.version_number,
            earlier.code_hash,
            earlier.total_executions,
            earlier.successful_executions,
            earlier.previous_version_id,
            judged.will_do,
            back.found + judged.will_do::int
        from back
        join tool_versions earlier on earlier.version_id = back.previous_version_id
        cross join lateral (
            select earlier.version_id <> leaving.version_id
                and earlier.code_hash is distinct from leaving.losing
                and not exists (
                    select
                    from untrusted_code untrusted
                    where untrusted.tool_name = leaving.tool_name
                        and untrusted.code_hash = earlier.code_hash
                ) as will_do
        ) as judged
        where back.found < leaving.most and earlier.tool_name = leaving.tool_name
    )
    select * from back where will_do
) as back
order by leaving.tool_name, back.found

-- Code that lost its trust earlier keeps the rollback that took it first.
-- name: take
insert into distrusted_code (tool_name, code_hash, command_id, since)
values ($1, $2, $3, $4)
on conflict (tool_name, code_hash) do nothing

-- name: give
delete from distrusted_code where tool_name = $1 and code_hash = $2

-- name: losses
select
    rollbacks.tool_name,
    rollbacks.command_id,
    rollbacks.tier,
    rollbacks.reason,
    shown_details(rollbacks.details) as details,
    rollbacks.from_version_id,
    rollbacks.applied_at,
    rollbacks.explanation
from unnest($1::text[], $2::text[]) as code (tool_name, code_hash)
join distrusted_code distrusted using (tool_name, code_hash)
join rollbacks
    on rollbacks.tool_name = distrusted.tool_name
    and rollbacks.command_id = distrusted.command_id
    and rollbacks.is_automatic
