//! What a machine's program may do that was taken over: `probe` in the place of QEMU. It plays the machine to who shares files
//! with it, and asks for what is none of its business.
//!
//! The tree has the directory `0`, which may be changed, and `1`, which may not. In the first one are the file `own`, the
//! directory `inside`, and links to what is outside of it: `link` by its path, `above` by `..`, and `flip`, which is a
//! directory at one moment and a link at the next. What must not be seen contains [`SECRET`].

mod fuse;
pub(crate) mod other_roles;
mod vhost_user;

use std::io::{Error, ErrorKind, Result};
use std::os::fd::OwnedFd;

use self::fuse::{
    Body, CREATE, Client, LINK, LOOKUP, MKDIR, MKNOD, Node, RENAME2, RMDIR, ROOT, SETATTR,
    SETXATTR, SYMLINK, UNLINK,
};
use self::vhost_user::{Device, Piece};
use crate::sys;

/// What files of the host contain that no machine must see.
const SECRET: &[u8] = b"of the host";
/// How often a link is tried that others change meanwhile.
const RACES: usize = 3000;
const KIND: u32 = 0o170_000;
const LINK_KIND: u32 = 0o120_000;
const FILE_KIND: u32 = 0o100_000;
const DIRECTORY_KIND: u32 = 0o040_000;

/// What came of it, in a line: it is quoted as the last word of the machine's program.
pub(crate) fn play(arguments: &[String]) -> String {
    let mut played = Played::default();
    let ended = socket(arguments)
        .ok_or_else(|| Error::other("nobody shares files"))
        .and_then(|socket| Client::new(Device::new(socket)?))
        .and_then(|mut client| {
            let ended = match nonsense(arguments) {
                None => played.all(&mut client),
                Some(number) => played.nonsense(&mut client, number),
            };
            played.asked = client.asked;
            ended
        });
    let reached = match played.reached.is_empty() {
        true => "nothing".to_owned(),
        false => played.reached.join(", "),
    };
    let how = match ended {
        Ok(()) => "to the end".to_owned(),
        Err(error) => format!("until {}: {error}", played.step),
    };
    format!("asked {} times {how}, reached {reached}", played.asked)
}

/// Which of the things it is that no driver of a queue does: told by the memory that the machine would have, as so much more
/// than 200 MiB.
fn nonsense(arguments: &[String]) -> Option<usize> {
    let mut words = arguments.iter().skip_while(|word| *word != "-m");
    let memory: usize = words.nth(1)?.parse().ok()?;
    memory.checked_sub(200).filter(|number| *number < 20)
}

/// Where the host's files are shared.
fn socket(arguments: &[String]) -> Option<OwnedFd> {
    let mut words = arguments.iter();
    let number = words.find_map(|word| word.strip_prefix("socket,id=fairing-host,fd="))?;
    Some(sys::own(number.parse().ok()?))
}

#[derive(Debug, Default)]
struct Played {
    step: &'static str,
    reached: Vec<String>,
    asked: u64,
}

/// Whether it is over with the connection. Every other error is an answer.
fn is_over(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::BrokenPipe | ErrorKind::TimedOut | ErrorKind::ConnectionReset
    )
}

