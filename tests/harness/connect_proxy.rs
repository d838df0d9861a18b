//! A proxy that makes tunnels (`CONNECT`), wherever they are meant to go, to one server.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use crate::http_server::{HttpServer, Request};

/// A running proxy. Ended when dropped.
pub struct ConnectProxy {
    server: HttpServer,
}

impl ConnectProxy {
    /// Starts a proxy whose tunnels all end at `target`.
    pub fn start(target: SocketAddr) -> Self {
        let server = HttpServer::start(move |request, mut client| {
            if request.method != "CONNECT" {
                let _ = client.write_all(b"HTTP/1.1 405 x\r\nContent-Length: 0\r\n\r\n");
                return;
            }
            let (Ok(server), Ok(mut from_client)) =
                (TcpStream::connect(target), client.try_clone())
            else {
                return;
            };
            let _ = client.write_all(b"HTTP/1.1 200 x\r\n\r\n");
            let Ok(mut to_server) = server.try_clone() else {
                return;
            };
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from_client, &mut to_server);
                let _ = to_server.shutdown(std::net::Shutdown::Write);
            });
            let _ = std::io::copy(&mut &server, &mut client);
            let _ = client.shutdown(std::net::Shutdown::Both);
        });
        Self { server }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }
}
