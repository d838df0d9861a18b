# Words of docker and podman that ask for labels of SELinux.

busybox=localhost/images:busybox
# The machine's kernel has no modules loaded for bridges, and images are in memory.
export FAIRING_NET=none FAIRING_USERNS=host

# What `run` says with these flags: `ran` if the app did.
says() {
    fairing run --rm "$busybox" "$@" --exec /bin/echo -- ran 2>&1 | grep -v 'accepted unsigned'
}

check_labels_mean_nothing_where_nothing_is_labelled() {
    equal "$(says -v /tmp:/data:z -v /usr:/usr:ro,Z)" ran
    equal "$(says --mount type=bind,source=/tmp,target=/data,relabel=shared)" ran
    equal "$(says --security-opt label=type:container_t --security-opt=label=level:s0:c1)" ran
}

check_labels_are_refused_by_name_where_there_are_some() {
    mount -t selinuxfs selinuxfs /sys/fs/selinux
    contains "$(says -v /tmp:/data:z)" 'the option `z` is not there yet: SELinux is enabled here'
    contains "$(says -v /tmp:/data:ro,Z)" 'the option `Z` is not there yet: SELinux is enabled here'
    contains "$(says --mount type=bind,source=/tmp,target=/data,relabel=private)" \
        'relabel is not there yet: SELinux is enabled here'
    contains "$(says --security-opt label=type:container_t)" 'SELinux is enabled here'
}

check_what_asks_for_none_runs() {
    equal "$(says -v /tmp:/data --security-opt label=disable)" ran
    # The app sees nothing of it.
    equal "$(fairing run --rm "$busybox" --exec /bin/sh -- -c 'ls /sys/fs/selinux | wc -l')" 0
}

mount -t cgroup2 cgroup2 /sys/fs/cgroup
fairing fetch oci:/images:busybox > /tmp/fetched 2>&1 || cat /tmp/fetched
