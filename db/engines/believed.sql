-- name: known
select tool_name, version_id
from unnest($1::text[], $2::int[]) as asked (tool_name, version_id)
join tool_versions using (tool_name, version_id)
