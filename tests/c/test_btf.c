/* BTF: numbers of types and offsets of members, and descriptions that are cut or wrong. */
#include <errno.h>
#include <linux/btf.h>

#include "../../csrc/link/link.h"
#include "test.h"

#define STRINGS_MAX 512
#define WORDS_MAX 512

static char strings[STRINGS_MAX];
static uint32_t strings_size;
static uint32_t words[WORDS_MAX];
static uint32_t word_count;
static uint32_t type_count;

static void
start(void)
{
    memset(strings, 0, sizeof strings);
    strings_size = 1; /* the empty name */
    word_count = 0;
    type_count = 0;
}

static uint32_t
text(const char *name)
{
    uint32_t place = strings_size;

    if (*name == 0)
        return 0;
    memcpy(strings + place, name, strlen(name) + 1);
    strings_size += (uint32_t)strlen(name) + 1;
    return place;
}

static void
word(uint32_t value)
{
    words[word_count++] = value;
}

/* Returns its number; what belongs to the type follows. */
static uint32_t
type(uint32_t kind, uint32_t count, const char *name)
{
    word(text(name));
    word(kind << 24 | count);
    word(0);
    return ++type_count;
}

static void
member(const char *name, uint32_t of, uint32_t bits)
{
    word(text(name));
    word(of);
    word(bits);
}

static uint32_t
structure(const char *name, const char *only, uint32_t of, uint32_t bytes)
{
    uint32_t number = type(BTF_KIND_STRUCT, 1, name);

    member(only, of, 8 * bytes);
    return number;
}

/* A description of `size` bytes, of which `cut` are left out; the header may be changed. */
static int32_t
ask_as(const struct btf_header *header, uint32_t cut,
       struct link_btf_question *question)
{
    uint32_t types = 4 * word_count;
    uint32_t size = (uint32_t)sizeof *header + types + strings_size - cut;
    uint8_t whole[sizeof *header + sizeof words + sizeof strings];

    memcpy(whole, header, sizeof *header);
    memcpy(whole + sizeof *header, words, types);
    memcpy(whole + sizeof *header + types, strings, strings_size);
    uint8_t *exact = malloc(size); /* so that a sanitizer sees its end */
    memcpy(exact, whole, size);
    int32_t result = link_btf_ask(exact, size, question, 1);
    free(exact);
    return result;
}

static struct btf_header
header(void)
{
    return (struct btf_header){
        .magic = BTF_MAGIC,
        .version = 1,
        .hdr_len = sizeof(struct btf_header),
        .type_len = 4 * word_count,
        .str_off = 4 * word_count,
        .str_len = strings_size,
    };
}

static int32_t
answer_of(const char *in, const char *name)
{
    struct btf_header good = header();
    struct link_btf_question question = {in, name, 7};

    EXPECT_EQ(0, ask_as(&good, 0, &question));
    return question.answer;
}

static int32_t
refusal(const struct btf_header *header, uint32_t cut)
{
    struct link_btf_question question = {NULL, "f", 7};
    int32_t result = ask_as(header, cut, &question);

    EXPECT_EQ(result == 0 ? -ENOENT : 7, question.answer);
    return result;
}

static void
test_header_has_to_lie_within_the_bytes(void)
{
    struct btf_header h;
    struct link_btf_question question = {NULL, "f", 7};
    uint8_t few[sizeof h - 1] = {0};

    start();
    type(BTF_KIND_INT, 0, "int");
    word(0);
    h = header();
    EXPECT_EQ(0, refusal(&h, 0));
    EXPECT_EQ(-EINVAL, refusal(&h, 1));
    h.magic++;
    EXPECT_EQ(-EINVAL, refusal(&h, 0));
    h = header();
    h.str_len = 0;
    EXPECT_EQ(-EINVAL, refusal(&h, 0));
    h = header();
    h.str_off = UINT32_MAX;
    EXPECT_EQ(-EINVAL, refusal(&h, 0));
    h = header();
    h.type_len += strings_size;
    EXPECT_EQ(0, refusal(&h, 0));
    h.type_len++;
    EXPECT_EQ(-EINVAL, refusal(&h, 0));
    h = header();
    h.type_off = UINT32_MAX;
    EXPECT_EQ(-EINVAL, refusal(&h, 0));
    EXPECT_EQ(-EINVAL, link_btf_ask(few, sizeof few, &question, 1));
}

