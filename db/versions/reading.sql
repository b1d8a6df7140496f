-- name: current
select * from tool_versions where tool_name = any($1::text[]) and is_current

-- name: history
select version.*, untrusted.code_hash is null as trusted
from tool_versions version
left join untrusted_code untrusted using (tool_name, code_hash)
where version.tool_name = $1 and ($3::int is null or version.version_number < $3::int)
order by version.version_number desc
limit $2

-- name: version
select version.*, untrusted.code_hash is null as trusted
from tool_versions version
left join untrusted_code untrusted using (tool_name, code_hash)
where version.tool_name = $1 and version.version_id = $2

-- name: activations
select *
from activations
where tool_name = $1 and version_id = any($2::int[])
order by activation

-- name: numbers
select version_id, version_number
from tool_versions
where tool_name = $1 and (version_id = any($2::int[]) or version_number = any($3::int[]))

-- Both tables have an index on `applied_at`.
-- name: activated_since
select tool_name
from deployments
where applied_at >= clock_timestamp() - $1::interval and outcome ->> 'status' = 'created'
union
select tool_name
from rollbacks
where applied_at >= clock_timestamp() - $1::interval and status = 'applied'

-- name: tools
select tool_name from tool_versions where is_current order by tool_name

-- name: newest_activations
select *
from activations
where tool_name = $1
order by activation desc
limit $2
