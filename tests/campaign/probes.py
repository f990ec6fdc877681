"""What a build tries from inside the sandbox: name -> the body of a function that returns true where it got through.

Each runs as Python in the build image. ``call`` is syscall(2) by name, which gives the result or raises OSError.
"""

from __future__ import annotations

# ruff: noqa: E501  (each attack on a line)

PREAMBLE = """\
import ctypes, os, pathlib, resource, signal, socket, struct, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
NUMBERS = dict(ptrace=101, syslog=103, acct=163, iopl=172, create_module=174, init_module=175, delete_module=176,
    reboot=169, swapon=167, settimeofday=164, sethostname=170, add_key=248, request_key=249, keyctl=250, kexec_load=246,
    unshare=272, setns=308, perf_event_open=298, open_by_handle_at=304, process_vm_readv=310, kcmp=312, bpf=321,
    userfaultfd=323, mount=165, umount2=166, pivot_root=155, chroot=161, move_mount=429, open_tree=428, fsopen=430,
    fsmount=432, io_uring_setup=425, clone3=435, clone=56, mount_setattr=442, pidfd_getfd=438, quotactl=179,
    ioperm=173, finit_module=313, kexec_file_load=320, fanotify_init=300, modify_ldt=154, clock_settime=227,
    adjtimex=159, vhangup=153, uselib=134, sysfs=139, nfsservctl=180, lookup_dcookie=212)
def call(name, *arguments):
    result = libc.syscall(NUMBERS[name], *[a if a is None or isinstance(a, (bytes, ctypes.Array)) else
                                           ctypes.c_long(a) for a in arguments])
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result
def write(path, data="1"):
    with open(path, "w") as file:
        file.write(data)
    return True
def attack():
"""
END = """
try:
    through = attack()
except BaseException as error:
    print("stopped:", type(error).__name__, error)
    sys.exit(0)
print("BROKEN" if through else "stopped: nothing came of it")
"""

