/* Stand-ins for functions of threads that a runtime lacks, for a program that has one thread and gets no more of them.

`mend_link.py` compiles those that a module calls (-DWANTED_name), and links them into it. pthread_create itself is one
of the runtime's: it returns EAGAIN or ENOTSUP. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define OWN __attribute__((visibility("hidden")))

#ifdef WANTED_pthread_barrierattr_init
OWN int pthread_barrierattr_init(pthread_barrierattr_t *attr) {
    memset(attr, 0, sizeof *attr);
    return 0;
}
#endif
#ifdef WANTED_pthread_barrierattr_destroy
OWN int pthread_barrierattr_destroy(pthread_barrierattr_t *attr) { return 0; }
#endif
#ifdef WANTED_pthread_barrierattr_setpshared
OWN int pthread_barrierattr_setpshared(pthread_barrierattr_t *attr, int shared) { return shared ? ENOTSUP : 0; }
#endif
#ifdef WANTED_pthread_mutexattr_setrobust
OWN int pthread_mutexattr_setrobust(pthread_mutexattr_t *attr, int robust) { return robust ? ENOTSUP : 0; }
#endif
#ifdef WANTED_pthread_mutexattr_getprioceiling
OWN int pthread_mutexattr_getprioceiling(const pthread_mutexattr_t *attr, int *ceiling) { return ENOTSUP; }
#endif
#ifdef WANTED_pthread_mutexattr_setprioceiling
OWN int pthread_mutexattr_setprioceiling(pthread_mutexattr_t *attr, int ceiling) { return ENOTSUP; }
#endif
#ifdef WANTED_pthread_mutex_getprioceiling
OWN int pthread_mutex_getprioceiling(const pthread_mutex_t *mutex, int *ceiling) { return ENOTSUP; }
#endif
#ifdef WANTED_pthread_mutex_setprioceiling
OWN int pthread_mutex_setprioceiling(pthread_mutex_t *mutex, int ceiling, int *before) { return ENOTSUP; }
#endif
#ifdef WANTED_pthread_kill
OWN int pthread_kill(pthread_t thread, int number) {
    if (!pthread_equal(thread, pthread_self())) return ESRCH;
    if (number < 0 || number >= _NSIG) return EINVAL;
    return number && raise(number) ? errno : 0;
}
#endif
#ifdef WANTED_pthread_setschedparam
OWN int pthread_setschedparam(pthread_t thread, int policy, const struct sched_param *param) { return ENOTSUP; }
#endif
#ifdef WANTED_pthread_getattr_default_np
OWN int pthread_getattr_default_np(pthread_attr_t *attr) { return pthread_attr_init(attr); }
#endif
#ifdef WANTED_pthread_setattr_default_np
OWN int pthread_setattr_default_np(const pthread_attr_t *attr) { return 0; }
#endif
#ifdef WANTED_pthread_setname_np
OWN int pthread_setname_np(pthread_t thread, const char *name) { return strlen(name) > 15 ? ERANGE : 0; }
#endif
#ifdef WANTED_pthread_getname_np
OWN int pthread_getname_np(pthread_t thread, char *name, size_t size) {
    if (size < 16) return ERANGE;
    *name = 0;
    return 0;
}
#endif
#ifdef WANTED_pthread_setaffinity_np
OWN int pthread_setaffinity_np(pthread_t thread, size_t size, const struct cpu_set_t *set) { return 0; }
#endif
#ifdef WANTED_pthread_getaffinity_np
OWN int pthread_getaffinity_np(pthread_t thread, size_t size, struct cpu_set_t *set) {
    memset(set, 0, size);
    *(unsigned char *)set = 1;
    return 0;
}
#endif
#ifdef WANTED_pthread_tryjoin_np
OWN int pthread_tryjoin_np(pthread_t thread, void **result) { return pthread_join(thread, result); }
#endif
#ifdef WANTED_pthread_timedjoin_np
OWN int pthread_timedjoin_np(pthread_t thread, void **result, const struct timespec *until) {
    return pthread_join(thread, result);
}
#endif
/* sem_init, sem_wait and sem_post of the runtime count nothing: there is no value to tell, and nothing to wait for. */
#ifdef WANTED_sem_getvalue
OWN int sem_getvalue(sem_t *restrict semaphore, int *restrict value) {
    errno = ENOSYS;
    return -1;
}
#endif
#ifdef WANTED_sem_timedwait
OWN int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    return sem_trywait(semaphore);
}
#endif
#ifdef WANTED_sem_open
OWN sem_t *sem_open(const char *name, int flags, ...) {
    errno = ENOSYS;
    return SEM_FAILED;
}
#endif
#ifdef WANTED_sem_close
OWN int sem_close(sem_t *semaphore) {
    errno = EINVAL;
    return -1;
}
#endif
#ifdef WANTED_sem_unlink
OWN int sem_unlink(const char *name) {
    errno = ENOENT;
    return -1;
}
#endif
