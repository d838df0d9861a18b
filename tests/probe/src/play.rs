//! Attacks that no shell can play: `probe play NAME`.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::sys::{self, call, error_name};

/// A process that stays until it is killed.
fn stay(word: &str) -> ! {
    // Nobody may be there to read it.
    let _ = writeln!(io::stdout(), "{word}");
    loop {
        std::thread::sleep(Duration::from_secs(1000));
    }
}

fn outcome(result: i64) -> String {
    match result {
        0.. => "allowed".to_owned(),
        _ => error_name(&io::Error::last_os_error()),
    }
}

fn address<T>(value: &T) -> i64 {
    std::ptr::from_ref(value).expose_provenance().cast_signed() as i64
}

/// Plays what has this name; `None` if nothing has.
pub(crate) fn play(name: &str) -> Option<String> {
    let done = match name {
        "leader-ends" => leader_ends(),
        "name" => hostile_name(),
        "subreaper" => subreaper(),
        "traced" => traced(),
        "inject" => inject(),
        "line-disciplines" => line_disciplines(),
        "output-off" => terminal_call(0x540a, 0),
        "exclusive" => {
            terminal_call(0x540c, 0);
            stay("exclusive")
        }
        "memfd" => fill_files(sys::memory_file),
        "shm" => fill_files(|number| File::create(format!("/dev/shm/{number}"))),
        "pipes" => pipes(),
        "segments" => segments(),
        "signals" => signals(),
        "pages" => huge_pages(),
        "in-flight" => descriptors_in_flight(),
        "datagrams" => datagrams(),
        "messages" => messages(),
        "semaphores" => semaphores(),
        "watched" => watched(),
        _ => return None,
    };
    Some(done)
}

/// The first thread ends, and another goes on: the process looks like a zombie.
fn leader_ends() -> String {
    std::thread::spawn(|| stay("the leader has ended"));
    call(libc::SYS_exit, [0; 6]);
    String::new()
}

/// A name that a terminal takes for commands, and a listing for another line.
fn hostile_name() -> String {
    let name = c"\x1b[2J\nroot 1\xff";
    call(
        libc::SYS_prctl,
        [
            15,
            name.as_ptr().expose_provenance().cast_signed() as i64,
            0,
            0,
            0,
            0,
        ],
    );
    stay("named")
}

/// Takes the place of pod init for what its children leave, and doesn't reap.
fn subreaper() -> String {
    call(libc::SYS_prctl, [36, 1, 0, 0, 0, 0]);
    for _ in 0..50 {
        sys::leave_an_orphan();
    }
    stay("reaps nothing")
}

/// Leaves processes that are stopped under a tracer.
fn traced() -> String {
    sys::leave_a_traced_child();
    stay("traces")
}

fn terminal_call(request: i64, argument: i64) -> String {
    outcome(call(libc::SYS_ioctl, [0, request, argument, 0, 0, 0]))
}

/// Types into its own terminal.
fn inject() -> String {
    let mut last = String::new();
    for byte in b"touch /tmp/injected\n" {
        last = terminal_call(0x5412, address(byte));
    }
    last
}

/// Sets every line discipline that there is.
fn line_disciplines() -> String {
    let answers: Vec<String> = (1..32_i32)
        .filter(|number| terminal_call(0x5423, address(number)) == "allowed")
        .map(|number| number.to_string())
        .collect();
    format!("disciplines: {}", answers.join(" "))
}

/// Writes one file after another, until that is refused or a GiB is written.
fn fill_files(open: impl Fn(u32) -> io::Result<File>) -> String {
    let chunk = vec![1; 1 << 20];
    let mut files = Vec::new();
    for number in 0..64 {
        let written = open(number).and_then(|mut file| {
            for _ in 0..16 {
                file.write_all(&chunk)?;
            }
            Ok(file)
        });
        match written {
            Ok(file) => files.push(file),
            Err(error) => return error_name(&error),
        }
    }
    "a GiB".to_owned()
}

