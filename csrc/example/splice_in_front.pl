# A stack in Perl that chooses its own initial sequence numbers, behind Intercept's
# splice in the same process: a whole program.
#
#     perl splice_in_front.pl
#
# It needs splice.so in the folder, which splice_in_perl.xs says how to make.
# Splice::take(side, packet, milliseconds) is all that a stack needs of it: it gives the
# engine an IP packet of one side and returns [[side, packet], ...] to be delivered.
use strict;
use warnings;
use DynaLoader;

my $library = DynaLoader::dl_load_file("./splice.so") or die DynaLoader::dl_error();
DynaLoader::dl_install_xsub("Splice::boot",
    DynaLoader::dl_find_symbol($library, "boot_Splice"));
Splice::boot("Splice");

use constant { CLIENT => 0, STACK => 1, SYN => 2, PSH => 8, ACK => 16 };

# What follows are two ends of paper: put a stack and an interface in their place.

sub checksum {
    my $sum = unpack("%32n*", "$_[0]\0");
    $sum = ($sum & 0xffff) + ($sum >> 16) while $sum > 0xffff;
    return ~$sum & 0xffff;
}

sub build {
    my %of = (ack => 0, payload => "", @_);
    my @head = (@of{qw(sport dport seq ack)}, 5 << 12 | $of{flags}, 65535);
    my $tcp = pack("nnNNnnNa*", @head, 0, $of{payload});
    my $ends = $of{src} . $of{dst};
    substr($tcp, 16, 2, pack("n", checksum($ends . pack("nn", 6, length $tcp) . $tcp)));
    my $ip = pack("nnNCCn", 0x4500, 20 + length $tcp, 0x4000, 64, 6, 0) . $ends;
    substr($ip, 10, 2, pack("n", checksum($ip)));
    return $ip . $tcp;
}

sub parse {
    my ($packet) = @_;
    my %got = (src => substr($packet, 12, 4), dst => substr($packet, 16, 4));
    my $tcp = substr($packet, (ord($packet) & 15) * 4);
    (@got{qw(sport dport seq ack)}, my $word) = unpack("nnNNn", $tcp);
    @got{qw(flags payload)} = ($word & 255, substr($tcp, ($word >> 12) * 4));
    return \%got;
}

# Turns the ends of a segment.
sub answer {
    my ($got, $flags, $seq, $payload) = @_;
    my $next = $got->{seq} + length($got->{payload}) + ($got->{flags} & SYN ? 1 : 0);
    my %ends = (src => $got->{dst}, dst => $got->{src});
    @ends{qw(sport dport)} = @$got{qw(dport sport)};
    return build(%ends, flags => $flags, seq => $seq, ack => $next & 0xffffffff,
        payload => $payload);
}

my $syns = 0;

# The stack: it sees no SYN of a client that has not proved its address.
sub stack {
    my ($got) = @_;
    if ($got->{flags} & SYN) {
        $syns++;
        return answer($got, SYN | ACK, 7000000, "");    # its own ISS
    }
    return unless length $got->{payload};
    return answer($got, PSH | ACK, $got->{ack}, "hello, client");
}

sub client {
    my ($got) = @_;
    return answer($got, PSH | ACK, $got->{ack}, "hello, server") if $got->{flags} & SYN;
    print "$got->{payload}\n" if length $got->{payload};
    return;
}

sub syn {
    my ($last) = @_;
    my ($src, $dst) = (pack("C4", 192, 0, 2, $last), pack("C4", 198, 51, 100, 7));
    my @ends = (src => $src, dst => $dst, sport => 40000, dport => 80);
    return build(@ends, flags => SYN, seq => 1000);
}

open(my $urandom, "<:raw", "/dev/urandom") or die "/dev/urandom: $!";
read($urandom, my $random, 32);
Splice::begin(80, $random) or die "no engine of this configuration";
Splice::take(CLIENT, syn($_), 1000) for 100 .. 199;    # nobody takes the SYN-ACKs
print "after 100 spoofed SYNs the stack has seen $syns\n";
my @sent = ([CLIENT, syn(1)]);
for (my $now = 1001; @sent; $now++) {
    my ($from, $packet) = @{shift @sent};
    for (@{Splice::take($from, $packet, $now)}) {
        my ($to, $delivered) = @$_;
        my $reply = $to == STACK ? stack(parse($delivered)) : client(parse($delivered));
        push @sent, [$to, $reply] if defined $reply;
    }
}
print "and $syns of a client that answered\n";
