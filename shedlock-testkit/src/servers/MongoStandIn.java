import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.Missing;
import de.bwaldvogel.mongo.backend.aggregation.stage.AddFieldsStage;
import de.bwaldvogel.mongo.backend.aggregation.stage.AggregationStage;
import de.bwaldvogel.mongo.backend.aggregation.stage.ProjectStage;
import de.bwaldvogel.mongo.backend.aggregation.stage.ReplaceRootStage;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.backend.memory.MemoryCollection;
import de.bwaldvogel.mongo.backend.memory.MemoryDatabase;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.exception.ErrorCode;
import de.bwaldvogel.mongo.exception.MongoServerError;
import io.netty.channel.Channel;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * mongo-java-server as a process. Its arguments are a port, a name by which a test knows this server from others, and `pipelines` or
 * `no-pipelines`.
 *
 * With `pipelines`, findAndModify takes updates that are pipelines and projections that are expressions, as MongoDB 4.4 does, and `hello`
 * has an answer. The expressions are evaluated by mongo-java-server. `$$NOW` is one time for the whole command.
 *
 * Beside what MongoDB's `failCommand` has, the fail point takes `unprojected`: the command is carried out, and the answer has the document
 * without the projection, as MongoDB answers a retried write that it has carried out before. With `confirmedAfterMS`, the answer to a
 * command that was carried out comes so much later, as if the majority lagged behind.
 */
public final class MongoStandIn {
    public static void main(String[] arguments) {
        int port = Integer.parseInt(arguments[0]);
        var backend = new Backend(arguments[1], arguments[2].equals("pipelines"));
        new MongoServer(backend.version(new Modern())).bind("127.0.0.1", port);
    }

    /** The versions that mongo-java-server knows are older than what the driver talks to. */
    private static final class Modern implements MongoVersion {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(7, 0, 0);
        }

