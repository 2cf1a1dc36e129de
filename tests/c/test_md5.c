/* MD5 against the test suite of RFC 1321 A.5. */
#include "test.h"

#include "../../csrc/core/md5.h"

static void
digest_of(const uint8_t *data, size_t size, uint8_t digest[MD5_DIGEST_BYTES])
{
    struct md5 md5;
    md5_init(&md5);
    md5_update(&md5, data, size);
    md5_final(&md5, digest);
}

static void
test_rfc_1321_suite_gives_its_digests(void)
{
    /* The seven strings of appendix A.5. */
    static const struct {
        const char *text, *digest;
    } rows[] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"a", "0cc175b9c0f1b6a831c399e269772661"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"1234567890123456789012345678901234567890123456789012345678901234567"
         "8901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        uint8_t digest[MD5_DIGEST_BYTES];
        char hex[2 * MD5_DIGEST_BYTES + 1];
        digest_of((const uint8_t *)rows[i].text, strlen(rows[i].text), digest);
        for (size_t j = 0; j < sizeof digest; j++)
            snprintf(hex + 2 * j, 3, "%02x", digest[j]);
        test_row = rows[i].text;
        EXPECT_EQ(0, strcmp(rows[i].digest, hex));
    }
}

static void
test_sizes_about_the_padding_give_their_digests(void)
{
    /* So many letters a: where the size no longer fits into the last block.
     * The digests are Python's hashlib's. */
    static const struct {
        size_t size;
        const char *digest;
    } rows[] = {
        {55, "ef1772b6dff9a122358552954ad0df65"},
        {56, "3b0c8ac703f828b04c6c197006d17218"},
        {57, "652b906d60af96844ebd21b674f35e93"},
        {63, "b06521f39153d618550606be297466d5"},
        {64, "014842d480b571495a4a0363793f7367"},
        {119, "8a7bd0732ed6a28ce75f6dabc90e1613"},
        {120, "5f61c0ccad4cac44c75ff505e1f1e537"},
    };
    uint8_t letters[120];
    memset(letters, 'a', sizeof letters);
    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        uint8_t digest[MD5_DIGEST_BYTES];
        char hex[2 * MD5_DIGEST_BYTES + 1];
        digest_of(letters, rows[i].size, digest);
        for (size_t j = 0; j < sizeof digest; j++)
            snprintf(hex + 2 * j, 3, "%02x", digest[j]);
        EXPECT_EQ(0, strcmp(rows[i].digest, hex));
    }
}

static void
test_data_in_pieces_gives_the_digest_of_the_whole(void)
{
    /* Every size around two blocks, cut at a random place. */
    uint8_t data[130];
    test_random_bytes(data, sizeof data);
    for (size_t size = 0; size <= sizeof data; size++) {
        uint8_t whole[MD5_DIGEST_BYTES];
        uint8_t pieces[MD5_DIGEST_BYTES];
        size_t cut = (size_t)test_random_below(size + 1);
        struct md5 md5;
        digest_of(data, size, whole);
        md5_init(&md5);
        md5_update(&md5, data, cut);
        md5_update(&md5, data + cut, size - cut);
        md5_final(&md5, pieces);
        EXPECT_BYTES(whole, pieces, sizeof whole);
    }
}

static void
test_final_wipes_the_context(void)
{
    /* A key went in: nothing of it may stay on the stack. */
    static const struct md5 zero;
    uint8_t digest[MD5_DIGEST_BYTES];
    struct md5 md5;
    md5_init(&md5);
    md5_update(&md5, (const uint8_t *)"secret", 6);
    md5_final(&md5, digest);
    EXPECT_BYTES((const uint8_t *)&zero, (const uint8_t *)&md5, sizeof md5);
}

static const struct test tests[] = {
    TEST(test_rfc_1321_suite_gives_its_digests),
    TEST(test_sizes_about_the_padding_give_their_digests),
    TEST(test_data_in_pieces_gives_the_digest_of_the_whole),
    TEST(test_final_wipes_the_context),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}
