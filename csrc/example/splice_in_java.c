/*
 * Intercept's splice as a library of Java's: splice_in_front.java uses it.
 *
 *     cc -shared -fPIC -I$JAVA_HOME/include -I$JAVA_HOME/include/linux
 *         splice_in_java.c $(pkg-config --cflags --libs syncache)
 *         -o libsplice.so
 */
#include "flow/flow.h"

#include <jni.h>

#include <stdlib.h>
#include <string.h>

enum { SLOTS = 16, SLOT_SIZE = 2048 };

/* A ring of packets, as the engine fills and reads it. */
struct link {
    struct syncache_ring ring;
    struct syncache_slot slot[SLOTS];
    uint32_t passed[SLOTS];
    uint8_t memory[SLOTS * SLOT_SIZE];
};

static struct flow *flow;
static struct link rx, to_client, to_stack;

static void
clear(struct link *link)
{
    link->ring = (struct syncache_ring){.memory = link->memory,
                                        .slot = link->slot,
                                        .passed = link->passed,
                                        .slots = SLOTS,
                                        .slot_size = SLOT_SIZE};
}

/* Splice.begin(port, random): protects everything to a port.  False: too few
   random bytes, or no memory. */
JNIEXPORT jboolean JNICALL
Java_Splice_begin(JNIEnv *env, jclass class, jint port, jbyteArray random)
{
    struct flow_config config = {.struct_size = sizeof config,
                                 .kind = FLOW_INTERCEPT,
                                 .sessions_max = 1024,
                                 .hosts_max = 16,
                                 .headers_max = 1,
                                 .journal_max = 16,
                                 .rules_max = 1};
    struct flow_rule rule = {.protocol = 6,
                             .permit = 1,
                             .destination_op = FLOW_PORT_EQ,
                             .destination_lo = (uint16_t)port};
    uint8_t keys[2][SYNCACHE_KEY_BYTES]; /* one that runs longer gives a key */
    size_t size = flow_size(&config);    /* for each flow_epoch() */
    void *block = aligned_alloc(64, (size + 63) / 64 * 64);

    (void)class;
    memset(rule.source_wildcard, 255, sizeof rule.source_wildcard);
    memset(rule.destination_wildcard, 255, sizeof rule.destination_wildcard);
    if (block == NULL ||
        (*env)->GetArrayLength(env, random) < (jint)sizeof keys)
        return JNI_FALSE;
    (*env)->GetByteArrayRegion(env, random, 0, sizeof keys, (jbyte *)keys);
    flow = flow_init(block, size, &config, keys[0]);
    if (flow == NULL || !flow_set_rules(flow, &rule, 1, true))
        return JNI_FALSE;
    flow_set_key(flow, 0, keys[1]);
    return JNI_TRUE;
}

/* Calls Splice.deliver(to, packet), unless an earlier call has thrown. */
static void
deliver(JNIEnv *env, jclass class, jint to, const struct link *link,
        uint32_t at)
{
    jmethodID method =
        (*env)->GetStaticMethodID(env, class, "deliver", "(I[B)V");
    jint size = (jint)link->slot[at].size;
    jbyteArray packet;

    if (method == NULL || (*env)->ExceptionCheck(env) ||
        (packet = (*env)->NewByteArray(env, size)) == NULL)
        return;
    (*env)->SetByteArrayRegion(env, packet, 0, size,
                               (const jbyte *)link->memory + at * SLOT_SIZE);
    (*env)->CallStaticVoidMethod(env, class, method, to, packet);
    (*env)->DeleteLocalRef(env, packet);
}

/* Splice.take(from, packet, milliseconds): takes an IP packet of one side; one
   that is longer than a slot is dropped. */
JNIEXPORT void JNICALL
Java_Splice_take(JNIEnv *env, jclass class, jint from, jbyteArray packet,
                 jlong now_ms)
{
    jint size = (*env)->GetArrayLength(env, packet);

    if (size > SLOT_SIZE || flow == NULL)
        return;
    clear(&rx), clear(&to_client), clear(&to_stack);
    (*env)->GetByteArrayRegion(env, packet, 0, size, (jbyte *)rx.memory);
    rx.slot[0] = (struct syncache_slot){.size = (uint32_t)size};
    rx.ring.count = 1;
    flow_burst(flow, (uint64_t)now_ms, &rx.ring, (uint32_t)from,
               &to_client.ring, &to_stack.ring);
    for (uint32_t i = 0; i < rx.ring.passed_count; i++)
        deliver(env, class, from == FLOW_CLIENT ? FLOW_SERVER : FLOW_CLIENT,
                &rx, rx.passed[i]);
    for (uint32_t i = 0; i < to_client.ring.count; i++)
        deliver(env, class, FLOW_CLIENT, &to_client, i);
    for (uint32_t i = 0; i < to_stack.ring.count; i++)
        deliver(env, class, FLOW_SERVER, &to_stack, i);
}
