-- What judges, users and tests say of executions that succeeded; and what an execution cost.
--
-- There is no foreign key: a verdict may be recorded before its execution, or after that was pruned.
create table later_verdicts (
    tool_name text not null,
    verdict_id uuid not null,
    execution_id uuid not null,
    version_id integer not null,
    bad boolean not null,
    judged_by text,
    why text,
    judged_at timestamptz not null,
    log_offset bigint not null,
    primary key (tool_name, verdict_id)
);
create index later_verdicts_version on later_verdicts (version_id, judged_at desc);
create index later_verdicts_execution on later_verdicts (execution_id, tool_name);

comment on column later_verdicts.judged_by is 'null: it was erased, with the reason';
comment on column later_verdicts.why is 'the reason; null if none was given, or if it is not kept';
comment on column later_verdicts.log_offset is 'the offset of its record in its partition';

alter table tool_executions add column cost double precision;
