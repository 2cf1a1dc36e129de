/*
 * Intercept's splice as a library of Java's: splice_in_front.java uses it.
 *
 *     cc -shared -fPIC -I$JAVA_HOME/include -I$JAVA_HOME/include/linux
 *         splice_in_java.c $(pkg-config --cflags --libs syncache)
 *         -o libsplice.so
 */
#include "splice_in_front.h"

#include <jni.h>

struct call {
    JNIEnv *env;
    jclass class;
};

/* Splice.begin(port, random): protects everything to a port.  False: too few
   random bytes, or no memory. */
JNIEXPORT jboolean JNICALL
Java_Splice_begin(JNIEnv *env, jclass class, jint port, jbyteArray random)
{
    uint8_t keys[2 * SYNCACHE_KEY_BYTES];

    (void)class;
    if ((*env)->GetArrayLength(env, random) < (jint)sizeof keys)
        return JNI_FALSE;
    (*env)->GetByteArrayRegion(env, random, 0, sizeof keys, (jbyte *)keys);
    return splice_begin((uint16_t)port, keys) ? JNI_TRUE : JNI_FALSE;
}

/* Calls Splice.deliver(to, packet), unless an earlier call has thrown. */
static void
deliver(void *by, uint32_t to, const uint8_t *bytes, uint32_t size)
{
    JNIEnv *env = ((struct call *)by)->env;
    jclass class = ((struct call *)by)->class;
    jmethodID method;
    jbyteArray packet;

    if ((*env)->ExceptionCheck(env))
        return;
    method = (*env)->GetStaticMethodID(env, class, "deliver", "(I[B)V");
    if (method == NULL ||
        (packet = (*env)->NewByteArray(env, (jint)size)) == NULL)
        return;
    (*env)->SetByteArrayRegion(env, packet, 0, (jint)size,
                               (const jbyte *)bytes);
    (*env)->CallStaticVoidMethod(env, class, method, (jint)to, packet);
    (*env)->DeleteLocalRef(env, packet);
}

/* Splice.take(from, packet, milliseconds): takes an IP packet of one side. */
JNIEXPORT void JNICALL
Java_Splice_take(JNIEnv *env, jclass class, jint from, jbyteArray packet,
                 jlong now_ms)
{
    static uint8_t bytes[SPLICE_SIZE];
    jint size = (*env)->GetArrayLength(env, packet);
    struct call call = {env, class};

    if (size > SPLICE_SIZE)
        return;
    (*env)->GetByteArrayRegion(env, packet, 0, size, (jbyte *)bytes);
    splice_take((uint32_t)from, bytes, (size_t)size, (uint64_t)now_ms, deliver,
                &call);
}
