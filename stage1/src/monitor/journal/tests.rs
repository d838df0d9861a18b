use super::*;

/// A journal that takes what it is asked to.
struct Reader {
    directory: tempfile::TempDir,
    socket: Option<UnixDatagram>,
}

impl Reader {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut reader = Self {
            directory,
            socket: None,
        };
        reader.listen();
        reader
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    fn listen(&mut self) {
        let socket = UnixDatagram::bind(self.path()).unwrap();
        socket.set_nonblocking(true).unwrap();
        self.socket = Some(socket);
    }

    fn leave(&mut self) {
        self.socket = None;
        std::fs::remove_file(self.path()).unwrap();
    }

    /// What has been entered since.
    fn messages(&self) -> Vec<String> {
        let mut bytes = vec![0; 64 << 10];
        let socket = self.socket.as_ref().unwrap();
        std::iter::from_fn(|| {
            let length = socket.recv(&mut bytes).ok()?;
            Some(String::from_utf8(bytes[..length].to_vec()).unwrap())
        })
        .collect()
    }

    /// The texts alone.
    fn texts(&self) -> Vec<String> {
        self.messages()
            .iter()
            .map(|message| message.trim_end().rsplit_once("MESSAGE=").unwrap().1.into())
            .collect()
    }
}

fn author() -> Rc<Author> {
    Author::new(&[("SYSLOG_IDENTIFIER", "web"), ("FAIRING_APP", "app")])
}

fn enter(journal: &mut Journal, author: &Rc<Author>, text: &str) {
    let now = Instant::now();
    journal.enter(author, Output::Stdout, Part::Last, text.as_bytes(), now);
}

/// Enters lines until one has to wait.
fn fill(journal: &mut Journal, author: &Rc<Author>) -> usize {
    let full = (1..).find(|number| {
        enter(journal, author, &format!("line {number}"));
        !journal.is_settled()
    });
    full.unwrap()
}

#[test]
fn each_line_is_an_entry_with_its_priority_and_the_fields_of_its_author() {
    let reader = Reader::new();
    let mut journal = Journal::at(&reader.path());
    let author = author();
    let now = Instant::now();
    let mut enter = |output, part, text: &str| {
        journal.enter(&author, output, part, text.as_bytes(), now);
    };
    enter(Output::Stdout, Part::Last, "out = put");
    enter(Output::Stderr, Part::More, "part");
    enter(Output::Stderr, Part::Last, "<4>careful");
    enter(Output::Stdout, Part::Last, "<8>no priority");
    let begin = "SYSLOG_IDENTIFIER=web\nFAIRING_APP=app\n";
    assert_eq!(
        reader.messages(),
        [
            format!("{begin}PRIORITY=6\nFAIRING_STREAM=stdout\nMESSAGE=out = put\n"),
            format!(
                "{begin}PRIORITY=3\nFAIRING_STREAM=stderr\nCONTAINER_PARTIAL_MESSAGE=true\nMESSAGE=part\n"
            ),
            format!("{begin}PRIORITY=4\nFAIRING_STREAM=stderr\nMESSAGE=careful\n"),
            format!("{begin}PRIORITY=6\nFAIRING_STREAM=stdout\nMESSAGE=<8>no priority\n"),
        ]
    );
}

#[test]
fn a_value_with_a_line_break_makes_no_field_of_its_own() {
    let mut message = Vec::new();
    add_field(&mut message, "A", b"x\nPRIORITY=0");
    assert_eq!(message, b"A\n\x0c\0\0\0\0\0\0\0x\nPRIORITY=0\n");
}

#[test]
fn what_a_slow_journal_does_not_take_waits_and_comes_in_order() {
    let reader = Reader::new();
    let mut journal = Journal::at(&reader.path());
    let author = author();
    let last = fill(&mut journal, &author);
    enter(&mut journal, &author, "after");
    assert!(journal.interest().is_some());
    let mut texts = Vec::new();
    while !journal.is_settled() {
        texts.extend(reader.texts());
        journal.advance(Instant::now());
    }
    texts.extend(reader.texts());
    let mut expected: Vec<_> = (1..=last).map(|number| format!("line {number}")).collect();
    expected.push("after".to_owned());
    assert_eq!(texts, expected);
    assert_eq!(author.lost(), None);
    assert!(journal.interest().is_none() && journal.due().is_none());
}

#[test]
fn a_journal_that_stands_still_is_not_waited_for_and_is_told_what_it_missed() {
    let reader = Reader::new();
    let mut journal = Journal::at(&reader.path());
    let author = author();
    fill(&mut journal, &author);
    let text = "x".repeat(1 << 10);
    while !journal.holds_back() {
        enter(&mut journal, &author, &text);
    }
    let due = journal.due().unwrap();
    journal.keep_time(due - PATIENCE / 2);
    assert!(journal.holds_back());
    journal.keep_time(due);
    assert!(!journal.holds_back() && journal.is_settled());
    for _ in 0..10 * WAITING_MAX / text.len() {
        enter(&mut journal, &author, &text);
    }
    assert!(!journal.holds_back() && journal.is_settled());
    let lost = author.lost().unwrap();
    assert!(lost.ends_with("the journal took no more"), "{lost}");
    reader.texts();
    assert!(journal.interest().is_some());
    journal.advance(Instant::now());
    journal.look(&author, Instant::now());
    enter(&mut journal, &author, "again");
    let again = reader.texts();
    assert_eq!(again, [format!("fairing: {lost}"), "again".to_owned()]);
    assert_eq!(author.lost(), None);
}

#[test]
fn no_more_waits_than_there_is_room_for() {
    let reader = Reader::new();
    let mut journal = Journal::at(&reader.path());
    let author = author();
    fill(&mut journal, &author);
    for _ in 0..2 * WAITING_MAX / OF_AN_ENTRY {
        enter(&mut journal, &author, "");
    }
    assert!(journal.size <= WAITING_MAX && journal.holds_back());
    assert!(author.lost().is_some());
}

#[test]
fn a_journal_that_is_gone_is_looked_for_now_and_then_and_found_when_it_is_back() {
    let mut reader = Reader::new();
    let mut journal = Journal::at(&reader.path());
    let author = author();
    let begun = Instant::now();
    let mut enter = |text: &str, now| {
        journal.enter(&author, Output::Stdout, Part::Last, text.as_bytes(), now);
    };
    enter("one", begun);
    assert_eq!(reader.texts(), ["one"]);
    reader.leave();
    enter("two", begun);
    reader.listen();
    // It was looked for just now.
    enter("three", begun);
    let lost = author.lost().unwrap();
    assert!(lost.starts_with("2 lines missing here: the journal is not at "));
    enter("four", begun + PAUSE);
    assert_eq!(
        reader.texts(),
        [format!("fairing: {lost}"), "four".to_owned()]
    );
    // One that is started again at once is found at once.
    reader.leave();
    reader.listen();
    enter("five", begun + PAUSE);
    assert_eq!(reader.texts(), ["five"]);
}
