-- It ends at the first version that will do; `union` ends it in a circle too, as a version met again
-- is the same row. `losing`: code that does not count as trusted.
-- name: way_back
select leaving.tool_name, found.version_id, found.version_number, found.code_hash
from unnest($1::text[], $2::int[], $3::text[]) as leaving (tool_name, version_id, losing)
cross join lateral (
    with recursive back as (
        select version_id, version_number, code_hash, previous_version_id, false as will_do
        from tool_versions
        where tool_name = leaving.tool_name and version_id = leaving.version_id
        union
        select
            earlier.version_id,
            earlier.version_number,
            earlier.code_hash,
            earlier.previous_version_id,
            earlier.version_id <> leaving.version_id
                and earlier.code_hash is distinct from leaving.losing
                and not exists (
                    select
                    from distrusted_code distrusted
                    where distrusted.tool_name = leaving.tool_name
                        and distrusted.code_hash = earlier.code_hash
                )
        from back
        join tool_versions earlier on earlier.version_id = back.previous_version_id
        where not back.will_do and earlier.tool_name = leaving.tool_name
    )
    select version_id, version_number, code_hash from back where will_do
) as found

-- Code that lost it before keeps the rollback that took it first.
-- name: take
insert into distrusted_code (tool_name, code_hash, command_id, since)
values ($1, $2, $3, $4)
on conflict (tool_name, code_hash) do nothing

-- name: give
delete from distrusted_code where tool_name = $1 and code_hash = $2
