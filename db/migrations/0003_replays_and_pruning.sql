-- Bad records that were published again, each at most once: by the place where it stood.
create table replayed_records (
    topic text not null,
    partition int not null,
    log_offset bigint not null,
    replayed_at timestamptz not null default clock_timestamp(),
    to_partition int,
    to_offset bigint,
    primary key (topic, partition, log_offset)
);

comment on column replayed_records.to_offset is
    'where it stands now; null: the broker did not acknowledge it, and it may be there or not';

alter table tool_versions add column pruned_executions bigint not null default 0;

comment on column tool_versions.pruned_executions is
    'so many of its executions were counted and then removed from tool_executions';
