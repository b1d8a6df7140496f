"""The meaning of each log event, and what an operator should do about it."""

from collections.abc import Mapping
from typing import Final

MEANINGS: Final[Mapping[str, str]] = {
    "activations_not_kept": "The greatest activation of each tool cannot be kept on disk. The "
    "registry holds to it until the engine ends.",
    "activations_not_read": "The file with the greatest activation of each tool is damaged, or "
    "others may write to it. The registry begins without it: see who has changed the file.",
    "agent_tool_failed": "A tool of `rollguard mcp` failed because of a bug. The agent is told the "
    "class of the error alone; the traceback is on stderr.",
    "batch_abandoned": "The worker ended before a batch was done. Its records are read again.",
    "batch_failed": "A batch failed because of a bug. The worker ends, and the batch is read again "
    "after the restart.",
    "dead_letters": "Records of a partition cannot be used: how many within a second, and how many "
    "of them were published to `dead-letters`. `error` is the first one's.",
    "deployment": "A deployment has its outcome.",
    "event_listeners_dropped": "Streams of events were ended because their listeners read too "
    "slowly. They may resume.",
    "events_not_read": "The console cannot read the outcomes, and tries again. Nobody gets events "
    "meanwhile; they come late.",
    "executions_forwarded": "The detector forwards executions of this partition, because their "
    "producer uses another partitioner. They count; `partitioner=murmur2_random` would be cheaper. "
    "It is said once for each partition.",
    "executions_of_unknown_tools": "Executions of tools that nobody deployed. They are recorded, "
    "but not judged.",
    "executions_skipped": "Kafka removed executions before they were recorded. They are missing in "
    "Postgres.",
    "fleet_brake": "So many tools were rolled back in a short time that this rollback is held: a "
    "fault of something that they share is likely, or of Rollguard. Find it before you approve "
    "(`rollguard holds`).",
    "group_split": "A group of changes failed and is applied again, one change after the other.",
    "http_disabled": "The port of the HTTP endpoints is taken. The worker works without them.",
    "kafka_heard_again": "The registry hears Kafka again. It uses what is current now.",
    "kafka_silent": "The registry hears nothing from Kafka since then. The tools stay in use. It "
    "tries again.",
    "kept_version_refused": "A file with a kept version is damaged, or is not of this user or "
    "topic. It is not loaded. It may be removed.",
    "kept_version_unknown": "A kept version was in use, but Kafka has no version of its tool. It "
    "is not used any more.",
    "kept_versions_in_use": "Kafka did not answer at the start of the engine. The engine uses the "
    "versions that it had kept.",
    "kept_versions_refused": "The folder of kept versions cannot be read, or others may write to "
    "it. Nothing in it is loaded.",
    "listening": "The HTTP endpoints answer at this address.",
    "logged_in": "Somebody has logged in to the console, by this name, from this address.",
    "login_refused": "Somebody tried to log in to the console with a wrong token. Many of them are "
    "an attack, or an old token.",
    "loads_not_reported": "The registry may not write to `engine-reports`, or the topic is "
    "missing. Nobody learns from it which versions the engine runs; everything else works.",
    "notification_failed": "A receiver did not take a message. It is tried again.",
    "notification_given_up": "A receiver refused a message, or did not take it for a day. It is in "
    "`dead-letters`, and the receiver is told the next ones. `cause` says what came back.",
    "notifications_interrupted": "The worker ended while a receiver had not answered. What it was "
    "sent is sent again.",
    "notified": "A receiver has taken a message.",
    "on_change_failed": "A function in `ToolRegistry.on_change` raised an exception.",
    "outage_began": "Many tools of the partition fail. Nothing is rolled back until the outage is "
    "over.",
    "outage_not_published": "Kafka does not let the detector write to `outages`, so nobody is told "
    "of the outage. It judges all the same. Grant Write.",
    "outage_over": "The outage of the partition is over.",
    "outages_not_known": "No detector says which outages last, so no listener is told.",
    "partition_lost": "The partition went to another worker while a batch of it was being judged. "
    "That worker reads the batch again.",
    "periodic_task_done": "A task that is repeated, such as republishing, is done.",
    "periodic_task_failed": "A task that is repeated failed. It is tried again at its next time.",
    "read_again": "Records were lost between the fetch and the agent. They are read again.",
    "receiver_is_new": "A receiver has a consumer group for the first time. It is told what has "
    "happened since then.",
    "receiver_takes_again": "No message to this receiver waits any more because of an answer.",
    "receiver_takes_nothing": "A receiver did not take a message; `cause` says what came back. Its "
    "messages wait, and all other receivers go on. Said again every 10 minutes.",
    "request_failed": "The console answered a request with 500 because of a bug.",
    "rollback": "A rollback command has its outcome. At level error, no rollback is possible and a "
    "person must act. At level warning, a person is asked, or did not answer in time.",
    "rollback_commanded": "The detector has published a rollback command.",
    "rule_not_asked": "A rollback has the reason of a rule, but no detector could say whether the "
    "rule holds. It is carried out as a person's.",
    "signature_unverified": "A signature is missing or wrong, or its key may not say this. The "
    "message is used all the same, because `ROLLGUARD_SIGNATURES` is `warn`.",
    "spans_refused": "The bridge could not publish the executions of a request over HTTP. The "
    "sender was told to come again.",
    "sources_impossible": "Headers `rollguard-from` name offsets that do not exist. Somebody has "
    "forged them. The records count as any others.",
    "span_lost": "A span could not be made. It is missing in its trace, and nothing else.",
    "spans_not_sent": "The receiver of traces did not take spans, or did not answer. `spans` "
    "of them are lost; nothing else waits for it. Said once a minute.",
    "started": "The worker has started.",
    "stop_abandoned": "The worker did not end in time and was stopped. What it had not finished is "
    "read again.",
    "stopped": "The worker has ended. At level error, `cause` says why it must be started again.",
    "tool_load_failed": "The engine's loader could not load a version. The version is in use with "
    "its error.",
    "tool_registry_failed": "The registry of the engine could not be told of a new version.",
    "tools_forgotten": "The log has said nothing of these tools for `ROLLGUARD_FORGET_DAYS`. The "
    "detector judges them again when a version of them is activated.",
    "tool_swapped": "The registry uses another version of a tool.",
    "tool_unload_failed": "The engine's loader could not unload a tool.",
    "tool_version_not_signed": "A version that was deployed or rolled back to did not come on "
    "`tool-versions` with a signature in time. The version before stays in use.",
    "tool_version_refused": "The code of a version does not have the hash that the version names, "
    "or signatures are required and this one does not verify. "
    "It is not loaded.",
    "tool_version_unreadable": "A record of `tool-versions` is no version. It is ignored.",
    "tool_versions_interrupted": "The registry could not read `tool-versions`. It tries again.",
    "tools_left_out": "Somebody else has locked these tools, so a task that is repeated left them "
    "out. It tries them again at its next time.",
    "tools_resumed": "No tool is set aside any more.",
    "tools_set_aside": "These tools cannot be changed now, and wait in their order. All other "
    "tools go on. `cause` names each tool and who has locked it, or says that its code is being "
    "compared. End the transaction that it names.",
    "topic_settings_unread": "Kafka does not show the settings of these topics to this user, so "
    "they were not checked. Grant `DescribeConfigs`.",
    "topics_changed": "Somebody has changed the topics: partitions were added, a topic was deleted "
    "or created anew, or has wrong settings. The worker handles nothing until an operator has done "
    "what `cause` says. Nothing is lost.",
    "topics_right_again": "The topics are as they must be, and the worker goes on.",
    "traces_off": "An address for spans is set, and no spans are sent: `cause` says what "
    "is missing or wrong.",
    "traces_on": "The role sends spans to `endpoint`.",
    "unknown_tools_in_settings": "`ROLLGUARD_TOOLS` names tools that have no version. Check the "
    "names.",
    "version_not_vouched": "No applier has signed a version within "
    "`ROLLGUARD_SIGNATURE_MAX_AGE_S`. It stays in use. See whether an applier runs, and whether "
    "its key is valid.",
    "versions_not_kept": "The registry cannot write versions to its folder; said once until it "
    "can. It works, but without kept versions it cannot start while Kafka is away.",
    "waiting": "Kafka or Postgres did not answer, or somebody has locked a row that the recorder "
    "writes: then `cause` names who it is. The worker tries again.",
}
