# The host's cgroups, and layers on a kernel without `lowerdir+`.

busybox=localhost/images:busybox
# The machine's kernel has no modules loaded for bridges.
export FAIRING_NET=none
root=/sys/fs/cgroup

# Whether so many processes are in a cgroup. Files of cgroups have no size.
processes() {
    [ "$(wc -l < "$1/cgroup.procs")" = "$2" ]
}

# A number of the pod's status.
number() {
    fairing status --format json "$1" | sed -n "s/.*\"$2\": *\([0-9]*\).*/\1/p" | head -n 1
}

# Starts a pod of one app `app` that sleeps, and gives its UUID.
sleeper() {
    fairing run --detach "$busybox" --app-name app "$@" --exec /bin/sleep -- 1000
}

pod_cgroups() {
    find "$root" -type d -name 'fairing-*-*'
}

no_pod_cgroups() {
    [ -z "$(pod_cgroups)" ]
}

# Processes that only pods have.
no_pod_processes() {
    ! ps -o args | grep -E '[p]od-init|[s]tage1-|[s]leep 1000'
}

mounts_of_host() {
    # The first fields are numbers that differ from mount to mount.
    cut -d ' ' -f 5- /proc/self/mountinfo | sort
}

check_version_2_only() {
    equal "$(grep -c 'cgroup' /proc/mounts)" 1
    contains "$(cat /proc/mounts)" "$root cgroup2"
    contains "$(cat "$root/cgroup.controllers")" memory
}

check_output_and_exit_code() {
    code 7 fairing run --rm "$busybox" --exec /bin/sh -- -c 'echo out; echo err >&2; exit 7' \
        > /tmp/out 2> /tmp/err
    equal "$(cat /tmp/out)" out
    grep -qx err /tmp/err
    code 143 fairing run --rm "$busybox" --exec /bin/sh -- -c 'kill -TERM $$'
    code 127 fairing run --rm "$busybox" --exec /bin/nothing
    no_pod_cgroups
}

check_limits() {
    uuid=$(sleeper --memory 64m --cpus 0.5 --pids-limit 20 --cpu-shares 512)
    app=$root/fairing-$uuid/app
    equal "$(cat "$app/memory.max")" 67108864
    equal "$(cat "$app/cpu.max")" '50000 100000'
    equal "$(cat "$app/pids.max")" 20
    # What runc and crun make of 512 shares.
    equal "$(cat "$app/cpu.weight")" 59
    # Swap is no way around the limit.
    [ ! -e "$app/memory.swap.max" ] || equal "$(cat "$app/memory.swap.max")" 0
}

check_further_limits() {
    uuid=$(sleeper --memory 64m --memory-swap 96m --memory-reservation 32m \
        --cpu-period 20000 --cpu-quota 10000 --cpuset-cpus 0 --hugetlb 2MB=4m)
    app=$root/fairing-$uuid/app
    [ ! -e "$app/memory.swap.max" ] || equal "$(cat "$app/memory.swap.max")" 33554432
    equal "$(cat "$app/memory.low")" 33554432
    equal "$(cat "$app/cpu.max")" '10000 20000'
    equal "$(cat "$app/cpuset.cpus")" 0
    equal "$(cat "$app/hugetlb.2MB.max")" 4194304
    # What the kernel hands on only if asked, other pods don't have.
    other=$(sleeper)
    [ ! -e "$root/fairing-$other/app/cpuset.cpus" ]
    contains "$(fairing run --rm "$busybox" --device-read-bps /dev/null:1m 2>&1)" 'not a block device'
    contains "$(fairing run --rm "$busybox" --memory-swappiness 7 2>&1)" 'no swappiness of their own'
}

check_limits_of_disks() {
    uuid=$(sleeper --device-read-bps /dev/loop0:1mb --device-write-iops /dev/loop0:100)
    app=$root/fairing-$uuid/app
    contains "$(cat "$app/io.max")" '7:0 rbps=1048576 wbps=max riops=max wiops=100'
}

