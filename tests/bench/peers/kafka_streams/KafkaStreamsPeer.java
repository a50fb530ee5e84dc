import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.processor.TimestampExtractor;

/** Long, short and count by key in windows of 60 s: {@code broker topic app folder tumbling|hopping warm total}. */
public final class KafkaStreamsPeer {
    /** The totals of one window. */
    static final class Totals {
        double longUsd;
        double shortUsd;
        long count;
    }

    /** Event time, not the broker's. */
    public static final class EventTime implements TimestampExtractor {
        @Override
        public long extract(ConsumerRecord<Object, Object> record, long partitionTime) {
            return ((Liquidation) record.value()).eventTimeMs;
        }
    }

    public static void main(String[] args) throws Exception {
        Progress progress = new Progress(Long.parseLong(args[5]), Long.parseLong(args[6]));
        StreamsBuilder builder = new StreamsBuilder();
        // Grace as the disorder of the load. The retention of a day keeps segments of the store large: with the one
        // that follows from the window, RocksDB opens a new one for each minute of event time.
        TimeWindows windows = TimeWindows.ofSizeAndGrace(Duration.ofSeconds(60), Duration.ofSeconds(2));
        if (args[4].equals("hopping")) {
            windows = windows.advanceBy(Duration.ofSeconds(5));
        }
        builder.stream(args[1], Consumed.with(Serdes.ByteArray(), liquidations()))
                .peek((key, value) -> progress.step())
                .groupByKey(Grouped.with(Serdes.ByteArray(), liquidations()))
                .windowedBy(windows)
                .aggregate(
                        Totals::new,
                        (key, each, totals) -> {
                            if (each.isLong) {
                                totals.longUsd += each.notionalUsd;
                            } else {
                                totals.shortUsd += each.notionalUsd;
                            }
                            totals.count++;
                            return totals;
                        },
                        Materialized.<byte[], Totals, org.apache.kafka.streams.state.WindowStore<
                                org.apache.kafka.common.utils.Bytes, byte[]>>as("totals")
                                .withKeySerde(Serdes.ByteArray())
                                .withValueSerde(totals())
                                .withStoreType(store())
                                .withRetention(Duration.ofDays(1)));
        Properties properties = properties(args[0], args[2], args[3]);
        KafkaStreams streams = new KafkaStreams(builder.build(properties), properties);
        streams.start();
        progress.await();
        streams.close();
    }

    private static Materialized.StoreType store() {
        return System.getProperty("store", "rocksdb").equals("memory")
                ? Materialized.StoreType.IN_MEMORY
                : Materialized.StoreType.ROCKS_DB;
    }

    /** What the tuning pages of the documentation name for throughput; the rest are defaults. */
    private static Properties properties(String broker, String app, String folder) {
        Properties found = new Properties();
        found.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, broker);
        found.put(StreamsConfig.APPLICATION_ID_CONFIG, app);
        found.put(StreamsConfig.STATE_DIR_CONFIG, folder);
        found.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        found.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        found.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
        found.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 64L << 20);
        found.put(StreamsConfig.DEFAULT_TIMESTAMP_EXTRACTOR_CLASS_CONFIG, EventTime.class);
        found.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        found.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 5_000);
        found.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4 << 20);
        found.put(StreamsConfig.consumerPrefix(ConsumerConfig.FETCH_MIN_BYTES_CONFIG), 1 << 16);
        found.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 100);
        found.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
        return found;
    }

    private static Serde<Liquidation> liquidations() {
        return Serdes.serdeFrom(
                (topic, value) -> {
                    throw new UnsupportedOperationException("nothing is repartitioned");
                },
                (topic, bytes) -> new Liquidation().read(bytes));
    }

    private static Serde<Totals> totals() {
        Serializer<Totals> write = (topic, totals) -> java.nio.ByteBuffer.allocate(24)
                .putDouble(totals.longUsd).putDouble(totals.shortUsd).putLong(totals.count).array();
        Deserializer<Totals> read = (topic, bytes) -> {
            if (bytes == null) {
                return null;
            }
            java.nio.ByteBuffer buffer = java.nio.ByteBuffer.wrap(bytes);
            Totals totals = new Totals();
            totals.longUsd = buffer.getDouble();
            totals.shortUsd = buffer.getDouble();
            totals.count = buffer.getLong();
            return totals;
        };
        return Serdes.serdeFrom(write, read);
    }
}
