/* Opens tun0 or tap0; apart from host.c, as the system's headers and lwIP's clash. */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

int open_tun(int ethernet);
int wait_tun(int tun);

int
open_tun(int ethernet)
{
    struct ifreq request = {.ifr_flags = IFF_NO_PI};
    int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

    request.ifr_flags |= ethernet ? IFF_TAP : IFF_TUN;
    strcpy(request.ifr_name, ethernet ? "tap0" : "tun0");
    return tun >= 0 && ioctl(tun, TUNSETIFF, &request) == 0 ? tun : -1;
}

/* Waits for a packet; 0: the standard input has ended. */
int
wait_tun(int tun)
{
    struct pollfd events[2] = {{.fd = 0, .events = POLLIN},
                               {.fd = tun, .events = POLLIN}};

    return poll(events, 2, -1) >= 0 && events[0].revents == 0;
}