check_limits_of_a_pod() {
    uuid=$(fairing run --detach --pod-memory 64m --pod-cpus 1.5 --pod-pids-limit 20 \
        --pod-cpu-shares 2048 "$busybox" --app-name app --exec /bin/sleep -- 1000)
    pod=$root/fairing-$uuid
    equal "$(cat "$pod/memory.max")" 67108864
    equal "$(cat "$pod/cpu.max")" '150000 100000'
    equal "$(cat "$pod/pids.max")" 20
    [ "$(cat "$pod/cpu.weight")" -gt 100 ]
    code 137 fairing run --rm --pod-memory 16m "$busybox" --exec /bin/tail -- /dev/zero \
        2> /tmp/err
    contains "$(cat /tmp/err)" 'out of memory'
}

check_limits_that_change() {
    uuid=$(sleeper --memory 64m)
    app=$root/fairing-$uuid/app
    fairing update "$uuid" --memory 128m --cpus .5 --cpuset-cpus 0 --pod-memory 256m
    equal "$(cat "$app/memory.max")" 134217728
    equal "$(cat "$app/cpu.max")" '50000 100000'
    # A controller that was not there before is handed on to what runs.
    equal "$(cat "$app/cpuset.cpus")" 0
    equal "$(cat "$root/fairing-$uuid/memory.max")" 268435456
    contains "$(fairing update "$uuid" --memory 4k 2>&1)" 'in use'
    equal "$(cat "$app/memory.max")" 134217728
}

check_pause_and_resume() {
    uuid=$(sleeper)
    app=$root/fairing-$uuid/app
    fairing pause "$uuid"
    contains "$(cat "$app/cgroup.events")" 'frozen 1'
    contains "$(fairing ps)" paused
    contains "$(fairing enter "$uuid" -- /bin/true 2>&1)" 'is paused'
    fairing unpause "$uuid"
    contains "$(cat "$app/cgroup.events")" 'frozen 0'
    fairing pause "$uuid"
    fairing kill "$uuid"
    await no_pod_cgroups
}

check_figures() {
    uuid=$(sleeper --memory 64m)
    fairing stats --no-stream --interval 200ms "$uuid" > /tmp/out
    contains "$(cat /tmp/out)" '64.0 MiB'
    [ "$(fairing stats --no-stream --interval 200ms --format '{{.PIDs}}')" = 1 ]
    # Disks are counted from the first look on.
    [ -e "$root/fairing-$uuid/app/io.stat" ]
}

check_devices() {
    script='(exec 3< /dev/x) 2>/dev/null && echo read
        (exec 3> /dev/x) 2>/dev/null && echo written
        echo x > /dev/null && echo null'
    in_app() {
        fairing run --rm "$busybox" "$@" --exec /bin/sh -- -c "$script" | tr '\n' ' '
    }
    equal "$(in_app --device /dev/loop-control:/dev/x)" 'read written null '
    equal "$(in_app --device /dev/loop-control:/dev/x:r)" 'read null '
    equal "$(in_app --device /dev/loop-control:/dev/x:w)" 'written null '
    # A rule opens what a node alone does not.
    equal "$(in_app --device /dev/loop-control:/dev/x:r --device-cgroup-rule 'b 10:237 w')" 'read null '
    equal "$(in_app --device /dev/loop-control:/dev/x:r --device-cgroup-rule 'c 10:* w')" 'read written null '
}

check_no_limits() {
    uuid=$(sleeper)
    app=$root/fairing-$uuid/app
    equal "$(cat "$app/memory.max")" max
    equal "$(cat "$app/pids.max")" 2048
    equal "$(cat "$app/cpu.weight")" 100
}

check_limit_of_processes() {
    fairing run --rm "$busybox" --pids-limit 4 --exec /bin/sh \
        -- -c 'for n in 1 2 3 4 5 6; do sleep 1 & done; wait' > /tmp/out 2>&1 || true
    cat /tmp/out
    contains "$(cat /tmp/out)" "can't fork"
}

