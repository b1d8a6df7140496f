package example;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What an engine in Java says to Rollguard, and hears from it: docs/asyncapi.json, by kafka-clients.
 *
 * <p>For one thread: it reads while it waits.
 */
final class Rollguard implements AutoCloseable {
  static final ObjectMapper JSON = new ObjectMapper();
  private static final int MAX_REQUEST_BYTES = 4 * 1024 * 1024 + 64 * 1024;
  private static final Duration POLL = Duration.ofMillis(200);

  private final String executions;
  private final String deployments;
  private final String deploymentOutcomes;
  private final String versions;
  private final String rollbackOutcomes;
  private final KafkaProducer<String, byte[]> producer;
  private final KafkaConsumer<String, byte[]> consumer;
  private final Map<String, JsonNode> currentVersions = new HashMap<>();
  private final Map<String, JsonNode> outcomes = new HashMap<>();
  private final List<JsonNode> rollbacks = new ArrayList<>();

  /** Connect, and read every current version and whatever answers come from now on. */
  Rollguard(String brokers, String topicPrefix) {
    executions = topicPrefix + "tool-executions";
    deployments = topicPrefix + "tool-deployments";
    deploymentOutcomes = topicPrefix + "deployment-outcomes";
    versions = topicPrefix + "tool-versions";
    rollbackOutcomes = topicPrefix + "rollback-outcomes";
    // The default partitioner is the right one: murmur2 of the key, which is the name of the tool.
    producer =
        new KafkaProducer<>(
            Map.of("bootstrap.servers", brokers, "max.request.size", MAX_REQUEST_BYTES),
            new StringSerializer(),
            new ByteArraySerializer());
    // No group: each engine has to hear everything.
    consumer =
        new KafkaConsumer<>(
            Map.of("bootstrap.servers", brokers, "isolation.level", "read_committed"),
            new StringDeserializer(),
            new ByteArrayDeserializer());
    follow();
  }

  private void follow() {
    List<TopicPartition> whole = partitionsOf(versions);
    List<TopicPartition> answers = new ArrayList<>(partitionsOf(deploymentOutcomes));
    answers.addAll(partitionsOf(rollbackOutcomes));
    List<TopicPartition> all = new ArrayList<>(whole);
    all.addAll(answers);
    consumer.assign(all);
    consumer.seekToBeginning(whole);
    consumer.seekToEnd(answers);
    answers.forEach(consumer::position); // it seeks at once, and not at the first poll
  }

  private List<TopicPartition> partitionsOf(String topic) {
    return consumer.partitionsFor(topic).stream()
        .map(each -> new TopicPartition(topic, each.partition()))
        .toList();
  }

  /**
   * Publish one execution; {@code error} is null for a success. The future is done when Kafka has it.
   */
  Future<RecordMetadata> publish(String tool, int versionId, Throwable error, Duration took) {
    ObjectNode execution = JSON.createObjectNode();
    execution.put("execution_id", UUID.randomUUID().toString());
    execution.put("tool_name", tool);
    execution.put("version_id", versionId);
    execution.put("success", error == null);
    if (error != null) {
      execution.put("error", error.toString());
      execution.put("error_type", error.getClass().getName());
    }
    execution.put("executed_at", Instant.now().toString());
    execution.put("duration_ms", took.toNanos() / 1e6);
    return send(executions, execution);
  }

  /** Deploy code, and return the outcome; its {@code status} says what became of it. */
  JsonNode deploy(String tool, String code, String createdBy, String improvementType)
      throws InterruptedException, ExecutionException, TimeoutException {
    String id = UUID.randomUUID().toString();
    ObjectNode deployment = JSON.createObjectNode();
    deployment.put("deployment_id", id);
    deployment.put("tool_name", tool);
    deployment.put("code", code);
    deployment.put("created_by", createdBy);
    deployment.put("improvement_type", improvementType);
    deployment.put("deployed_at", Instant.now().toString());
    send(deployments, deployment).get();
    return until(() -> outcomes.get(id), "outcome of the deployment");
  }

  /** Return the version of the tool when it is the current one. */
  JsonNode current(String tool, int versionId) throws TimeoutException {
    return until(
        () -> {
          JsonNode version = currentVersions.get(tool);
          return version != null && version.path("version_id").asInt() == versionId ? version : null;
        },
        "version " + versionId);
  }

  /** Return the outcome of the rollback that has put another version in the place of this one. */
  JsonNode rolledBack(String tool, int versionId) throws TimeoutException {
    return until(
        () ->
            rollbacks.stream()
                .filter(each -> each.path("tool_name").asText().equals(tool))
                .filter(each -> each.path("from_version_id").asInt() == versionId)
                .filter(each -> each.path("status").asText().equals("applied"))
                .findFirst()
                .orElse(null),
        "rollback");
  }

  private Future<RecordMetadata> send(String topic, ObjectNode message) {
    try {
      String key = message.get("tool_name").asText();
      return producer.send(new ProducerRecord<>(topic, key, JSON.writeValueAsBytes(message)));
    } catch (IOException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  private JsonNode until(Supplier<JsonNode> find, String what) throws TimeoutException {
    Instant end = Instant.now().plusSeconds(60);
    while (find.get() == null) {
      if (Instant.now().isAfter(end)) {
        throw new TimeoutException("no " + what + " within 60 s");
      }
      consumer.poll(POLL).forEach(this::receive);
    }
    return find.get();
  }

  private void receive(ConsumerRecord<String, byte[]> record) {
    JsonNode message;
    try {
      message = JSON.readTree(record.value() == null ? new byte[0] : record.value());
    } catch (IOException noJson) {
      return; // whoever may write, may err
    }
    if (record.topic().equals(versions)) {
      // A version may come twice, and an old one once more: the largest activation counts.
      currentVersions.merge(
          message.path("tool_name").asText(),
          message,
          (known, next) ->
              next.path("activation").asInt() > known.path("activation").asInt() ? next : known);
    } else if (record.topic().equals(rollbackOutcomes)) {
      rollbacks.add(message);
    } else if (!message.path("status").asText().equals("held")) {
      // "held": it waits for a person, and another outcome follows.
      outcomes.put(message.path("deployment_id").asText(), message);
    }
  }

  /** Publish what is not sent yet, and disconnect. */
  @Override
  public void close() {
    producer.close();
    consumer.close();
  }
}
