// A stack in Go that chooses its own initial sequence numbers, behind Intercept's
// splice in the same process: a whole program.
//
//	go run splice_in_front.go
//
// It needs cgo, and the library where pkg-config finds it.  Shield is all that a
// stack such as gVisor's needs of it: Take gives it a packet of one side and
// returns the packets that are to be delivered.
package main

/*
#cgo pkg-config: syncache
#include <flow/flow.h>
#include <stdlib.h>
#include <string.h>
*/
import "C"

import (
	"crypto/rand"
	"errors"
	"fmt"
	"unsafe"
)

// Side is an end of the splice.
type Side uint32

// The ends: whoever connects, and the stack that is protected.
const (
	Client Side = C.FLOW_CLIENT
	Stack  Side = C.FLOW_SERVER
)

// Packet is an IP packet and the end that it goes to or comes from.
type Packet struct {
	Side  Side
	Bytes []byte
}

const (
	slots    = 16
	slotSize = 2048
)

// link is a ring of packets.  It lies in C's memory, since the ring points to its
// parts and C may not be given a pointer to Go's pointers.
type link struct {
	ring   *C.struct_syncache_ring
	slot   []C.struct_syncache_slot
	passed []C.uint32_t
	memory []byte
}

func newLink() link {
	ring := (*C.struct_syncache_ring)(C.calloc(1, C.sizeof_struct_syncache_ring))
	ring.memory = (*C.uint8_t)(C.calloc(slots, slotSize))
	ring.slot = (*C.struct_syncache_slot)(C.calloc(slots, C.sizeof_struct_syncache_slot))
	ring.passed = (*C.uint32_t)(C.calloc(slots, C.sizeof_uint32_t))
	ring.slots, ring.slot_size = slots, slotSize
	return link{
		ring:   ring,
		slot:   unsafe.Slice(ring.slot, slots),
		passed: unsafe.Slice(ring.passed, slots),
		memory: unsafe.Slice((*byte)(ring.memory), slots*slotSize),
	}
}

// packet copies a packet of the ring.
func (l link) packet(to Side, at int) Packet {
	size := int(l.slot[at].size)
	return Packet{to, append([]byte(nil), l.memory[at*slotSize:at*slotSize+size]...)}
}

// Shield is an engine.  It is used by one goroutine at a time, and lives as long as
// the program.
type Shield struct {
	flow                  *C.struct_flow
	rx, toClient, toStack link
}

// NewShield protects everything to a port.
func NewShield(port uint16) (*Shield, error) {
	config := C.struct_flow_config{
		struct_size: C.sizeof_struct_flow_config, kind: C.FLOW_INTERCEPT,
		sessions_max: 1024, hosts_max: 16, headers_max: 1, journal_max: 16, rules_max: 1,
	}
	rule := C.struct_flow_rule{
		protocol: 6, permit: 1,
		destination_op: C.FLOW_PORT_EQ, destination_lo: C.uint16_t(port),
	}
	for i := range rule.source_wildcard {
		rule.source_wildcard[i], rule.destination_wildcard[i] = 255, 255
	}
	// A program that runs longer gives a new key for each flow_epoch().
	var seed, key [C.SYNCACHE_KEY_BYTES]C.uint8_t
	for _, secret := range [][]C.uint8_t{seed[:], key[:]} {
		if _, err := rand.Read(unsafe.Slice((*byte)(&secret[0]), len(secret))); err != nil {
			return nil, err
		}
	}
	size := C.flow_size(&config)
	block := C.aligned_alloc(64, (size+63)/64*64)
	if block == nil {
		return nil, errors.New("no memory for the engine")
	}
	flow := C.flow_init(block, size, &config, &seed[0])
	if flow == nil || !bool(C.flow_set_rules(flow, &rule, 1, true)) {
		return nil, errors.New("no engine of this configuration")
	}
	C.flow_set_key(flow, 0, &key[0])
	return &Shield{flow, newLink(), newLink(), newLink()}, nil
}

