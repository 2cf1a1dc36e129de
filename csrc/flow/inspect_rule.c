/* Inspection's rules and audit trail: see inspect_rule.h. */
#include "inspect_rule.h"

#include "report.h"

/* Numbers behind those of the applications are of the server's side. */
#define SERVER_RULES (FLOW_INSPECTED_COUNT + FLOW_APPLICATIONS_MAX)

_Static_assert(SERVER_RULES + FLOW_INSPECTED_COUNT <= UINT8_MAX,
               "a session holds the number of its rule in a byte");

/* On a tap nobody knows where a session began: what inspects it counts. */
static bool
rule_is_for(const struct flow *flow, uint8_t rule_side, uint8_t side)
{
    if (flow->inspect.by_side == 0 || rule_side == FLOW_RULE_EITHER ||
        side == FLOW_TAP)
        return true;
    return (rule_side == FLOW_RULE_INSIDE) == (side == FLOW_SERVER);
}

static uint8_t
rule_of_protocol(uint8_t protocol, uint16_t port)
{
    if (protocol == WIRE_PROTOCOL_TCP)
        return FLOW_TCP;
    if (protocol == WIRE_PROTOCOL_UDP)
        return port == INSPECT_DNS_PORT ? FLOW_DNS : FLOW_UDP;
    return FLOW_ICMP;
}

uint8_t
inspect_rule_number(const struct flow *flow, uint8_t side, uint8_t protocol,
                    uint16_t port)
{
    const struct flow_inspect_tunables *tunables = &flow->inspect;
    uint8_t number = rule_of_protocol(protocol, port);

    for (uint32_t i = 0; i < tunables->application_count; i++) {
        if (tunables->application[i].protocol == protocol &&
            tunables->application[i].port == port &&
            rule_is_for(flow, tunables->application[i].side, side))
            return (uint8_t)(FLOW_INSPECTED_COUNT + i);
    }
    if (tunables->by_side == 0 || side == FLOW_CLIENT)
        return number;
    if (side == FLOW_TAP && tunables->rule[number].inspect != 0)
        return number;
    return (uint8_t)(SERVER_RULES + number);
}

const struct flow_inspect_rule *
inspect_rule_at(const struct flow *flow, uint8_t number)
{
    if (number < FLOW_INSPECTED_COUNT)
        return &flow->inspect.rule[number];
    if (number >= SERVER_RULES && flow->inspect.by_side != 0)
        return &flow->inspect.server_rule[number - SERVER_RULES];
    /* The rules may have changed since the session was made. */
    if (number >= SERVER_RULES)
        return &flow->inspect.rule[number - SERVER_RULES];
    number = (uint8_t)(number - FLOW_INSPECTED_COUNT);
    if (number >= flow->inspect.application_count)
        return &flow->inspect.rule[FLOW_TCP];
    return &flow->inspect.application[number].rule;
}

bool
inspect_rule_alerts(const struct flow *flow, uint8_t rule_number)
{
    uint8_t alert = inspect_rule_at(flow, rule_number)->alert;

    return alert == FLOW_INHERIT ? flow->inspect.alert != 0 : alert == FLOW_ON;
}

/* Applications move when their list changes: they are looked for anew. */
static const struct flow_inspect_rule *
rule_of(const struct flow *flow, const struct session *session)
{
    uint8_t number = session->rule;

    if (number >= FLOW_INSPECTED_COUNT)
        number = inspect_rule_number(flow, session->side, session->protocol,
                                     session->port[FLOW_SERVER]);
    return inspect_rule_at(flow, number);
}

static bool
rule_audits(const struct flow *flow, const struct session *session)
{
    uint8_t audit = rule_of(flow, session)->audit;

    return audit == FLOW_INHERIT ? flow->inspect.audit_trail != 0
                                 : audit == FLOW_ON;
}

uint32_t
inspect_rule_timeout_ms(const struct flow *flow, const struct session *session)
{
    return rule_of(flow, session)->timeout_ms;
}

void
inspect_rule_opened(struct flow *flow, struct session *session)
{
    session->rule = inspect_rule_number(flow, session->side, session->protocol,
                                        session->port[FLOW_SERVER]);
    if (rule_audits(flow, session))
        (void)report_event(flow, session, FLOW_EVENT_START);
}

void
inspect_rule_ended(struct flow *flow, const struct session *session,
                   enum flow_end end)
{
    struct flow_event *event;

    if (!rule_audits(flow, session))
        return;
    event = report_event(flow, session, FLOW_EVENT_STOP);
    if (event != NULL)
        event->reason = (uint8_t)end;
}
