/*
 * The library that native.py loads: the list of cases, and what they share.
 * Each group of cases is a file of its own, case_*.c.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define BENCH_HUGE_PAGE ((size_t)2 << 20)

static const struct bench_group *const groups[] = {
    &bench_hashes, &bench_tables, &bench_syns, &bench_segments, &bench_timers};

/* native.py calls these; nothing else leaves the library. */
#pragma GCC visibility push(default)
const struct bench_case *bench_case_at(uint32_t index);
void *bench_make(const struct bench_case *self);
uint64_t bench_run(const struct bench_case *self, void *world, uint32_t ops);
void bench_unmake(const struct bench_case *self, void *world);

/* test_rival.py looks at what the rival answers and counts. */
struct path *bench_rival_make(uint32_t entries, uint32_t bucketlimit,
                              bool pauses);
size_t bench_rival_syn(struct path *path, uint64_t now_ms,
                       const uint8_t *packet, size_t size, uint8_t *reply);
uint32_t bench_rival_poll(struct path *path, uint64_t now_ms);
void bench_rival_count(const struct path *path, uint64_t counts[4]);
void bench_rival_free(struct path *path);
#pragma GCC visibility pop

const struct bench_case *
bench_case_at(uint32_t index)
{
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        if (index < groups[i]->count)
            return &groups[i]->cases[index];
        index -= groups[i]->count;
    }
    return NULL;
}

void *
bench_make(const struct bench_case *self)
{
    return self->make(self);
}

uint64_t
bench_run(const struct bench_case *self, void *world, uint32_t ops)
{
    return self->run(world, ops);
}

void
bench_unmake(const struct bench_case *self, void *world)
{
    self->unmake(world);
}

struct path *
bench_rival_make(uint32_t entries, uint32_t bucketlimit, bool pauses)
{
    struct path *path = calloc(1, sizeof *path);

    if (path == NULL)
        bench_fail("no memory");
    world_rival(path, entries, bucketlimit, pauses);
    return path;
}

size_t
bench_rival_syn(struct path *path, uint64_t now_ms, const uint8_t *packet,
                size_t size, uint8_t *reply)
{
    path->now_ms = now_ms;
    return path_syn(path, packet, size, reply);
}

/* Sets each due entry a second later; counts them in rxmits and here. */
static void
bench_rival_due(void *context, struct list_bucket *bucket,
                struct list_entry *entry)
{
    struct path *path = context;

    entry->rxmits++;
    path->fired++;
    list_arm(path->list, bucket, entry, path->now_ms + 1000);
}

uint32_t
bench_rival_poll(struct path *path, uint64_t now_ms)
{
    path->fired = 0;
    path->now_ms = now_ms;
    list_poll(path->list, now_ms, bench_rival_due, path);
    return path->fired;
}

void
bench_rival_count(const struct path *path, uint64_t counts[4])
{
    counts[0] = path->list == NULL ? 0 : path->list->count;
    counts[1] = path->list == NULL ? 0 : path->list->evicted;
    counts[2] = path->duplicates;
    counts[3] = path->cookies_only;
}

void
bench_rival_free(struct path *path)
{
    if (path->list != NULL)
        list_free(path->list);
    free(path);
}

uint64_t
bench_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static size_t
bench_round(size_t bytes)
{
    return (bytes + BENCH_HUGE_PAGE - 1) & ~(BENCH_HUGE_PAGE - 1);
}

void *
bench_memory(size_t bytes)
{
    size_t size = bench_round(bytes);
    uint8_t *start = mmap(NULL, size + BENCH_HUGE_PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *memory;

    if (start == MAP_FAILED)
        bench_fail("no memory");
    /* What lies before and after the aligned part goes back. */
    memory = (uint8_t *)bench_round((size_t)start);
    if (memory > start)
        munmap(start, (size_t)(memory - start));
    munmap(memory + size, (size_t)(start + BENCH_HUGE_PAGE - memory));
    (void)madvise(memory, size, MADV_HUGEPAGE);
    return memory;
}

void
bench_memory_free(void *memory, size_t bytes)
{
    munmap(memory, bench_round(bytes));
}

void
bench_fail(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    abort();
}

void
bench_keep(uint64_t value)
{
    __asm__ volatile("" : : "r"(value));
}

uint64_t
bench_random(uint64_t *state)
{
    /* SplitMix64: one addition and a bijective mix. */
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void
bench_tuple(uint64_t *state, struct syncache_tuple *tuple)
{
    /* An odd factor permutes 48 bits, so no peer comes twice. */
    uint64_t peer =
        (*state)++ * UINT64_C(0x9e3779b97f4b) & UINT64_C(0xffffffffffff);
    uint32_t host = (uint32_t)peer;

    peer >>= 32;
    *tuple = (struct syncache_tuple){
        .laddr = {198, 18, 0, 2},
        .fport = (uint16_t)peer,
        .lport = 80,
        .family = 4,
    };
    memcpy(tuple->faddr, &host, sizeof host);
}
