// Sends one HTTP request over and over on N keep-alive connections, and prints answers per second and latencies as JSON.
// gcc -O2 -o http-load http-load.c; ./http-load <port> <connections> <seconds> < request
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

struct peer {
  int fd;
  size_t have;
  double sent;
  char in[4096];
};

static char request[65536];
static size_t request_size;

static void ask(struct peer *p) {
  p->have = 0;
  p->sent = now();
  if (send(p->fd, request, request_size, 0) != (ssize_t)request_size) {
    perror("send");
    exit(1);
  }
}

// 1 when the whole answer is in.
static int complete(struct peer *p) {
  p->in[p->have] = 0;
  char *end = strstr(p->in, "\r\n\r\n");
  if (!end) return 0;
  char *length = strcasestr(p->in, "content-length:");
  size_t body = length && length < end ? strtoul(length + 15, NULL, 10) : 0;
  return p->have >= (size_t)(end + 4 - p->in) + body;
}

static int ascending(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  int port = atoi(argv[1]), count = atoi(argv[2]);
  double seconds = atof(argv[3]);
  request_size = fread(request, 1, sizeof request, stdin);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int poll = epoll_create1(0);
  struct peer *peers = calloc(count, sizeof *peers);
  size_t room = 1 << 22, taken = 0;
  float *latencies = malloc(room * sizeof *latencies);
  for (int i = 0; i < count; i++) {
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) {
      perror("connect");
      return 1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    peers[i].fd = fd;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &peers[i]};
    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &e);
  }
  long done = 0, refused = 0;
  double start = now(), stop = start + seconds;
  for (int i = 0; i < count; i++) ask(&peers[i]);
  struct epoll_event events[256];
  while (now() < stop) {
    int ready = epoll_wait(poll, events, 256, 100);
    for (int i = 0; i < ready; i++) {
      struct peer *p = events[i].data.ptr;
      ssize_t got = recv(p->fd, p->in + p->have, sizeof p->in - 1 - p->have, 0);
      if (got <= 0) {
        fprintf(stderr, "connection lost: %s\n", got ? strerror(errno) : "closed");
        return 1;
      }
      p->have += got;
      if (!complete(p)) continue;
      if (memcmp(p->in, "HTTP/1.1 200", 12)) refused++;
      done++;
      if (taken < room) latencies[taken++] = now() - p->sent;
      ask(p);
    }
  }
  double took = now() - start;
  qsort(latencies, taken, sizeof *latencies, ascending);
  printf("{\"perSecond\":%.0f,\"not200\":%ld,\"p50ms\":%.3f,\"p99ms\":%.3f}\n", done / took, refused,
         taken ? latencies[taken / 2] * 1e3 : 0, taken ? latencies[taken * 99 / 100] * 1e3 : 0);
  return 0;
}
