package example;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;

/**
 * Deploys a good version of a tool, then a broken one, and runs what is current until Rollguard has
 * rolled the broken one back. The argument is the name of the tool.
 */
public final class Example {
  private final String tool;
  private final Rollguard rollguard;
  private final Map<Integer, LoadedTool> loaded = new HashMap<>();

  private Example(String tool, Rollguard rollguard) {
    this.tool = tool;
    this.rollguard = rollguard;
  }

  public static void main(String[] arguments) throws Exception {
    Map<String, String> environment = System.getenv();
    String brokers = environment.getOrDefault("ROLLGUARD_KAFKA_BROKERS", "127.0.0.1:9092");
    String prefix = environment.getOrDefault("ROLLGUARD_TOPIC_PREFIX", "");
    String tool = arguments.length > 0 ? arguments[0] : "words-java";
    try (Rollguard rollguard = new Rollguard(brokers, prefix)) {
      new Example(tool, rollguard).play();
    }
  }

  private void play() throws Exception {
    JsonNode good = deploy("tools/words.java", "initial");
    for (int each = 0; each < 5; each++) {
      run(good, "one two three");
    }
    JsonNode broken = deploy("tools/words_broken.java", "refactoring");
    for (int each = 0; each < 3; each++) {
      run(broken, "one two three");
    }
    JsonNode rollback = rollguard.rolledBack(tool, broken.get("version_id").asInt());
    say("rolled_back", rollback);
    run(rollguard.current(tool, rollback.get("to_version_id").asInt()), "one two three");
  }

  /** Deploy the code of a file, and return the version when the engine has it. */
  private JsonNode deploy(String file, String improvementType) throws Exception {
    String code = Files.readString(Path.of(file));
    JsonNode outcome = rollguard.deploy(tool, code, "human", improvementType);
    say("deployed", outcome);
    if (outcome.get("status").asText().equals("refused")) {
      throw new IllegalStateException(outcome.get("refusal").asText());
    }
    return rollguard.current(tool, outcome.get("version_id").asInt());
  }

  /** Run a version of the tool as an engine does, and publish what came of it. */
  private void run(JsonNode version, String text) throws Exception {
    int versionId = version.get("version_id").asInt();
    long start = System.nanoTime();
    Throwable error = null;
    try {
      if (!loaded.containsKey(versionId)) {
        loaded.put(versionId, new LoadedTool(version.get("code").asText()));
      }
      loaded.get(versionId).call(text);
    } catch (Throwable thrown) {
      error = thrown;
    }
    Duration took = Duration.ofNanos(System.nanoTime() - start);
    rollguard.publish(tool, versionId, error, took).get();
    ObjectNode ran = Rollguard.JSON.createObjectNode();
    ran.put("version_number", version.get("version_number").asInt());
    ran.put("success", error == null);
    say("ran", ran);
  }

  private static void say(String what, JsonNode message) throws IOException {
    ObjectNode line = Rollguard.JSON.createObjectNode();
    System.out.println(Rollguard.JSON.writeValueAsString(line.set(what, message)));
  }
}
