// A stack in Java that chooses its own initial sequence numbers, behind Intercept's
// splice in the same process: a whole program.
//
//     java splice_in_front.java
//
// It needs libsplice.so beside it, which splice_in_java.c says how to make.  begin(),
// take() and deliver() are all that a stack needs of it.
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayDeque;
import java.util.Queue;

class Splice {
    static final int CLIENT = 0; // whoever connects
    static final int STACK = 1; // the stack that is protected

    static native boolean begin(int port, byte[] random);

    /** Takes an IP packet of one side; all that comes of it is delivered before it returns. */
    static native void take(int from, byte[] packet, long milliseconds);

    // What follows are two ends of paper: put a stack and an interface in their place.

    static final int SYN = 2;
    static final int PSH = 8;
    static final int ACK = 16;

    record Segment(
            int src, int dst, int sport, int dport, int flags, int seq, int ack, String payload) {
        /** Reads an IP packet. */
        static Segment of(byte[] packet) {
            ByteBuffer ip = ByteBuffer.wrap(packet);
            ByteBuffer tcp = ip.slice((packet[0] & 15) * 4, packet.length - (packet[0] & 15) * 4);
            int data = (tcp.get(12) >> 4 & 15) * 4;
            byte[] payload = new byte[tcp.capacity() - data];
            tcp.get(data, payload);
            return new Segment(
                    ip.getInt(12),
                    ip.getInt(16),
                    tcp.getShort(0) & 0xffff,
                    tcp.getShort(2) & 0xffff,
                    tcp.get(13),
                    tcp.getInt(4),
                    tcp.getInt(8),
                    new String(payload, StandardCharsets.US_ASCII));
        }

        byte[] packet() {
            byte[] data = payload.getBytes(StandardCharsets.US_ASCII);
            int length = 20 + data.length;
            ByteBuffer out = ByteBuffer.allocate(20 + length);
            out.putShort((short) 0x4500).putShort((short) (20 + length)).putInt(0x4000);
            out.putShort((short) (64 << 8 | 6)).putShort((short) 0).putInt(src).putInt(dst);
            out.putShort((short) sport).putShort((short) dport).putInt(seq).putInt(ack);
            out.putShort((short) (5 << 12 | flags)).putShort((short) 65535); // window
            out.putInt(0).put(data);
            out.putShort(10, checksum(out, 0, 20, 0));
            out.putShort(36, checksum(out, 12, 20 + length, 6 + length)); // pseudo header
            return out.array();
        }

        static short checksum(ByteBuffer bytes, int from, int to, int sum) {
            for (int i = from; i < to; i++) {
                sum += (bytes.get(i) & 0xff) << (i % 2 == 0 ? 8 : 0);
            }
            while (sum > 0xffff) {
                sum = (sum & 0xffff) + (sum >>> 16);
            }
            return (short) ~sum;
        }

        /** Turns the ends. */
        Segment answer(int flags, int seq, String payload) {
            int next = this.seq + this.payload.length() + ((this.flags & SYN) != 0 ? 1 : 0);
            return new Segment(dst, src, dport, sport, flags, seq, next, payload);
        }
    }

    static int syns = 0;

    /** The stack: it sees no SYN of a client that has not proved its address. */
    static Segment stack(Segment got) {
        if ((got.flags() & SYN) != 0) {
            syns++;
            return got.answer(SYN | ACK, 7000000, ""); // its own ISS
        }
        return got.payload().isEmpty() ? null : got.answer(PSH | ACK, got.ack(), "hello, client");
    }

    static Segment client(Segment got) {
        if ((got.flags() & SYN) != 0) {
            return got.answer(PSH | ACK, got.ack(), "hello, server");
        }
        if (!got.payload().isEmpty()) {
            System.out.println(got.payload());
        }
        return null;
    }

    record Sent(int from, byte[] packet) {}

    static final Queue<Sent> sent = new ArrayDeque<>();

    /** Called by take(). */
    static void deliver(int to, byte[] packet) {
        Segment got = Segment.of(packet);
        Segment reply = to == STACK ? stack(got) : client(got);
        if (reply != null) {
            sent.add(new Sent(to, reply.packet()));
        }
    }

    static byte[] syn(int last) {
        int src = 192 << 24 | 2 << 8 | last;
        int dst = 198 << 24 | 51 << 16 | 100 << 8 | 7;
        return new Segment(src, dst, 40000, 80, SYN, 1000, 0, "").packet();
    }

    public static void main(String[] words) {
        System.load(Path.of("libsplice.so").toAbsolutePath().toString());
        byte[] random = new byte[32];
        new SecureRandom().nextBytes(random);
        if (!begin(80, random)) {
            throw new IllegalStateException("no engine of this configuration");
        }
        for (int last = 100; last < 200; last++) {
            take(CLIENT, syn(last), 1000);
        }
        sent.clear(); // nobody is there to take the SYN-ACKs
        System.out.println("after 100 spoofed SYNs the stack has seen " + syns);
        sent.add(new Sent(CLIENT, syn(1)));
        for (long now = 1001; !sent.isEmpty(); now++) {
            Sent next = sent.remove();
            take(next.from(), next.packet(), now);
        }
        System.out.println("and " + syns + " of a client that answered");
    }
}
