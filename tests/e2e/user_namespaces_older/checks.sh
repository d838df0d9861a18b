# Pods with users of their own, whose images and files are on a disk.

busybox=localhost/images:busybox
# The machine's kernel has no modules loaded for bridges.
export FAIRING_NET=none
root=/sys/fs/cgroup

processes() {
    [ "$(wc -l < "$1/cgroup.procs")" = "$2" ]
}

# Starts a pod of one app `app` that sleeps, and gives its UUID.
sleeper() {
    fairing run --userns=auto --detach "$busybox" --app-name app "$@" --exec /bin/sleep -- 1000
}

first_id() {
    fairing status "$1" | sed -n 's/^userns=0-\([0-9]*\)-65536$/\1/p'
}

in_pod() {
    fairing run --userns=auto --rm "$busybox" --exec /bin/sh -- -c "$1"
}

check_root_is_nobody_on_the_host() {
    uuid=$(sleeper)
    first=$(first_id "$uuid")
    app=$(cat "$root/fairing-$uuid/app/cgroup.procs")
    equal "$(stat -c %u "/proc/$app")" "$first"
    equal "$(readlink /disk/fairing/userns/"$first")" "$uuid"
}

check_layers_and_changes() {
    in_pod 'stat -c %u:%g / /bin/busybox /home/user /dev /etc
        touch /home/user/new /etc/new && chown 1000:33 /etc/new && stat -c %u:%g /etc/new
        cat /etc/hostname > /dev/null && echo > /dev/null && ls /sys/class > /dev/null && echo fine' > /tmp/out
    equal "$(tr '\n' ' ' < /tmp/out)" '0:0 0:0 1000:1000 0:0 0:0 1000:33 fine '
    fairing image verify "$busybox"
}

check_processes_are_in_their_cgroups() {
    uuid=$(sleeper --memory 64m)
    processes "$root/fairing-$uuid/app" 1
    processes "$root/fairing-$uuid/_init" 1
    equal "$(fairing enter "$uuid" -- cat /proc/self/cgroup)" '0::/'
    equal "$(fairing enter "$uuid" -- cat /sys/fs/cgroup/memory.max)" 67108864
}

check_enter() {
    uuid=$(sleeper)
    equal "$(fairing enter "$uuid" -- id -u)" 0
    code 9 fairing enter "$uuid" -- sh -c 'exit 9'
    fairing enter "$uuid" -- sleep 1000 &
    await processes "$root/fairing-$uuid/app" 2
    fairing stop --force "$uuid"
    wait
}

check_out_of_memory() {
    fairing run --userns=auto --uuid-file-save /tmp/uuid "$busybox" --memory 16m --exec /bin/tail \
        -- /dev/zero && return 1
    contains "$(fairing status --format json "$(cat /tmp/uuid)")" '"oom-killed": true'
}

check_what_is_left_is_killed() {
    uuid=$(fairing run --userns=auto --detach --lifetime=until-stopped "$busybox" --app-name app \
        --exec /bin/sh -- -c 'sleep 1000 & sleep 1000 & exit 0')
    await processes "$root/fairing-$uuid/app" 0
    fairing stop --force "$uuid"
}

check_volumes() {
    mkdir /disk/volume
    fairing run --userns=auto --rm "$busybox" -v /disk/volume:/data --exec /bin/sh -- -c 'touch /data/x; chown 1000 /data/x'
    equal "$(stat -c %u /disk/volume/x)" 1000
    # A directory in memory, which this kernel can't map.
    mkdir -p /tmp/volume
    code 125 fairing run --userns=auto --rm "$busybox" -v /tmp/volume:/data --exec /bin/true 2> /tmp/err
    contains "$(cat /tmp/err)" tmpfs
    contains "$(cat /tmp/err)" noidmap
    fairing run --userns=auto --rm "$busybox" -v /tmp/volume:/data:noidmap --exec /bin/true
    fairing run --userns=auto --rm "$busybox" --tmpfs /data --exec /bin/touch -- /data/x
}

check_memory_is_no_place_for_images() {
    export FAIRING_DIR=/tmp/fairing
    fairing fetch oci:/images:busybox
    code 125 fairing run --userns=auto --rm "$busybox" --exec /bin/true 2> /tmp/err
    contains "$(cat /tmp/err)" tmpfs
    contains "$(cat /tmp/err)" --userns=host
    fairing run --userns=host --rm "$busybox" --exec /bin/true
    # Nobody has asked for users of its own.
    fairing run --rm "$busybox" --exec /bin/cat -- /proc/self/uid_map > /tmp/map 2> /tmp/err
    contains "$(cat /tmp/map)" 4294967295
    contains "$(cat /tmp/err)" "root on the host, since the data directory is on tmpfs"
}

check_a_kernel_that_makes_none() {
    most=/proc/sys/user/max_user_namespaces
    before=$(cat "$most")
    echo 0 > "$most"
    fairing run --rm "$busybox" --exec /bin/cat -- /proc/self/uid_map > /tmp/map 2> /tmp/err
    contains "$(cat /tmp/map)" 4294967295
    contains "$(cat /tmp/err)" "root on the host, since this kernel makes no user namespaces"
    code 125 fairing run --userns=auto --rm "$busybox" --exec /bin/true 2> /tmp/err
    contains "$(cat /tmp/err)" --userns=host
    echo "$before" > "$most"
}

check_nothing_is_left() {
    fairing gc --grace-period=0s
    [ -z "$(ls /run/fairing/pods /disk/fairing/pods/run /disk/fairing/userns | grep -v :)" ]
    [ -z "$(find "$root" -type d -name 'fairing-*-*')" ]
    ! ps -o args | grep -E '[p]od-init|[s]tage1-nspawn|[s]leep 1000'
}

mount -t cgroup2 cgroup2 "$root"
dd if=/dev/zero of=/tmp/disk bs=1M count=128 2> /dev/null
mke2fs -F /tmp/disk > /dev/null 2>&1
mkdir /disk
mknod /dev/loop0 b 7 0 2> /dev/null
losetup /dev/loop0 /tmp/disk && mount -t ext4 /dev/loop0 /disk || echo 'no disk'
export FAIRING_DIR=/disk/fairing
fairing fetch oci:/images:busybox > /tmp/fetched 2>&1 || cat /tmp/fetched
