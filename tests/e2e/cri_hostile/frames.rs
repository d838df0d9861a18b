//! HTTP/2 as no client should speak it: a connection that breaks the rules, or wears the shim out, comes to an end; what it
//! says within the rules costs little.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use cri_shim::api::{RemoveContainerRequest, StatusRequest, VersionRequest};
use prost::Message;
use tonic::Code;

use super::wire::{PREFACE, connect, frame};
use super::{PATIENCE, Victim};
use crate::cri_containers::idle;
use crate::cri_sandbox::{config, run};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A number as HPACK has it behind a prefix of seven bits.
fn length(mut number: usize) -> Vec<u8> {
    if number < 127 {
        return vec![number as u8];
    }
    number -= 127;
    let mut bytes = vec![127];
    while number >= 128 {
        bytes.push((number % 128) as u8 | 128);
        number /= 128;
    }
    bytes.push(number as u8);
    bytes
}

/// A field of a header.
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        field.extend(length(text.len()));
        field.extend(text.bytes());
    }
    field
}

/// The header of a call.
fn header(method: &str) -> Vec<u8> {
    let path = format!("/runtime.v1.RuntimeService/{method}");
    [
        vec![0x83, 0x86],
        field(":path", &path),
        field(":authority", "localhost"),
        field("content-type", "application/grpc"),
        field("te", "trailers"),
    ]
    .concat()
}

/// A message, as gRPC has it.
fn message(flag: u8, length: usize, bytes: &[u8]) -> Vec<u8> {
    let mut message = vec![flag];
    message.extend(u32::try_from(length).unwrap().to_be_bytes());
    message.extend(bytes);
    message
}

fn begin(victim: &Victim, settings: &[u8]) -> UnixStream {
    let mut stream = connect(victim);
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(PREFACE).unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, settings)).unwrap();
    stream
}

/// What the shim says until it ends the connection; panics if it doesn't.
fn last_words(mut stream: UnixStream) -> usize {
    let mut heard = Vec::new();
    match stream.read_to_end(&mut heard) {
        Ok(_) => {}
        Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "it goes on"),
    }
    heard.len()
}

/// That somebody who means well is served.
#[track_caller]
fn answers(victim: &Victim) {
    let mut client = victim.cri.runtime();
    let status = client.status(StatusRequest::default());
    victim.answer("status", status).unwrap();
}

/// Sends until the other side has had enough.
fn send(stream: &mut UnixStream, bytes: &[u8]) -> bool {
    stream.write_all(bytes).is_ok()
}

#[test]
fn headers_without_an_end_are_not_kept() {
    let victim = Victim::new();
    let mut stream = begin(&victim, &[]);
    let more = field("x", &"y".repeat(16_000));
    assert!(send(&mut stream, &frame(HEADERS, 0, 1, &header("Version"))));
    let refused = (0..20_000).any(|_| !send(&mut stream, &frame(CONTINUATION, 0, 1, &more)));
    assert!(refused, "320 MB are taken");
    last_words(stream);
    // One that is whole and large is refused, and the connection stays.
    let mut stream = begin(&victim, &[]);
    let large = [header("Version"), field("x", &"y".repeat(15_000))].concat();
    for number in 0..100_u32 {
        let stream_id = 2 * number + 1;
        if !send(
            &mut stream,
            &frame(HEADERS, END_HEADERS | END_STREAM, stream_id, &large),
        ) {
            break;
        }
    }
    answers(&victim);
    victim.is_well();
}

#[test]
fn streams_beyond_the_bound_wait_or_are_refused() {
    let victim = Victim::new();
    let mut stream = begin(&victim, &[]);
    let mut reading = stream.try_clone().unwrap();
    let reader = std::thread::spawn(move || {
        let mut some = [0; 4096];
        let mut refused = false;
        while let Ok(count @ 1..) = reading.read(&mut some) {
            refused |= some[..count]
                .windows(9)
                .any(|bytes| bytes[..4] == [0, 0, 4, RST_STREAM]);
        }
        refused
    });
    let header = header("Version");
    // None of them ever ends.
    for number in 0..20_000_u32 {
        let bytes = frame(HEADERS, END_HEADERS, 2 * number + 1, &header);
        if !send(&mut stream, &bytes) {
            break;
        }
        if number % 5000 == 0 {
            answers(&victim);
        }
    }
    answers(&victim);
    let _ = stream.shutdown(std::net::Shutdown::Both);
    assert!(reader.join().unwrap(), "20000 calls at once are taken");
    victim.is_well();
}

#[test]
fn calls_that_are_taken_back_at_once_end_their_connection() {
    let victim = Victim::new();
    let header = header("Version");
    let mut stream = begin(&victim, &[]);
    let ended = (0..200_000_u32).any(|number| {
        let id = 2 * number + 1;
        let both = [
            frame(HEADERS, END_HEADERS, id, &header),
            frame(RST_STREAM, 0, id, &8_u32.to_be_bytes()),
        ];
        !send(&mut stream, &both.concat())
    });
    assert!(ended);
    last_words(stream);
    answers(&victim);
    victim.is_well();
}

