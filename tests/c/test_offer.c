/* What becomes of an offered handshake. */
#include "cache.h"

static uint32_t iss;

/* Peer 1 has completed its handshake; nobody has answered the offer. */
static void
start_offered(void)
{
    cache_start();
    (void)send_syn(1);
    iss = reply.seq;
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(1, iss));
}

static void
refuse(void)
{
    struct syncache_conn conn = result.conn;
    syncache_accepted(cache, &conn, 0, false);
}

static void
test_offered_segments_pass_and_nothing_is_retransmitted(void)
{
    /* The entry stays, quiet, until the stack has answered. */
    cache_defaults();
    start_offered();
    EXPECT_EQ(SYNCACHE_PASS_OFFERED, send_ack(1, iss));
    EXPECT_EQ(SYNCACHE_PASS_OFFERED, send_syn(1));
    EXPECT_EQ(1, syncache_count(cache));
    now += 4000;
    EXPECT_EQ(0, poll_now());
    EXPECT_EQ(0, stats()->sc_completed);
}

static void
test_accepted_segments_pass_with_the_handle(void)
{
    /* Until the tuple is closed; then it is unknown again. */
    cache_defaults();
    start_offered();
    syncache_accepted(cache, &result.conn, 77, true);
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_ack(1, iss));
    EXPECT_EQ(77, result.handle);
    EXPECT_EQ(0, syncache_count(cache));
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_rst(1, peer_irs(1) + 1));
    struct syncache_tuple tuple = peer_tuple(1);
    syncache_closed(cache, &tuple);
    EXPECT_EQ(SYNCACHE_REPLY_RST, send_ack(1, iss));
    expect_balance();
}

static void
test_refused_entry_goes_on_and_is_offered_again(void)
{
    /* departure 5: a full accept queue costs nobody a connection. */
    cache_defaults();
    start_offered();
    refuse();
    EXPECT_EQ(1, stats()->listendrop);
    EXPECT_EQ(0, stats()->sc_aborted);
    EXPECT_EQ(1, syncache_count(cache));
    now += 1000;
    EXPECT_EQ(1, poll_now());
    EXPECT_EQ(iss, reply.seq);
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(1, iss));
    syncache_accepted(cache, &result.conn, 1, true);
    EXPECT_EQ(1, stats()->sc_completed);
    expect_balance();
}

static void
test_refused_entry_that_expires_sends_one_rst(void)
{
    /* The peer thinks that it is connected. */
    cache_defaults();
    tunables.rexmtlimit = 0;
    start_offered();
    refuse();
    now += 1000;
    EXPECT_EQ(1, poll_now());
    EXPECT_EQ(RST, reply.flags);
    EXPECT_EQ(iss + 1, reply.seq);
    EXPECT_EQ(1, stats()->sc_stale);
    EXPECT_EQ(0, poll_now());
}

static void
test_refused_with_rst_on_sock_fail_owes_one_rst(void)
{
    /* Statement 46; the entry is gone at once. */
    cache_defaults();
    tunables.rst_on_sock_fail = 1;
    start_offered();
    refuse();
    EXPECT_EQ(0, syncache_count(cache));
    EXPECT_EQ(1, stats()->sc_aborted);
    EXPECT_EQ(1, stats()->listendrop);
    EXPECT_EQ(now, syncache_next_deadline(cache));
    EXPECT_EQ(1, poll_now());
    EXPECT_EQ(RST, reply.flags);
    EXPECT_EQ(iss + 1, reply.seq);
    EXPECT_EQ(0, poll_now());
    expect_balance();
}

static void
test_owed_rst_is_paid_to_the_next_ack(void)
{
    /* The peer need not wait for the poll, and gets no second one. */
    cache_defaults();
    tunables.rst_on_sock_fail = 1;
    start_offered();
    refuse();
    EXPECT_EQ(SYNCACHE_REPLY_RST, send_ack(1, iss));
    EXPECT_EQ(iss + 1, reply.seq);
    EXPECT_EQ(0, poll_now());
}

