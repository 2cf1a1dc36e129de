// gVisor's netstack as a client or a server: routed.py starts it.
//
//	gvisor FD SOURCE client ADDRESS PORT   20,000 bytes there and back; prints "ok"
//	gvisor FD SOURCE server PORT           prints "ready", echoes until it is killed
//
// FD is a TUN device's.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

const (
	mtu       = 1500
	nic       = 1
	bytesSent = 20000
	patience  = 15 * time.Second
)

func fail(what any) {
	fmt.Println(what)
	os.Exit(1)
}

// packed returns an address's bytes and its protocol.
func packed(text string) (tcpip.Address, tcpip.NetworkProtocolNumber) {
	ip := net.ParseIP(text)
	if four := ip.To4(); four != nil {
		return tcpip.Address(four), ipv4.ProtocolNumber
	}
	return tcpip.Address(ip), ipv6.ProtocolNumber
}

func open(fd int, source string) *stack.Stack {
	made := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	sack := tcpip.TCPSACKEnabled(true)
	made.SetTransportProtocolOption(tcp.ProtocolNumber, &sack)
	link, err := fdbased.New(&fdbased.Options{FDs: []int{fd}, MTU: mtu})
	if err != nil {
		fail(err)
	}
	if err := made.CreateNIC(nic, link); err != nil {
		fail(err)
	}
	address, protocol := packed(source)
	own := tcpip.ProtocolAddress{Protocol: protocol, AddressWithPrefix: address.WithPrefix()}
	if err := made.AddProtocolAddress(nic, own, stack.AddressProperties{}); err != nil {
		fail(err)
	}
	made.SetRouteTable([]tcpip.Route{
		{Destination: header.IPv4EmptySubnet, NIC: nic},
		{Destination: header.IPv6EmptySubnet, NIC: nic},
	})
	return made
}

func exchange(made *stack.Stack, address string, port uint16) {
	there, protocol := packed(address)
	full := tcpip.FullAddress{NIC: nic, Addr: there, Port: port}
	conn, err := gonet.DialTCP(made, full, protocol)
	if err != nil {
		fail(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	data := make([]byte, bytesSent)
	for at := range data {
		data[at] = byte(at % 251)
	}
	go func() {
		conn.Write(data)
		conn.CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil {
		fail(err)
	}
	if !bytes.Equal(got, data) {
		fail(fmt.Sprintf("%d of %d bytes came back", len(got), len(data)))
	}
	conn.Close()
	fmt.Println("ok")
}

func serve(made *stack.Stack, source string, port uint16) {
	_, protocol := packed(source)
	listener, err := gonet.ListenTCP(made, tcpip.FullAddress{NIC: nic, Port: port}, protocol)
	if err != nil {
		fail(err)
	}
	fmt.Println("ready")
	for {
		conn, err := listener.Accept()
		if err != nil {
			fail(err)
		}
		go func() {
			io.Copy(conn, conn)
			conn.Close()
		}()
	}
}

func main() {
	fd, _ := strconv.Atoi(os.Args[1])
	port, _ := strconv.Atoi(os.Args[len(os.Args)-1])
	made := open(fd, os.Args[2])
	if os.Args[3] == "client" {
		exchange(made, os.Args[4], uint16(port))
	} else {
		serve(made, os.Args[2], uint16(port))
	}
}