#[test]
fn requests_that_never_end_share_what_memory_there_is_for_them() {
    let victim = Victim::new();
    let header = header("CreateContainer");
    let large = 15 << 20;
    let opened: Vec<UnixStream> = (0..24)
        .map(|_| {
            let mut stream = begin(&victim, &[]);
            stream
                .set_write_timeout(Some(Duration::from_secs(1)))
                .unwrap();
            let mut reading = stream.try_clone().unwrap();
            // The windows grow as it is heard; they are not asked for here, so what is sent stays within the first ones.
            std::thread::spawn(move || while matches!(reading.read(&mut [0; 4096]), Ok(1..)) {});
            for number in 0..10_u32 {
                let id = 2 * number + 1;
                send(&mut stream, &frame(HEADERS, END_HEADERS, id, &header));
                send(&mut stream, &frame(DATA, 0, id, &message(0, large, &[])));
                for _ in 0..large / 16_384 {
                    // It waits for room in a window that doesn't come where it isn't read: that is as well.
                    if !send(&mut stream, &frame(DATA, 0, id, &[b'x'; 16_384])) {
                        break;
                    }
                }
            }
            stream
        })
        .collect();
    answers(&victim);
    victim.is_well();
    drop(opened);
    // What they held is free again.
    let mut client = victim.cri.runtime();
    let long = RemoveContainerRequest {
        container_id: "x".repeat(15 << 20),
    };
    victim
        .answer("a large one", client.remove_container(long))
        .unwrap();
    victim.is_well();
}

#[test]
fn bytes_that_come_one_by_one_keep_nobody_waiting() {
    let victim = Victim::new();
    let whole = [
        frame(HEADERS, END_HEADERS, 1, &header("Version")),
        frame(DATA, END_STREAM, 1, &message(0, 0, &[])),
    ]
    .concat();
    let mut streams: Vec<UnixStream> = (0..200).map(|_| begin(&victim, &[])).collect();
    for byte in &whole {
        for stream in &mut streams {
            stream.write_all(&[*byte]).unwrap();
        }
    }
    answers(&victim);
    // They are as good as any.
    for stream in &mut streams {
        let mut heard = [0; 4096];
        let mut count = 0;
        let runtime = b"fairing";
        while !heard.windows(runtime.len()).any(|part| part == runtime) {
            count += stream.read(&mut heard[count..]).unwrap();
        }
    }
    victim.is_well();
}

/// Any bytes, as a message.
#[derive(Debug, Clone, Default)]
struct Raw(Vec<u8>);

