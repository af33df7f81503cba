package shedlock.peer;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import net.javacrumbs.shedlock.core.ClockProvider;
import net.javacrumbs.shedlock.core.LockConfiguration;
import net.javacrumbs.shedlock.core.LockProvider;
import net.javacrumbs.shedlock.core.SimpleLock;

/**
 * A node of a JVM fleet: reads a command a line from stdin, answers each with one line on stdout, exits when stdin closes.
 *
 * <pre>
 * lock &lt;id&gt; &lt;name&gt; &lt;at_most_ms&gt; &lt;at_least_ms&gt;    granted &lt;id&gt; | held
 * extend &lt;id&gt; &lt;at_most_ms&gt; &lt;at_least_ms&gt;         extended &lt;id&gt; | refused &lt;id&gt;
 * unlock &lt;id&gt;                                  unlocked &lt;id&gt;
 * now                                          now &lt;nanoseconds of the monotonic clock&gt;
 * fuzz &lt;contenders&gt; &lt;name&gt; &lt;each&gt; &lt;at_most_ms&gt; &lt;abandon_one_in&gt; &lt;abandoned_ms&gt; &lt;log&gt;
 *                                              fuzzed &lt;granted&gt; &lt;refused&gt;
 * quit                                         bye
 * </pre>
 *
 * Anything that throws is answered with {@code error <message>}; a started node says {@code ready}.
 */
public final class Peer {
    private final LockProvider provider;
    private final Map<String, SimpleLock> locks = new HashMap<>();

    private Peer(LockProvider provider) {
        this.provider = provider;
    }

    public static void main(String[] args) throws Exception {
        Options options = Options.parse(args);
        Options.Store store = options.open();
        Peer peer = new Peer(store.provider());
        // Commands run beside the reader, so that a closed stdin also ends a node in the middle of a command.
        ExecutorService commands = Executors.newSingleThreadExecutor();
        System.out.println("ready");
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String command = line.strip();
            commands.execute(() -> System.out.println(peer.answer(command)));
            if (command.equals("quit")) {
                break;
            }
        }
        commands.shutdown();
        boolean drained = commands.awaitTermination(2, TimeUnit.SECONDS);
        if (drained) {
            store.connections().close();
        }
        System.out.flush();
        Runtime.getRuntime().halt(drained ? 0 : 1);
    }

    private String answer(String command) {
        try {
            return run(command.split(" +"));
        } catch (Exception e) {
            return "error " + describe(e);
        }
    }

    private String run(String[] words) throws IOException, InterruptedException {
        return switch (words[0]) {
            case "lock" -> lock(words[1], words[2], millis(words[3]), millis(words[4]));
            case "extend" -> extend(words[1], millis(words[2]), millis(words[3]));
            case "unlock" -> {
                known(words[1]).unlock();
                yield "unlocked " + words[1];
            }
            case "now" -> "now " + System.nanoTime();
            case "fuzz" -> new Fuzz(
                            provider,
                            words[2],
                            Integer.parseInt(words[3]),
                            millis(words[4]),
                            Integer.parseInt(words[5]),
                            millis(words[6]))
                    .run(Integer.parseInt(words[1]), Path.of(words[7]));
            case "quit" -> "bye";
            default -> "error unknown command `" + words[0] + "`";
        };
    }

    private String lock(String id, String name, Duration atMost, Duration atLeast) {
        Optional<SimpleLock> lock = provider.lock(new LockConfiguration(ClockProvider.now(), name, atMost, atLeast));
        lock.ifPresent(granted -> locks.put(id, granted));
        return lock.isPresent() ? "granted " + id : "held";
    }

    private String extend(String id, Duration atMost, Duration atLeast) {
        Optional<SimpleLock> extended = known(id).extend(atMost, atLeast);
        // ShedLock's lock is spent by an extension, granted or not; the extended one takes its place.
        extended.ifPresent(lock -> locks.put(id, lock));
        return (extended.isPresent() ? "extended " : "refused ") + id;
    }

    private SimpleLock known(String id) {
        SimpleLock lock = locks.get(id);
        if (lock == null) {
            throw new IllegalArgumentException("no lock `" + id + "`");
        }
        return lock;
    }

    private static Duration millis(String word) {
        return Duration.ofMillis(Long.parseLong(word));
    }

    /** One line with every cause: ShedLock's own messages leave out what the database said. */
    private static String describe(Throwable error) {
        StringBuilder text = new StringBuilder();
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            text.append(text.isEmpty() ? "" : ": ").append(cause);
        }
        return text.toString().replaceAll("\\s+", " ");
    }
}