static void
test_owed_rst_is_cancelled_by_a_new_syn_or_a_rst(void)
{
    /* It would meet a handshake that it does not concern. */
    cache_defaults();
    tunables.rst_on_sock_fail = 1;
    start_offered();
    refuse();
    EXPECT_EQ(SYNCACHE_REPLY_SYN_ACK, send_syn(1));
    EXPECT_EQ(0, poll_now());
    start_offered();
    refuse();
    EXPECT_EQ(SYNCACHE_DROP_RST, send_rst(1, peer_irs(1) + 1));
    EXPECT_EQ(0, poll_now());
}

static void
test_refused_freebsd_is_reset_or_silent_with_the_entry_gone(void)
{
    /* Statement 46 in FreeBSD's order: no offer outlives its ACK. */
    for (uint32_t rst = 0; rst <= 1; rst++) {
        cache_defaults();
        tunables.offer_timeout_ms = 0;
        tunables.rst_on_sock_fail = rst;
        start_offered();
        EXPECT_EQ(0, syncache_count(cache));
        refuse();
        EXPECT_EQ(1, stats()->sc_aborted);
        EXPECT_EQ(rst, poll_now());
        expect_balance();
    }
}

static void
test_offer_unanswered_times_out_like_a_refusal(void)
{
    /* After x.offer_timeout, and not a moment before. */
    cache_defaults();
    start_offered();
    EXPECT_EQ(now + 1000, first_entry().deadline_ms);
    now += 4999;
    (void)poll_now();
    EXPECT_EQ(0, stats()->offer_timeout);
    EXPECT_TRUE(syncache_next_deadline(cache) <= now + 1);
    now += 1;
    (void)poll_now();
    EXPECT_EQ(1, stats()->offer_timeout);
    EXPECT_EQ(1, stats()->listendrop);
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(1, iss));
}

static void
test_offer_refused_too_late_does_not_touch_the_next_one(void)
{
    /* The tuple was offered again meanwhile, from another SYN. */
    cache_defaults();
    tunables.syncookies_only = 1;
    cache_start();
    (void)send_syn(1);
    iss = reply.seq;
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_ack(1, iss));
    struct syncache_conn late = result.conn;
    now += 5000;
    (void)poll_now();
    (void)send_seg((struct seg){.peer = 1, .flags = SYN, .seq = 77});
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE,
              send_seg((struct seg){
                  .peer = 1, .flags = ACK, .seq = 78, .ack = reply.seq + 1}));
    syncache_accepted(cache, &late, 0, false);
    EXPECT_EQ(1, stats()->listendrop);
    EXPECT_EQ(SYNCACHE_PASS_OFFERED, send_ack(1, iss));
}

static void
test_offer_accepted_after_its_entry_was_evicted_is_established(void)
{
    /* Tuple, irs and iss name the handshake; the entry is not needed. */
    cache_defaults();
    config.hashsize = 1;
    config.bucketlimit = 1;
    config.cachelimit = 1;
    start_offered();
    struct syncache_conn conn = result.conn;
    (void)send_syn(2);
    EXPECT_EQ(1, stats()->evicted);
    syncache_accepted(cache, &conn, 9, true);
    EXPECT_EQ(1, stats()->accepts);
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_ack(1, iss));
    EXPECT_EQ(1, syncache_count(cache));
}

static void
test_offer_that_is_closed_lets_its_entry_go_on(void)
{
    /* An entry does not wait for an answer that cannot come. */
    struct syncache_tuple tuple = peer_tuple(1);
    cache_defaults();
    start_offered();
    syncache_closed(cache, &tuple);
    now += 1000;
    EXPECT_EQ(1, poll_now());
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(1, iss));
}

static void
test_known_table_full_offers_nothing_more(void)
{
    /* The entry waits for room. */
    struct syncache_tuple other = peer_tuple(9);
    cache_defaults();
    config.established_max = 1;
    cache_start();
    EXPECT_TRUE(syncache_opened(cache, &other, 3));
    (void)send_syn(1);
    iss = reply.seq;
    EXPECT_EQ(SYNCACHE_DROP_KNOWN_FULL, send_ack(1, iss));
    EXPECT_EQ(1, syncache_count(cache));
    syncache_closed(cache, &other);
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(1, iss));
}

