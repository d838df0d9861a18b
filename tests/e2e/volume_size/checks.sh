# Volumes of a limited size, on each of two filesystems that have project quotas.

probe=localhost/images:probe
export FAIRING_NET=none

# Makes the check on each of the filesystems.
everywhere() {
    for disk in ext4 xfs; do
        export FAIRING_DIR=/$disk/fairing
        echo "on $disk"
        # What an earlier check has left that failed.
        fairing volume prune --force
        "$1"
    done
}

# A member of what `volume inspect` shows of a volume.
shown() {
    fairing volume inspect "$1" | sed -n "s/.*\"$2\": *\([0-9a-z]*\).*/\1/p"
}

app() {
    fairing run --rm -v data:/data "$@" "$probe" --exec /bin/sh -- -c "$script"
}

projects() {
    ls "$FAIRING_DIR/projects" 2> /dev/null | wc -l
}

check_a_volume_holds_so_much_and_no_more() { everywhere holds_so_much; }

holds_so_much() {
    equal "$(fairing volume create --size 4m data)" data
    script='dd if=/dev/zero of=/data/file bs=64k count=128 2> /data/err; wc -c < /data/file'
    app > /tmp/out 2>&1 || true
    cat /tmp/out
    # As much as fits beside the volume's record, and not a byte more than the limit.
    size=$(tail -n 1 /tmp/out)
    [ "$size" -le 4194304 ]
    [ "$size" -gt 3800000 ]
    # The disk has room, for another volume too.
    fairing volume create other
    fairing run --rm -v other:/data "$probe" --exec /bin/dd -- \
        if=/dev/zero of=/data/file bs=64k count=128 2> /dev/null
    # What is removed makes room.
    script='rm /data/*; dd if=/dev/zero of=/data/again bs=64k count=32 2> /dev/null && echo fits'
    equal "$(app)" fits
    # With the host's users too.
    script='dd if=/dev/zero of=/data/file bs=64k count=128 2>&1 | grep -ciE "space|quota"'
    equal "$(app --userns=host)" 1
    fairing volume rm data other
}

check_what_the_image_has_must_fit() { everywhere must_fit; }

must_fit() {
    # busybox alone has more.
    fairing volume create --size 256k data
    script='echo ran'
    found=0
    fairing run --rm -v data:/bin "$probe" --exec /bin/true > /tmp/out 2>&1 || found=$?
    cat /tmp/out
    equal "$found" 117
    grep -qiE 'quota exceeded|no space left' /tmp/out
    # So must an archive; the volume is as new as before.
    tar -cf /tmp/large.tar -C /usr/bin fairing
    code 117 fairing volume import data /tmp/large.tar
    equal "$(fairing run --rm -v data:/data:nocopy "$probe" --exec /bin/ls -- /data)" ''
    equal "$(ls "$FAIRING_DIR/volumes/data")" 'data
volume.json'
    fairing volume rm data
}

check_limit_and_use_are_shown() { everywhere are_shown; }

are_shown() {
    fairing volume create --size 4m data
    fairing volume create plain
    before=$(shown data used)
    script='dd if=/dev/zero of=/data/file bs=64k count=16 2> /dev/null'
    app
    equal "$(shown data limit)" 4194304
    equal "$(($(shown data used) - before))" 1048576
    equal "$(shown plain limit)" null
    fairing volume list > /tmp/out
    contains "$(grep data /tmp/out | tr -s ' ')" ' 1.0 MiB 4.0 MiB'
    contains "$(grep plain /tmp/out | tr -s ' ')" ' - -'
    equal "$(fairing volume inspect --format '{{.Options.size}}' data)" 4194304
    fairing volume rm data plain
}

check_it_is_created_as_other_tools_do() { everywhere as_other_tools; }

as_other_tools() {
    fairing volume create -o size=2m docker
    fairing volume create --opt o=size=2m podman
    equal "$(shown docker limit)" 2097152
    equal "$(shown podman limit)" 2097152
    equal "$(projects)" 2
    fairing volume rm docker podman
}

check_removal_gives_up_the_project() { everywhere gives_up; }

