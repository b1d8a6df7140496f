-- A decision may wait for a person, or be only observed.
alter table rollbacks drop constraint rollbacks_status_check;
alter table rollbacks
    add constraint rollbacks_status_check
        check (status in ('applied', 'rejected', 'held', 'observed')),
    add column from_activation int,
    add column expires_at timestamptz,
    add column approved_by text,
    add column dismissed_by text,
    add column dismissal text,
    add constraint rollbacks_held_expires check (status <> 'held' or expires_at is not null);

comment on column rollbacks.expires_at is 'until when it waits for a person, or waited';
comment on column rollbacks.dismissal is 'why it was dismissed';

create index rollbacks_held on rollbacks (expires_at) where status = 'held';

-- Tools that no machine rolls back.
create table pins (
    tool_name text primary key,
    reason text not null,
    pinned_by text not null,
    pinned_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz
);

comment on column pins.expires_at is 'null: until it is taken away';
