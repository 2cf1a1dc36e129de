// Intercept's splice in C++, and as an addon of Node.js: splice_in_front.js uses it.
//
//     c++ -std=c++17 -shared -fPIC -I/usr/include/node splice_in_front.cc
//         $(pkg-config --cflags --libs syncache) -o splice_in_front.node
//
// Shield is all that a stack in C++ needs of it: take() gives it a packet of one side
// and calls a function with each that is to be delivered.
#include "flow/flow.h"

#include <node_api.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

namespace {

constexpr uint32_t slots = 16, slot_size = 2048;

struct Free {
    void operator()(void *block) const { std::free(block); }
};

// A ring of packets, as the engine fills and reads it.
class Link {
public:
    Link() : memory(slots * slot_size), slot(slots), passed(slots)
    {
        ring.memory = memory.data();
        ring.slot = slot.data();
        ring.passed = passed.data();
        ring.slots = slots;
        ring.slot_size = slot_size;
    }
    Link(const Link &) = delete;
    Link &operator=(const Link &) = delete;

    const uint8_t *packet(uint32_t at) const { return memory.data() + at * slot_size; }

    syncache_ring ring{};
    std::vector<uint8_t> memory;
    std::vector<syncache_slot> slot;
    std::vector<uint32_t> passed;
};

class Shield {
public:
    // Protects everything to a port.
    explicit Shield(uint16_t port)
    {
        flow_config config{};
        config.struct_size = sizeof config;
        config.kind = FLOW_INTERCEPT;
        config.sessions_max = 1024;
        config.hosts_max = config.journal_max = 16;
        config.headers_max = config.rules_max = 1;
        flow_rule rule{};
        rule.protocol = 6;
        rule.permit = 1;
        rule.destination_op = FLOW_PORT_EQ;
        rule.destination_lo = port;
        std::memset(rule.source_wildcard, 255, sizeof rule.source_wildcard);
        std::memset(rule.destination_wildcard, 255, sizeof rule.destination_wildcard);
        uint8_t seed[SYNCACHE_KEY_BYTES], key[SYNCACHE_KEY_BYTES];
        std::random_device random; // a program that runs longer gives a new key
        for (int i = 0; i < SYNCACHE_KEY_BYTES; i++) { // for each flow_epoch()
            seed[i] = static_cast<uint8_t>(random());
            key[i] = static_cast<uint8_t>(random());
        }
        size_t size = (flow_size(&config) + 63) / 64 * 64;
        block.reset(std::aligned_alloc(64, size));
        if (block == nullptr)
            throw std::bad_alloc();
        flow = flow_init(block.get(), size, &config, seed);
        if (flow == nullptr || !flow_set_rules(flow, &rule, 1, true))
            throw std::runtime_error("no engine of this configuration");
        flow_set_key(flow, 0, key);
    }

    // Takes an IP packet of one side; one that is longer than a slot is dropped.
    template <typename Deliver>
    void take(uint32_t from, const void *packet, size_t size, uint64_t now_ms, Deliver deliver)
    {
        if (size > slot_size)
            return;
        std::memcpy(rx.memory.data(), packet, size);
        rx.slot[0] = syncache_slot{};
        rx.slot[0].size = static_cast<uint32_t>(size);
        rx.ring.count = 1;
        rx.ring.next = to_client.ring.count = to_stack.ring.count = 0;
        flow_burst(flow, now_ms, &rx.ring, from, &to_client.ring, &to_stack.ring);
        for (uint32_t i = 0; i < rx.ring.passed_count; i++)
            deliver(from == FLOW_CLIENT ? FLOW_SERVER : FLOW_CLIENT, rx.packet(rx.passed[i]),
                    rx.slot[rx.passed[i]].size);
        for (uint32_t i = 0; i < to_client.ring.count; i++)
            deliver(FLOW_CLIENT, to_client.packet(i), to_client.slot[i].size);
        for (uint32_t i = 0; i < to_stack.ring.count; i++)
            deliver(FLOW_SERVER, to_stack.packet(i), to_stack.slot[i].size);
    }

private:
    std::unique_ptr<void, Free> block;
    struct flow *flow = nullptr;
    Link rx, to_client, to_stack;
};

// What Node.js calls: take(side, packet, now) returns [[side, packet], ...].
napi_value take(napi_env env, napi_callback_info info)
{
    napi_value word[3], out;
    size_t count = 3, size;
    void *shield, *packet;
    uint32_t from, made = 0;
    int64_t now_ms;

    if (napi_get_cb_info(env, info, &count, word, nullptr, &shield) != napi_ok || count != 3 ||
        napi_get_value_uint32(env, word[0], &from) != napi_ok || from > FLOW_SERVER ||
        napi_get_buffer_info(env, word[1], &packet, &size) != napi_ok ||
        napi_get_value_int64(env, word[2], &now_ms) != napi_ok || now_ms < 0) {
        napi_throw_type_error(env, nullptr, "take() has a side, a Buffer and milliseconds");
        return nullptr;
    }
    napi_create_array(env, &out);
    static_cast<Shield *>(shield)->take(
        from, packet, size, static_cast<uint64_t>(now_ms),
        [&](uint32_t to, const uint8_t *bytes, uint32_t length) {
            napi_value pair, side, copy;

            napi_create_array_with_length(env, 2, &pair);
            napi_create_uint32(env, to, &side);
            napi_create_buffer_copy(env, length, bytes, nullptr, &copy);
            napi_set_element(env, pair, 0, side);
            napi_set_element(env, pair, 1, copy);
            napi_set_element(env, out, made++, pair);
        });
    return out;
}

} // namespace

NAPI_MODULE_INIT()
{
    static Shield shield(80);
    napi_value function;

    napi_create_function(env, "take", NAPI_AUTO_LENGTH, take, &shield, &function);
    napi_set_named_property(env, exports, "take", function);
    return exports;
}
