/*
 * Secrets decide no branch and no address: every key is marked undefined, and
 * memcheck reports each conditional jump and each address that depends on what
 * is undefined.  What becomes public (an ISS that is sent, a verdict) is marked
 * defined where it does.  As in Langley's ctgrind.
 *
 * Run as `valgrind --error-exitcode=9 ctgrind CASE`.  The cases leak_branch and
 * leak_address must be reported, which shows that the others could be.  Exit
 * status 1: a case found that its key had lost its mark, or no valgrind is
 * there; then silence would prove nothing.
 */
#include "../../csrc/core/secret.h"
#include "../../csrc/core/siphash.h"
#include "../../csrc/core/syncookie.h"
#include "../../csrc/core/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

#define LIFETIME_MS 32000
#define SKEW_MS 1000

static uint8_t key[16] = "a key, undefined";
static volatile uint32_t sink;

static void
expect(bool condition, const char *what)
{
    if (condition)
        return;
    printf("%s\n", what);
    exit(1);
}

static void
make_secret(void *bytes, size_t size)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(bytes, size);
}

/* Does a value of at most 16 bytes depend on a key? */
static bool
is_secret(const void *bytes, size_t size)
{
    uint8_t undefined[16] = {0};
    bool any = false;
    (void)VALGRIND_GET_VBITS(bytes, undefined, size);
    for (size_t i = 0; i < size; i++)
        any |= undefined[i] != 0;
    return any;
}

/* Says that a value depends on a key; from here on it is public. */
static void
make_public(void *bytes, size_t size)
{
    expect(is_secret(bytes, size), "the result does not depend on the key");
    (void)VALGRIND_MAKE_MEM_DEFINED(bytes, size);
}

static struct syncache_tuple
tuple_of(uint8_t family)
{
    struct syncache_tuple tuple = {
        .fport = 49152, .lport = 80, .family = family};
    memset(tuple.faddr, 1, family == 4 ? 4 : 16);
    memset(tuple.laddr, 2, family == 4 ? 4 : 16);
    return tuple;
}

static void
case_siphash(void)
{
    static const uint8_t data[64] = "of every size";
    for (size_t size = 0; size <= sizeof data; size++) {
        uint64_t hash = siphash24(key, data, size);
        make_public(&hash, sizeof hash);
        uint32_t fold = siphash24_fold(key, data, size);
        make_public(&fold, sizeof fold);
        sink = fold ^ (uint32_t)hash;
    }
}

/* Mints a cookie, checks it and one that is wrong. */
static void
mint_and_check(uint8_t family, uint32_t layout, uint32_t parity)
{
    struct syncache_tuple tuple = tuple_of(family);
    struct syncache_cookie_options options = {
        .mss = 1460, .wscale = 7, .sack_permitted = 1, .rcv_wscale = 6};
    uint32_t iss =
        syncache_cookie_mint(key, &tuple, 77, &options, parity, 99, layout);
    make_public(&iss, sizeof iss);
    for (uint32_t wrong = 0; wrong <= 0x100; wrong += 0x100) {
        bool good = syncache_cookie_check(key, &tuple, 77, iss ^ wrong, 99,
                                          layout, &options);
        make_public(&good, sizeof good);
        expect(good == (wrong == 0), "a wrong verdict");
        expect(options.mss != 0, "options depend on the key");
    }
}

static void
case_cookie(void)
{
    for (uint32_t layout = 0; layout <= SYNCACHE_LAYOUT_MSS; layout++) {
        for (uint32_t parity = 0; parity <= 1; parity++) {
            mint_and_check(4, layout, parity);
            mint_and_check(6, layout, parity);
        }
    }
}

/* The life of keys: given, in force, verifying, retired. */
static void
case_secret(void)
{
    struct secret secret;
    const uint8_t *keys[SECRET_CANDIDATES];
    secret_init(&secret);
    for (uint64_t now_ms = 0; now_ms < 5 * LIFETIME_MS; now_ms += 500) {
        secret_advance(&secret, now_ms, LIFETIME_MS, SKEW_MS);
        secret_set_key(&secret, secret.epoch, key);
        secret_set_key(&secret, secret.epoch + 1, key);
        for (uint32_t parity = 0; parity <= 1; parity++)
            sink = secret_candidates(&secret, now_ms, LIFETIME_MS, SKEW_MS,
                                     parity, keys);
        expect(secret_mint(&secret) != NULL, "no key in force");
        expect(is_secret(secret_mint(&secret), 16),
               "the key in force lost its mark");
    }
    secret_init(&secret);
}

/* A signature that is right and one that is not (RFC 2385). */
static void
case_md5(void)
{
    uint8_t tcp[40] = {[12] = 10 << 4, [13] = 2, [20] = 19, 18, [38] = 1, 1};
    struct wire_segment segment;
    enum syncache_verdict why;
    memset(&segment, 0, sizeof segment);
    segment.tuple = tuple_of(4);
    expect(wire_parse_tcp(tcp, sizeof tcp, 0, SYNCACHE_CHECKSUM_VALID, &segment,
                          &why),
           "the segment does not parse");
    wire_md5(&segment.tuple, true, tcp, sizeof tcp, key, sizeof key, tcp + 22);
    make_public(tcp + 22, 16);
    for (uint8_t wrong = 0; wrong <= 1; wrong++) {
        tcp[30] ^= wrong;
        bool good = wire_md5_verify(&segment, key, sizeof key);
        make_public(&good, sizeof good);
        expect(good == (wrong == 0), "a wrong verdict");
    }
}

static void
case_leak_branch(void)
{
    if (siphash24(key, key, 0) & 1)
        sink = 1;
}

static void
case_leak_address(void)
{
    static const uint8_t table[256] = {1, 2, 3};
    sink = table[key[3]];
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {
        {"siphash", case_siphash},         {"cookie", case_cookie},
        {"secret", case_secret},           {"md5", case_md5},
        {"leak_branch", case_leak_branch}, {"leak_address", case_leak_address},
    };
    expect(RUNNING_ON_VALGRIND != 0, "this runs under valgrind only");
    make_secret(key, sizeof key);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (argc == 2 && strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run();
            return 0;
        }
    }
    expect(false, "no such case");
}