static void
test_opened_tuple_is_known_with_its_latest_handle(void)
{
    /* Active opens are looked up like the others. */
    struct syncache_tuple tuple = peer_tuple(1);
    cache_defaults();
    cache_start();
    EXPECT_TRUE(syncache_opened(cache, &tuple, 3));
    EXPECT_TRUE(syncache_opened(cache, &tuple, 4));
    EXPECT_EQ(SYNCACHE_PASS_KNOWN,
              send_seg((struct seg){.peer = 1, .flags = SYN | ACK}));
    EXPECT_EQ(4, result.handle);
    config.established_max = 0;
    cache_start();
    EXPECT_TRUE(!syncache_opened(cache, &tuple, 3));
}

static void
test_without_known_table_an_ack_is_offered_until_accepted(void)
{
    /* established_max 0: the stack knows its own tuples. */
    cache_defaults();
    config.established_max = 0;
    start_offered();
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(1, iss));
    refuse();
    EXPECT_EQ(SYNCACHE_ACCEPT_CACHE, send_ack(1, iss));
    syncache_accepted(cache, &result.conn, 0, true);
    EXPECT_EQ(0, syncache_count(cache));
    EXPECT_EQ(SYNCACHE_PASS_NO_ENDPOINT, send_ack(1, iss));
    expect_balance();
}

static void
test_owed_rst_is_not_drawn_by_other_segments(void)
{
    /* They fare as if the tuple were unknown, and the debt stays. */
    static const uint16_t others[] = {FIN, SYN | ACK, 0};
    cache_defaults();
    tunables.rst_on_sock_fail = 1;
    start_offered();
    refuse();
    for (size_t i = 0; i < TEST_COUNT(others); i++)
        EXPECT_EQ(others[i] & SYN ? SYNCACHE_DROP_SYN_ACK
                                  : SYNCACHE_DROP_NO_SYN,
                  send_seg((struct seg){.peer = 1, .flags = others[i]}));
    struct syncache_tuple tuple = peer_tuple(1);
    syncache_closed(cache, &tuple);
    EXPECT_EQ(1, poll_now());
    EXPECT_EQ(RST, reply.flags);
}

static void
test_refusal_of_another_handshake_changes_nothing(void)
{
    /* The tuple is established by now, or its offer is of another ISN. */
    cache_defaults();
    start_offered();
    struct syncache_conn conn = result.conn;
    struct syncache_conn other = conn;
    other.irs++;
    syncache_accepted(cache, &other, 0, false);
    EXPECT_EQ(SYNCACHE_PASS_OFFERED, send_ack(1, iss));
    syncache_accepted(cache, &conn, 5, true);
    syncache_accepted(cache, &conn, 0, false);
    EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_ack(1, iss));
    EXPECT_EQ(0, stats()->listendrop);
}

static void
test_offer_of_a_cookie_that_is_closed_has_no_entry(void)
{
    /* Nothing is left of it. */
    struct syncache_tuple tuple = peer_tuple(1);
    cache_defaults();
    tunables.syncookies_only = 1;
    cache_start();
    (void)send_syn(1);
    iss = reply.seq;
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_ack(1, iss));
    syncache_closed(cache, &tuple);
    EXPECT_EQ(0, syncache_count(cache));
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_ack(1, iss));
}

/* Offers of peers 1 and 2 in a row; returns that of peer 1. */
static struct syncache_conn
offer_two(bool from_cookies)
{
    cache_defaults();
    tunables.syncookies_only = from_cookies;
    cache_start();
    enum syncache_verdict accepts =
        from_cookies ? SYNCACHE_ACCEPT_COOKIE : SYNCACHE_ACCEPT_CACHE;
    (void)send_syn(1);
    iss = reply.seq;
    EXPECT_EQ(accepts, send_ack(1, iss));
    struct syncache_conn conn = result.conn;
    (void)send_syn(2);
    EXPECT_EQ(accepts, send_ack(2, reply.seq));
    EXPECT_TRUE(conn.offer != result.conn.offer);
    return conn;
}