        @Override
        public int getWireVersion() {
            return 21;
        }
    }

    private static final class Backend extends MemoryBackend {
        private final String name;
        private final boolean pipelines;
        private FailPoint failPoint = new FailPoint(0, List.of(), new Document());

        Backend(String name, boolean pipelines) {
            this.name = name;
            this.pipelines = pipelines;
        }

        @Override
        public MemoryDatabase openOrCreateDatabase(String databaseName) {
            return pipelines ? new Database(databaseName, getCursorRegistry()) : super.openOrCreateDatabase(databaseName);
        }

        @Override
        public Document handleCommand(Channel channel, String databaseName, String command, Document query) {
            if (command.equalsIgnoreCase("standInName")) {
                return new Document("name", name).append("ok", 1.0);
            }
            if (command.equalsIgnoreCase("configureFailPoint")) {
                configure(query);
                return new Document("ok", 1.0);
            }
            if (pipelines && command.equalsIgnoreCase("hello")) {
                return super.handleCommand(channel, databaseName, "isMaster", query);
            }
            Document failure = failure(command, databaseName + "." + query.get(command));
            if (failure == null) {
                return super.handleCommand(channel, databaseName, command, query);
            }
            if (failure.containsKey("errorCode")) {
                int code = ((Number) failure.get("errorCode")).intValue();
                throw new MongoServerError(code, "FailPoint", "Failing command via 'failCommand' failpoint");
            }
            if (failure.containsKey("unprojected")) {
                query.remove("fields");
            }
            Document done = super.handleCommand(channel, databaseName, command, query);
            if (failure.containsKey("confirmedAfterMS")) {
                sleep(((Number) failure.get("confirmedAfterMS")).longValue());
            }
            if (failure.containsKey("writeConcernError")) {
                done.put("writeConcernError", failure.get("writeConcernError"));
            }
            return done;
        }

        private static void sleep(long millis) {
            try {
                Thread.sleep(millis);
            } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
            }
        }

        /** `failCommand` as MongoDB has it: the next commands fail, or their write concern does. */
        private synchronized void configure(Document query) {
            Object mode = query.get("mode");
            int times = mode instanceof Document it ? ((Number) it.get("times")).intValue() : 0;
            Document data = (Document) query.getOrDefault("data", new Document());
            List<String> commands = new ArrayList<>();
            ((List<?>) data.getOrDefault("failCommands", List.of())).forEach(it -> commands.add(it.toString()));
            failPoint = new FailPoint(times, commands, data);
        }

        private synchronized Document failure(String command, String namespace) {
            boolean isMeant = failPoint.commands.stream().anyMatch(command::equalsIgnoreCase)
                    && failPoint.data.getOrDefault("namespace", namespace).equals(namespace);
            if (failPoint.times == 0 || !isMeant) {
                return null;
            }
            failPoint.times--;
            return failPoint.data;
        }
    }

    private static final class FailPoint {
        private int times;
        private final List<String> commands;
        private final Document data;

        FailPoint(int times, List<String> commands, Document data) {
            this.times = times;
            this.commands = commands;
            this.data = data;
        }
    }

    private static final class Database extends MemoryDatabase {
        Database(String name, CursorRegistry cursors) {
            super(name, cursors);
        }

        @Override
        protected MemoryCollection openOrCreateCollection(String name, CollectionOptions options) {
            return new Collection(this, name, options, cursorRegistry);
        }
    }

    private static final class Collection extends MemoryCollection {
        Collection(MongoDatabase database, String name, CollectionOptions options, CursorRegistry cursors) {
            super(database, name, options, cursors);
        }

        @Override
        public synchronized Document findAndModify(Document query) {
            if (!(query.get("update") instanceof List<?>)) {
                return super.findAndModify(query);
            }
            Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
            Document command = (Document) at(now, query);
            Document filter = (Document) command.get("query");
            Document found = find(filter);
            boolean upsert = Boolean.TRUE.equals(command.get("upsert"));
            Document projection = (Document) command.remove("fields");
            Document result = new Document("value", null).append("ok", 1.0);
            if (found == null && !upsert) {
                return result;
            }
            Document before = found != null ? found : new Document("_id", filter.get("_id"));
            Document after = before.cloneDeeply();
            for (Object stage : (List<?>) command.get("update")) {
                after = stage((Document) stage).apply(Stream.of(after)).findFirst().orElseThrow();
            }
            removeMissing(after);
            if (found == null || !after.equals(before)) {
                command.put("update", after);
                command.put("new", true);
                result = super.findAndModify(command);
            }
            result.put("value", projection == null ? after : new ProjectStage(projection).apply(Stream.of(after)).findFirst().orElseThrow());
            return result;
        }

        private Document find(Document filter) {
            for (Document found : queryDocuments(filter, null, 0, 1, 1, null)) {
                return found;
            }
            return null;
        }

        /** MongoDB leaves out a field whose expression has no value, also in documents within documents. */
        private static void removeMissing(Document document) {
            document.values().removeIf(value -> value instanceof Missing);
            for (Object value : document.values()) {
                if (value instanceof Document inner) {
                    removeMissing(inner);
                }
            }
        }

        private static AggregationStage stage(Document stage) {
            String name = stage.keySet().iterator().next();
            return switch (name) {
                case "$set", "$addFields" -> new AddFieldsStage((Document) stage.get(name));
                case "$replaceWith" -> new ReplaceRootStage(new Document("newRoot", stage.get(name)));
                default -> throw new MongoServerError(ErrorCode.FailedToParse, name + " is not allowed within an update");
            };
        }

        /** The same value with the time in place of `$$NOW`, except within `$literal`. */
        private static Object at(Instant now, Object value) {
            if (value instanceof Document document && !document.containsKey("$literal")) {
                Document copy = new Document();
                for (Map.Entry<String, Object> entry : document.entrySet()) {
                    copy.put(entry.getKey(), at(now, entry.getValue()));
                }
                return copy;
            }
            if (value instanceof List<?> list) {
                List<Object> copy = new ArrayList<>();
                list.forEach(each -> copy.add(at(now, each)));
                return copy;
            }
            return "$$NOW".equals(value) ? now : value;
        }
    }
}