/// The answer, if there is a good one.
fn good<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(good) => Ok(Some(good)),
        Err(error) if is_over(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

impl Played {
    fn all(&mut self, client: &mut Client) -> Result<()> {
        self.step = "the first names";
        let open = client.look_up(ROOT, "0")?;
        let fixed = client.look_up(ROOT, "1")?;
        let inside = client.look_up(open.id, "inside")?;
        let own = client.look_up(open.id, "own")?;
        if client.content(own.id)? != b"own\n" {
            return Err(Error::other("the file that is there is another one"));
        }
        self.step = "names";
        self.names(client, &[ROOT, open.id, inside.id, fixed.id])?;
        self.step = "the way up";
        self.way_up(client, inside)?;
        self.step = "links";
        self.links(client, open)?;
        self.step = "races";
        self.races(client, open)?;
        self.step = "devices";
        self.devices(client, open)?;
        self.step = "what is fixed";
        self.fixed(client, open, fixed)?;
        self.step = "the tree";
        self.tree(client)
    }

    fn own(&mut self, client: &mut Client) -> Result<Node> {
        let open = client.look_up(ROOT, "0")?;
        client.look_up(open.id, "own")
    }

    fn reach(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.reached.contains(&what) {
            self.reached.push(what);
        }
    }

    /// Looks whether this is something of the host.
    fn look(&mut self, client: &mut Client, node: Node, what: &str) -> Result<()> {
        if node.mode & KIND == DIRECTORY_KIND {
            for name in ["etc", "proc", "usr", "root"] {
                if good(client.look_up(node.id, name))?.is_some() {
                    self.reach(format!("/{name} by {what}"));
                }
            }
            return Ok(());
        }
        let content = good(client.content(node.id))?.unwrap_or_default();
        if content.windows(SECRET.len()).any(|part| part == SECRET) {
            self.reach(format!("a file by {what}"));
        }
        Ok(())
    }

    fn names(&mut self, client: &mut Client, places: &[u64]) -> Result<()> {
        let long = vec![b'x'; 70_000];
        let deep = b"../".repeat(20);
        let names: [&[u8]; 12] = [
            b"..",
            b".",
            b"",
            b"/",
            b"/etc/passwd",
            b"../secret",
            b"../../secret",
            b"inside/../../secret",
            b"./own",
            b"\xff\xfe/..",
            &deep,
            &long,
        ];
        for place in places {
            for name in names {
                if let Some(node) = good(client.look_up(*place, name))? {
                    self.look(client, node, "a name")?;
                }
                let made = Body::default().u32(0o2).u32(0o644).u32(0).u32(0).name(name);
                good(client.ask(CREATE, *place, &made))?;
            }
        }
        Ok(())
    }

    fn way_up(&mut self, client: &mut Client, from: Node) -> Result<()> {
        let mut here = from;
        for _ in 0..12 {
            let Some(above) = good(client.look_up(here.id, ".."))? else {
                break;
            };
            self.look(client, above, "..")?;
            here = above;
        }
        if let Some(entries) = good(client.entries(here.id))? {
            // What is beside the volumes, and no name of anything in them.
            for name in ["outside", "etc", "proc"] {
                let name = name.as_bytes();
                if entries.windows(name.len()).any(|part| part == name) {
                    let name = String::from_utf8_lossy(name);
                    self.reach(format!("a directory with {name} by .."));
                }
            }
        }
        Ok(())
    }

    fn links(&mut self, client: &mut Client, open: Node) -> Result<()> {
        for name in ["link", "above"] {
            let Some(link) = good(client.look_up(open.id, name))? else {
                continue;
            };
            if link.mode & KIND != LINK_KIND {
                self.look(client, link, name)?;
                continue;
            }
            self.change(client, link.id, name)?;
            for flags in [0, 0o1, 0o2, 0o1000, 0o1001, 0o2001, 0o200_000, 0o10_000_000] {
                if let Some(file) = good(client.open(link.id, flags))? {
                    let read = good(client.read(link.id, file, 4096))?.unwrap_or_default();
                    if read.windows(SECRET.len()).any(|part| part == SECRET) {
                        self.reach(format!("a file by opening {name}"));
                    }
                    let length = u32::try_from(SECRET.len()).unwrap_or_default();
                    good(client.write(link.id, file, length, b"overwritten"))?;
                }
            }
            if good(client.entries(link.id))?.is_some() {
                self.reach(format!("a directory by {name}"));
            }
            for (flags, how) in [(0o1101, "makes"), (0o1301, "makes anew")] {
                let body = Body::default()
                    .u32(flags)
                    .u32(0o644)
                    .u32(0)
                    .u32(0)
                    .name(name);
                if let Some(entry) = good(client.ask(CREATE, open.id, &body))? {
                    let made = fuse::node_of(&entry);
                    let what = format!("who {how} {name}");
                    self.look(client, made, &what)?;
                }
            }
        }
        let planted = Body::default().name("planted").name("../secret");
        good(client.ask(SYMLINK, open.id, &planted))?;
        match good(client.look_up(open.id, "planted"))? {
            Some(link) => self.look(client, link, "a link that was planted"),
            None => Ok(()),
        }
    }

    /// Tries to change what a link leads to: its size, its mode, its owner, its attributes.
    fn change(&mut self, client: &mut Client, node: u64, name: &str) -> Result<()> {
        for valid in [1 << 3, 1, 1 << 1 | 1 << 2] {
            let times = Body::default().u32(valid).u32(0).u64(0).u64(0).u64(0);
            let body = times.u64(0).u64(0).u64(0).u32(0).u32(0).u32(0);
            let body = body.u32(0o666).u32(0).u32(7).u32(7).u32(0);
            good(client.ask(SETATTR, node, &body))?;
        }
        let body = Body::default().u32(1).u32(0).name("user.mark");
        let body = Body([body.0, b"x".to_vec()].concat());
        if good(client.ask(SETXATTR, node, &body))?.is_some() {
            self.reach(format!("attributes by {name}"));
        }
        Ok(())
    }

    /// A directory that becomes a link, and the other way round, while it is looked at.
    fn races(&mut self, client: &mut Client, open: Node) -> Result<()> {
        for _ in 0..RACES {
            let Some(flip) = good(client.look_up(open.id, "flip"))? else {
                continue;
            };
            let Some(mark) = good(client.look_up(flip.id, "mark"))? else {
                continue;
            };
            self.look(client, mark, "a link that was a directory")?;
        }
        Ok(())
    }

    fn devices(&mut self, client: &mut Client, open: Node) -> Result<()> {
        for (kind, number, what) in [
            (0o060_000, 0x800, "a disk"),
            (0o020_000, 0x103, "a device"),
            (0o020_000, 0, "a whiteout"),
        ] {
            let name = what.replace(' ', "-");
            let body = Body::default().u32(kind | 0o666).u32(number).u32(0).u32(0);
            let body = body.name(&name);
            // What has no number hides a file of an overlay, and is no device.
            if good(client.ask(MKNOD, open.id, &body))?.is_some() && number != 0 {
                self.reach(what);
            }
        }
        // As root of any pod may: nobody can execute it there.
        let shell = Body::default().u32(0o101).u32(0o104_755).u32(0).u32(0);
        good(client.ask(CREATE, open.id, &shell.name("shell")))?;
        Ok(())
    }

    /// Everything that changes a directory, here.
    fn changes(&mut self, client: &mut Client, place: u64, from: Node, what: &str) -> Result<()> {
        let bodies = [
            (
                CREATE,
                Body::default()
                    .u32(0o101)
                    .u32(0o644)
                    .u32(0)
                    .u32(0)
                    .name("new"),
            ),
            (MKDIR, Body::default().u32(0o755).u32(0).name("new")),
            (
                MKNOD,
                Body::default()
                    .u32(FILE_KIND | 0o644)
                    .u32(0)
                    .u32(0)
                    .u32(0)
                    .name("new"),
            ),
            (SYMLINK, Body::default().name("new").name("own")),
            (LINK, Body::default().u64(from.id).name("new")),
            (UNLINK, Body::default().name("own")),
            (RMDIR, Body::default().name("inside")),
            (RMDIR, Body::default().name("0")),
            (
                RENAME2,
                Body::default()
                    .u64(place)
                    .u32(0)
                    .u32(0)
                    .name("own")
                    .name("new"),
            ),
            (
                RENAME2,
                Body::default()
                    .u64(place)
                    .u32(0)
                    .u32(0)
                    .name("0")
                    .name("new"),
            ),
            (
                RENAME2,
                Body::default().u64(place).u32(2).u32(0).name("0").name("1"),
            ),
        ];
        for (kind, body) in bodies {
            if good(client.ask(kind, place, &body))?.is_some() {
                self.reach(format!("{what} by request {kind}"));
            }
        }
        Ok(())
    }

    fn fixed(&mut self, client: &mut Client, open: Node, fixed: Node) -> Result<()> {
        const WHAT: &str = "a change of what is fixed";
        let Some(own) = good(client.look_up(fixed.id, "own"))? else {
            return Ok(());
        };
        self.changes(client, fixed.id, own, WHAT)?;
        for flags in [0o1, 0o2, 0o1001, 0o2001] {
            if let Some(file) = good(client.open(own.id, flags))?
                && good(client.write(own.id, file, 4, b"mine"))?.is_some()
            {
                self.reach(WHAT);
            }
        }
        self.change(client, own.id, "a fixed file")?;
        // Out of the one into the other.
        let moved = Body::default().u64(fixed.id).u32(0).u32(0);
        let moved = moved.name("own").name("moved");
        if good(client.ask(RENAME2, open.id, &moved))?.is_some() {
            self.reach(WHAT);
        }
        Ok(())
    }

    /// What all is in.
    fn tree(&mut self, client: &mut Client) -> Result<()> {
        let root = Node {
            id: ROOT,
            mode: DIRECTORY_KIND,
        };
        self.changes(client, ROOT, root, "a change of the tree")
    }

    fn lengths(&mut self, client: &mut Client) -> Result<()> {
        self.step = "lengths";
        let own = self.own(client)?;
        let file = good(client.open(own.id, 0o2))?.unwrap_or_default();
        for length in [u32::MAX, 1 << 31, 1 << 24, 2 << 20] {
            good(client.read(own.id, file, length))?;
            good(client.write(own.id, file, length, b"own\n"))?;
            // It says that it is longer than it is.
            good(client.ask_as(length, LOOKUP, own.id, &Body::default().name("x")))?;
        }
        for said in [0, 1, 39, 40, 41] {
            good(client.ask_as(said, LOOKUP, ROOT, &Body::default().name("0")))?;
        }
        Ok(())
    }

    fn unknown(&mut self, client: &mut Client) -> Result<()> {
        self.step = "unknown requests";
        let own = self.own(client)?;
        let odd = [
            Body::default(),
            Body(vec![0xff; 4096]),
            Body::default().u64(u64::MAX).u64(u64::MAX).u64(u64::MAX),
        ];
        // All kinds but the first word, the last one, and what has no answer: that is not waited for.
        let silent = [2, 26, 36, 38, 42];
        let kinds = (0..64).filter(|kind| !silent.contains(kind));
        for kind in kinds.chain([4096, u32::MAX]) {
            for node in [0, ROOT, own.id, u64::MAX, 1 << 40, 12_345] {
                for body in &odd {
                    good(client.ask(kind, node, body))?;
                }
            }
        }
        match good(client.look_up(ROOT, "0"))? {
            Some(found) => self.look(client, found, "confusion"),
            // Its server serves nobody any more.
            None => Ok(()),
        }
    }

    /// What no kernel says, and no driver of a queue does. Who shares files may give up over it.
    fn nonsense(&mut self, client: &mut Client, number: usize) -> Result<()> {
        match number {
            0 => self.endless(client),
            1 => self.lengths(client),
            2 => self.unknown(client),
            number => self.queue(client, number - 3),
        }
    }

    /// Names that have no end.
    fn endless(&mut self, client: &mut Client) -> Result<()> {
        self.step = "names without an end";
        for name in [&b".."[..], b"", b"../secret", &[b'x'; 70_000]] {
            let entry = good(client.ask(LOOKUP, ROOT, &Body(name.to_vec())))?;
            if let Some(entry) = entry {
                let step = self.step;
                self.look(client, fuse::node_of(&entry), step)?;
            }
        }
        Ok(())
    }

    fn queue(&mut self, client: &mut Client, number: usize) -> Result<()> {
        let far = |address| Piece {
            address,
            ..Piece::request(64)
        };
        let next = |next| Piece {
            next,
            ..Piece::request(64)
        };
        let answer = Piece::answer(64);
        let tries: [(&str, [Piece; 2], u16, u16); 9] = [
            ("no request", [Piece::answer(0), answer], 0, 1),
            ("little room", [Piece::request(64), Piece::answer(3)], 0, 1),
            ("a short request", [Piece::request(7), answer], 0, 1),
            ("a long request", [Piece::request(3 << 20), answer], 0, 1),
            ("foreign memory", [far(1 << 50), answer], 0, 1),
            ("the end of memory", [far((8 << 20) - 1), answer], 0, 1),
            ("a place that is not there", [next(9999), answer], 0, 1),
            ("a ring", [next(0), answer], 0, 1),
            (
                "places that are not there",
                [Piece::request(64), answer],
                60_000,
                9999,
            ),
        ];
        let Some((step, pieces, first, steps)) = tries.into_iter().nth(number) else {
            return Ok(());
        };
        self.step = step;
        client.device.offer(&pieces, first, steps)
    }
}
