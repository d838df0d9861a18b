//! What a fuzzer runs on what servers answer to probes: see `fuzz/README.md`.

use pod::manifest::{HttpGetAction, Scheme};

use super::grpc::Call;
use super::http::{self, Said};
use super::redirect;

/// An answer. The first byte says in pieces of which size it comes, the second whether it is one of gRPC. What it says
/// doesn't depend on the pieces, and what is said to it is no more than it.
pub fn probe_answer(data: &[u8]) {
    let Some((&[size, protocol], answer)) = data.split_first_chunk() else {
        return;
    };
    match protocol % 2 {
        0 => of_http(answer),
        _ => {
            let in_one = of_grpc(answer, answer.len().max(1));
            assert_eq!(in_one, of_grpc(answer, usize::from(size) + 1));
        }
    }
}

fn of_grpc(answer: &[u8], size: usize) -> Option<crate::protocol::ProbeOutcome> {
    let (mut call, _) = Call::new(80, "web")?;
    let mut out = Vec::new();
    let outcome = answer
        .chunks(size)
        .find_map(|piece| call.hear(piece, &mut out));
    assert!(out.len() <= answer.len());
    outcome
}

fn of_http(answer: &[u8]) {
    let Some(Said::Redirect(location)) = http::judge(answer) else {
        return;
    };
    let action = HttpGetAction {
        port: 80,
        path: "/a/b".to_owned(),
        host: None,
        scheme: Scheme::Http,
        headers: Vec::new(),
    };
    if let Ok(Some(next)) = redirect::follow(&action, &location) {
        assert_eq!(next.host, None);
        let request = http::request(&next);
        let lines = request.windows(2).filter(|two| two == b"\r\n").count();
        assert_eq!(lines, 6, "{location:?}");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn probe_answer() {
        replay::replay("probe_answer", 20_000, super::probe_answer);
    }
}