static void
test_header_alone_has_no_types(void)
{
    /* Strings may lie in front of the types, and both behind a longer header. */
    struct btf_header h = {.magic = BTF_MAGIC, .hdr_len = sizeof h};
    struct link_btf_question question = {NULL, "f", 7};
    uint8_t bytes[sizeof h + 1] = {0};

    start();
    h.str_len = 1;
    memcpy(bytes, &h, sizeof h);
    EXPECT_EQ(0, link_btf_ask(bytes, sizeof bytes, &question, 1));
    EXPECT_EQ(-ENOENT, question.answer);
    EXPECT_EQ(-EINVAL, link_btf_ask(bytes, sizeof h, &question, 1));
    type(BTF_KIND_FUNC, 0, "f");
    h = header();
    h.hdr_len -= 4;
    h.type_off = 4;
    h.str_off += 4;
    EXPECT_EQ(0, ask_as(&h, 0, &question));
    EXPECT_EQ(1, question.answer);
}

static void
test_strings_have_to_end(void)
{
    struct btf_header h;

    start();
    type(BTF_KIND_INT, 0, "int");
    word(0);
    h = header();
    h.str_len--;
    EXPECT_EQ(-EINVAL, refusal(&h, 1));
}

static void
test_name_behind_the_strings_is_no_name(void)
{
    /* Of the empty name there is one byte; an offset of it is the last that is looked at. */
    struct btf_header h;
    struct link_btf_question question = {NULL, "", 7};

    start();
    type(BTF_KIND_FUNC, 0, "f");
    words[0] = strings_size;
    h = header();
    EXPECT_EQ(0, ask_as(&h, 0, &question));
    EXPECT_EQ(-ENOENT, question.answer);
    words[0] = strings_size - 1;
    EXPECT_EQ(0, ask_as(&h, 0, &question));
    EXPECT_EQ(1, question.answer);
}