/// Fills pipes as large as they may be.
fn pipes() -> String {
    const SIZE: i64 = 1 << 20;
    let chunk = vec![1; 1 << 16];
    let mut open: Vec<(OwnedFd, OwnedFd)> = Vec::new();
    let mut total = 0;
    for _ in 0..1000 {
        let Ok((reader, writer)) = io::pipe() else {
            return format!("no more pipes than {}", open.len());
        };
        let number = i64::from(writer.as_raw_fd());
        call(libc::SYS_fcntl, [number, 1031, SIZE, 0, 0, 0]);
        // Doesn't block.
        call(libc::SYS_fcntl, [number, 4, 0o4000 | 1, 0, 0, 0]);
        let writer = OwnedFd::from(writer);
        let mut file = File::from(writer);
        while let Ok(count) = file.write(&chunk) {
            total += count;
        }
        open.push((reader.into(), file.into()));
    }
    format!("{} MiB in {} pipes", total >> 20, open.len())
}

/// Segments of System V memory, which outlive whoever made them.
fn segments() -> String {
    for number in 0..64 {
        let segment = call(libc::SYS_shmget, [0, 16 << 20, 0o1600, 0, 0, 0]);
        let place = call(libc::SYS_shmat, [segment, 0, 0, 0, 0, 0]);
        if place < 0 {
            return format!("{number}, then {}", error_name(&io::Error::last_os_error()));
        }
        sys::touch_pages(place, 16 << 20);
    }
    "a GiB".to_owned()
}

/// Queues signals to itself, of which the kernel counts each user's.
fn signals() -> String {
    sys::block_all_signals();
    let own = i64::from(std::process::id());
    let mut count = 0;
    // In its own queue.
    while count < 1_000_000 && call(libc::SYS_kill, [own, 40, 0, 0, 0, 0]) == 0 {
        count += 1;
    }
    stay("no more signals")
}

/// Sends descriptors that nobody takes, of which the kernel counts each user's, as many as it lets.
fn descriptors_in_flight() -> String {
    let mut open = Vec::new();
    let mut count = 0;
    loop {
        let Ok((to, from)) = UnixDatagram::pair() else {
            return format!("no more sockets than {}", open.len());
        };
        // Neither end blocks.
        let _ = to.set_nonblocking(true);
        let (own, file) = (to.as_raw_fd(), from.as_raw_fd());
        loop {
            match sys::send_descriptors(own, file) {
                Ok(more) => count += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => stay(&format!("{count} in flight, then {}", error_name(&error))),
            }
        }
        open.push((to, from));
    }
}

/// What sockets hold until somebody reads it.
fn datagrams() -> String {
    let chunk = vec![1; 50_000];
    let mut open = Vec::new();
    let mut total = 0;
    while total < 1 << 30 {
        let Ok((to, from)) = UnixDatagram::pair() else {
            return format!("no more sockets than {}", open.len());
        };
        let _ = to.set_nonblocking(true);
        while let Ok(count) = to.send(&chunk) {
            total += count;
        }
        open.push((to, from));
    }
    "a GiB".to_owned()
}

/// Messages of System V, which outlive whoever sent them.
fn messages() -> String {
    let message = [1_u64; 1001];
    let mut total = 0_usize;
    while total < 1 << 30 {
        let queue = call(libc::SYS_msgget, [0, 0o600, 0, 0, 0, 0]);
        if queue < 0 {
            return error_name(&io::Error::last_os_error());
        }
        // Doesn't block.
        let send = [queue, address(&message), 8000, 0o4000, 0, 0];
        while call(libc::SYS_msgsnd, send) == 0 {
            total += 8000;
        }
    }
    "a GiB".to_owned()
}

/// Sets of semaphores of System V.
fn semaphores() -> String {
    const EACH: i64 = 32_000;
    for number in 0..1000 {
        if call(libc::SYS_semget, [0, EACH, 0o600, 0, 0, 0]) < 0 {
            return format!("{number}, then {}", error_name(&io::Error::last_os_error()));
        }
    }
    "a GiB".to_owned()
}

/// Files that are watched by many, each of which costs the kernel an entry.
fn watched() -> String {
    const FILES: i64 = 500;
    let event = [1_u32, 0, 0];
    let files: Vec<i64> = (0..FILES)
        .map(|_| call(libc::SYS_eventfd2, [0; 6]))
        .collect();
    loop {
        let watcher = call(libc::SYS_epoll_create1, [0; 6]);
        for file in &files {
            let add = [watcher, 1, *file, address(&event), 0, 0];
            if call(libc::SYS_epoll_ctl, add) < 0 {
                return error_name(&io::Error::last_os_error());
            }
        }
    }
}

fn huge_pages() -> String {
    // Anonymous, private, of huge pages.
    let flags = 0x20 | 0x02 | 0x40000;
    outcome(call(libc::SYS_mmap, [0, 1 << 30, 3, flags, -1, 0]))
}
