-- What an automatic command rests on, as the outcome carries it; null for a person's command, and for
-- commands that were decided before.
alter table rollbacks add column explanation jsonb;

-- Replaced, not made anew: who may read it keeps that.
create or replace view rollback_records as
select
    rollbacks.command_id,
    rollbacks.tool_name,
    rollbacks.from_version_id,
    source.version_number as from_version_number,
    rollbacks.to_version_id,
    coalesce(rollbacks.to_version_number, target.version_number) as to_version_number,
    rollbacks.tier,
    rollbacks.reason,
    shown_details(rollbacks.details) as details,
    rollbacks.issued_by,
    rollbacks.issued_at,
    rollbacks.status,
    rollbacks.rejection,
    rollbacks.applied_at,
    rollbacks.from_activation,
    rollbacks.expires_at,
    rollbacks.approved_by,
    rollbacks.dismissed_by,
    rollbacks.dismissal,
    rollbacks.target,
    rollbacks.is_breaking_change,
    rollbacks.breaking_changes,
    rollbacks.explanation
from rollbacks
left join tool_versions source
    on source.version_id = rollbacks.from_version_id and source.tool_name = rollbacks.tool_name
left join tool_versions target
    on target.version_id = rollbacks.to_version_id and target.tool_name = rollbacks.tool_name;
