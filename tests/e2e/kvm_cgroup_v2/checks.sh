# The host's cgroups of pods in virtual machines, which are translated twice here.

busybox=localhost/images:busybox
export FAIRING_NET=none
root=/sys/fs/cgroup
mount -t cgroup2 cgroup2 "$root"
fairing fetch oci:/images:busybox > /tmp/fetched 2>&1 || cat /tmp/fetched

# Starts a pod of one app in a machine, and gives its UUID.
machine() {
    fairing run --detach --rm --stage1=kvm --kvm-kernel="$(echo /kernel/boot/vmlinuz-*)" --kvm-accel=tcg \
        "$@" "$busybox" --app-name app --exec /bin/sleep -- 1000
}

machines() {
    ps -o pid,args | grep '[q]emu-system'
}

no_machines() {
    ! machines
}

check_limits_of_a_machine() {
    uuid=$(machine --pod-memory=64m --pod-cpus=0.5 --pod-cpu-shares=512)
    pod=$root/fairing-$uuid
    # The limit, and what the machine's kernel and QEMU take.
    equal "$(cat "$pod/memory.max")" $(((64 + 128 + 256) << 20))
    equal "$(cat "$pod/cpu.max")" '50000 100000'
    equal "$(cat "$pod/cpu.weight")" 20
    # It is not among the host's, but in there.
    pid=$(machines | sed 's/^ *//' | cut -d ' ' -f 1)
    contains "$(cat "/proc/$pid/cgroup")" "0::/fairing-$uuid/"
    # In the machine, the app has what was asked for.
    within=$(fairing enter "$uuid" -- /bin/sh -c 'cat /sys/fs/cgroup/cgroup.controllers; uname -s')
    contains "$within" Linux
    fairing update --pod-cpus=1.5 "$uuid"
    equal "$(cat "$pod/cpu.max")" '150000 100000'
    code 125 fairing update --pod-memory=1g "$uuid" 2> /tmp/err
    contains "$(cat /tmp/err)" 'virtual machine has'
    contains "$(fairing stats --no-stream --interval=200ms "$uuid")" app
    fairing stop --force "$uuid"
    await no_machines
    [ ! -e "$pod" ]
}

check_killed_monitor() {
    uuid=$(machine)
    pod=$root/fairing-$uuid
    [ -e "$pod" ]
    kill -KILL "$(fairing status --format json "$uuid" | sed -n 's/.*"monitor-pid": *\([0-9]*\).*/\1/p')"
    await no_machines
    fairing gc --grace-period=0s
    [ ! -e "$pod" ]
}

check_nothing_is_left() {
    no_machines
    equal "$(find "$root" -type d -name 'fairing-*-*' | wc -l)" 0
    equal "$(fairing list --quiet | wc -l)" 0
}
