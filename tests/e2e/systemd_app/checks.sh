# systemd in pods, whose images and files are on a disk.

busybox=localhost/images:busybox
systemd=localhost/debian:systemd
# The machine's kernel has no modules loaded for bridges.
export FAIRING_NET=none
root=/sys/fs/cgroup

more_of_failure() {
    for pod in $(fairing list --format json | sed -n 's/.*"uuid": *"\([^"]*\)".*/\1/p'); do
        fairing logs "$pod" 2>&1 | tail -n 30
        fairing top "$pod" 2>&1
        fairing enter "$pod" -- /bin/systemctl --no-pager --failed 2>&1
        fairing enter "$pod" -- /bin/journalctl --no-pager 2>&1 | tail -n 80
    done
    find "$root" -name 'fairing-*' -prune -exec find {} -name cgroup.procs \; 2> /dev/null
    dmesg | tail -n 5
}

# Starts a pod that is systemd, with these flags of the pod, and waits until its target is reached.
machine() {
    rm -rf /data/*
    uuid=$(fairing run --detach --name machine "$@" "$systemd" --app-name os --memory 512m \
        -v /data:/data)
    await_within 3000 is_up
}

is_up() {
    equal "$(fairing enter machine -- /bin/systemctl is-active multi-user.target)" active
}

check_it_starts_its_units() {
    machine
    contains "$(fairing status machine)" userns=0-
    equal "$(fairing enter machine -- /bin/systemctl is-active told.service)" active
    equal "$(sed -n 1p /data/started)" 0::/system.slice/told.service
    equal "$(sed -n 2p /data/started)" 0
    equal "$(fairing enter machine -- /bin/cat /tmp/user)" nobody
    fairing enter machine -- /bin/systemctl is-system-running > /tmp/state || true
    equal "$(cat /tmp/state)" running
    is_process_1_and_sees_its_own_alone
}

is_process_1_and_sees_its_own_alone() {
    equal "$(fairing enter machine -- /bin/cat /proc/1/comm)" systemd
    # Neither pod init nor what is mounted for it.
    fairing enter machine -- /bin/sh -c 'cat /proc/[0-9]*/comm' > /tmp/names
    if grep -E 'pod-init|fairing' /tmp/names; then return 1; fi
    equal "$(fairing enter machine -- /bin/grep -c ' /proc proc ' /proc/mounts)" 1
    equal "$(fairing enter machine -- /bin/sh -c 'echo core > /proc/sys/kernel/core_pattern' 2>&1 |
        grep -c 'Read-only')" 1
    # It has more processes than one, and each is the app's.
    fairing top machine > /tmp/top
    grep -q systemd-journ /tmp/top
    equal "$(grep -c ' os ' /tmp/top)" "$(($(wc -l < /tmp/top) - 1))"
}

check_commands_enter_it() {
    machine
    equal "$(fairing enter machine -- /bin/readlink /proc/self/ns/pid)" \
        "$(fairing enter machine -- /bin/readlink /proc/1/ns/pid)"
    code 7 fairing enter machine -- /bin/sh -c 'exit 7'
    fairing enter machine -- /bin/systemctl restart told.service
    contains "$(cat /data/stopped)" 'in order'
    # Pod init goes on starting what is not in it.
    equal "$(fairing enter machine -- /bin/systemd-detect-virt --container)" container-other
    fairing enter machine -- /bin/sleep 1000 &
    await in_commands
    fairing stop --force machine
    wait
    await no_pod_cgroups
}

in_commands() {
    [ "$(wc -l < "$root/fairing-$uuid/os/commands/cgroup.procs")" = 1 ]
}

check_its_cgroups_are_below_its_limits() {
    machine
    app=$root/fairing-$uuid/os
    equal "$(cat "$app/memory.max")" 536870912
    equal "$(cat "$app/cgroup.procs")" ''
    [ -d "$app/services/system.slice/systemd-journald.service" ]
    fairing enter machine -- /bin/sh -c 'exec 2>&1
        ls /sys/fs/cgroup
        mkdir /sys/fs/cgroup/own && echo made
        echo max > /sys/fs/cgroup/memory.max
        cat /sys/fs/cgroup/../memory.max
        :' > /tmp/seen
    grep -qx init.scope /tmp/seen
    grep -qx made /tmp/seen
    equal "$(grep -c 'Permission denied' /tmp/seen)" 1
    equal "$(grep -c 536870912 /tmp/seen)" 0
    equal "$(cat "$app/memory.max")" 536870912
    cgroups_are_bounded
}