// Take gives the engine an IP packet of at most 2,048 bytes from one side, and
// returns what is to be delivered.
func (s *Shield) Take(nowMS uint64, packet Packet) []Packet {
	size := copy(s.rx.memory[:slotSize], packet.Bytes)
	s.rx.slot[0] = C.struct_syncache_slot{size: C.uint32_t(size)}
	s.rx.ring.count, s.rx.ring.next, s.rx.ring.passed_count = 1, 0, 0
	s.toClient.ring.count, s.toStack.ring.count = 0, 0
	C.flow_burst(s.flow, C.uint64_t(nowMS), s.rx.ring, C.uint32_t(packet.Side),
		s.toClient.ring, s.toStack.ring)

	other := Client
	if packet.Side == Client {
		other = Stack
	}
	var out []Packet
	for i := 0; i < int(s.rx.ring.passed_count); i++ {
		out = append(out, s.rx.packet(other, int(s.rx.passed[i])))
	}
	for i := 0; i < int(s.toClient.ring.count); i++ {
		out = append(out, s.toClient.packet(Client, i))
	}
	for i := 0; i < int(s.toStack.ring.count); i++ {
		out = append(out, s.toStack.packet(Stack, i))
	}
	return out
}

// What follows are two ends of paper: put a stack and an interface in their place.

const (
	syn = 2
	ack = 16
)

// build writes a segment; the library has a function for that.
func build(fields C.struct_syncache_fields, payload string) []byte {
	packet := make([]byte, slotSize)
	var data *C.uint8_t
	if payload != "" {
		text := C.CBytes([]byte(payload))
		defer C.free(text)
		data = (*C.uint8_t)(text)
	}
	fields.hop_limit, fields.window = 64, 65535
	fields.payload_size = C.uint32_t(len(payload))
	size := C.syncache_build(&fields, nil, data, C.SYNCACHE_CHECKSUM_VERIFY,
		(*C.uint8_t)(&packet[0]), slotSize)
	return packet[:size]
}

// answer turns the ends of a segment.
func answer(got C.struct_syncache_fields, flags C.uint16_t, seq C.uint32_t, payload string) []byte {
	next := got.seq + got.payload_size
	if got.flags&syn != 0 {
		next++
	}
	return build(C.struct_syncache_fields{
		family: got.family, saddr: got.daddr, daddr: got.saddr,
		sport: got.dport, dport: got.sport, flags: flags, seq: seq, ack: next,
	}, payload)
}

// connect is the SYN of 192.0.2.last.
func connect(last C.uint8_t) Packet {
	fields := C.struct_syncache_fields{
		family: 4, sport: 40000, dport: 80, flags: syn, seq: 1000}
	copy(fields.saddr[:], []C.uint8_t{192, 0, 2, last})
	copy(fields.daddr[:], []C.uint8_t{198, 51, 100, 7})
	return Packet{Client, build(fields, "")}
}

// ends is what the stack and the client have seen.
type ends struct{ syns int }

// deliver gives a packet to its end, which answers with at most one.
func (e *ends) deliver(packet Packet) []byte {
	var got C.struct_syncache_fields
	bytes := (*C.uint8_t)(&packet.Bytes[0])
	if C.syncache_parse(bytes, C.size_t(len(packet.Bytes)), C.SYNCACHE_CHECKSUM_VALID,
		&got) != C.SYNCACHE_PASS_KNOWN {
		return nil
	}
	switch {
	case packet.Side == Stack && got.flags&syn != 0:
		e.syns++
		return answer(got, syn|ack, 7000000, "") // its own ISS
	case packet.Side == Stack && got.payload_size > 0:
		return answer(got, ack, got.ack, "hello, client")
	case packet.Side == Client && got.flags&syn != 0:
		return answer(got, ack, got.ack, "hello, server")
	case packet.Side == Client && got.payload_size > 0:
		fmt.Println(string(packet.Bytes[got.payload_offset:][:got.payload_size]))
	}
	return nil
}

func main() {
	shield, err := NewShield(80)
	if err != nil {
		panic(err)
	}
	var seen ends
	now := uint64(1000)
	for last := 100; last < 200; last++ {
		for _, packet := range shield.Take(now, connect(C.uint8_t(last))) {
			if packet.Side == Stack { // nobody is there to take the SYN-ACK
				seen.deliver(packet)
			}
		}
	}
	fmt.Println("after 100 spoofed SYNs the stack has seen", seen.syns)
	for sent := []Packet{connect(1)}; len(sent) > 0; sent = sent[1:] {
		now++
		for _, packet := range shield.Take(now, sent[0]) {
			if reply := seen.deliver(packet); reply != nil {
				sent = append(sent, Packet{packet.Side, reply})
			}
		}
	}
	fmt.Println("and", seen.syns, "of a client that answered")
}
