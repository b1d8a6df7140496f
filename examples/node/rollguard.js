// What an engine in Node says to Rollguard, and hears from it: docs/asyncapi.json, by kafkajs.
import { randomUUID } from "node:crypto";
import { Kafka, logLevel, Partitioners } from "kafkajs";

const now = () => new Date().toISOString();

/** Return the object that a record holds; undefined if it holds none: whoever may write, may err. */
function parsed(value) {
  try {
    return JSON.parse(value) ?? undefined;
  } catch {
    return undefined;
  }
}

export class Rollguard {
  /** The newest version of each tool that is known here. */
  versions = new Map();
  #outcomes = new Map();
  #rollbacks = [];
  #waiting = new Set();

  /** Connect, and read every current version and whatever answers come from now on. */
  static async connect({ brokers, topicPrefix = "" }) {
    const rollguard = new Rollguard();
    await rollguard.#connect(brokers, topicPrefix);
    return rollguard;
  }

  async #connect(brokers, prefix) {
    this.topics = {
      executions: `${prefix}tool-executions`,
      deployments: `${prefix}tool-deployments`,
      deploymentOutcomes: `${prefix}deployment-outcomes`,
      versions: `${prefix}tool-versions`,
      rollbackOutcomes: `${prefix}rollback-outcomes`,
    };
    const kafka = new Kafka({ clientId: "engine-node", brokers, logLevel: logLevel.ERROR });
    this.admin = kafka.admin();
    // The partitioner of Java: murmur2 of the key, which is the name of the tool.
    this.producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    // kafkajs reads committed records only, unless it is told otherwise. It reads in a group: one
    // of its own for each engine, because each engine has to hear everything.
    this.group = `engine-node-${randomUUID()}`;
    this.consumer = kafka.consumer({
      groupId: this.group,
      readUncommitted: false,
      maxWaitTimeInMs: 500, // for so long disconnect() waits
    });
    await Promise.all([this.admin.connect(), this.producer.connect(), this.consumer.connect()]);
    await this.#follow();
  }

  async #follow() {
    const { versions, deploymentOutcomes, rollbackOutcomes } = this.topics;
    const answers = [deploymentOutcomes, rollbackOutcomes];
    const ends = await Promise.all(answers.map((topic) => this.admin.fetchTopicOffsets(topic)));
    await this.consumer.subscribe({ topics: [versions], fromBeginning: true });
    await this.consumer.subscribe({ topics: answers, fromBeginning: false });
    await this.consumer.run({
      autoCommit: false,
      eachMessage: async ({ topic, message }) => this.#receive(topic, message),
    });
    // Without this, kafkajs asks for the end later: an answer may come before that.
    answers.forEach((topic, at) => {
      for (const { partition, high } of ends[at]) {
        this.consumer.seek({ topic, partition, offset: high });
      }
    });
  }

  #receive(topic, { value }) {
    const message = parsed(value);
    if (message === undefined) return;
    if (topic === this.topics.versions) {
      const known = this.versions.get(message.tool_name);
      // A version may come twice, and an old one once more: the largest activation counts.
      if (known === undefined || message.activation > known.activation) {
        this.versions.set(message.tool_name, message);
      }
    } else if (topic === this.topics.deploymentOutcomes) {
      // "held": it waits for a person, and another outcome follows.
      if (message.status !== "held") this.#outcomes.set(message.deployment_id, message);
    } else {
      this.#rollbacks.push(message);
    }
    for (const look of this.#waiting) look();
  }

  /** Return what `find` finds, as soon as it finds something. */
  #until(find, what, timeoutMs) {
    return new Promise((resolve, reject) => {
      const end = (settle, result) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        settle(result);
      };
      const look = () => {
        const found = find();
        if (found !== undefined) end(resolve, found);
      };
      const late = () => end(reject, new Error(`no ${what} within ${timeoutMs} ms`));
      const timer = setTimeout(late, timeoutMs);
      this.#waiting.add(look);
      look();
    });
  }

  #send(topic, message) {
    const record = { key: message.tool_name, value: JSON.stringify(message) };
    return this.producer.send({ topic, acks: -1, messages: [record] });
  }

  /** Publish one execution. Await it to know that Kafka has it. */
  publish({ tool, versionId, error, startedAt }) {
    return this.#send(this.topics.executions, {
      execution_id: randomUUID(),
      tool_name: tool,
      version_id: versionId,
      success: error === undefined,
      error: error && String(error),
      error_type: error?.constructor?.name,
      executed_at: now(),
      duration_ms: performance.now() - startedAt,
    });
  }

  /** Deploy code, and return the outcome; its `status` says what became of it. */
  async deploy({ tool, code, createdBy, improvementType, timeoutMs = 60_000 }) {
    const deployment_id = randomUUID();
    await this.#send(this.topics.deployments, {
      deployment_id,
      tool_name: tool,
      code,
      created_by: createdBy,
      improvement_type: improvementType,
      deployed_at: now(),
    });
    return this.#until(() => this.#outcomes.get(deployment_id), "outcome", timeoutMs);
  }

  /** Return the version of the tool when it is the current one. */
  current(tool, versionId, timeoutMs = 60_000) {
    const find = () => {
      const version = this.versions.get(tool);
      return version?.version_id === versionId ? version : undefined;
    };
    return this.#until(find, `version ${versionId}`, timeoutMs);
  }

  /** Return the outcome of the rollback that has put another version in the place of this one. */
  rolledBack(tool, versionId, timeoutMs = 60_000) {
    const find = () =>
      this.#rollbacks.find(
        (each) =>
          each.tool_name === tool &&
          each.from_version_id === versionId &&
          each.status === "applied",
      );
    return this.#until(find, "rollback", timeoutMs);
  }

  async close() {
    await Promise.all([this.consumer.disconnect(), this.producer.disconnect()]);
    try {
      await this.admin.deleteGroups([this.group]);
    } catch (error) {
      // Kafka itself removes a group that nobody has committed anything in.
      if (!error.groups?.every((each) => each.error?.type === "GROUP_ID_NOT_FOUND")) throw error;
    }
    await this.admin.disconnect();
  }
}