# Deeper than paths can be that lead there, and with the longest names: who removes it must get there.
cgroups_are_bounded() {
    fairing enter machine -- /bin/sh -c 'name=$(printf %0250d 7)
        cd /sys/fs/cgroup
        while mkdir $name && cd $name; do :; done
        pwd -P | wc -c' > /tmp/out 2> /tmp/err
    contains "$(cat /tmp/err)" 'temporarily unavailable'
    [ "$(cat /tmp/out)" -gt 1000 ]
    [ "$(cat "$root/fairing-$uuid/os/cgroup.max.descendants")" != max ]
    fairing stop --force machine
    await no_pod_cgroups
}

check_it_stops_in_order() {
    machine
    fairing stop machine
    equal "$(cat /data/stopped)" 'in order'
    fairing status --format json machine > /tmp/out
    cat /tmp/out
    contains "$(cat /tmp/out)" '"code": 0'
    await no_pod_cgroups
    fairing rm machine
}

check_it_starts_again() {
    machine --lifetime=until-stopped
    rm /data/started
    fairing restart machine
    equal "$(cat /data/stopped)" 'in order'
    await_within 3000 is_up
    equal "$(sed -n 1p /data/started)" 0::/system.slice/told.service
    # Nothing of it outlives its monitor.
    kill -KILL "$(fairing status --format json machine |
        sed -n 's/.*"monitor-pid": *\([0-9]*\).*/\1/p')"
    await no_systemd
    fairing gc --grace-period=0s
    no_pod_cgroups
}

no_systemd() {
    ! ps -o args | grep '[s]ystemd'
}

check_with_the_hosts_users() {
    machine --userns=host
    equal "$(fairing enter machine -- /bin/systemctl is-active told.service)" active
    app=$root/fairing-$uuid/os
    fairing enter machine -- /bin/sh -c 'echo max > /sys/fs/cgroup/memory.max' || true
    equal "$(cat "$app/memory.max")" 536870912
    fairing stop machine
    equal "$(cat /data/stopped)" 'in order'
    await no_pod_cgroups
    fairing rm machine
}

check_as_any_other_program() {
    code 1 fairing run --rm "$systemd" --systemd=false > /tmp/out 2>&1
    cat /tmp/out
    contains "$(cat /tmp/out)" 'Explicit --user argument required'
}

check_another_program_as_systemd() {
    fairing run --rm "$busybox" --systemd=always --exec /bin/sh -- -c 'echo $$
        mkdir /sys/fs/cgroup/own && echo made
        cut -d " " -f 2 /proc/mounts | grep -cE "^/(run|run/lock|tmp|var/log/journal)$"' > /tmp/out
    equal "$(tr '\n' ' ' < /tmp/out)" '1 made 4 '
    # A place that the user has given something is left alone.
    fairing run --rm "$busybox" --systemd=always -v /data:/run --exec /bin/sh \
        -- -c 'grep " /run " /proc/mounts' > /tmp/out
    contains "$(cat /tmp/out)" ext4
}

# What a host of version 1 shows there.
check_without_cgroups_of_version_2() {
    mount -t tmpfs tmpfs "$root"
    found=0
    fairing run --rm "$busybox" --systemd=always --exec /bin/true 2> /tmp/err || found=$?
    fairing prepare "$systemd" > /tmp/uuid 2> /tmp/warned
    umount "$root"
    equal "$found" 125
    contains "$(cat /tmp/err)" 'needs cgroups of version 2'
    contains "$(cat /tmp/err)" '--systemd=false'
    contains "$(cat /tmp/warned)" 'hardly good for anything here'
    fairing cat-manifest "$(cat /tmp/uuid)" > /tmp/manifest
    if grep '"systemd": true' /tmp/manifest; then return 1; fi
    fairing rm "$(cat /tmp/uuid)"
}

no_pod_cgroups() {
    [ -z "$(find "$root" -type d -name 'fairing-*-*')" ]
}

check_nothing_is_left() {
    fairing gc --grace-period=0s
    [ -z "$(ls /run/fairing/pods /disk/fairing/pods/run /disk/fairing/userns | grep -v :)" ]
    no_pod_cgroups
    ! ps -o args | grep -E '[p]od-init|[s]tage1-nspawn|[s]ystemd'
}

mount -t cgroup2 cgroup2 "$root"
truncate -s 800M /tmp/disk
mknod /dev/loop0 b 7 0 2> /dev/null
mke2fs -F /tmp/disk > /dev/null 2>&1
mkdir /disk
losetup /dev/loop0 /tmp/disk && mount -t ext4 /dev/loop0 /disk || echo 'no disk'
mkdir /disk/data
ln -s /disk/data /data
export FAIRING_DIR=/disk/fairing
for image in images:busybox images/debian:systemd; do
    fairing fetch "oci:/$image" > /tmp/fetched 2>&1 || cat /tmp/fetched
done
