//! A stack in Rust that chooses its own initial sequence numbers, behind
//! Intercept's splice in the same process: a whole program.
//!
//!     rustc splice_in_front.rs -L LIBDIR -l static=syncache && ./splice_in_front
//!
//! `Shield` is all that a stack such as smoltcp needs of it: `take()` gives it a
//! packet of one side and returns the packets that are to be delivered.  The
//! structures are those of syncache.h and flow/flow.h.

use std::alloc::{alloc_zeroed, Layout};
use std::collections::VecDeque;

mod ffi {
    #[repr(C)]
    pub struct Config {
        pub struct_size: u32,
        pub kind: u32, // FLOW_INTERCEPT
        pub sessions_max: u32,
        pub hosts_max: u32,
        pub profiles_max: u32,
        pub headers_max: u32,
        pub journal_max: u32,
        pub rules_max: u32,
    }

    #[repr(C)]
    pub struct Rule {
        pub protocol: u8,
        pub family: u8,
        pub permit: u8,
        pub source_op: u8,
        pub destination_op: u8,
        pub reserved: [u8; 3],
        pub source: [u8; 16],
        pub source_wildcard: [u8; 16],
        pub destination: [u8; 16],
        pub destination_wildcard: [u8; 16],
        pub source_lo: u16,
        pub source_hi: u16,
        pub destination_lo: u16,
        pub destination_hi: u16,
    }

    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    pub struct Slot {
        pub size: u32,
        pub link_size: u16,
        pub checksum: u8,
        pub verdict: u8,
        pub gso_size: u16,
        pub request: u16,
        pub csum_start: u16,
        pub csum_offset: u16,
        pub handle: u64,
    }

    #[repr(C)]
    pub struct Ring {
        pub memory: *mut u8,
        pub slot: *mut Slot,
        pub conn: *mut u8,
        pub passed: *mut u32,
        pub arrival: *mut u8,
        pub slots: u32,
        pub slot_size: u32,
        pub count: u32,
        pub next: u32,
        pub passed_count: u32,
        pub reserved: u32,
    }

    extern "C" {
        pub fn flow_size(config: *const Config) -> usize;
        pub fn flow_init(
            block: *mut u8,
            size: usize,
            config: *const Config,
            seed: *const u8,
        ) -> *mut u8;
        pub fn flow_set_rules(flow: *mut u8, rules: *const Rule, count: u32, on: bool) -> bool;
        pub fn flow_set_key(flow: *mut u8, epoch: u64, key: *const u8);
        pub fn flow_burst(
            flow: *mut u8,
            now_ms: u64,
            rx: *mut Ring,
            side: u32,
            client_tx: *mut Ring,
            server_tx: *mut Ring,
        ) -> u32;
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Client = 0,
    Stack = 1,
}

const SLOTS: usize = 16;
const SLOT_SIZE: usize = 2048;

/// Memory for packets; a view of it is made for each call.
struct Link {
    memory: Vec<u8>,
    slot: Vec<ffi::Slot>,
    passed: Vec<u32>,
}

impl Link {
    fn new() -> Link {
        Link {
            memory: vec![0; SLOTS * SLOT_SIZE],
            slot: vec![ffi::Slot::default(); SLOTS],
            passed: vec![0; SLOTS],
        }
    }

    fn ring(&mut self, count: u32) -> ffi::Ring {
        ffi::Ring {
            memory: self.memory.as_mut_ptr(),
            slot: self.slot.as_mut_ptr(),
            conn: std::ptr::null_mut(),
            passed: self.passed.as_mut_ptr(),
            arrival: std::ptr::null_mut(),
            slots: SLOTS as u32,
            slot_size: SLOT_SIZE as u32,
            count,
            next: 0,
            passed_count: 0,
            reserved: 0,
        }
    }

    fn packet(&self, at: usize) -> Vec<u8> {
        let from = at * SLOT_SIZE;
        self.memory[from..from + self.slot[at].size as usize].to_vec()
    }
}

/// The engine of one thread; it lives as long as the program.
struct Shield {
    flow: *mut u8,
    rx: Link,
    to_client: Link,
    to_stack: Link,
}

impl Shield {
    /// Everything to this port is protected.  Seed and key are to be random.
    fn new(port: u16, seed: [u8; 16], key: [u8; 16]) -> Option<Shield> {
        let config = ffi::Config {
            struct_size: std::mem::size_of::<ffi::Config>() as u32,
            kind: 0,
            sessions_max: 1024,
            hosts_max: 16,
            profiles_max: 0,
            headers_max: 1,
            journal_max: 16,
            rules_max: 1,
        };
        let rule = ffi::Rule {
            protocol: 6,
            family: 0,
            permit: 1,
            source_op: 0,
            destination_op: 1, // FLOW_PORT_EQ
            reserved: [0; 3],
            source: [0; 16],
            source_wildcard: [255; 16],
            destination: [0; 16],
            destination_wildcard: [255; 16],
            source_lo: 0,
            source_hi: 0,
            destination_lo: port,
            destination_hi: 0,
        };
        // SAFETY: the block has the size and the alignment that are asked for.
        unsafe {
            let size = ffi::flow_size(&config);
            let block = alloc_zeroed(Layout::from_size_align(size, 64).ok()?);
            let flow = ffi::flow_init(block, size, &config, seed.as_ptr());
            if flow.is_null() || !ffi::flow_set_rules(flow, &rule, 1, true) {
                return None;
            }
            ffi::flow_set_key(flow, 0, key.as_ptr());
            Some(Shield {
                flow,
                rx: Link::new(),
                to_client: Link::new(),
                to_stack: Link::new(),
            })
        }
    }

