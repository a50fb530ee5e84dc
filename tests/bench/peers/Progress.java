/** Says on standard output when the warm-up is over and when the last record has been seen. */
public final class Progress {
    private final long warm;
    private final long total;
    private long seen;
    private final java.util.concurrent.CountDownLatch done = new java.util.concurrent.CountDownLatch(1);

    public Progress(long warm, long total) {
        this.warm = warm;
        this.total = total;
    }

    /** Count a record; one thread only. */
    public void step() {
        seen++;
        if (seen == warm) {
            System.out.println("warm " + seen);
        } else if (seen == total) {
            System.out.println("done " + seen);
            done.countDown();
        }
    }

    public void await() throws InterruptedException {
        done.await();
    }
}
