// timed SECONDS UID COMMAND [ARGUMENT...]
//
// Runs COMMAND as the user UID, with /dev/null as its input and outputs, and prints "wall_seconds peak_kB status". The
// status is that of COMMAND, -1 if it was killed after SECONDS, 128 + N if signal N ended it.
//
// The kernel counts the largest resident memory of a process across execve(2) and fork(2): a command that is started by
// a large program begins with the memory of that program. This program is smaller than every command measured with it.
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;
static volatile sig_atomic_t late;

static void stop(int signal) {
  (void)signal;
  late = 1;
  kill(child, SIGKILL);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  uid_t uid = atoi(argv[2]);
  double start = now();
  child = fork();
  if (child < 0) return 2;
  if (!child) {
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    close(null);
    if (uid && (setgroups(0, NULL) || setgid(uid) || setuid(uid))) _exit(126);
    execvp(argv[3], argv + 3);
    _exit(127);
  }
  signal(SIGALRM, stop);
  alarm(atoi(argv[1]));
  struct rusage usage;
  int status;
  while (wait4(child, &status, 0, &usage) != child) {}
  double wall = now() - start;
  alarm(0);
  printf("%.6f %ld %d\n", wall, usage.ru_maxrss,
         late ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  return 0;
}
