// A stack in JavaScript that chooses its own initial sequence numbers, behind
// Intercept's splice in the same process: a whole program.
//
//     node splice_in_front.js
//
// It needs splice_in_front.node beside it, which splice_in_front.cc says how to make.
// take(side, packet, milliseconds) is all that a stack needs of it: it gives the engine
// an IP packet of one side and returns [[side, packet], ...] to be delivered.
"use strict";

const { take } = require("./splice_in_front.node");

const CLIENT = 0; // whoever connects
const STACK = 1; // the stack that is protected

// What follows are two ends of paper: put a stack and an interface in their place.

const SYN = 2;
const PSH = 8;
const ACK = 16;

function checksum(...parts) {
  const bytes = Buffer.concat(parts);
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += (bytes[i] << 8) | (bytes[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function build({ src, dst, sport, dport, flags, seq, ack = 0, payload = "" }) {
  const tcp = Buffer.concat([Buffer.alloc(20), Buffer.from(payload)]);
  tcp.writeUInt16BE(sport, 0);
  tcp.writeUInt16BE(dport, 2);
  tcp.writeUInt32BE(seq, 4);
  tcp.writeUInt32BE(ack, 8);
  tcp.writeUInt16BE((5 << 12) | flags, 12);
  tcp.writeUInt16BE(65535, 14); // window
  const pseudo = Buffer.from([0, 6, tcp.length >> 8, tcp.length & 0xff]);
  tcp.writeUInt16BE(checksum(src, dst, pseudo, tcp), 16);
  const ip = Buffer.from([0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0]);
  ip.writeUInt16BE(20 + tcp.length, 2);
  ip.writeUInt16BE(checksum(ip, src, dst), 10);
  return Buffer.concat([ip, src, dst, tcp]);
}

function parse(packet) {
  const tcp = packet.subarray((packet[0] & 15) * 4);
  return {
    src: packet.subarray(12, 16),
    dst: packet.subarray(16, 20),
    sport: tcp.readUInt16BE(0),
    dport: tcp.readUInt16BE(2),
    seq: tcp.readUInt32BE(4),
    ack: tcp.readUInt32BE(8),
    flags: tcp[13],
    payload: tcp.subarray((tcp[12] >> 4) * 4).toString(),
  };
}

// Turns the ends of a segment.
function answer(got, flags, seq, payload = "") {
  const length = got.payload.length + (got.flags & SYN ? 1 : 0);
  const ends = { src: got.dst, dst: got.src, sport: got.dport, dport: got.sport };
  return build({ ...ends, flags, seq, ack: (got.seq + length) >>> 0, payload });
}

let syns = 0;

// The stack: it sees no SYN of a client that has not proved its address.
function stack(got) {
  if (got.flags & SYN) {
    syns += 1;
    return answer(got, SYN | ACK, 7000000); // its own ISS
  }
  return got.payload && answer(got, PSH | ACK, got.ack, "hello, client");
}

function client(got) {
  if (got.flags & SYN) return answer(got, PSH | ACK, got.ack, "hello, server");
  if (got.payload) console.log(got.payload);
  return null;
}

function syn(last) {
  const src = Buffer.from([192, 0, 2, last]);
  const dst = Buffer.from([198, 51, 100, 7]);
  return build({ src, dst, sport: 40000, dport: 80, flags: SYN, seq: 1000 });
}

let now = 1000;
for (let last = 100; last < 200; last += 1) {
  take(CLIENT, syn(last), now); // nobody is there to take the SYN-ACK
}
console.log(`after 100 spoofed SYNs the stack has seen ${syns}`);
const sent = [[CLIENT, syn(1)]];
while (sent.length > 0) {
  const [from, packet] = sent.shift();
  for (const [to, delivered] of take(from, packet, (now += 1))) {
    const reply = (to === STACK ? stack : client)(parse(delivered));
    if (reply) sent.push([to, reply]);
  }
}
console.log(`and ${syns} of a client that answered`);