impl Message for Raw {
    fn encode_raw(&self, buffer: &mut impl prost::bytes::BufMut) {
        buffer.put_slice(&self.0);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: prost::encoding::WireType,
        buffer: &mut impl prost::bytes::Buf,
        context: prost::encoding::DecodeContext,
    ) -> Result<(), prost::DecodeError> {
        prost::encoding::skip_field(wire_type, tag, buffer, context)
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

/// A field of a message that holds bytes.
fn bytes_of(number: u32, bytes: &[u8]) -> Vec<u8> {
    let mut field = Vec::new();
    prost::encoding::encode_key(
        number,
        prost::encoding::WireType::LengthDelimited,
        &mut field,
    );
    prost::encoding::encode_varint(bytes.len() as u64, &mut field);
    field.extend(bytes);
    field
}

/// That a message is refused by this code, naming this.
#[track_caller]
fn raw(victim: &Victim, method: &str, bytes: Vec<u8>, code: Code, part: &str) {
    let path = format!("/runtime.v1.RuntimeService/{method}");
    let path = tonic::codegen::http::uri::PathAndQuery::try_from(path).unwrap();
    let codec = tonic_prost::ProstCodec::<Raw, Raw>::default();
    let call = async {
        let mut client = tonic::client::Grpc::new(victim.cri.channel());
        client.ready().await.unwrap();
        client
            .unary(tonic::Request::new(Raw(bytes)), path, codec)
            .await
    };
    victim.refused(method, code, part, call);
}

#[test]
fn messages_that_are_none_are_refused_and_say_where() {
    let victim = Victim::new();
    let not_text = [0xff, 0xfe];
    let metadata = |field| bytes_of(1, &bytes_of(field, &not_text));
    let label = |field| bytes_of(6, &bytes_of(field, &not_text));
    let annotation = |field| bytes_of(7, &bytes_of(field, &not_text));
    let config = |bytes: Vec<u8>| bytes_of(1, &bytes);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("PodSandboxStatus", bytes_of(1, &not_text), "pod_sandbox_id"),
        ("RunPodSandbox", config(metadata(1)), "metadata"),
        ("RunPodSandbox", config(metadata(2)), "metadata"),
        ("RunPodSandbox", config(bytes_of(2, &not_text)), "hostname"),
        (
            "RunPodSandbox",
            config(bytes_of(3, &not_text)),
            "log_directory",
        ),
        ("RunPodSandbox", config(label(1)), "labels"),
        ("RunPodSandbox", config(label(2)), "labels"),
        ("RunPodSandbox", config(annotation(1)), "annotations"),
        ("RunPodSandbox", config(annotation(2)), "annotations"),
        ("ReopenContainerLog", bytes_of(1, &not_text), "container_id"),
        (
            "UpdateRuntimeConfig",
            bytes_of(1, &bytes_of(1, &bytes_of(1, &not_text))),
            "pod_cidr",
        ),
        // Torn, without an end, of another kind, nested without measure.
        ("Version", vec![0x0a], ""),
        ("Version", vec![0x0a, 0xff], ""),
        ("Version", vec![0xff; 11], ""),
        ("Version", vec![0x08, 1], ""),
        ("Version", vec![0x0a, 100, b'x'], ""),
        ("Version", vec![0x00, 0x00], ""),
        ("Version", vec![0x7b; 1 << 20], ""),
        ("RunPodSandbox", config(vec![0x7b; 1 << 20]), ""),
    ];
    for (method, bytes, part) in cases {
        raw(&victim, method, bytes, Code::Internal, part);
    }
    // What is unknown is passed over, however much it is.
    let unknown = [0x98, 0x06, 1].repeat(1 << 20);
    raw(
        &victim,
        "PodSandboxStatus",
        unknown,
        Code::InvalidArgument,
        "pod_sandbox_id: ",
    );
    raw(&victim, "NoSuchCall", Vec::new(), Code::Unimplemented, "");
    assert_eq!(victim.count(), (0, 0));
    victim.is_well();
}

#[test]
fn compressed_messages_are_not_taken() {
    let victim = Victim::new();
    // A GiB of zeros in a few bytes is not even looked at.
    let bomb = message(1, 1000, &[0x1f; 1000]);
    for flag in [1, 7, 255] {
        for encoding in ["", "gzip", "deflate", "zstd", "br", "snappy"] {
            let mut stream = begin(&victim, &[]);
            let mut head = header("Version");
            if !encoding.is_empty() {
                head.extend(field("grpc-encoding", encoding));
            }
            stream
                .write_all(&frame(HEADERS, END_HEADERS, 1, &head))
                .unwrap();
            let mut bomb = bomb.clone();
            bomb[0] = flag;
            stream
                .write_all(&frame(DATA, END_STREAM, 1, &bomb))
                .unwrap();
            // A header comes, and no message.
            let mut heard = Vec::new();
            let mut some = [0; 4096];
            while !ends(&heard) {
                let count = stream.read(&mut some).unwrap();
                assert_ne!(count, 0, "it hangs up");
                heard.extend(&some[..count]);
            }
            assert!(!heard.windows(7).any(|part| part == b"fairing"));
        }
    }
    answers(&victim);
    victim.is_well();
}

/// Whether the only call has been answered.
fn ends(mut heard: &[u8]) -> bool {
    while heard.len() >= 9 {
        let length = u32::from_be_bytes([0, heard[0], heard[1], heard[2]]) as usize;
        if heard[3] == HEADERS && heard[4] & END_STREAM != 0 || heard[3] == RST_STREAM {
            return true;
        }
        heard = heard.get(9 + length..).unwrap_or_default();
    }
    false
}

#[test]
fn watchers_that_never_read_cost_little_and_keep_nobody_waiting() {
    let victim = Victim::new();
    // A window without any room: nothing that is told ever goes out.
    let no_window = [0, 4, 0, 0, 0, 0];
    let header = header("GetContainerEvents");
    let watching: Vec<UnixStream> = (0..5)
        .map(|_| {
            let mut stream = begin(&victim, &no_window);
            for number in 0..100_u32 {
                let id = 2 * number + 1;
                let asked = [
                    frame(HEADERS, END_HEADERS, id, &header),
                    frame(DATA, END_STREAM, id, &message(0, 0, &[])),
                ];
                stream.write_all(&asked.concat()).unwrap();
            }
            stream
        })
        .collect();
    let sandbox = run(&victim.cri, &config("web")).unwrap();
    let cri = &victim.cri;
    for number in 0..60 {
        let request = cri_shim::api::CreateContainerRequest {
            pod_sandbox_id: sandbox.clone(),
            config: Some(idle(&format!("app{number}"))),
            sandbox_config: None,
        };
        let mut client = cri.runtime();
        let made = victim.answer("create", client.create_container(request));
        let container_id = made.unwrap().container_id;
        let mut client = cri.runtime();
        let request = RemoveContainerRequest { container_id };
        victim
            .answer("remove", client.remove_container(request))
            .unwrap();
    }
    let mut client = cri.runtime();
    let version = client.version(VersionRequest::default());
    victim.answer("version", version).unwrap();
    answers(&victim);
    assert_eq!(victim.count(), (1, 0));
    victim.is_well();
    drop(watching);
    crate::cri_sandbox::remove(cri, &sandbox).unwrap();
    victim.is_well();
}
