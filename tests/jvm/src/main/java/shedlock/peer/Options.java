package shedlock.peer;

import com.mongodb.ConnectionString;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.net.URI;
import java.util.HashMap;
import java.util.Map;
import net.javacrumbs.shedlock.core.LockProvider;
import net.javacrumbs.shedlock.provider.dynamodb2.DynamoDBLockProvider;
import net.javacrumbs.shedlock.provider.jdbctemplate.JdbcTemplateLockProvider;
import net.javacrumbs.shedlock.provider.mongo.MongoLockProvider;
import net.javacrumbs.shedlock.provider.redis.spring.RedisLockProvider;
import net.javacrumbs.shedlock.provider.zookeeper.curator.ZookeeperCuratorLockProvider;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.springframework.dao.DuplicateKeyException;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.jdbc.core.JdbcTemplate;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;

/** The node's command line: where the locks are and whose clock decides. */
record Options(String url, String user, String password, String table, String clock, String node, int connections) {
    private static final String USAGE = "usage: Peer --url <jdbc, redis, mongodb, zookeeper or dynamodb url> [--user <user>] [--password <password>] [--table <table>]"
            + " [--clock db|utc|local] [--node <name>] [--connections <count>]";

    static Options parse(String[] args) {
        if (args.length % 2 != 0) {
            throw new IllegalArgumentException(USAGE);
        }
        Map<String, String> given = new HashMap<>();
        for (int i = 0; i < args.length; i += 2) {
            given.put(args[i], args[i + 1]);
        }
        Options options = new Options(
                given.remove("--url"),
                given.remove("--user"),
                given.remove("--password"),
                given.getOrDefault("--table", "shedlock"),
                given.getOrDefault("--clock", "db"),
                given.getOrDefault("--node", "jvm"),
                Integer.parseInt(given.getOrDefault("--connections", "8")));
        for (String known : new String[] {"--table", "--clock", "--node", "--connections"}) {
            given.remove(known);
        }
        if (options.url == null || !given.isEmpty()) {
            throw new IllegalArgumentException(USAGE);
        }
        return options;
    }

    /** What grants locks, and what to close at the end. */
    record Store(LockProvider provider, AutoCloseable connections) {}

    Store open() {
        if (url.startsWith("redis:")) {
            return redis(URI.create(url));
        }
        if (url.startsWith("mongodb:")) {
            ConnectionString address = new ConnectionString(url);
            MongoClient client = MongoClients.create(address);
            // ShedLock's defaults: the collection `shedLock`, the majority, and the host's name as the node's.
            return new Store(new MongoLockProvider(client.getDatabase(address.getDatabase())), client);
        }
        if (url.startsWith("zookeeper:")) {
            return zooKeeper(URI.create(url).getAuthority());
        }
        if (url.startsWith("dynamodb:")) {
            return dynamoDb(URI.create(url));
        }
        HikariDataSource source = pool();
        return new Store(jdbcProvider(source), source);
    }

    /** ShedLock's defaults, but for {@code redis://host:port?safeUpdate=true}. */
    private static Store redis(URI address) {
        var connections = new LettuceConnectionFactory(address.getHost(), address.getPort());
        connections.start();
        boolean safeUpdate = "safeUpdate=true".equals(address.getQuery());
        var provider = new RedisLockProvider.Builder(connections).safeUpdate(safeUpdate).build();
        return new Store(provider, connections::destroy);
    }

    /** ShedLock's default: the locks are below {@code /shedlock}. */
    private static Store zooKeeper(String servers) {
        CuratorFramework client = CuratorFrameworkFactory.newClient(servers, new ExponentialBackoffRetry(100, 5));
        client.start();
        return new Store(new ZookeeperCuratorLockProvider(client), client);
    }

    /** {@code dynamodb://region/table?endpoint=http://host:port}, where any credentials do. */
    private static Store dynamoDb(URI address) {
        var credentials = AwsBasicCredentials.create("AKIATEST", "s3cret");
        DynamoDbClient client = DynamoDbClient.builder()
                .httpClient(UrlConnectionHttpClient.create())
                .region(Region.of(address.getHost()))
                .endpointOverride(URI.create(address.getQuery().substring("endpoint=".length())))
                .credentialsProvider(StaticCredentialsProvider.create(credentials))
                .build();
        return new Store(new DynamoDBLockProvider(client, address.getPath().substring(1)), client);
    }

    private HikariDataSource pool() {
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(url);
        config.setUsername(user);
        config.setPassword(password);
        config.setMaximumPoolSize(connections);
        config.setMinimumIdle(1);
        return new HikariDataSource(config);
    }

    private LockProvider jdbcProvider(HikariDataSource source) {
        JdbcTemplate template = new JdbcTemplate(source);
        if (url.startsWith("jdbc:sqlite:")) {
            // Spring does not know SQLite's error codes, and ShedLock takes an insert for refused only if it is told of the duplicate.
            var standard = template.getExceptionTranslator();
            template.setExceptionTranslator((task, sql, error) -> error.getMessage().contains("SQLITE_CONSTRAINT_PRIMARYKEY")
                    ? new DuplicateKeyException(error.getMessage(), error)
                    : standard.translate(task, sql, error));
        }
        var configuration = JdbcTemplateLockProvider.Configuration.builder()
                .withJdbcTemplate(template)
                .withTableName(table)
                .withLockedByValue(node);
        return new JdbcTemplateLockProvider(
                switch (clock) {
                    case "db" -> configuration.usingDbTime().build();
                    case "utc" -> configuration.forceUtcTimeZone().build();
                    case "local" -> configuration.build();
                    default -> throw new IllegalArgumentException(USAGE);
                });
    }
}
