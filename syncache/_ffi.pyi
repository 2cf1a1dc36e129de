# Types of the compiled module: what _core.py uses of csrc/syncache.h and link.h.

from typing import Any

class CData: ...

class CBuffer(bytearray):
    def __getitem__(self, index: slice) -> bytes: ...  # type: ignore[override]

class RingStruct(CData):
    memory: Any
    slot: list[SlotStruct]
    conn: Any
    passed: Any
    slots: int
    slot_size: int
    count: int
    next: int
    passed_count: int

class SlotStruct(CData):
    size: int
    link_size: int
    checksum: int
    verdict: int
    gso_size: int
    request: int
    handle: int

class ResultStruct(CData):
    conn: Any
    handle: int
    reply_size: int
    reply: Any

class TunStruct(CData):
    send_error: int
    received: int
    sent: int
    too_large: int
    send_failed: int

class FrameLinkStruct(CData):
    send_error: int
    received: int
    sent: int
    skipped: int
    too_large: int
    send_failed: int

class _Lib:
    SYNCACHE_ABI_VERSION: int
    SYNCACHE_VERDICT_COUNT: int

    def syncache_size(self, config: CData) -> int: ...
    def syncache_init(
        self, block: CData, size: int, config: CData, seed: bytes
    ) -> CData: ...
    def syncache_tunables_default(self, tunables: CData) -> None: ...
    def syncache_set_tunables(self, cache: CData, tunables: CData) -> bool: ...
    def syncache_set_key(self, cache: CData, epoch: int, key: bytes) -> None: ...
    def syncache_set_epoch(self, cache: CData, epoch: int, start_ms: int) -> None: ...
    def syncache_epoch(self, cache: CData, now_ms: int, next_ms: CData) -> int: ...
    def syncache_set_ts_key(self, cache: CData, key: bytes) -> None: ...
    def syncache_rehash(self, cache: CData, seed: bytes) -> None: ...
    def syncache_listen(self, cache: CData, endpoint: CData, number: CData) -> bool: ...
    def syncache_unlisten(self, cache: CData, number: int) -> None: ...
    def syncache_md5_key(
        self,
        cache: CData,
        number: int,
        family: int,
        faddr: bytes,
        key: bytes,
        key_size: int,
    ) -> bool: ...
    def syncache_address(self, cache: CData, family: int, laddr: bytes) -> bool: ...
    def syncache_packet(
        self,
        cache: CData,
        now_ms: int,
        packet: bytes | CData,
        packet_size: int,
        checksum: int,
        result: CData,
    ) -> int: ...
    def syncache_segment(
        self,
        cache: CData,
        now_ms: int,
        family: int,
        faddr: bytes,
        laddr: bytes,
        tos: int,
        segment: CData,
        segment_size: int,
        payload_size: int,
        checksum: int,
        result: CData,
    ) -> int: ...
    def syncache_burst(
        self, cache: CData, now_ms: int, rx: RingStruct, tx: RingStruct
    ) -> int: ...
    def syncache_accepted(
        self, cache: CData, conn: CData, handle: int, ok: bool
    ) -> None: ...
    def syncache_opened(self, cache: CData, tuple_: CData, handle: int) -> bool: ...
    def syncache_closed(self, cache: CData, tuple_: CData) -> None: ...
    def syncache_unsent(self, cache: CData, tuple_: CData, seq: int) -> None: ...
    def syncache_unreach(
        self, cache: CData, now_ms: int, tuple_: CData, seq: int
    ) -> None: ...
    def syncache_poll(self, cache: CData, now_ms: int, tx: RingStruct) -> int: ...
    def syncache_next_deadline(self, cache: CData) -> int: ...
    def syncache_walk(
        self, cache: CData, cursor: CData, out: CData, out_max: int
    ) -> int: ...
    def syncache_count(self, cache: CData) -> int: ...
    def syncache_paused(self, cache: CData) -> bool: ...
    def syncache_statistics(self, cache: CData) -> CData: ...
    def syncache_entry_millibytes(self, config: CData) -> int: ...
    def syncache_cookie_mint(
        self,
        key: bytes,
        tuple_: CData,
        irs: int,
        options: CData,
        parity: int,
        secmod: int,
        layout: int,
    ) -> int: ...
    def syncache_cookie_check(
        self,
        key: bytes,
        tuple_: CData,
        irs: int,
        iss: int,
        secmod: int,
        layout: int,
        options: CData,
    ) -> bool: ...
    def syncache_siphash24(self, key: bytes, data: bytes, data_size: int) -> int: ...
    def syncache_parse(
        self, packet: bytes, packet_size: int, checksum: int, fields: CData
    ) -> int: ...
    def syncache_build(
        self,
        fields: CData,
        options: bytes,
        payload: bytes,
        checksum: int,
        packet: CData,
        packet_max: int,
    ) -> int: ...
    def link_tun_receive(self, tun: TunStruct, rx: RingStruct) -> int: ...
    def link_tun_send(self, tun: TunStruct, tx: RingStruct) -> int: ...
    def link_packet_receive(self, link: FrameLinkStruct, rx: RingStruct) -> int: ...
    def link_packet_send(self, link: FrameLinkStruct, tx: RingStruct) -> int: ...
    def link_packet_forward(self, link: FrameLinkStruct, rx: RingStruct) -> int: ...
    def link_pass(self, rx: RingStruct) -> None: ...
    def link_bpf_map(
        self, type_: int, key_size: int, value_size: int, entries: int
    ) -> int: ...
    def link_bpf_map_set(self, map_: int, key: int, value: int) -> int: ...
    def link_bpf_load(
        self, type_: int, attach_type: int, program: bytes, instructions: int
    ) -> int: ...
    def link_bpf_attach(
        self, program: int, ifindex: int, attach_type: int, flags: int
    ) -> int: ...
    def link_capture_parse(
        self, capture: CData, data: Any, size: int, rx: RingStruct
    ) -> int: ...
    def link_copy(
        self, source: RingStruct, target: RingStruct, dropped: CData
    ) -> int: ...

class _FFI:
    NULL: Any

    def new(self, cdecl: str, init: object = None) -> Any: ...
    def cast(self, cdecl: str, source: Any) -> Any: ...
    def from_buffer(self, cdecl: Any, python_buffer: Any = None) -> Any: ...
    def buffer(self, cdata: Any, size: int = -1) -> CBuffer: ...
    def memmove(self, dest: Any, src: Any, n: int) -> None: ...
    def release(self, cdata: Any) -> None: ...
    def sizeof(self, cdecl: Any) -> int: ...
    def offsetof(self, cdecl: str, field: str) -> int: ...
    def typeof(self, cdecl: str) -> Any: ...
    def unpack(self, cdata: Any, length: int) -> list[int]: ...

ffi: _FFI
lib: _Lib