static void
test_every_kind_is_passed_over(void)
{
    /* Bytes behind a type, by its kind: a function is found behind any. */
    static const struct {
        const char *name;
        uint32_t kind, count, bytes;
    } rows[] = {
        {"int", BTF_KIND_INT, 0, 4},
        {"variable", BTF_KIND_VAR, 0, 4},
        {"tag", BTF_KIND_DECL_TAG, 0, 4},
        {"array", BTF_KIND_ARRAY, 0, 12},
        {"structure", BTF_KIND_STRUCT, 2, 24},
        {"union", BTF_KIND_UNION, 3, 36},
        {"section", BTF_KIND_DATASEC, 1, 12},
        {"enum of 64 bits", BTF_KIND_ENUM64, 2, 24},
        {"enum", BTF_KIND_ENUM, 3, 24},
        {"prototype", BTF_KIND_FUNC_PROTO, 2, 16},
        {"pointer", BTF_KIND_PTR, 0, 0},
        {"typedef", BTF_KIND_TYPEDEF, 0, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        test_row = rows[i].name;
        start();
        type(rows[i].kind, rows[i].count, "");
        for (uint32_t at = 0; at < rows[i].bytes; at += 4)
            word(0);
        type(BTF_KIND_FUNC, 0, "f");
        EXPECT_EQ(2, answer_of(NULL, "f"));
    }
    test_row = "";
}

static void
test_type_that_is_cut_is_not_there(void)
{
    /* The last type is whole to its last byte, or it does not count. */
    struct btf_header h;
    struct link_btf_question question = {"s", "b", 7};

    start();
    type(BTF_KIND_STRUCT, 2, "s");
    member("a", 0, 0);
    member("b", 0, 32);
    EXPECT_EQ(4, answer_of("s", "b"));
    h = header();
    h.type_len--;
    EXPECT_EQ(0, ask_as(&h, 0, &question));
    EXPECT_EQ(-ENOENT, question.answer);
    start();
    type(BTF_KIND_FUNC, 0, "f");
    h = header();
    h.type_len--;
    question = (struct link_btf_question){NULL, "f", 7};
    EXPECT_EQ(0, ask_as(&h, 0, &question));
    EXPECT_EQ(-ENOENT, question.answer);
}

static void
test_functions_and_structures_are_told_apart(void)
{
    /* The first of a name counts; a number is asked for without the other name. */
    start();
    structure("f", "m", 0, 4);
    type(BTF_KIND_FUNC, 0, "s");
    type(BTF_KIND_FUNC, 0, "f");
    structure("s", "m", 0, 8);
    structure("s", "m", 0, 12);
    type(BTF_KIND_FUNC, 0, "f");
    type(BTF_KIND_UNION, 0, "u");
    EXPECT_EQ(3, answer_of(NULL, "f"));
    EXPECT_EQ(4, answer_of("s", NULL));
    EXPECT_EQ(8, answer_of("s", "m"));
    EXPECT_EQ(-ENOENT, answer_of("s", "n"));
    EXPECT_EQ(-ENOENT, answer_of("s", "s")); /* the name of what follows it */
    EXPECT_EQ(-ENOENT, answer_of("u", NULL));
    EXPECT_EQ(-ENOENT, answer_of(NULL, "g"));
}

static void
test_bits_of_a_packed_member_do_not_count(void)
{
    /* With the flag of the kind, the highest byte of an offset is a size in bits. */
    start();
    type(BTF_KIND_STRUCT, 1, "s");
    words[1] |= 1u << 31;
    member("m", 0, 3u << 24 | 40);
    EXPECT_EQ(5, answer_of("s", "m"));
}

static void
test_members_are_found_through_what_has_no_name(void)
{
    /* In a structure, in a union and in one in the other, at the sum of the offsets. */
    uint32_t inner, between;

    start();
    type(BTF_KIND_INT, 0, "int");
    word(0);
    inner = structure("", "deep", 1, 4);
    between = type(BTF_KIND_UNION, 2, "");
    member("", inner, 64);
    member("flat", 1, 0);
    type(BTF_KIND_STRUCT, 4, "s");
    member("", 1, 0);  /* a bit field to fill up: nothing to look into */
    member("", 99, 8); /* of a type that does not exist */
    member("seen", inner,
           16); /* has a name, so its members are not the outer one's */
    member("", between, 160);
    EXPECT_EQ(20, answer_of("s", "flat"));
    EXPECT_EQ(20 + 8 + 4, answer_of("s", "deep"));
    EXPECT_EQ(2, answer_of("s", "seen"));
}

static void
test_types_within_each_other_are_followed_to_a_depth(void)
{
    /* Eight; and one that contains itself ends. */
    start();
    uint32_t number = structure("", "m", 0, 1);
    for (int i = 1; i < 8; i++)
        number = structure("", "", number, 1);
    structure("eight", "", number, 1);
    number = structure("", "", number, 1);
    structure("nine", "", number, 1);
    structure("itself", "", type_count + 1, 1);
    EXPECT_EQ(9, answer_of("eight", "m"));
    EXPECT_EQ(-ENOENT, answer_of("nine", "m"));
    EXPECT_EQ(-ENOENT, answer_of("itself", "m"));
}

static void
test_questions_are_answered_together(void)
{
    struct link_btf_question questions[] = {
        {NULL, "f", 7}, {"s", "m", 7}, {NULL, "g", 7}};
    struct btf_header h;
    uint8_t whole[sizeof h + 256];

    start();
    structure("s", "m", 0, 2);
    type(BTF_KIND_FUNC, 0, "f");
    h = header();
    memcpy(whole, &h, sizeof h);
    memcpy(whole + sizeof h, words, h.type_len);
    memcpy(whole + sizeof h + h.type_len, strings, strings_size);
    uint32_t size = (uint32_t)sizeof h + h.type_len + strings_size;
    EXPECT_EQ(0, link_btf_ask(whole, size, questions, 2));
    EXPECT_EQ(2, questions[0].answer);
    EXPECT_EQ(2, questions[1].answer);
    EXPECT_EQ(7, questions[2].answer);
    questions[2] = (struct link_btf_question){NULL, "f", -ENOENT};
    EXPECT_EQ(0, link_btf_ask(whole, size, questions, 2));
    EXPECT_EQ(-ENOENT, questions[2].answer);
}

static const struct test tests[] = {
    TEST(test_header_has_to_lie_within_the_bytes),
    TEST(test_header_alone_has_no_types),
    TEST(test_strings_have_to_end),
    TEST(test_name_behind_the_strings_is_no_name),
    TEST(test_every_kind_is_passed_over),
    TEST(test_type_that_is_cut_is_not_there),
    TEST(test_functions_and_structures_are_told_apart),
    TEST(test_bits_of_a_packed_member_do_not_count),
    TEST(test_members_are_found_through_what_has_no_name),
    TEST(test_types_within_each_other_are_followed_to_a_depth),
    TEST(test_questions_are_answered_together),
};

int
main(int argc, char **argv)
{
    return test_main(argc, argv, tests, TEST_COUNT(tests));
}
