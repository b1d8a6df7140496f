-- Checks that came with a deployment, and deployments that wait for a person.
alter table tool_versions add column checks jsonb not null default '[]';

create table held_deployments (
    tool_name text not null,
    deployment_id uuid not null,
    code text,
    code_hash text not null,
    created_by text not null,
    author text,
    authorship text,
    improvement_type text not null,
    improvement_reason text,
    deployed_at timestamptz not null,
    accepted_breaks jsonb not null,
    checks jsonb not null,
    findings text[] not null,
    status text not null
        check (status in ('held', 'approved', 'dismissed', 'expired', 'superseded')),
    held_at timestamptz not null,
    expires_at timestamptz not null,
    ended_at timestamptz,
    approved_by text,
    dismissed_by text,
    dismissal text,
    superseded_by uuid,
    primary key (deployment_id, tool_name),
    check ((status = 'held') = (code is not null)),
    check ((status = 'held') = (ended_at is null))
);

comment on table held_deployments is 'deployments that wait for a person, or waited';
comment on column held_deployments.code is 'null: it does not wait any more';
comment on column held_deployments.findings is 'why it is held, one sentence each';
comment on column held_deployments.ended_at is 'when it ended to wait';
comment on column held_deployments.superseded_by is 'the deployment after which it did not wait any more';

-- A newer deployment of the tool takes the place of the one that waits.
create unique index held_deployments_waiting on held_deployments (tool_name) where status = 'held';
create index held_deployments_due on held_deployments (expires_at) where status = 'held';
create index held_deployments_of_tool on held_deployments (tool_name, held_at desc);
create index held_deployments_superseded on held_deployments (superseded_by)
    where superseded_by is not null;

-- Who may store the outcomes of deployments may now replace that of a held one, and who may read
-- them may read what is held.
do $$
declare
    given record;
begin
    for given in
        select
            privilege_type,
            case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end as who
        from pg_class, aclexplode(relacl)
        where oid = 'deployments'::regclass and privilege_type in ('SELECT', 'INSERT')
    loop
        if given.privilege_type = 'SELECT' then
            execute format('grant select on held_deployments to %s', given.who);
        else
            execute format('grant insert, update on held_deployments to %s', given.who);
            execute format('grant update (outcome, applied_at) on deployments to %s', given.who);
        end if;
    end loop;
end
$$;