check_own_cgroup_is_shown_for_reading() {
    fairing run --rm "$busybox" --memory 32m --exec /bin/sh -- -c 'exec 2>&1
        cat /proc/self/cgroup
        cat /sys/fs/cgroup/memory.max
        wc -l < /sys/fs/cgroup/cgroup.procs
        grep cgroup /proc/mounts
        mkdir /sys/fs/cgroup/below
        echo max > /sys/fs/cgroup/memory.max
        ls /sys/fs/cgroup/.. | grep -c fairing
        :' > /tmp/out
    cat /tmp/out
    equal "$(sed -n 1p /tmp/out)" '0::/'
    equal "$(sed -n 2p /tmp/out)" 33554432
    equal "$(sed -n 3p /tmp/out)" 2
    contains "$(sed -n 4p /tmp/out)" 'cgroup2 ro,'
    contains "$(sed -n 5p /tmp/out)" 'Read-only file system'
    contains "$(sed -n 6p /tmp/out)" 'Read-only file system'
    equal "$(sed -n 7p /tmp/out)" 0
}

check_processes_are_in_their_cgroups() {
    uuid=$(fairing run --detach "$busybox" --app-name one --exec /bin/sleep -- 1000 \
        --- "$busybox" --app-name two --exec /bin/sh -- -c 'sleep 1000 & sleep 1000; :')
    pod=$root/fairing-$uuid
    equal "$(cat "$pod/cgroup.procs")" ''
    equal "$(cat "$pod/_init/cgroup.procs")" "$(number "$uuid" init-pid)"
    processes "$pod/one" 1
    contains "$(tr '\0' ' ' < "/proc/$(cat "$pod/one/cgroup.procs")/cmdline")" 'sleep 1000'
    await processes "$pod/two" 3
    # What is looked for after other checks is found where it is.
    if no_pod_processes || no_pod_cgroups; then return 1; fi
    # The monitor stays where the command was started.
    equal "$(cat "/proc/$(number "$uuid" monitor-pid)/cgroup")" '0::/'
    fairing stop "$uuid" --force
    await no_pod_cgroups
    await no_pod_processes
}

check_enter() {
    uuid=$(sleeper --memory 48m)
    equal "$(fairing enter "$uuid" -- cat /proc/self/cgroup)" '0::/'
    equal "$(fairing enter "$uuid" -- cat /sys/fs/cgroup/memory.max)" 50331648
    equal "$(fairing enter "$uuid" -- readlink /proc/self/ns/cgroup)" \
        "$(readlink "/proc/$(cat "$root/fairing-$uuid/app/cgroup.procs")/ns/cgroup")"
    code 9 fairing enter "$uuid" -- sh -c 'exit 9'
    fairing enter "$uuid" -- sleep 1000 &
    await processes "$root/fairing-$uuid/app" 2
    fairing stop --force "$uuid"
    wait
    await no_pod_cgroups
}

check_out_of_memory() {
    # Reads zeros as one line, which it keeps.
    fairing run --uuid-file-save /tmp/uuid "$busybox" --memory 16m --exec /bin/tail \
        -- /dev/zero && return 1
    fairing status --format json "$(cat /tmp/uuid)" > /tmp/out
    cat /tmp/out
    contains "$(cat /tmp/out)" '"signal": 9'
    contains "$(cat /tmp/out)" '"oom-killed": true'
}

check_killed_by_another() {
    fairing run --uuid-file-save /tmp/uuid "$busybox" --memory 16m --exec /bin/sh \
        -- -c 'kill -KILL $$' && return 1
    fairing status --format json "$(cat /tmp/uuid)" > /tmp/out
    cat /tmp/out
    contains "$(cat /tmp/out)" '"signal": 9'
    contains "$(cat /tmp/out)" '"oom-killed": false'
}

check_killed_long_after_a_child() {
    # The nap lets the kernel finish with the child.
    fairing run --uuid-file-save /tmp/uuid "$busybox" --memory 16m --exec /bin/sh \
        -- -c 'tail /dev/zero; sleep 1; kill -KILL $$' && return 1
    fairing status --format json "$(cat /tmp/uuid)" > /tmp/out
    cat /tmp/out
    contains "$(cat /tmp/out)" '"signal": 9'
    contains "$(cat /tmp/out)" '"oom-killed": false'
}