    /// Takes an IP packet; returns those to deliver, and where.
    fn take(&mut self, now_ms: u64, from: Side, packet: &[u8]) -> Vec<(Side, Vec<u8>)> {
        self.rx.memory[..packet.len()].copy_from_slice(packet);
        self.rx.slot[0] = ffi::Slot {
            size: packet.len() as u32,
            ..Default::default()
        };
        let mut rx = self.rx.ring(1);
        let mut to_client = self.to_client.ring(0);
        let mut to_stack = self.to_stack.ring(0);
        // SAFETY: the rings say how much memory there is, and outlive the call.
        unsafe {
            ffi::flow_burst(
                self.flow,
                now_ms,
                &mut rx,
                from as u32,
                &mut to_client,
                &mut to_stack,
            );
        }
        let other = if from == Side::Client { Side::Stack } else { Side::Client };
        let mut out = Vec::new();
        for i in 0..rx.passed_count as usize {
            out.push((other, self.rx.packet(self.rx.passed[i] as usize)));
        }
        for i in 0..to_client.count as usize {
            out.push((Side::Client, self.to_client.packet(i)));
        }
        for i in 0..to_stack.count as usize {
            out.push((Side::Stack, self.to_stack.packet(i)));
        }
        out
    }
}

// What follows are two ends of paper: put a stack and an interface in their place.

const SYN: u8 = 2;
const ACK: u8 = 16;

fn sum(bytes: &[u8], from: u32) -> u32 {
    bytes.chunks(2).fold(from, |sum, pair| {
        sum + u32::from(pair[0]) * 256 + u32::from(*pair.get(1).unwrap_or(&0))
    })
}

fn finish(mut sum: u32) -> [u8; 2] {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!sum as u16).to_be_bytes()
}

/// An IPv4 segment without options.
fn segment(src: [u8; 4], dst: [u8; 4], ports: (u16, u16), numbers: (u32, u32), flags: u8,
           payload: &[u8]) -> Vec<u8> {
    let mut p = vec![0u8; 40];
    p[0] = 0x45;
    p[2..4].copy_from_slice(&(40 + payload.len() as u16).to_be_bytes());
    p[8] = 64;
    p[9] = 6;
    p[12..16].copy_from_slice(&src);
    p[16..20].copy_from_slice(&dst);
    p[20..22].copy_from_slice(&ports.0.to_be_bytes());
    p[22..24].copy_from_slice(&ports.1.to_be_bytes());
    p[24..28].copy_from_slice(&numbers.0.to_be_bytes());
    p[28..32].copy_from_slice(&numbers.1.to_be_bytes());
    p[32] = 5 << 4;
    p[33] = flags;
    p[34..36].copy_from_slice(&65535u16.to_be_bytes());
    p.extend_from_slice(payload);
    let ip = finish(sum(&p[..20], 0));
    p[10..12].copy_from_slice(&ip);
    let pseudo = sum(&p[12..20], 6 + 20 + payload.len() as u32);
    let tcp = finish(sum(&p[20..], pseudo));
    p[36..38].copy_from_slice(&tcp);
    p
}

/// The answer to a segment, its ends turned.
fn answer(got: &[u8], flags: u8, seq: u32, payload: &[u8]) -> Vec<u8> {
    let word = |at: usize| u32::from_be_bytes(got[at..at + 4].try_into().unwrap());
    let port = |at: usize| u16::from_be_bytes(got[at..at + 2].try_into().unwrap());
    let size = payload_of(got).len() as u32 + u32::from(got[33] & SYN != 0);
    segment(
        got[16..20].try_into().unwrap(),
        got[12..16].try_into().unwrap(),
        (port(22), port(20)),
        (seq, word(24).wrapping_add(size)),
        flags,
        payload,
    )
}

fn payload_of(got: &[u8]) -> &[u8] {
    &got[20 + usize::from(got[32] >> 4) * 4..]
}

fn acked(got: &[u8]) -> u32 {
    u32::from_be_bytes(got[28..32].try_into().unwrap())
}

fn main() {
    let mut shield = Shield::new(80, [1; 16], [2; 16]).expect("an engine");
    let mut stack_syns = 0;
    let mut now_ms = 1000;
    let server = [198, 51, 100, 7];
    for spoofed in 100..200 {
        let syn = segment([192, 0, 2, spoofed], server, (40000, 80), (1000, 0), SYN, b"");
        for (to, _) in shield.take(now_ms, Side::Client, &syn) {
            stack_syns += u32::from(to == Side::Stack); // and nobody takes the SYN-ACK
        }
    }
    println!("after 100 spoofed SYNs the stack has seen {stack_syns}");
    let syn = segment([192, 0, 2, 1], server, (40000, 80), (1000, 0), SYN, b"");
    let mut sent = VecDeque::from([(Side::Client, syn)]);
    while let Some((from, packet)) = sent.pop_front() {
        now_ms += 1;
        for (to, got) in shield.take(now_ms, from, &packet) {
            let flags = got[33];
            let data = payload_of(&got);
            match to {
                Side::Stack if flags & SYN != 0 => {
                    stack_syns += 1;
                    sent.push_back((to, answer(&got, SYN | ACK, 7_000_000, b"")));
                }
                Side::Stack if !data.is_empty() => {
                    sent.push_back((to, answer(&got, ACK, acked(&got), b"hello, client")));
                }
                Side::Client if flags & SYN != 0 => {
                    sent.push_back((to, answer(&got, ACK, acked(&got), b"hello, server")));
                }
                Side::Client if !data.is_empty() => {
                    println!("{}", String::from_utf8_lossy(data));
                }
                _ => (),
            }
        }
    }
    println!("and {stack_syns} of a client that answered");
}
