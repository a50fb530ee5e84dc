import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.datastream.DataStreamUtils;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.streaming.api.windowing.assigners.SlidingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.WindowAssigner;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** Long, short and count by key in windows of 60 s: {@code broker topic app folder tumbling|hopping warm total}. */
public final class FlinkPeer {
    /** One record, as a POJO that Flink's own serializer knows. */
    public static final class Keyed {
        public String key;
        public boolean isLong;
        public double notionalUsd;
        public long eventTimeMs;
    }

    /** The totals of one window. */
    public static final class Totals {
        public double longUsd;
        public double shortUsd;
        public long count;
    }

    // Static: a MiniCluster with one slot runs in this process, and what it runs is a serialized copy.
    private static Progress progress;

    public static void main(String[] args) throws Exception {
        progress = new Progress(Long.parseLong(args[5]), Long.parseLong(args[6]));
        StreamExecutionEnvironment environment =
                StreamExecutionEnvironment.createLocalEnvironment(1, configuration(args[3]));
        environment.getConfig().enableObjectReuse();
        environment.enableCheckpointing(5_000);
        KafkaSource<Keyed> source = KafkaSource.<Keyed>builder()
                .setBootstrapServers(args[0])
                .setTopics(args[1])
                .setGroupId(args[2])
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setDeserializer(new Reader())
                .setProperty(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, "5000")
                .setProperty(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, Integer.toString(4 << 20))
                .setProperty(ConsumerConfig.FETCH_MIN_BYTES_CONFIG, Integer.toString(1 << 16))
                .build();
        WatermarkStrategy<Keyed> time = WatermarkStrategy.<Keyed>forBoundedOutOfOrderness(Duration.ofSeconds(2))
                .withTimestampAssigner((each, brokers) -> each.eventTimeMs);
        // With one task all of a key is there already: keyBy would send each record through a buffer for nothing.
        KeyedStream<Keyed, String> keyed = DataStreamUtils.reinterpretAsKeyedStream(
                environment.fromSource(source, time, "liquidations"), each -> each.key, TypeInformation.of(String.class));
        keyed.window(windows(args[4])).aggregate(new Sum()).sinkTo(new DiscardingSink<>());
        JobClient job = environment.executeAsync();
        progress.await();
        job.cancel().get();
        System.exit(0);
    }

    private static WindowAssigner<Object, TimeWindow> windows(String kind) {
        return kind.equals("hopping")
                ? SlidingEventTimeWindows.of(Duration.ofSeconds(60), Duration.ofSeconds(5))
                : TumblingEventTimeWindows.of(Duration.ofSeconds(60));
    }

    /** State on the heap, checkpoints as files: the fastest of the state backends where state fits in memory. */
    private static Configuration configuration(String folder) {
        Configuration found = new Configuration();
        found.setString("state.backend.type", "hashmap");
        found.setString("execution.checkpointing.storage", "filesystem");
        found.setString("execution.checkpointing.dir", "file://" + folder);
        found.setString("rest.bind-port", "0");
        found.setString("pipeline.generic-types", "false");
        return found;
    }

    /** Reads a record; the deserializer runs in the task's own thread, one record behind the other. */
    public static final class Reader implements KafkaRecordDeserializationSchema<Keyed> {
        private transient Liquidation read;

        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Keyed> out) {
            if (read == null) {
                read = new Liquidation();
            }
            progress.step();
            read.read(record.value());
            Keyed found = new Keyed();
            found.key = new String(record.key(), java.nio.charset.StandardCharsets.ISO_8859_1);
            found.isLong = read.isLong;
            found.notionalUsd = read.notionalUsd;
            found.eventTimeMs = read.eventTimeMs;
            out.collect(found);
        }

        @Override
        public TypeInformation<Keyed> getProducedType() {
            return TypeInformation.of(Keyed.class);
        }
    }

    /** Adds up a window. */
    public static final class Sum implements AggregateFunction<Keyed, Totals, Totals> {
        @Override
        public Totals createAccumulator() {
            return new Totals();
        }

        @Override
        public Totals add(Keyed each, Totals totals) {
            if (each.isLong) {
                totals.longUsd += each.notionalUsd;
            } else {
                totals.shortUsd += each.notionalUsd;
            }
            totals.count++;
            return totals;
        }

        @Override
        public Totals getResult(Totals totals) {
            return totals;
        }

        @Override
        public Totals merge(Totals one, Totals other) {
            one.longUsd += other.longUsd;
            one.shortUsd += other.shortUsd;
            one.count += other.count;
            return one;
        }
    }
}
