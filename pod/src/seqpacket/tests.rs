use super::*;

#[test]
fn a_listener_that_accepts_nothing_is_waited_for_a_while() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control");
    let listener = Listener::bind(&path).unwrap();
    let brief = Duration::from_millis(20);
    let mut waiting = Vec::new();
    let full = loop {
        match SeqPacket::connect(&path, brief) {
            Ok(connection) => waiting.push(connection),
            Err(error) => break error,
        }
        assert!(waiting.len() < 1000);
    };
    assert!(
        matches!(&full, PodError::Io { source, .. }
            if source.kind() == std::io::ErrorKind::WouldBlock),
        "{full}"
    );
    listener.accept().unwrap();
    SeqPacket::connect(&path, brief).unwrap();
}

#[test]
fn what_nobody_would_receive_is_not_sent() {
    let (a, b) = SeqPacket::pair().unwrap();
    let long = "x".repeat(usize::try_from(MESSAGE_MAX).unwrap());
    assert!(matches!(a.send(&long, &[]), Err(PodError::Protocol(_))));
    drop(b);
    assert!(matches!(a.send(&0, &[]), Err(PodError::Ended)));
}

#[test]
fn messages_of_all_sizes_and_descriptors_arrive() {
    let (a, b) = SeqPacket::pair().unwrap();
    for size in [0, 100, INLINE_MAX, 3 * INLINE_MAX] {
        let text = "x".repeat(size);
        let file = tempfile::tempfile().unwrap();
        a.send(&text, &[file.as_fd()]).unwrap();
        let (received, fds) = b.recv::<String>().unwrap().unwrap();
        assert_eq!(received.len(), size);
        assert_eq!(fds.len(), 1);
    }
}

#[test]
fn garbage_is_an_error_and_an_end_is_an_end() {
    let (a, b) = SeqPacket::pair().unwrap();
    for (packet, reason) in [
        (&[7, 1, 2][..], "unknown tag"),
        (&[TAG_INLINE, b'"'], "EOF while parsing"),
        (&[TAG_INLINE, b'7'], "expected a string"),
        (&[TAG_MEMORY_FILE], "no memory file"),
        (&[TAG_MEMORY_FILE, b'0'], "unknown tag"),
        (&[b' '; INLINE_MAX + 1], "too long"),
    ] {
        a.send_packet(packet, &[]).unwrap();
        let error = b.recv::<String>().unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    drop(a);
    assert!(b.recv::<String>().unwrap().is_none());
}

#[test]
fn a_message_has_the_length_that_the_protocol_says() {
    let (a, b) = SeqPacket::pair().unwrap();
    let most = usize::try_from(MESSAGE_MAX).unwrap();
    // JSON has a quote on either side.
    a.send(&"x".repeat(most - 2), &[]).unwrap();
    let (text, _) = b.recv::<String>().unwrap().unwrap();
    assert_eq!(text.len(), most - 2);
    let longer = "x".repeat(most - 1);
    let error = a.send(&longer, &[]).unwrap_err().to_string();
    assert!(error.contains("too long"), "{error}");
    // From one that doesn't count.
    let file = memory_file(&serde_json::to_vec(&longer).unwrap()).unwrap();
    a.send_packet(&[TAG_MEMORY_FILE], &[file.as_fd()]).unwrap();
    let error = b.recv::<String>().unwrap_err().to_string();
    assert!(error.contains("too long"), "{error}");
}

#[test]
fn a_message_in_something_else_than_a_sealed_memory_file_is_refused() {
    let (a, b) = SeqPacket::pair().unwrap();
    let (pipe, _writer) = std::io::pipe().unwrap();
    a.send_packet(&[TAG_MEMORY_FILE], &[pipe.as_fd()]).unwrap();
    assert!(matches!(b.recv::<String>(), Err(PodError::Protocol(_))));
    let open = memfd_create("open", MemfdFlags::ALLOW_SEALING).unwrap();
    a.send_packet(&[TAG_MEMORY_FILE], &[open.as_fd()]).unwrap();
    assert!(matches!(b.recv::<String>(), Err(PodError::Protocol(_))));
}

#[test]
fn too_many_descriptors_are_refused_and_closed() {
    let (a, b) = SeqPacket::pair().unwrap();
    for number in [DESCRIPTORS_MAX + 2, 253] {
        let (mut reader, writer) = std::io::pipe().unwrap();
        a.send_packet(&[TAG_INLINE, b'0'], &vec![writer.as_fd(); number])
            .unwrap();
        assert!(matches!(b.recv::<u8>(), Err(PodError::Protocol(_))));
        drop(writer);
        // It ends at once, as no writer is left.
        let mut rest = Vec::new();
        assert_eq!(reader.read_to_end(&mut rest).unwrap(), 0);
    }
    let file = tempfile::tempfile().unwrap();
    let most = vec![file.as_fd(); DESCRIPTORS_MAX];
    a.send(&"x".repeat(2 * INLINE_MAX), &most).unwrap();
    assert_eq!(
        b.recv::<String>().unwrap().unwrap().1.len(),
        DESCRIPTORS_MAX
    );
    let file = file.as_fd();
    let error = a.send(&0, &[file; DESCRIPTORS_MAX + 1]).unwrap_err();
    assert!(error.to_string().contains("descriptors"), "{error}");
}

#[test]
fn the_last_words_of_an_end_that_left_messages_unread_arrive() {
    let (a, b) = SeqPacket::pair().unwrap();
    a.send(&"unread", &[]).unwrap();
    b.send(&"last words", &[]).unwrap();
    drop(b);
    assert_eq!(a.recv::<String>().unwrap().unwrap().0, "last words");
    assert!(a.recv::<String>().unwrap().is_none());
}

#[test]
fn paths_of_any_length_can_be_listened_on() {
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("x".repeat(120));
    std::fs::create_dir(&long).unwrap();
    let path = long.join("control");
    let listener = Listener::bind(&path).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::symlink_metadata(&path).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let client = SeqPacket::connect(&path, Duration::from_secs(10)).unwrap();
    client.send(&"hello", &[]).unwrap();
    let server = listener.accept().unwrap();
    assert_eq!(server.recv::<String>().unwrap().unwrap().0, "hello");
}
