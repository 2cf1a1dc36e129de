/*
 * BTF: the few questions that a loader has for the kernel's description of
 * itself.  Types lie one after the other and are numbered from 1, a hundred
 * thousand of them, so all questions are answered in one walk.
 *
 * Not here: where the description comes from.  See Linux
 * Documentation/bpf/btf.rst.
 */
#include <errno.h>
#include <linux/btf.h>
#include <stdbool.h>
#include <string.h>

#include "link.h"

#define BTF_DEPTH_MAX 8 /* anonymous structures in each other */

struct btf_view {
    const uint8_t *types;
    const uint8_t *strings;
    uint32_t types_size;
    uint32_t strings_size;
};

/* One type; `place` is where what follows it begins. */
struct btf_entry {
    uint32_t id;
    uint32_t kind;
    uint32_t count;
    uint32_t place;
    bool packs_bits;
    struct btf_type type;
};

static bool
btf_open(struct btf_view *view, const uint8_t *btf, uint32_t btf_size)
{
    struct btf_header header;

    if (btf_size < sizeof header)
        return false;
    memcpy(&header, btf, sizeof header);
    uint64_t types = (uint64_t)header.hdr_len + header.type_off;
    uint64_t strings = (uint64_t)header.hdr_len + header.str_off;
    if (header.magic != BTF_MAGIC || types + header.type_len > btf_size ||
        strings + header.str_len > btf_size || header.str_len == 0)
        return false;
    view->types = btf + types;
    view->strings = btf + strings;
    view->types_size = header.type_len;
    view->strings_size = header.str_len;
    return view->strings[header.str_len - 1] == 0;
}

static bool
btf_is_named(const struct btf_view *view, uint32_t offset, const char *name)
{
    return offset < view->strings_size &&
           strcmp((const char *)view->strings + offset, name) == 0;
}

/* Bytes that follow a type of this kind. */
static uint32_t
btf_follows(uint32_t kind, uint32_t count)
{
    switch (kind) {
    case BTF_KIND_INT:
    case BTF_KIND_VAR:
    case BTF_KIND_DECL_TAG:
        return 4;
    case BTF_KIND_ARRAY:
        return 12;
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
    case BTF_KIND_DATASEC:
    case BTF_KIND_ENUM64:
        return 12 * count;
    case BTF_KIND_ENUM:
    case BTF_KIND_FUNC_PROTO:
        return 8 * count;
    default:
        return 0;
    }
}

/* Goes on to the next type, from zeros to the first; false at the end. */
static bool
btf_next(const struct btf_view *view, struct btf_entry *entry)
{
    uint32_t place = entry->place + btf_follows(entry->kind, entry->count);

    if (place > view->types_size ||
        view->types_size - place < sizeof entry->type)
        return false;
    memcpy(&entry->type, view->types + place, sizeof entry->type);
    entry->id++;
    entry->kind = BTF_INFO_KIND(entry->type.info);
    entry->count = BTF_INFO_VLEN(entry->type.info);
    entry->packs_bits = BTF_INFO_KFLAG(entry->type.info);
    entry->place = place + (uint32_t)sizeof entry->type;
    return view->types_size - entry->place >=
           btf_follows(entry->kind, entry->count);
}

static bool
btf_at(const struct btf_view *view, uint32_t id, struct btf_entry *entry)
{
    memset(entry, 0, sizeof *entry);
    while (btf_next(view, entry))
        if (entry->id == id)
            return true;
    return false;
}

/* Looks through a structure, and through what has no name in it. */
static int32_t
btf_offset(const struct btf_view *view, const struct btf_entry *entry,
           const char *name, uint32_t depth)
{
    for (uint32_t i = 0; i < entry->count; i++) {
        struct btf_member member;
        struct btf_entry inner;

        memcpy(&member, view->types + entry->place + i * sizeof member,
               sizeof member);
        uint32_t bits = entry->packs_bits ? BTF_MEMBER_BIT_OFFSET(member.offset)
                                          : member.offset;
        if (btf_is_named(view, member.name_off, name))
            return (int32_t)(bits / 8);
        if (member.name_off != 0 || depth == BTF_DEPTH_MAX ||
            !btf_at(view, member.type, &inner) ||
            (inner.kind != BTF_KIND_STRUCT && inner.kind != BTF_KIND_UNION))
            continue;
        int32_t found = btf_offset(view, &inner, name, depth + 1);
        if (found >= 0)
            return (int32_t)(bits / 8) + found;
    }
    return -ENOENT;
}

/* What a type says to a question that it may answer. */
static void
btf_answer(const struct btf_view *view, const struct btf_entry *entry,
           struct link_btf_question *question)
{
    bool in_structure = question->structure != NULL;
    const char *name = in_structure ? question->structure : question->name;

    if (question->answer != -ENOENT ||
        entry->kind != (in_structure ? BTF_KIND_STRUCT : BTF_KIND_FUNC) ||
        !btf_is_named(view, entry->type.name_off, name))
        return;
    question->answer = (int32_t)entry->id;
    if (in_structure && question->name != NULL)
        question->answer = btf_offset(view, entry, question->name, 0);
}

int32_t
link_btf_ask(const uint8_t *btf, uint32_t btf_size,
             struct link_btf_question *questions, uint32_t count)
{
    struct btf_view view;
    struct btf_entry entry = {0};

    if (!btf_open(&view, btf, btf_size))
        return -EINVAL;
    for (uint32_t i = 0; i < count; i++)
        questions[i].answer = -ENOENT;
    while (btf_next(&view, &entry))
        if (entry.kind == BTF_KIND_STRUCT || entry.kind == BTF_KIND_FUNC)
            for (uint32_t i = 0; i < count; i++)
                btf_answer(&view, &entry, &questions[i]);
    return 0;
}
