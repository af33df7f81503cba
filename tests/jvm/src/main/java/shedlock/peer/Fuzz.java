package shedlock.peer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import net.javacrumbs.shedlock.core.ClockProvider;
import net.javacrumbs.shedlock.core.LockConfiguration;
import net.javacrumbs.shedlock.core.LockProvider;
import net.javacrumbs.shedlock.core.SimpleLock;
import net.javacrumbs.shedlock.support.LockException;

/**
 * Contenders for one lock that log when each believed it held it, a line {@code <contender> <begin> <end>} an acquisition.
 *
 * <p>Times are nanoseconds of {@code System.nanoTime()}, which on Linux is CLOCK_MONOTONIC and so the same in all processes. A holder
 * believes from the answer until just before it sends the unlock, but never past the lease it asked for. Some leases, shorter ones,
 * are abandoned instead of unlocked, so that the others have to wait for their end.
 */
final class Fuzz {
    /** Both sides cut instants to milliseconds, so a lease may end that much before its holder's own count. */
    private static final long ROUNDING_NANOS = 2_000_000;

    private final LockProvider provider;
    private final String name;
    private final int each;
    private final Duration atMost;
    private final int abandonOneIn;
    private final Duration abandoned;
    private final AtomicLong refused = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();

    Fuzz(LockProvider provider, String name, int each, Duration atMost, int abandonOneIn, Duration abandoned) {
        this.provider = provider;
        this.name = name;
        this.each = each;
        this.atMost = atMost;
        this.abandonOneIn = abandonOneIn;
        this.abandoned = abandoned;
    }

    String run(int contenders, Path log) throws IOException, InterruptedException {
        var threads = Executors.newFixedThreadPool(contenders);
        try {
            List<Callable<List<String>>> work = new ArrayList<>();
            for (int i = 0; i < contenders; i++) {
                String contender = "jvm-" + i;
                work.add(() -> contend(contender));
            }
            List<String> lines = new ArrayList<>();
            for (Future<List<String>> held : threads.invokeAll(work)) {
                lines.addAll(held.get());
            }
            Files.write(log, lines);
            return "fuzzed " + lines.size() + " " + refused.get() + " " + failed.get();
        } catch (ExecutionException e) {
            throw new IllegalStateException("a contender failed", e.getCause());
        } finally {
            threads.shutdownNow();
        }
    }

    private List<String> contend(String contender) throws InterruptedException {
        var random = ThreadLocalRandom.current();
        List<String> lines = new ArrayList<>();
        while (lines.size() < each) {
            boolean abandon = random.nextInt(abandonOneIn) == 0;
            Duration lease = abandon ? abandoned : atMost;
            long asked = System.nanoTime();
            Optional<SimpleLock> lock;
            try {
                lock = provider.lock(new LockConfiguration(ClockProvider.now(), name, lease, Duration.ZERO));
            } catch (LockException busy) {
                // SQLite lets one of many wait until its patience ends; no answer is no grant.
                failed.incrementAndGet();
                pause(random);
                continue;
            }
            if (lock.isEmpty()) {
                refused.incrementAndGet();
                pause(random);
                continue;
            }
            long begin = System.nanoTime();
            Thread.sleep(random.nextInt(3));
            long end = Math.min(System.nanoTime(), asked + lease.toNanos() - ROUNDING_NANOS);
            lines.add(contender + " " + begin + " " + Math.max(begin, end));
            if (!abandon) {
                try {
                    lock.get().unlock();
                } catch (LockException busy) {
                    // As good as abandoned.
                    failed.incrementAndGet();
                }
            }
            // Gives the others their chance: whoever has just had the lock is the nearest to it.
            pause(random);
        }
        return lines;
    }

    private static void pause(ThreadLocalRandom random) throws InterruptedException {
        Thread.sleep(random.nextInt(4));
    }
}
