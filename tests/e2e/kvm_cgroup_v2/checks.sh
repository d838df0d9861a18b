# The host's cgroups of pods in virtual machines. These would be translated twice here, which takes
# minutes: what the host's side comes to is to be seen before they have booted.

busybox=localhost/images:busybox
export FAIRING_NET=none
root=/sys/fs/cgroup

# Starts a pod of one app in a machine, and waits for its program.
begin() {
    fairing run --rm --name box --stage1=kvm --kvm-kernel="$(echo /kernel/boot/vmlinuz-*)" \
        --kvm-accel=tcg "$@" "$busybox" --app-name app --exec /bin/sleep -- 1000 > /tmp/out 2>&1 &
    await_within 3000 in_its_cgroup
}

in_its_cgroup() {
    pod=$(echo "$root"/fairing-*-*)
    [ "$(machines)" ] && grep -q . "$pod/_init/cgroup.procs"
}

# The processes that run machines.
machines() {
    ps -o pid,args | sed -n 's/^ *\([0-9]*\) .*[q]emu-system-x86_64 .*/\1/p'
}

nothing() {
    [ -z "$(machines)" ] && [ "$(find "$root" -type d -name 'fairing-*-*' | wc -l)" = 0 ]
}

check_limits_of_a_machine() {
    begin --pod-memory=64m --pod-memory-swap=96m --pod-cpus=0.5 --pod-cpu-shares=512 --pod-pids-limit=50
    # The limit, and what the machine's kernel and QEMU take.
    equal "$(cat "$pod/memory.max")" $(((64 + 128 + 256) << 20))
    equal "$(cat "$pod/memory.swap.max")" $((32 << 20))
    equal "$(cat "$pod/cpu.max")" '50000 100000'
    equal "$(cat "$pod/cpu.weight")" 59
    # Those are the pod's own processes, in the machine.
    equal "$(cat "$pod/pids.max")" max
    # What runs the machine is nowhere else, and nobody but the kernel can take it out of there.
    for pid in $(machines); do
        contains "$(cat "/proc/$pid/cgroup")" "0::${pod#"$root"}/_init"
        contains "$(cat "/proc/$pid/status")" 'CapEff:	0000000000000000'
    done
    fairing stop --force box || true
    await nothing
}

check_killed_monitor() {
    begin
    # The machine as it is usual, and QEMU.
    equal "$(cat "$pod/memory.max")" $(((384 + 256) << 20))
    kill -KILL "$(fairing status --format json box | sed -n 's/.*"monitor-pid": *\([0-9]*\).*/\1/p')"
    await no_machines
    fairing gc --grace-period=0s
    await nothing
}

no_machines() {
    [ -z "$(machines)" ]
}

check_nothing_is_left() {
    nothing
    equal "$(fairing list --quiet | wc -l)" 0
}

mount -t cgroup2 cgroup2 "$root"
fairing fetch oci:/images:busybox > /tmp/fetched 2>&1 || cat /tmp/fetched
