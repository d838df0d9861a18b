# What apps may do, in pods with the host's users and with their own.

busybox=localhost/images:busybox
# The machine's kernel has no modules loaded for bridges.
export FAIRING_NET=none

# What a shell says as an app: whose users, flags of the app, and the script last.
told() {
    users=$1
    shift
    for script in "$@"; do :; done
    flags=
    while [ $# -gt 1 ]; do
        flags="$flags $1"
        shift
    done
    fairing run --rm --userns="$users" $pod_flags "$busybox" $flags --exec /bin/sh -- -c "$script" 2> /tmp/err ||
        { cat /tmp/err; return 1; }
}
pod_flags=

check_capabilities() {
    for users in host auto; do
        equal "$(told "$users" --cap-drop=ALL --cap-add=SYS_TIME 'grep CapEff /proc/self/status')" \
            "CapEff:	0000000002000000"
        equal "$(told "$users" --user=app --cap-add=NET_RAW 'grep CapEff /proc/self/status')" \
            "CapEff:	0000000000002000"
        told "$users" --cap-add=SYS_ADMIN 'mount -t tmpfs none /tmp'
    done
    # Root of this machine has them all.
    equal "$(told host --cap-add=ALL 'grep CapEff /proc/self/status')" "$(grep CapEff /proc/self/status)"
}

check_filters() {
    echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28, "includes": {"minKernel": "6.0"}},
        {"names": ["rmdir"], "action": "SCMP_ACT_ERRNO", "includes": {"minKernel": "99.0"}}]}' > /tmp/profile
    for users in host auto; do
        equal "$(told "$users" --seccomp=/tmp/profile 'mkdir /tmp/x 2>&1; rmdir /srv 2>&1; true')" \
            "mkdir: can't create directory '/tmp/x': No space left on device
rmdir: '/srv': No such file or directory"
    done
}

check_limits_are_raised_by_who_may() {
    ulimit -n 1000
    for users in host auto; do
        equal "$(told "$users" --ulimit=nofile=1500:2000 'ulimit -Sn; ulimit -Hn')" "1500
2000"
        equal "$(told "$users" 'ulimit -Hn')" 1000
    done
}

check_scores_are_lowered_by_who_may() {
    equal "$(told host --oom-score-adj=-500 'cat /proc/self/oom_score_adj')" -500
    equal "$(told auto --oom-score-adj=-500 'cat /proc/self/oom_score_adj')" 0
    contains "$(cat /tmp/err)" 'OOM score'
    # The right to it stays with pod init.
    equal "$(told host --oom-score-adj=-500 'grep CapBnd /proc/self/status')" \
        "$(told host 'grep CapBnd /proc/self/status')"
}

check_read_only_roots_and_guards() {
    for users in host auto; do
        equal "$(told "$users" --read-only 'for at in / /etc /tmp /run /var/tmp; do
            touch $at/x 2> /dev/null && echo $at; done; true')" "/tmp
/run
/var/tmp"
        equal "$(told "$users" --security-opt=mask=/etc/passwd --security-opt=unmask=/proc/interrupts \
            'wc -c < /etc/passwd; wc -l < /proc/interrupts | grep -vx 0 > /dev/null && echo seen')" "0
seen"
    done
}

check_kernel_parameters() {
    pod_flags='--sysctl=net.ipv4.ip_forward=1 --sysctl=kernel.shmmni=99 --shm-size=2m'
    for users in host auto; do
        equal "$(told "$users" 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni
            df -k /dev/shm | tail -n 1 | awk "{print \$2}"')" "1
99
2048"
    done
}

check_processes_of_ones_own() {
    for users in host auto; do
        equal "$(told "$users" --pid=private 'echo $$')" 1
    done
    pod_flags='--ipc=host --uts=host'
    equal "$(told host 'readlink /proc/self/ns/ipc; readlink /proc/self/ns/uts')" \
        "$(readlink /proc/self/ns/ipc; readlink /proc/self/ns/uts)"
}

mount -t cgroup2 cgroup2 /sys/fs/cgroup
dd if=/dev/zero of=/tmp/disk bs=1M count=64 2> /dev/null
mke2fs -F /tmp/disk > /dev/null 2>&1
mkdir /disk
mknod /dev/loop0 b 7 0 2> /dev/null
losetup /dev/loop0 /tmp/disk && mount -t ext4 /dev/loop0 /disk || echo 'no disk'
export FAIRING_DIR=/disk/fairing
fairing fetch oci:/images:busybox > /tmp/fetched 2>&1 || cat /tmp/fetched
