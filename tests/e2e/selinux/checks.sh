# Labels of SELinux: on a kernel without a policy at first, and then with one that is enforced.

busybox=localhost/images:busybox
# The machine's kernel has no modules loaded for bridges.
export FAIRING_NET=none FAIRING_USERNS=host FAIRING_DIR=/disk/fairing
process=system_u:system_r:container_t:s0
file=system_u:object_r:container_file_t:s0

# What `run` says with these flags: `ran` if the app did.
says() {
    fairing run --rm "$busybox" "$@" --exec /bin/echo -- ran 2>&1 | grep -v 'accepted unsigned'
}

# What a script says in an app with these flags.
app() {
    script=$1
    shift
    fairing run --rm "$busybox" "$@" --exec /bin/sh -- -c "$script" 2>&1 | grep -v 'accepted unsigned'
}

# Starts a pod of one app that sleeps, and gives its UUID.
sleeper() {
    fairing run --detach "$busybox" --app-name app "$@" --exec /bin/sleep -- 1000 2> /dev/null
}

# The label of the main process of a pod.
label_of() {
    pid=$(cat "/sys/fs/cgroup/fairing-$1/app/cgroup.procs")
    tr -d '\0' < "/proc/$pid/attr/current"
}

check_labels_mean_nothing_where_nothing_is_labelled() {
    equal "$(says -v /disk/plain:/data:z -v /usr:/usr:ro,Z)" ran
    equal "$(says --mount type=bind,source=/tmp,target=/data,relabel=shared)" ran
    equal "$(says --security-opt label=type:container_t --security-opt=label=level:s0:c1)" ran
    equal "$(says --security-opt label=nested)" ran
    # A kernel that knows no policy yet labels nothing.
    mount -t selinuxfs selinuxfs /sys/fs/selinux
    equal "$(says --security-opt label=type:container_t)" ran
    # In one piece.
    dd if=/policy of=/sys/fs/selinux/load bs=1M 2> /dev/null
    echo 1 > /sys/fs/selinux/enforce
    equal "$(cat /sys/fs/selinux/enforce)" 1
    # What was unpacked before has labels that apps may not read.
    fairing image rm "$busybox"
    fairing fetch oci:/images:busybox
}

