create table tool_versions (
    version_id serial primary key,
    tool_name varchar(255) not null,
    version_number int not null,
    code text not null,
    code_hash varchar(64) not null,
    created_at timestamptz not null default now(),
    created_by varchar(50),

    success_rate double precision,
    total_executions bigint not null default 0,
    successful_executions bigint not null default 0,
    deployment_count int not null default 0,

    is_current boolean not null default false,
    is_breaking_change boolean not null default false,
    breaking_changes text[] not null default '{}',

    improvement_type varchar(50),
    improvement_reason text,
    previous_version_id int references tool_versions (version_id),

    deployment_id uuid not null default gen_random_uuid(),
    activation int not null default 1,
    activated_at timestamptz not null default now(),
    activated_by_kind text not null default 'deployment'
        check (activated_by_kind in ('deployment', 'rollback')),
    activated_by_id uuid not null default gen_random_uuid(),

    unique (tool_name, version_number)
);

comment on column tool_versions.deployment_id is 'the deployment that made this version';
comment on column tool_versions.activation is
    'the newest activation of this version; counted per tool, from 1';

-- At most one current version of a tool, at every moment ...
create unique index tool_versions_one_current on tool_versions (tool_name) where is_current;

-- ... and at least one at every commit, if the tool has versions.
create function require_current_version() returns trigger language plpgsql as $$
declare
    tool varchar;
begin
    foreach tool in array
        case tg_op
            when 'INSERT' then array[new.tool_name]
            when 'DELETE' then array[old.tool_name]
            else array[old.tool_name, new.tool_name]
        end
    loop
        if exists (select from tool_versions where tool_name = tool)
           and not exists (select from tool_versions where tool_name = tool and is_current)
        then
            raise exception 'tool % has versions but no current one', tool
                using errcode = 'integrity_constraint_violation',
                      constraint = 'tool_versions_exactly_one_current';
        end if;
    end loop;
    return null;
end
$$;

create constraint trigger tool_versions_exactly_one_current
    after insert or delete or update of is_current, tool_name on tool_versions
    deferrable initially deferred
    for each row execute function require_current_version();

create view version_history_with_metrics as
select
    tool_name,
    version_number,
    created_at,
    created_by,
    success_rate,
    improvement_type,
    success_rate - lag(success_rate) over (
        partition by tool_name
        order by version_number
    ) as success_rate_change
from tool_versions
order by tool_name, version_number desc;

create view version_stability as
select
    tool_name,
    count(*) as total_versions,
    count(*) filter (where is_breaking_change) as breaking_changes,
    max(version_number) as current_version
from tool_versions
group by tool_name
order by breaking_changes desc;

-- One row per deployment: its first outcome, which a replay gets again.
create table deployments (
    deployment_id uuid primary key,
    tool_name text not null,
    outcome jsonb not null,
    applied_at timestamptz not null
);

create index deployments_applied_at on deployments (applied_at);

-- One row per command. The versions are those that were changed, or, of a rejected command,
-- those that it named: they need not exist.
create table rollbacks (
    command_id uuid primary key,
    tool_name text not null,
    from_version_id int,
    to_version_id int,
    to_version_number int,
    tier text not null,
    reason text not null,
    details jsonb not null,
    issued_by text not null,
    issued_at timestamptz not null,
    status text not null check (status in ('applied', 'rejected')),
    rejection text,
    applied_at timestamptz not null,
    check ((status = 'rejected') = (rejection is not null))
);

create index rollbacks_applied_at on rollbacks (applied_at);
create index rollbacks_tool on rollbacks (tool_name, applied_at desc);

-- Also of tools and versions that no one deployed: no foreign key.
create table tool_executions (
    execution_id uuid primary key,
    tool_name text not null,
    version_id int,
    success boolean not null,
    error text,
    error_type text,
    executed_at timestamptz not null,
    duration_ms double precision,
    session_id text
);

create index tool_executions_tool on tool_executions (tool_name, executed_at desc);
create index tool_executions_version on tool_executions (version_id, executed_at);

-- Up to where the recorder has read each partition.
create table recorder_offsets (
    topic text not null,
    partition int not null,
    next_offset bigint not null,
    primary key (topic, partition)
);

-- Which version is current at the recorder's place in the log.
create table recorder_current (
    tool_name text primary key,
    version_id int not null,
    activation int not null
);
