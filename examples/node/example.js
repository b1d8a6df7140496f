// Deploys a good version of a tool, then a broken one, and runs what is current until Rollguard has
// rolled the broken one back: node example.js TOOL
import { readFile } from "node:fs/promises";
import { Rollguard } from "./rollguard.js";

const tool = process.argv[2] ?? "words-node";
const rollguard = await Rollguard.connect({
  brokers: (process.env.ROLLGUARD_KAFKA_BROKERS ?? "127.0.0.1:9092").split(","),
  topicPrefix: process.env.ROLLGUARD_TOPIC_PREFIX ?? "",
});
const say = (what, message) => console.log(JSON.stringify({ [what]: message }));

/** Deploy the code of a file, and return the version when the engine has it. */
async function deploy(file, improvementType) {
  const code = await readFile(new URL(file, import.meta.url), "utf8");
  const outcome = await rollguard.deploy({ tool, code, createdBy: "human", improvementType });
  say("deployed", outcome);
  if (outcome.status === "refused") throw new Error(outcome.refusal);
  return rollguard.current(tool, outcome.version_id);
}

/** Run a version of the tool as an engine does, and publish what came of it. */
async function run(version, text) {
  const startedAt = performance.now();
  let error;
  try {
    const source = Buffer.from(version.code).toString("base64");
    const loaded = await import(`data:text/javascript;base64,${source}`); // loaded once only
    loaded.execute(text);
  } catch (thrown) {
    error = thrown;
  }
  await rollguard.publish({ tool, versionId: version.version_id, error, startedAt });
  say("ran", { version_number: version.version_number, success: error === undefined });
}

try {
  const good = await deploy("tools/words.js", "initial");
  for (let each = 0; each < 5; each++) await run(good, "one two three");
  const broken = await deploy("tools/words_broken.js", "refactoring");
  for (let each = 0; each < 3; each++) await run(broken, "one two three");
  const rollback = await rollguard.rolledBack(tool, broken.version_id);
  say("rolled_back", rollback);
  await run(await rollguard.current(tool, rollback.to_version_id), "one two three");
} finally {
  await rollguard.close();
}