check_an_app_has_the_label_of_its_pod() {
    one=$(sleeper)
    two=$(sleeper)
    first=$(label_of "$one")
    second=$(label_of "$two")
    contains "$first" "$process:c"
    contains "$second" "$process:c"
    [ "$first" != "$second" ]
    pair=${first#"$process:"}
    equal "$(readlink "/disk/fairing/selinux/$pair")" "$one"
    equal "$(fairing enter "$one" -- /bin/cat /proc/self/attr/current | tr -d '\0')" "$first"
    contains "$(fairing status "$one")" "app-app-selinux-label=$first"
    equal "$(fairing inspect --format '{{.ProcessLabel}} {{.MountLabel}}' "$one")" "$first $file:$pair"
    equal "$(app 'cat /proc/self/attr/current' --security-opt label=level:s0:c1,c2 | tr -d '\0')" \
        "$process:c1,c2"
    fairing stop "$one" "$two"
    fairing rm "$one" "$two"
    [ ! -e "/disk/fairing/selinux/$pair" ]
    [ -z "$(ls /disk/fairing/selinux)" ]
}

check_all_that_is_mounted_has_the_label_of_its_files() {
    app 'cat /proc/self/mounts' --tmpfs /memory --security-opt label=level:s0:c3,c4 > /tmp/mounts
    for place in / /dev /dev/pts /dev/shm /memory /etc/hosts; do
        contains "$(grep " $place " /tmp/mounts)" "context=\"$file:c3,c4\""
    done
    equal "$(app 'for place in / /dev/shm /memory /volume; do echo x > $place/file; done
        : > /dev/mqueue/file; ls /dev/mqueue; cat /volume/file; hostname > /dev/null && cat /etc/hosts > /dev/null && echo fine' \
        --tmpfs /memory -v /volume | tr '\n' ' ')" 'file x fine '
}

check_pods_can_not_use_each_others_files() {
    mkdir -p /disk/data
    echo private > /disk/data/file
    contains "$(app 'cat /data/file' -v /disk/data:/data)" 'Permission denied'
    first=$(sleeper -v /disk/data:/data:Z)
    equal "$(fairing enter "$first" -- /bin/cat /data/file)" private
    contains "$(app 'cat /data/file' -v /disk/data:/data)" 'Permission denied'
    # Who asks for them gets them, and the other has lost them.
    equal "$(app 'cat /data/file; echo more > /data/more' \
        --mount type=bind,source=/disk/data,target=/data,relabel=private)" private
    contains "$(fairing enter "$first" -- /bin/cat /data/file 2>&1)" 'Permission denied'
    equal "$(app 'cat /data/file /data/more' -v /disk/data:/data:z | tr '\n' ' ')" 'private more '
    equal "$(app 'cat /data/file' -v /disk/data:/data)" private
    equal "$(fairing enter "$first" -- /bin/cat /data/more)" more
    # Nor can they touch each other's processes.
    pid=$(cat "/sys/fs/cgroup/fairing-$first/app/cgroup.procs")
    [ -d "/proc/$pid" ]
}

check_named_volumes_are_for_all_pods() {
    equal "$(app 'echo text > /data/file' -v named:/data)" ''
    equal "$(app 'cat /data/file' -v named:/data)" text
    equal "$(app 'ls /data' -v copied:/bin | wc -l)" 1
    equal "$(app 'echo own > /data/file' -v named:/data:Z --security-opt label=level:s0:c5,c6)" ''
    contains "$(app 'cat /data/file' -v named:/data)" 'Permission denied'
    equal "$(app 'cat /data/file' -v named:/data --security-opt label=level:s0:c5,c6)" own
    equal "$(app 'cat /data/file' -v named:/data:z)" own
    tar cf /tmp/archive -C /disk/data file
    fairing volume import imported /tmp/archive
    equal "$(app 'cat /data/file' -v imported:/data)" private
}

check_files_of_images_can_be_read() {
    equal "$(app 'ls /image/bin/busybox' --mount "type=image,source=$busybox,target=/image")" \
        /image/bin/busybox
    equal "$(app '/image/busybox echo fine' \
        --mount "type=image,source=$busybox,target=/image,subpath=bin")" fine
}

check_other_labels_are_had_by_name() {
    equal "$(app 'cat /proc/self/attr/current' --security-opt label=type:special_t \
        --security-opt label=filetype:special_file_t --security-opt label=level:s0:c7 | tr -d '\0')" \
        system_u:system_r:special_t:s0:c7
    contains "$(app 'cat /proc/self/attr/current' --security-opt label=disable | tr -d '\0')" machine_t
    contains "$(says --security-opt label=type:unknown_t)" \
        'its policy does not know the label system_u:system_r:unknown_t:s0'
    contains "$(says --security-opt label=nested)" 'not there yet'
    mkdir -p /etc/fairing/config.d
    printf '[selinux]\nprocess-type = "special_t"\nfile-type = "special_file_t"\n' \
        > /etc/fairing/config.d/selinux.toml
    contains "$(app 'cat /proc/self/attr/current' | tr -d '\0')" :special_t:s0:c
    printf '[selinux]\nprocess-type = "unknown_t"\n' > /etc/fairing/config.d/selinux.toml
    contains "$(says)" 'unknown_t:s0; install a policy for containers'
    contains "$(fairing doctor --quiet)" 'the policy knows none for containers'
    printf '[selinux]\nenabled = false\n' > /etc/fairing/config.d/selinux.toml
    contains "$(app 'cat /proc/self/attr/current' | tr -d '\0')" machine_t
    rm /etc/fairing/config.d/selinux.toml
    # What the policy installed says of containers.
    mkdir -p /etc/selinux/own/contexts
    echo SELINUXTYPE=own > /etc/selinux/config
    printf 'process = "system_u:system_r:special_t:s0"\nfile = "system_u:object_r:special_file_t:s0"\n' \
        > /etc/selinux/own/contexts/lxc_contexts
    contains "$(app 'cat /proc/self/attr/current' | tr -d '\0')" :special_t:s0:c
    rm -r /etc/selinux
}

check_what_the_system_needs_keeps_its_label() {
    mkdir -p /home/user
    ln -sfn /etc /disk/link
    for place in / /etc /usr /home/user /disk/link; do
        contains "$(says -v "$place:/data:Z")" 'is not changed: the system needs it'
    done
    contains "$(says -v /proc/1/comm:/data:z)" 'cannot give the SELinux label'
    [ -z "$(ls /disk/fairing/selinux)" ]
}

check_a_pod_with_users_of_its_own_has_labels_too() {
    export FAIRING_USERNS=auto
    app 'cat /proc/self/attr/current; cat /proc/self/mounts' --tmpfs /memory \
        --security-opt label=level:s0:c3,c4 | tr -d '\0' > /tmp/mounts
    contains "$(cat /tmp/mounts)" "$process:c3,c4"
    for place in / /dev /dev/pts /dev/shm /memory /etc/hosts; do
        contains "$(grep " $place " /tmp/mounts)" "context=\"$file:c3,c4\""
    done
    equal "$(app 'for place in / /dev/shm /memory /volume; do echo x > $place/file; done
        : > /dev/mqueue/file; ls /dev/mqueue; cat /volume/file' --tmpfs /memory -v /volume | tr '\n' ' ')" 'file x '
    equal "$(app 'cat /data/file' -v imported:/data)" private
    equal "$(app 'ls /image/bin/busybox' --mount "type=image,source=$busybox,target=/image")" \
        /image/bin/busybox
    pod=$(sleeper)
    equal "$(fairing enter "$pod" -- /bin/cat /proc/self/attr/current | tr -d '\0')" "$(label_of "$pod")"
}

# Whether so many processes are in the app of a pod.
has_processes() {
    [ "$(wc -l < "/sys/fs/cgroup/fairing-$1/app/cgroup.procs")" = "$2" ]
}

check_a_command_has_its_label_whatever_the_app_mounts_over() {
    script='mount -t tmpfs none /proc; mkdir -p /proc/thread-self/attr
        : > /proc/thread-self/attr/exec; : > /dev/done; exec /bin/sleep 1000'
    pod=$(fairing run --insecure-options=capabilities,seccomp,paths --detach "$busybox" --app-name app \
        --security-opt label=type:special_t --security-opt label=filetype:special_file_t \
        --exec /bin/sh -- -c "$script" 2> /dev/null)
    await fairing enter "$pod" -- /bin/ls /dev/done /proc/thread-self/attr/exec
    fairing enter "$pod" -- /bin/sleep 999 &
    await has_processes "$pod" 2
    for process in $(cat "/sys/fs/cgroup/fairing-$pod/app/cgroup.procs"); do
        contains "$(tr -d '\0' < "/proc/$process/attr/current")" :special_t:s0:c
    done
}

check_an_app_that_joins_has_the_label_of_the_pod() {
    pod=$(fairing run --detach --lifetime=until-stopped "$busybox" --app-name app --exec /bin/sleep -- 1000 2> /dev/null)
    label=$(label_of "$pod")
    fairing app add "$pod" "$busybox" --app-name joined --exec /bin/sleep -- 1000
    fairing app start "$pod" joined
    equal "$(fairing enter --app joined "$pod" -- /bin/cat /proc/self/attr/current | tr -d '\0')" "$label"
}

check_a_killed_start_gives_up_its_categories() {
    fairing prepare "$busybox" --exec /bin/true > /tmp/prepared 2> /dev/null
    uuid=$(cat /tmp/prepared)
    equal "$(ls /disk/fairing/selinux | wc -l)" 1
    rm -r "/disk/fairing/pods/prepared/$uuid"
    fairing gc --grace-period=0s
    [ -z "$(ls /disk/fairing/selinux)" ]
}

mount -t cgroup2 cgroup2 /sys/fs/cgroup
dd if=/dev/zero of=/tmp/disk bs=1M count=128 2> /dev/null
mke2fs -F /tmp/disk > /dev/null 2>&1
mkdir /disk
mknod /dev/loop0 b 7 0 2> /dev/null
losetup /dev/loop0 /tmp/disk && mount -t ext4 /dev/loop0 /disk || echo 'no disk'
mkdir /disk/plain
fairing fetch oci:/images:busybox > /tmp/fetched 2>&1 || cat /tmp/fetched
