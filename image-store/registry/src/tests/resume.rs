use super::*;

const CONTENT: &[u8] = b"0123456789";

/// A registry that sends `first` of the content, and then what `rest` says.
fn cutting(first: usize, mut rest: impl FnMut(&Seen) -> Reply + Send + 'static) -> Server {
    Server::start(move |seen| match seen.header("range") {
        None => Reply::new(200, &CONTENT[..first]).announcing(CONTENT.len()),
        Some(_) => rest(seen),
    })
}

#[test]
fn a_cut_blob_goes_on_where_it_was_cut() {
    let server = cutting(4, |seen| match seen.header("range") {
        Some("bytes=4-") => Reply::new(206, &CONTENT[4..7])
            .announcing(6)
            .header("Content-Range", "bytes 4-9/10"),
        Some("bytes=7-") => Reply::new(206, &CONTENT[7..]).header("Content-Range", "bytes 7-9/10"),
        _ => Reply::new(416, ""),
    });
    assert_eq!(
        read(&mut origin(&server, "a", Vec::new()), CONTENT).unwrap(),
        CONTENT
    );
}

#[test]
fn breaks_are_forgiven_as_long_as_there_is_progress() {
    let content: Vec<u8> = (0..1_000_000_u32).map(|at| (at % 251) as u8).collect();
    let served = content.clone();
    let server = Server::start(move |seen| {
        let range = seen.header("range").unwrap_or("bytes=0-");
        let at: usize = range[6..range.len() - 1].parse().unwrap();
        let end = served.len().min(at + 100_000);
        let reply = Reply::new(if at == 0 { 200 } else { 206 }, &served[at..end]);
        let last = served.len() - 1;
        reply
            .announcing(served.len() - at)
            .header("Content-Range", format!("bytes {at}-{last}/{}", last + 1))
    });
    let found = read(&mut origin(&server, "a", Vec::new()), &content).unwrap();
    assert!(found == content);
    assert_eq!(server.lines().len(), 10);
}

#[test]
fn a_blob_that_stays_cut_is_truncated() {
    let server = cutting(4, |_| {
        Reply::new(206, "")
            .announcing(6)
            .header("Content-Range", "bytes 4-9/10")
    });
    let error = read(&mut origin(&server, "a", Vec::new()), CONTENT).unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::Content(ContentError::Truncated { .. })
        ),
        "{error}"
    );
    assert_eq!(server.lines().len(), 3, "as often as was configured");
}

#[test]
fn a_registry_without_ranges_sends_all_again() {
    let mut cut = 7;
    let server = Server::start(move |_| {
        let reply = Reply::new(200, &CONTENT[..cut]).announcing(CONTENT.len());
        // The second time it even breaks before what is known.
        cut = if cut == 7 { 3 } else { 10 };
        reply
    });
    assert_eq!(
        read(&mut origin(&server, "a", Vec::new()), CONTENT).unwrap(),
        CONTENT
    );
    assert_eq!(server.seen()[1].header("range"), Some("bytes=7-"));
    assert_eq!(server.lines().len(), 3);
}

#[test]
fn after_another_range_than_asked_for_it_begins_again() {
    for range in ["bytes 3-9/10", "bytes 4-9/11", "bytes 4-8/10", ""] {
        let mut is_whole = false;
        let server = Server::start(move |seen| match seen.header("range") {
            None if is_whole => Reply::new(200, CONTENT),
            None => {
                is_whole = true;
                Reply::new(200, &CONTENT[..4]).announcing(CONTENT.len())
            }
            Some(_) => Reply::new(206, &CONTENT[4..]).header("Content-Range", range),
        });
        let found = read(&mut origin(&server, "a", Vec::new()), CONTENT).unwrap();
        assert_eq!(found, CONTENT, "{range}");
        assert_eq!(server.lines().len(), 3, "{range}");
    }
}

#[test]
fn a_refused_resumption_says_why() {
    for (status, part) in [
        (404, "404"),
        (429, "limits the rate"),
        (403, "not authorized"),
    ] {
        let server = cutting(4, move |_| {
            Reply::new(status, "").header("Retry-After", "3600")
        });
        let error = read(&mut origin(&server, "a", Vec::new()), CONTENT).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn what_refuses_to_go_on_is_asked_for_all_of_it() {
    for status in [400, 416] {
        let mut cuts = vec![10, 4];
        let server = Server::start(move |seen| match seen.header("range") {
            None => {
                let cut = cuts.pop().unwrap_or_default();
                Reply::new(200, &CONTENT[..cut]).announcing(CONTENT.len())
            }
            Some(_) => Reply::new(status, "no ranges here"),
        });
        let found = read(&mut origin(&server, "a", Vec::new()), CONTENT);
        assert_eq!(found.unwrap(), CONTENT, "{status}");
        assert_eq!(server.lines().len(), 3);
    }
    // What is then told is the answer to that.
    let mut first = true;
    let server = Server::start(move |_| match std::mem::take(&mut first) {
        true => Reply::new(200, &CONTENT[..4]).announcing(CONTENT.len()),
        false => Reply::new(416, ""),
    });
    let error = read(&mut origin(&server, "a", Vec::new()), CONTENT).unwrap_err();
    assert!(error.to_string().contains("status 416"), "{error}");
}

#[test]
fn a_token_that_expires_within_a_blob_is_got_anew() {
    let mut tokens = 0;
    let server = Server::start(move |seen| {
        let host = seen.header("host").unwrap();
        if seen.target.starts_with("/token") {
            tokens += 1;
            return Reply::new(200, format!(r#"{{"token":"t{tokens}"}}"#));
        }
        let token = seen.header("authorization");
        match (seen.header("range"), token) {
            (None, Some("Bearer t1")) => Reply::new(200, &CONTENT[..4]).announcing(10),
            (Some(_), Some("Bearer t2")) => {
                Reply::new(206, &CONTENT[4..]).header("Content-Range", "bytes 4-9/10")
            }
            _ => Reply::new(401, "").header(
                "WWW-Authenticate",
                format!("Bearer realm=\"http://{host}/token\""),
            ),
        }
    });
    assert_eq!(
        read(&mut origin(&server, "a", Vec::new()), CONTENT).unwrap(),
        CONTENT
    );
}

#[test]
fn a_document_that_breaks_off_is_asked_for_again() {
    let mut left = 2;
    let server = Server::start(move |_| {
        left -= 1;
        match left {
            0 => manifest(),
            _ => Reply::new(200, &MANIFEST[..9]).announcing(MANIFEST.len()),
        }
    });
    let top = origin(&server, "a", Vec::new()).top().unwrap();
    assert_eq!(top.bytes, MANIFEST);
    let server = Server::start(|_| Reply::new(200, &MANIFEST[..9]).announcing(MANIFEST.len()));
    let error = origin(&server, "a", Vec::new()).top().unwrap_err();
    assert!(
        matches!(
            error,
            RegistryError::Content(ContentError::Truncated { .. })
        ),
        "{error}"
    );
    assert_eq!(server.lines().len(), 3);
}