WRITES = {
    f"write {path}": f"return write({path!r}, open({path!r}).read() if os.access({path!r}, os.R_OK) else '1')"
    for path in (
        *("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/overcommit_memory"),
        *(
            "/proc/sys/fs/binfmt_misc/register",
            "/proc/sysrq-trigger",
            "/proc/sys/kernel/sysrq",
            "/proc/irq/default_smp_affinity",
        ),
        *(
            "/etc/passwd",
            "/etc/ld.so.preload",
            "/usr/bin/hostile",
            "/opt/emwheels/hostile",
            "/var/hostile",
            "/hostile",
        ),
        *("/mnt/hostile", "/dev/hostile", "/dev/kmsg", "/dev/mem", "/sys/kernel/uevent_helper", "/sys/power/state"),
        *("/mnt/given/hostile", "/mnt/given/file", "/proc/self/uid_map", "/boot/hostile"),
    )
}
READS = {
    f"read {path}": f"return bool(open({path!r}, 'rb').read(1))"
    for path in (
        *("/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/1/mem", "/dev/mem"),
        *("/etc/shadow", "/proc/1/root@VICTIM@", "/proc/timer_list", "/dev/sda", "/dev/vda", "/dev/kmsg"),
        "/proc/self/root@VICTIM@",
    )
}
CALLS = {
    "mount a file system": "return call('mount', b'none', b'/tmp', b'tmpfs', 0, None) == 0",
    "remount the image writable": "return call('mount', None, b'/', None, 32 | 4096, None) == 0",
    "unmount what was given": "return call('umount2', b'/mnt/given', 2) == 0",
    "pivot_root": "return call('pivot_root', b'/tmp', b'/tmp') == 0",
    "chroot": "return call('chroot', b'/tmp') == 0",
    "open_tree": "return call('open_tree', -100, b'/', 1) >= 0",
    "move_mount": "return call('move_mount', -100, b'/tmp', -100, b'/mnt/given', 0) == 0",
    "fsopen": "return call('fsopen', b'tmpfs', 0) >= 0",
    "mount_setattr": "return call('mount_setattr', -100, b'/', 0, b'\\0' * 32, 32) == 0",
    **{
        f"a namespace of its own ({name})": f"return call('unshare', {flag:#x}) == 0"
        for name, flag in {
            "user": 0x10000000,
            "mount": 0x20000,
            "pid": 0x20000000,
            "network": 0x40000000,
            "ipc": 0x8000000,
            "uts": 0x4000000,
            "cgroup": 0x2000000,
            "time": 0x80,
            "user and mount": 0x10020000,
        }.items()
    },
    "clone with a user namespace": (
        "pid = call('clone', 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)\n    if pid == 0: os._exit(0)\n    return pid > 0"
    ),
    "clone3": "return call('clone3', struct.pack('11Q', 0x10000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0), 88) >= 0",
    "setns": "return call('setns', os.open('/proc/1/ns/mnt', os.O_RDONLY), 0) == 0",
    "ptrace another process": "return call('ptrace', 16, os.getppid(), 0, 0) == 0",
    "read another process's memory": "return call('process_vm_readv', 1, None, 0, None, 0, 0) >= 0",
    "pidfd_getfd": "return call('pidfd_getfd', os.pidfd_open(1), 0, 0) >= 0",
    "kcmp": "return call('kcmp', 1, os.getpid(), 0, 0, 0) >= 0",
    "a keyring": "return call('keyctl', 0, -3, 0, 0, 0) > 0",
    "add a key": "return call('add_key', b'user', b'emwheels', b'x', 1, -3) > 0",
    "request a key": "return call('request_key', b'user', b'emwheels-secret', None, -3) > 0",
    "bpf": "return call('bpf', 0, b'\\0' * 72, 72) >= 0",
    "perf events": "return call('perf_event_open', b'\\0' * 112, 0, -1, -1, 0) >= 0",
    "userfaultfd": "return call('userfaultfd', 1) >= 0",
    "io_uring": "return call('io_uring_setup', 1, ctypes.create_string_buffer(120)) >= 0",
    "kexec": "return call('kexec_load', 0, 0, None, 0) == 0",
    "kexec by file": "return call('kexec_file_load', -1, -1, 0, None, 0) == 0",
    "load a module": "return call('init_module', b'', 0, b'') == 0",
    "load a module by file": "return call('finit_module', 0, b'', 0) == 0",
    "unload a module": "return call('delete_module', b'loop', 0) == 0",
    "reboot": "return call('reboot', 0xfee1dead, 672274793, 0, None) == 0",
    "swapon": "return call('swapon', b'/tmp', 0) == 0",
    "accounting": "return call('acct', b'/tmp/acct') == 0",
    "set the clock": "return call('clock_settime', 0, struct.pack('qq', 1, 1)) == 0",
    "set the time of day": "return call('settimeofday', struct.pack('qq', 1, 1), None) == 0",
    "name the host": "return call('sethostname', b'evil', 4) == 0",
    "iopl": "return call('iopl', 3) == 0",
    "ioperm": "return call('ioperm', 0x80, 1, 1) == 0",
    "the kernel's log": "return call('syslog', 3, ctypes.create_string_buffer(100), 100) > 0",
    "fanotify": "return call('fanotify_init', 0, 0) >= 0",
    "open by handle": "return call('open_by_handle_at', -100, b'\\0' * 32, 0) >= 0",
    "quotas": "return call('quotactl', 0x80000100, None, 0, None) == 0",
    "modify_ldt": "return call('modify_ldt', 1, b'\\0' * 16, 16) == 0",
    "hang up the terminal": "return call('vhangup') == 0",
    "type into the terminal": (
        "import fcntl, pty\n    master, slave = pty.openpty()\n    return fcntl.ioctl(slave, 0x5412, b'x') is not None"
    ),
    "paste into the terminal": (
        "import fcntl, pty\n    master, slave = pty.openpty()\n    return fcntl.ioctl(slave, 0x541C, b'\\2') is not None"
    ),
    "the caller's terminal": "return open('/dev/tty', 'w').write('x') > 0",
}
SOCKETS = {
    **{
        f"a socket of the family {name}": f"return bool(socket.socket({family}, {kind}))"
        for name, family, kind in (
            ("vsock", 40, 1),
            ("packet", 17, 3),
            ("alg", 38, 5),
            ("bluetooth", 31, 3),
            ("can", 29, 3),
            ("key", 15, 3),
            ("tipc", 30, 1),
            ("xdp", 44, 3),
            ("raw IPv4", 2, 3),
            ("raw IPv6", 10, 3),
        )
    },
    "a connection outside": "return bool(socket.create_connection(('192.0.2.1', 80), timeout=2))",
    "a name of the network": "return bool(socket.getaddrinfo('example.org', 80))",
    "a server on the host's loopback": "return bool(socket.create_connection(('127.0.0.1', @PORT@), timeout=2))",
    "an abstract socket of the host": (
        "s = socket.socket(socket.AF_UNIX)\n    s.connect('\\0@ABSTRACT@')\n    return True"
    ),
    "an interface": "return len(os.listdir('/sys/class/net')) > 1",
}
POWERS = {
    "root": "return os.getuid() == 0 or os.geteuid() == 0 or os.getgid() == 0",
    "become root": "os.setuid(0)\n    return True",
    "become root by a program": "return subprocess.run(['su', '-c', 'true'], stdin=subprocess.DEVNULL).returncode == 0",
    "groups": "return bool(set(os.getgroups()) - {os.getgid(), 65534})",
    "capabilities": "return any(int(line.split()[1], 16) for line in open('/proc/self/status') if line.startswith('Cap'))",
    "new privileges": "return 'NoNewPrivs:\\t1' not in open('/proc/self/status').read()",
    "no filter": "return 'Seccomp:\\t2' not in open('/proc/self/status').read()",
    "a device": "os.mknod('/tmp/d', 0o660 | 0x2000, os.makedev(1, 1))\n    return True",
    "be before others": "return os.nice(-5) < 0",
    "real time": "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))\n    return True",
    "never be ended for memory": "return write('/proc/self/oom_score_adj', '-1000')",
    "more processes": "resource.setrlimit(resource.RLIMIT_NPROC, (-1, -1))\n    return True",
    "larger files": "resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))\n    return True",
    "core files": "resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))\n    return True",
    "processes of the host": "return sum(name.isdigit() for name in os.listdir('/proc')) > 12",
    "kill a process of the host": "os.kill(@PID@, 9)\n    return True",
    "the caller's environment": (
        "texts = []\n    for path in pathlib.Path('/proc').glob('[0-9]*/environ'):\n"
        "        try: texts.append(path.read_bytes())\n        except OSError: pass\n"
        "    return b'@SECRET@' in b''.join(texts) or '@SECRET@' in str(os.environ)"
    ),
    "descriptors of the caller": (
        "links = [f'/proc/self/fd/{each}' for each in os.listdir('/proc/self/fd')]\n"
        "    links = [os.readlink(link) for link in links if os.path.islink(link)]\n"
        "    return any(word in link for link in links for word in ('user:', 'pipe:', 'socket:', 'anon_inode'))"
    ),
    "the name of the host": "return socket.gethostname() == '@HOST@'",
    "files of the host": "return os.path.exists('@VICTIM@') or os.path.exists('/home/@USER@')",
    "a link in a mount": "os.symlink('@VICTIM@', '/mnt/work/link')\n    return bool(open('/mnt/work/link').read())",
    "dmesg": "return subprocess.run(['dmesg'], capture_output=True).returncode == 0",
}
PROBES = WRITES | READS | CALLS | SOCKETS | POWERS