static void
test_accepted_wherever_its_offer_is_said_to_be(void)
{
    /* In its place; by its tuple if that is no place, or another's, or the hash
     * was drawn anew meanwhile.  A cookie is remembered as redeemed. */
    static const uint8_t seed[SYNCACHE_KEY_BYTES] = {9};
    for (uint32_t i = 0; i < 20; i++) {
        bool from_cookies = i % 2, anew = i / 2 % 2;
        struct syncache_conn conn = offer_two(from_cookies);
        const uint32_t places[] = {conn.offer, 0, result.conn.offer, 3,
                                   UINT32_MAX};
        conn.offer = places[i / 4];
        if (anew)
            syncache_rehash(cache, seed);
        syncache_accepted(cache, &conn, 77, true);
        EXPECT_EQ(from_cookies || anew ? 0 : 1, syncache_count(cache));
        EXPECT_EQ(SYNCACHE_PASS_OFFERED, send_ack(2, result.conn.iss));
        EXPECT_EQ(SYNCACHE_PASS_KNOWN, send_ack(1, iss));
        EXPECT_EQ(77, result.handle);
        syncache_closed(cache, &conn.tuple);
        (void)send_ack(1, iss);
        if (from_cookies)
            EXPECT_EQ(1, stats()->replayed);
    }
}

static void
test_late_answer_leaves_the_offer_in_its_place_alone(void)
{
    /* A node that was freed is another handshake's by now. */
    cache_defaults();
    tunables.syncookies_only = 1;
    cache_start();
    struct syncache_tuple tuple = peer_tuple(1);
    (void)send_syn(1);
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_ack(1, reply.seq));
    struct syncache_conn late = result.conn;
    syncache_closed(cache, &tuple);
    EXPECT_EQ(SYNCACHE_REPLY_SYN_COOKIE, send_syn(2));
    uint32_t theirs = reply.seq;
    EXPECT_EQ(SYNCACHE_ACCEPT_COOKIE, send_ack(2, theirs));
    EXPECT_EQ(late.offer, result.conn.offer);
    syncache_accepted(cache, &late, 0, false);
    EXPECT_EQ(SYNCACHE_PASS_OFFERED, send_ack(2, theirs));
    syncache_accepted(cache, &late, 5, true);
    EXPECT_EQ(SYNCACHE_PASS_OFFERED, send_ack(2, theirs));
}

static const struct test tests[] = {
    TEST(test_accepted_wherever_its_offer_is_said_to_be),
    TEST(test_late_answer_leaves_the_offer_in_its_place_alone),
    TEST(test_offered_segments_pass_and_nothing_is_retransmitted),
    TEST(test_accepted_segments_pass_with_the_handle),
    TEST(test_refused_entry_goes_on_and_is_offered_again),
    TEST(test_refused_entry_that_expires_sends_one_rst),
    TEST(test_refused_with_rst_on_sock_fail_owes_one_rst),
    TEST(test_owed_rst_is_paid_to_the_next_ack),
    TEST(test_owed_rst_is_cancelled_by_a_new_syn_or_a_rst),
    TEST(test_refused_freebsd_is_reset_or_silent_with_the_entry_gone),
    TEST(test_offer_unanswered_times_out_like_a_refusal),
    TEST(test_offer_refused_too_late_does_not_touch_the_next_one),
    TEST(test_offer_accepted_after_its_entry_was_evicted_is_established),
    TEST(test_offer_that_is_closed_lets_its_entry_go_on),
    TEST(test_known_table_full_offers_nothing_more),
    TEST(test_opened_tuple_is_known_with_its_latest_handle),
    TEST(test_without_known_table_an_ack_is_offered_until_accepted),
    TEST(test_owed_rst_is_not_drawn_by_other_segments),
    TEST(test_refusal_of_another_handshake_changes_nothing),
    TEST(test_offer_of_a_cookie_that_is_closed_has_no_entry),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}
