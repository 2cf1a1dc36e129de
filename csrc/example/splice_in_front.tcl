# A stack in Tcl that chooses its own initial sequence numbers, behind Intercept's
# splice in the same process: a whole program.
#
#     tclsh splice_in_front.tcl
#
# It needs splice.so in the folder, which splice_in_tcl.c says how to make.  `take side
# packet milliseconds` is all that a stack needs of it: it gives the engine an IP packet
# of one side and returns sides and packets that are to be delivered.
load ./splice.so

array set side {client 0 stack 1}
array set flag {syn 2 psh 8 ack 16}

# What follows are two ends of paper: put a stack and an interface in their place.

proc checksum {bytes} {
    binary scan "$bytes\0" Su* words
    set sum [expr [join $words +]]
    while {$sum > 0xffff} {set sum [expr {($sum & 0xffff) + ($sum >> 16)}]}
    return [expr {~$sum & 0xffff}]
}

proc build {src dst sport dport flags seq ack payload} {
    set head [binary format SSIISS $sport $dport $seq $ack [expr {5 << 12 | $flags}] 65535]
    set size [expr {20 + [string length $payload]}]
    set pseudo [binary format a4a4SS $src $dst 6 $size]
    set sum [checksum $pseudo$head[binary format I 0]$payload]
    set ip [binary format SSIccSa4a4 0x4500 [expr {20 + $size}] 0x4000 64 6 0 $src $dst]
    set ip [string replace $ip 10 11 [binary format S [checksum $ip]]]
    return $ip$head[binary format SS $sum 0]$payload
}

proc parse {packet} {
    binary scan $packet cux11a4a4 first src dst
    set tcp [string range $packet [expr {($first & 15) * 4}] end]
    binary scan $tcp SuSuIuIuSu sport dport seq ack word
    set payload [string range $tcp [expr {($word >> 12) * 4}] end]
    return [list $src $dst $sport $dport [expr {$word & 255}] $seq $ack $payload]
}

# Turns the ends of a segment.
proc answer {got flags number data} {
    lassign $got src dst sport dport had seq ack payload
    set next [expr {($seq + [string length $payload] + ($had & 2 ? 1 : 0)) & 0xffffffff}]
    return [build $dst $src $dport $sport $flags $number $next $data]
}

set syns 0

# The stack: it sees no SYN of a client that has not proved its address.
proc stack {got} {
    global flag syns
    lassign $got src dst sport dport flags seq ack payload
    if {$flags & $flag(syn)} {
        incr syns
        return [answer $got [expr {$flag(syn) | $flag(ack)}] 7000000 ""] ;# its own ISS
    }
    if {$payload eq ""} {return ""}
    return [answer $got [expr {$flag(psh) | $flag(ack)}] $ack "hello, client"]
}

proc client {got} {
    global flag
    lassign $got src dst sport dport flags seq ack payload
    if {$flags & $flag(syn)} {
        return [answer $got [expr {$flag(psh) | $flag(ack)}] $ack "hello, server"]
    }
    if {$payload ne ""} {puts $payload}
    return ""
}

proc syn {last} {
    set src [binary format c4 [list 192 0 2 $last]]
    return [build $src [binary format c4 {198 51 100 7}] 40000 80 2 1000 0 ""]
}

set urandom [open /dev/urandom rb]
begin 80 [read $urandom 32]
close $urandom
set now 1000
for {set last 100} {$last < 200} {incr last} {
    take $side(client) [syn $last] $now ;# nobody is there to take the SYN-ACK
}
puts "after 100 spoofed SYNs the stack has seen $syns"
set sent [list $side(client) [syn 1]]
while {[llength $sent] > 0} {
    set sent [lassign $sent from packet]
    foreach {to delivered} [take $from $packet [incr now]] {
        set got [parse $delivered]
        set reply [expr {$to == $side(stack) ? [stack $got] : [client $got]}]
        if {$reply ne ""} {lappend sent $to $reply}
    }
}
puts "and $syns of a client that answered"
