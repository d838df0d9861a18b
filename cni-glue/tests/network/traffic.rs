//! Servers that tell who asks, and those who ask.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use cni_glue::Netns;

use crate::lab::within;

/// Long enough for a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for what must not come.
const SILENCE: Duration = Duration::from_millis(400);

fn address(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse::<IpAddr>().unwrap(), port)
}

/// Serves TCP and UDP at `port` of every address of a namespace, for the rest of the test: who asks is told the
/// server's name and the own address, as the server sees it.
pub(crate) fn serve(netns: &Netns, port: u16, name: &'static str) {
    let (tcp, udp) = within(netns, || {
        let any = ("::", port);
        (
            TcpListener::bind(any).unwrap(),
            UdpSocket::bind(any).unwrap(),
        )
    });
    std::thread::spawn(move || {
        for stream in tcp.incoming() {
            let Ok(mut stream) = stream else { return };
            let peer = stream.peer_addr().unwrap().ip().to_canonical();
            // Who went away again isn't waited for.
            let _ = write!(stream, "{name} {peer}");
        }
    });
    std::thread::spawn(move || {
        let mut buffer = [0; 16];
        while let Ok((_, peer)) = udp.recv_from(&mut buffer) {
            let text = format!("{name} {}", peer.ip().to_canonical());
            let _ = udp.send_to(text.as_bytes(), peer);
        }
    });
}

fn ask_tcp(to: SocketAddr, patience: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&to, patience)?;
    stream.set_read_timeout(Some(patience))?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn ask_udp(to: SocketAddr, patience: Duration) -> io::Result<String> {
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(to)?;
    socket.send(b"who am I")?;
    socket.set_read_timeout(Some(patience))?;
    let mut buffer = [0; 200];
    let length = socket.recv(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// Asks over TCP from a namespace.
pub(crate) fn tcp(from: &Netns, ip: &str, port: u16) -> String {
    within(from, || tcp_here(ip, port))
}

/// As [`tcp`], from the calling thread's namespace.
pub(crate) fn tcp_here(ip: &str, port: u16) -> String {
    ask_tcp(address(ip, port), PATIENCE).unwrap_or_else(|e| panic!("{ip} {port}: {e}"))
}

/// Asks over UDP from a namespace.
pub(crate) fn udp(from: &Netns, ip: &str, port: u16) -> String {
    within(from, || udp_here(ip, port))
}

/// As [`udp`], from the calling thread's namespace.
pub(crate) fn udp_here(ip: &str, port: u16) -> String {
    ask_udp(address(ip, port), PATIENCE).unwrap_or_else(|e| panic!("{ip} {port}: {e}"))
}

/// Whether nobody answers.
pub(crate) fn is_silent(from: &Netns, ip: &str, port: u16) -> bool {
    within(from, || is_silent_here(ip, port))
}

/// As [`is_silent`], from the calling thread's namespace.
pub(crate) fn is_silent_here(ip: &str, port: u16) -> bool {
    // Threads start on the network of the one that starts them.
    std::thread::scope(|scope| {
        let udp = scope.spawn(|| ask_udp(address(ip, port), SILENCE).is_err());
        ask_tcp(address(ip, port), SILENCE).is_err() && udp.join().unwrap()
    })
}
