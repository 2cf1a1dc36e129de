/* Opens tun0; apart from host.c, as the system's headers and lwIP's clash. */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

int open_tun(void);
int wait_tun(int tun);

int
open_tun(void)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

    strcpy(request.ifr_name, "tun0");
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
