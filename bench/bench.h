/*
 * What the C cases of the bench share: how a case is described, how it is timed, tuples and SYNs by number.
 * native.py builds these files into one library, calls the cases by name and says how names are made.
 *
 * A case makes a world once, then runs in it again and again; each run goes on where the last one ended.  Only what
 * a case measures is timed, by the CPU time of the thread, so that preparing the next packets costs nothing.
 */
#ifndef SYNCACHE_BENCH_H
#define SYNCACHE_BENCH_H

#include "syncache.h"

struct bench_case {
    const char *name;
    const char *what;                 /* one line for `python -m bench.native --list` */
    const char *unit;                 /* what one operation is about */
    uint32_t entries;                 /* of its table; 0: it has none */
    uint32_t burst;                   /* packets or tuples a call takes */
    uint32_t ops;                     /* operations of one run, unless the caller says */
    uint32_t mib;                     /* memory of its world */
    uint32_t flavour;                 /* the case's own: which way of doing it */
    void *(*make)(const struct bench_case *self);
    uint64_t (*run)(void *world, uint32_t ops);   /* returns nanoseconds */
    void (*unmake)(void *world);
};

struct bench_group {
    const struct bench_case *cases;
    uint32_t count;
};

#define BENCH_GROUP(cases) {(cases), (uint32_t)(sizeof(cases) / sizeof *(cases))}

extern const struct bench_group bench_hashes, bench_tables, bench_syns, bench_segments, bench_timers;

/* CPU time of this thread. */
uint64_t bench_ns(void);
/* Zeroed memory on huge pages where the system has them; it never returns NULL. */
void *bench_memory(size_t bytes);
void bench_memory_free(void *memory, size_t bytes);
/* Says what is wrong and ends the process: a case that measured something else would be worse. */
void bench_fail(const char *what);
/* Keeps the compiler from leaving out what nobody reads. */
void bench_keep(uint64_t value);

/* The next of a sequence that looks random and does not repeat within 2^64. */
uint64_t bench_random(uint64_t *state);
/* A foreign peer that has not been before (within 2^48), for one and the same local side. */
void bench_tuple(uint64_t *state, struct syncache_tuple *tuple);

#endif