check_killed_monitor() {
    mounts_of_host > /tmp/mounts
    uuid=$(fairing run --detach "$busybox" --app-name app --memory 64m --exec /bin/sh \
        -- -c 'sleep 1000 & setsid sleep 1000 & sleep 1000; :')
    other=$(sleeper)
    await processes "$root/fairing-$uuid/app" 4
    kill -KILL "$(number "$uuid" monitor-pid)"
    await processes "$root/fairing-$uuid/app" 0
    await processes "$root/fairing-$uuid/_init" 0
    fairing gc --grace-period=0s
    [ ! -e "$root/fairing-$uuid" ]
    # The other one was left alone.
    processes "$root/fairing-$other/app" 1
    mounts_of_host | cmp - /tmp/mounts
    fairing stop --force "$other"
    await no_pod_processes
    await no_pod_cgroups
    [ -z "$(ls /run/fairing/pods)" ]
}

check_killed_pod_init() {
    uuid=$(sleeper)
    kill -KILL "$(number "$uuid" init-pid)"
    await no_pod_processes
    await no_pod_cgroups
}

flying() {
    fairing run --detach --stage1=fly --net=host "$busybox" --app-name app --exec /bin/sh \
        -- -c 'sleep 1000 & setsid sleep 1000 & (setsid sleep 1000 &); sleep 1000; :'
}

# An app without a pid namespace, whose cgroup tells what is its.
check_fly() {
    mounts_of_host > /tmp/mounts
    code 7 fairing run --rm --stage1=fly --net=host --memory 64m "$busybox" --app-name app \
        --exec /bin/sh -- -c 'cat /proc/self/cgroup; sleep 1000 & exit 7' > /tmp/out
    contains "$(cat /tmp/out)" '0::/fairing-'
    await no_pod_processes
    for whose in monitor-pid init-pid; do
        uuid=$(flying)
        await processes "$root/fairing-$uuid/app" 5
        kill -KILL "$(number "$uuid" "$whose")"
        await no_pod_processes
    done
    uuid=$(flying)
    await processes "$root/fairing-$uuid/app" 5
    fairing stop --force "$uuid"
    no_pod_processes
    fairing gc --grace-period=0s
    no_pod_cgroups
    mounts_of_host | cmp - /tmp/mounts
}

check_fly_with_nobody_left() {
    uuid=$(flying)
    await processes "$root/fairing-$uuid/app" 5
    kill -KILL "$(number "$uuid" init-pid)" "$(number "$uuid" monitor-pid)"
    fairing gc --grace-period=0s
    no_pod_processes
    no_pod_cgroups
    [ -z "$(ls /run/fairing/pods)" ]
}

# A command that was started in a cgroup which was not handed over for that: the pod is below the
# root of the hierarchy.
check_cgroup_that_was_not_delegated() {
    mkdir "$root/plain"
    uuid=$(sh -c "echo 0 > $root/plain/cgroup.procs; $(sleeper_line)")
    [ -d "$root/fairing-$uuid/app" ]
    equal "$(cat "/proc/$(number "$uuid" monitor-pid)/cgroup")" '0::/plain'
    fairing stop --force "$uuid"
    await rmdir "$root/plain"
}

sleeper_line() {
    echo "fairing run --detach $busybox --app-name app --memory 64m --exec /bin/sleep -- 1000"
}

# What a service manager does for a service with `Delegate=yes`, and the service runs a pod.
delegated() {
    service=$root/system.slice/$1
    mkdir -p "$service"
    echo '+memory +cpu +pids' > "$root/cgroup.subtree_control"
    echo '+memory +cpu +pids' > "$root/system.slice/cgroup.subtree_control"
    setfattr -n "$1.delegate" -v 1 "$service"
}

check_delegated_cgroup() {
    delegated trusted
    # The service is the command itself.
    sh -c "echo 0 > $service/cgroup.procs; exec fairing run --name served $busybox --app-name app \
        --memory 64m --exec /bin/sleep -- 1000" &
    await served_is_there
    equal "$(cat "$service"/fairing-*-*/app/memory.max)" 67108864
    equal "$(cat "$service/cgroup.procs")" ''
    fairing stop --force served
    wait
    no_pod_cgroups
}

served_is_there() {
    processes "$(echo "$service"/fairing-*-*/app)" 1
}