gives_up() {
    fairing volume create --size 4m data
    equal "$(projects)" 1
    link=$(ls "$FAIRING_DIR/projects")
    equal "$(readlink "$FAIRING_DIR/projects/$link")" data
    fairing volume rm data
    equal "$(projects)" 0
    # One who is killed leaves an ID, which is nobody's.
    mkdir -p "$FAIRING_DIR/projects"
    fairing volume create --size 4m data
    ln -s half-made "$FAIRING_DIR/projects/1912602624"
    fairing gc --grace-period=0s
    equal "$(ls "$FAIRING_DIR/projects")" "$(sed -n 's/.*"project": *\([0-9]*\).*/\1/p' \
        "$FAIRING_DIR/volumes/data/volume.json")"
    equal "$(shown data limit)" 4194304
    fairing volume rm data
}

check_killed_commands_lose_no_project() { everywhere lose_none; }

lose_none() {
    for number in 1 2 3 4 5 6 7 8 9 10 11 12; do
        fairing volume create --size 1m "killed-$number" &
        usleep $((number * 3000))
        kill -KILL $! 2> /dev/null || true
        wait
    done
    # Those whose creation was faster are whole. Some are killed in their removal.
    for name in $(fairing volume list -q); do
        fairing volume rm "$name" &
        usleep 3000
        kill -KILL $! 2> /dev/null || true
        wait
    done
    fairing gc --grace-period=0s
    for name in $(fairing volume list -q); do
        equal "$(shown "$name" limit)" 1048576
    done
    equal "$(projects)" "$(fairing volume list -q | wc -l)"
    fairing volume prune --force
    equal "$(projects)" 0
}

check_ids_that_others_have_are_left_alone() { everywhere left_alone; }

# Another data directory on the same filesystem doesn't know of the first one's.
left_alone() {
    for number in 1 2 3 4 5 6 7 8; do
        fairing volume create --size 1m "one-$number" &
        FAIRING_DIR=$FAIRING_DIR-other fairing volume create --size 1m "other-$number"
    done
    wait
    all=$(ls "$FAIRING_DIR/projects" "$FAIRING_DIR-other/projects" | grep -E '^[0-9]')
    equal "$(echo "$all" | sort -u | wc -l)" 16
    fairing volume rm $(fairing volume list -q)
    FAIRING_DIR=$FAIRING_DIR-other fairing volume prune --force > /dev/null
    equal "$(projects)" 0
}

check_an_app_can_not_leave_its_project() { everywhere can_not_leave; }

can_not_leave() {
    fairing volume create --size 4m data
    script='touch /data/file; /probe leave-project /data/file /data'
    app > /tmp/out
    equal "$(cat /tmp/out)" 'EINVAL
EINVAL'
    # Nor by a name elsewhere.
    script='ln /data/file /data/name && echo named'
    equal "$(app)" named
    fairing volume rm data
}

check_a_filesystem_without_quotas_is_named() {
    for directory in /tmp/fairing /plain/fairing; do
        export FAIRING_DIR=$directory
        code 125 fairing volume create --size 4m data 2> /tmp/err
        cat /tmp/err
        contains "$(cat /tmp/err)" 'without project quotas'
        fairing volume list -q > /tmp/names
        equal "$(cat /tmp/names)" ''
        equal "$(projects)" 0
        case $directory in
            /tmp/*) contains "$(cat /tmp/err)" tmpfs ;;
            *) contains "$(cat /tmp/err)" prjquota ;;
        esac
    done
}

check_nothing_is_left() { everywhere is_left; }

is_left() {
    fairing gc --grace-period=0s
    equal "$(fairing volume list -q)" ''
    equal "$(projects)" 0
    [ -z "$(ls -A "$FAIRING_DIR/volumes")" ]
}

mkdir /ext4 /xfs /plain
mount -t ext4 -o prjquota /dev/vda /ext4 || echo 'no ext4'
mount -t xfs -o pquota /dev/vdb /xfs || echo 'no xfs'
# It counts, and limits nobody.
mount -t ext4 /dev/vdc /plain || echo 'no plain disk'
for disk in ext4 xfs; do
    FAIRING_DIR=/$disk/fairing fairing fetch oci:/images:probe > /tmp/fetched 2>&1 || cat /tmp/fetched
done
