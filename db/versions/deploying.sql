-- A tool without versions has a row, too, with nulls. The time is the same for all tools.
-- name: tools
select
    tool.tool_name,
    coalesce((
        select max(version_number) from tool_versions where tool_name = tool.tool_name
    ), 0) as highest_number,
    coalesce((
        select max(activation) from tool_versions where tool_name = tool.tool_name
    ), 0) as highest_activation,
    current.version_id,
    current.version_number,
    current.activation,
    current.code_hash,
    current.is_breaking_change,
    current.breaking_changes,
    clock.now
from unnest($1::text[]) as tool (tool_name)
cross join clock_timestamp() as clock (now)
left join tool_versions current on current.tool_name = tool.tool_name and current.is_current

-- name: retire
update tool_versions set is_current = false where version_id = any($1::int[])

-- name: create
insert into tool_versions (
    tool_name, version_number, code, code_hash, created_at, created_by, deployment_count,
    is_current, is_breaking_change, breaking_changes, improvement_type, improvement_reason,
    previous_version_id, deployment_id, activation, activated_at, activated_by_kind,
    activated_by_id, accepted_breaks, author, authorship, checks
) values (
    $1, $2, $3, $4, $5, $6, 1,
    true, $7, $8, $9, $10,
    $11, $12, $13, $5, 'deployment',
    $12, $14::text::jsonb, $15, $16, $17::text::jsonb
)
returning tool_name, version_id, version_number, activation, is_breaking_change, breaking_changes

-- An author who deploys the current code vouches for it again, by the key of now.
-- name: deploy_again
update tool_versions
set deployment_count = deployment_count + 1,
    author = coalesce(again.author, tool_versions.author),
    authorship = coalesce(again.authorship, tool_versions.authorship)
from unnest($1::int[], $2::text[], $3::text[]) as again (version_id, author, authorship)
where tool_versions.version_id = again.version_id

-- name: clock
select clock_timestamp()
