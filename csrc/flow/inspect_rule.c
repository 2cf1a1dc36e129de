/*
 * Inspection's rules: which one a session is under, what it says about alerts,
 * the audit trail and the idle time, where it leaves the word to the globals.
 */
#include "inspect.h"

#define INSPECT_DNS_PORT 53

uint8_t
inspect_rule_number(const struct flow *flow, uint8_t protocol, uint16_t port)
{
    const struct flow_inspect_tunables *tunables = &flow->inspect;

    for (uint32_t i = 0; i < tunables->application_count; i++) {
        if (tunables->application[i].protocol == protocol &&
            tunables->application[i].port == port)
            return (uint8_t)(FLOW_INSPECTED_COUNT + i);
    }
    if (protocol == WIRE_PROTOCOL_TCP)
        return FLOW_TCP;
    if (protocol == VIEW_PROTOCOL_UDP)
        return port == INSPECT_DNS_PORT ? FLOW_DNS : FLOW_UDP;
    return FLOW_ICMP;
}

const struct flow_inspect_rule *
inspect_rule(const struct flow *flow, uint8_t number)
{
    if (number < FLOW_INSPECTED_COUNT)
        return &flow->inspect.rule[number];
    number = (uint8_t)(number - FLOW_INSPECTED_COUNT);
    /* The list may have become shorter since the session was made. */
    if (number >= flow->inspect.application_count)
        return &flow->inspect.rule[FLOW_TCP];
    return &flow->inspect.application[number].rule;
}

bool
inspect_alerts(const struct flow *flow, uint8_t rule_number)
{
    uint8_t alert = inspect_rule(flow, rule_number)->alert;

    return alert == FLOW_INHERIT ? flow->inspect.alert != 0 : alert == FLOW_ON;
}

/* Applications move when their list changes: they are looked for anew. */
static const struct flow_inspect_rule *
rule_of(const struct flow *flow, const struct session *session)
{
    uint8_t number = session->rule;

    if (number >= FLOW_INSPECTED_COUNT)
        number = inspect_rule_number(flow, session->protocol,
                                     session->port[FLOW_SERVER]);
    return inspect_rule(flow, number);
}

static bool
rule_audits(const struct flow *flow, const struct session *session)
{
    uint8_t audit = rule_of(flow, session)->audit;

    return audit == FLOW_INHERIT ? flow->inspect.audit_trail != 0
                                 : audit == FLOW_ON;
}

uint32_t
inspect_idle_ms(const struct flow *flow, const struct session *session)
{
    const struct flow_inspect_tunables *tunables = &flow->inspect;
    uint32_t own_ms = rule_of(flow, session)->timeout_ms;

    /* dns_timeout is above the rules. */
    if (session->protocol == VIEW_PROTOCOL_UDP &&
        session->port[FLOW_SERVER] == INSPECT_DNS_PORT)
        return tunables->dns_timeout_ms;
    if (own_ms != 0)
        return own_ms;
    if (session->protocol == WIRE_PROTOCOL_TCP)
        return tunables->tcp_idle_time_ms;
    if (session->protocol == VIEW_PROTOCOL_UDP)
        return tunables->udp_idle_time_ms;
    return tunables->icmp_idle_time_ms;
}

void
inspect_opened(struct flow *flow, struct session *session)
{
    session->rule = inspect_rule_number(flow, session->protocol,
                                        session->port[FLOW_SERVER]);
    if (rule_audits(flow, session))
        (void)engine_event(flow, session, FLOW_EVENT_START);
}

void
inspect_ended(struct flow *flow, const struct session *session,
              enum flow_end end)
{
    struct flow_event *event;

    if (!rule_audits(flow, session))
        return;
    event = engine_event(flow, session, FLOW_EVENT_STOP);
    if (event != NULL)
        event->reason = (uint8_t)end;
}
