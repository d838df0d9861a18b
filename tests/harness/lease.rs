//! A program that nobody can execute for a while, who tries it waits.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Takes a lease for writing (`F_SETLEASE`, fcntl(2)), tells of whoever opens the file, and holds out until its standard
/// input ends. A process of its own: the kernel tells by SIGIO, which ends whoever doesn't expect it.
const HOLDER: &str = r#"
    $| = 1;
    $SIG{IO} = sub { print "awaited\n" };
    open(my $file, "<", $ARGV[0]) or die "open: $!";
    fcntl($file, 1024, 1) or die "lease: $!";
    print "held\n";
    1 while sysread(STDIN, my $byte, 1) || $!{EINTR};
"#;

/// A lease on a file. Whoever opens the file, as execve(2) does, waits until this is dropped, or for 45 s.
pub struct Lease {
    holder: Child,
    stdin: Option<ChildStdin>,
    told: BufReader<ChildStdout>,
}

impl Lease {
    /// Takes it. Nobody may have the file open.
    #[track_caller]
    pub fn take(path: &Path) -> Self {
        let mut holder = Command::new("perl")
            .args(["-MErrno", "-e", HOLDER])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("perl");
        let told = BufReader::new(holder.stdout.take().expect("a pipe"));
        let stdin = holder.stdin.take();
        let mut lease = Self {
            holder,
            stdin,
            told,
        };
        lease.expect("held");
        lease
    }

    /// Waits until somebody waits for it.
    #[track_caller]
    pub fn wait_awaited(&mut self) {
        self.expect("awaited");
    }

    #[track_caller]
    fn expect(&mut self, word: &str) {
        let mut line = String::new();
        self.told.read_line(&mut line).expect("a line");
        assert_eq!(line.trim_end(), word);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.holder.wait();
    }
}
