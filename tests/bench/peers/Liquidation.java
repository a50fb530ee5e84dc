import java.nio.ByteOrder;

/** What the JVM peers read of a record: side, size and time. The rest of the Avro is skipped, never built. */
public final class Liquidation {
    public boolean isLong;
    public double notionalUsd;
    public long eventTimeMs;

    /** Fill in from a value behind its five bytes of schema id. */
    public Liquidation read(byte[] value) {
        int at = 5;
        for (int text = 0; text < 3; text++) {
            int length = value[at++] >> 1; // shorter than 64 bytes here: one byte of length
            at += length;
        }
        isLong = value[at++] == 2;
        at += 8 + 1 + 8; // price, its kind, quantity
        notionalUsd = Double.longBitsToDouble((long) LONGS.get(value, at));
        at += 8;
        long zigzag = 0;
        for (int shift = 0; ; shift += 7) {
            byte next = value[at++];
            zigzag |= (long) (next & 0x7F) << shift;
            if (next >= 0) {
                break;
            }
        }
        eventTimeMs = (zigzag >>> 1) ^ -(zigzag & 1);
        return this;
    }

    private static final java.lang.invoke.VarHandle LONGS =
            java.lang.invoke.MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
}
