/* Listens on each TCP port that it is given (udp:PORT for UDP) and sends the first line of its name to whoever
 * connects. Static, so that it can be all that an image contains; ends on SIGTERM, also as the first process. */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void end(int signal) {
    (void)signal;
    _exit(0);
}

int main(int argc, char **argv) {
    struct pollfd open[16] = {0};
    int count = 0, one = 1;
    signal(SIGTERM, end);
    signal(SIGINT, end);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i < argc && count < 16; i++) {
        int udp = strncmp(argv[i], "udp:", 4) == 0;
        struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[i] + (udp ? 4 : 0)))};
        int s = socket(AF_INET, udp ? SOCK_DGRAM : SOCK_STREAM, 0);
        if (!udp) setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (bind(s, (void *)&any, sizeof any) || (!udp && listen(s, 5))) {
            perror(argv[i]);
            return 1;
        }
        open[count].fd = s;
        open[count++].events = udp ? 0 : POLLIN;
    }
    for (;;) {
        if (poll(open, count, -1) < 1) continue;
        for (int i = 0; i < count; i++) {
            if (!(open[i].revents & POLLIN)) continue;
            int c = accept(open[i].fd, 0, 0);
            if (write(c, "answer\n", 7) < 0) perror("write");
            close(c);
        }
    }
}
