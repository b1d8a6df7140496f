-- In the order of the primary key, so that each batch goes on where the last one ended.
-- name: of_session
select execution_id, tool_name, error, error_type
from tool_executions
where session_id = $1 and (execution_id, tool_name) > ($2::uuid, $3::text)
order by execution_id, tool_name
limit $4
for no key update

-- name: of_caller
select execution_id, tool_name, error, error_type
from tool_executions
where caller = $1 and (execution_id, tool_name) > ($2::uuid, $3::text)
order by execution_id, tool_name
limit $4
for no key update

-- An execution that was erased before is left as it is.
-- name: of_execution
select execution_id, tool_name, error, error_type
from tool_executions
where execution_id = $1::text::uuid
    and (execution_id, tool_name) > ($2::uuid, $3::text)
    and erased_at is null
order by execution_id, tool_name
limit $4
for no key update

-- What was seen of the executions also stands with the rollbacks that they decided.
-- name: erase_explanations
update rollbacks
set explanation = explanation || '{"errors": []}'
from unnest($1::text[], $2::uuid[]) as erased (tool_name, execution_id)
where rollbacks.tool_name = erased.tool_name
    and explanation -> 'decided_by' ? erased.execution_id::text

-- Refusals of the code that was rolled back quote the same errors.
-- name: erase_refusals
update deployments
set outcome = jsonb_set(outcome, '{rolled_back,errors}', '[]')
from unnest($1::text[], $2::uuid[]) as erased (tool_name, execution_id)
where deployments.tool_name = erased.tool_name
    and outcome -> 'rolled_back' -> 'executions' ? erased.execution_id::text

-- name: erase_verdicts
update later_verdicts
set judged_by = null, why = null
from unnest($1::uuid[], $2::text[]) as erased (execution_id, tool_name)
where later_verdicts.execution_id = erased.execution_id
    and later_verdicts.tool_name = erased.tool_name

-- A verdict may be stored without its execution, or after that was erased.
-- name: erase_verdicts_on
update later_verdicts
set judged_by = null, why = null
where execution_id = $1::text::uuid
returning tool_name, execution_id

-- Who calls a tool may judge its executions, too.
-- name: erase_verdicts_by
update later_verdicts
set judged_by = null, why = null
where (tool_name, verdict_id) in (
    select tool_name, verdict_id
    from later_verdicts
    where judged_by = $1
    limit $2
)
returning tool_name, execution_id

-- name: erase
update tool_executions
set error = null,
    error_type = erased.label,
    session_id = null,
    caller = null,
    input_hash = null,
    erased_at = clock_timestamp()
from unnest($1::uuid[], $2::text[], $3::text[]) as erased (execution_id, tool_name, label)
where tool_executions.execution_id = erased.execution_id
    and tool_executions.tool_name = erased.tool_name
