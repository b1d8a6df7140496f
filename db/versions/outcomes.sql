-- name: stored
select tool_name, outcome::text
from unnest($1::text[], $2::uuid[]) as request (tool_name, deployment_id)
join deployments using (tool_name, deployment_id)

-- name: store
insert into deployments (deployment_id, tool_name, outcome, applied_at)
values ($1, $2, $3::text::jsonb, $4)

-- Only a held deployment gets another outcome.
-- name: replace
update deployments
set outcome = $3::text::jsonb, applied_at = $4
where deployment_id = $1 and tool_name = $2 and outcome ->> 'status' = 'held'
