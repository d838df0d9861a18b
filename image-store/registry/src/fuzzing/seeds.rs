//! The seeds of the corpora: each is a form that a target has to know.
//!
//! `FAIRING_BLESS=1 cargo test -p fairing-image-registry fuzzing` writes them to `fuzz/corpus/`.

use replay::Seed;

pub(super) fn of(target: &str) -> Vec<Seed> {
    match target {
        "registry_headers" => headers(),
        other => panic!("{other} has no seeds"),
    }
}

fn headers() -> Vec<Seed> {
    vec![
        ("bearer", br#"Bearer realm="https://auth.example.com/token",service="registry.example.com",scope="repository:a:pull""#.to_vec()),
        ("several", b"BASIC realm=\"x, y\", bearer service = s , realm=\"a\\\"b\"\nNegotiate".to_vec()),
        ("locations", b"/v2/a/blobs/uploads/1?x=y\nhttps://cdn.example.com/b\n//other/c\n../d".to_vec()),
        ("ranges", b"bytes 0-99/100\nbytes */100\n0-99".to_vec()),
        ("links", b"</v2/_catalog?last=a&n=2>; rel=\"next\"".to_vec()),
        ("text", "a\u{1b}[31mb\r\n c\u{202e}d".as_bytes().to_vec()),
    ]
}