check_delegated_cgroup_with_a_shell_in_it() {
    delegated user
    # The service is a shell, that runs one pod after the other and stays.
    sh -c "echo 0 > $service/cgroup.procs; $(sleeper_line); $(sleeper_line); :" > /tmp/out
    for uuid in $(cat /tmp/out); do
        [ -d "$service/fairing-$uuid/app" ]
        processes "$service/fairing-$uuid/app" 1
    done
    equal "$(wc -l < /tmp/out)" 2
    fairing stop --force $(cat /tmp/out)
    await no_pod_cgroups
}

check_layers() {
    fairing run --rm localhost/images:layers --exec /bin/sh -- -c 'exec 2>&1
        cat /kept /replaced
        ls /removed
        ls /emptied
        echo new > /kept && cat /kept
        rm /replaced && ls /replaced' > /tmp/out || true
    cat /tmp/out
    equal "$(sed -n 1p /tmp/out)" base
    equal "$(sed -n 2p /tmp/out)" top
    contains "$(sed -n 3p /tmp/out)" 'No such file'
    equal "$(sed -n 4p /tmp/out)" fresh
    equal "$(sed -n 5p /tmp/out)" new
    contains "$(sed -n 6p /tmp/out)" 'No such file'
    equal "$(wc -l < /tmp/out)" 6
}

many_layers() {
    fairing run --rm "localhost/images:layers-$1" --exec /bin/sh \
        -- -c 'cat /number; ls /layers | wc -l; cat /layers/1' > /tmp/out
    cat /tmp/out
    equal "$(sed -n 1p /tmp/out)" "$1"
    equal "$(sed -n 2p /tmp/out)" "$1"
    equal "$(sed -n 3p /tmp/out)" 1
}

check_image_of_30_layers() {
    many_layers 30
}

# More than fit into the one page that mount(2) takes, if each were named by its digest.
check_image_of_120_layers() {
    many_layers 120
}

# Among the descriptors of pod init there is one of a cgroup folder.
check_working_directories_stay_inside() {
    for number in 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
        stays_inside "/proc/1/fd/$number"
    done
    stays_inside /proc/1/root
    stays_inside /proc/1/fd/9/../../../../..
    uuid=$(fairing run --detach "$busybox" --app-name app --workdir /w --exec /bin/sh \
        -- -c 'cd /; rmdir /w; ln -s /proc/1/root /w; sleep 1000; :')
    app=$(head -n 1 "$root/fairing-$uuid/app/cgroup.procs")
    await test -L "/proc/$app/root/w"
    found=0
    fairing enter "$uuid" -- sh -c "$where" > /tmp/out 2> /tmp/err || found=$?
    is_inside
    fairing stop --force "$uuid"
}

# The kernel's way up from the working directory ends at the app's root.
where='ls -a . ..; up=../../../../../../../../..; ls -a $up
    [ "$(stat -c %d:%i $up)" = "$(stat -c %d:%i /)" ]'

stays_inside() {
    found=0
    fairing run --rm "$busybox" --workdir "$1" --exec /bin/sh -- -c "$where" \
        > /tmp/out 2> /tmp/err || found=$?
    is_inside
}

# Either it ran inside, or it did not run at all and one line says why.
is_inside() {
    cat /tmp/out /tmp/err
    if [ "$found" != 0 ]; then
        equal "$found" 125
        equal "$(grep -c '^fairing: ' /tmp/err)" 1
        [ ! -s /tmp/out ]
    fi
    if grep -E 'mount-points|cgroup\.procs' /tmp/out; then return 1; fi
}

check_nothing_is_left() {
    await no_pod_cgroups
    await no_pod_processes
    fairing list
    [ -z "$(ls /run/fairing/pods)" ]
    for phase in prepare prepared run garbage; do
        [ -z "$(ls "/var/lib/fairing/pods/$phase" 2> /dev/null)" ]
    done
    mounts_of_host | cmp - /tmp/mounts-at-start
}

mount -t cgroup2 cgroup2 "$root"
mounts_of_host > /tmp/mounts-at-start
for tag in busybox layers layers-30 layers-120; do
    fairing fetch "oci:/images:$tag" > /tmp/fetched 2>&1 || cat /tmp/fetched
done
