/*
 * What the shield's programs need of the core: the tables of a cookie layout,
 * and keys as SipHash begins with them.
 */
#include "shield.h"

#include <assert.h>

#include "../core/siphash.h"
#include "../core/syncookie.h"
#include "../core/syncookie_pack.h"
#include "../simd/simd.h"

_Static_assert(sizeof(struct shield_config) % 8 == 0, "no padding at the end");

static void
shield_family(struct shield_family *family, enum syncache_layout layout,
              uint8_t version, uint64_t secmod, uint8_t rcv_wscale)
{
    struct simd_shape shape = {0};

    syncookie_shape(layout, version, secmod, &shape);
    family->tail[0] = shape.tail[0];
    family->tail[1] =
        shape.tail[1] | syncookie_scale(layout, version, rcv_wscale);
    family->mss_none = (uint16_t)shape.mss_none;
    family->mss[0] = SHIELD_MSS_FLOOR;
    family->wscale[0] = 0;
    for (uint32_t i = 0; i < 7; i++) {
        family->mss[i + 1] = (uint16_t)shape.mss_floor[i];
        family->wscale[i + 1] = (uint16_t)shape.wscale_floor[i];
    }
    family->wscale_index = 0;
    for (uint32_t scale = 0; scale <= SYNCACHE_WSCALE_MAX; scale++)
        family->wscale_index |=
            (uint64_t)syncookie_index(family->wscale, 1, 7, scale) << 4 * scale;
}

void
shield_shape(struct shield_config *config, uint32_t layout, uint64_t secmod)
{
    assert(layout != SYNCACHE_LAYOUT_MSS);
    shield_family(&config->family[0], (enum syncache_layout)layout, 4, secmod,
                  (uint8_t)config->rcv_wscale);
    shield_family(&config->family[1], (enum syncache_layout)layout, 6, secmod,
                  (uint8_t)config->rcv_wscale);
}

void
shield_key(uint64_t state[4], const uint8_t key[16])
{
    struct siphash_state s = siphash_begin(key);

    state[0] = s.v0;
    state[1] = s.v1;
    state[2] = s.v2;
    state[3] = s.v3;
}
