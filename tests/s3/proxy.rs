//! A proxy before an S3 server that does to the traffic what networks do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

/// What happens to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The server never sees it; this comes back: status, S3's code.
    Answer(u16, &'static str),
    /// The server never sees it; this document comes back.
    Document(String),
    /// The answer's body ends after so many bytes, with the connection.
    CutAfter(usize),
    /// The answer's body stops after so many bytes, and the connection stays open.
    StallAfter(usize),
    /// The server does it, and the answer is lost.
    LoseAnswer,
    /// The answer comes later by this.
    Delay(Duration),
}

/// A request as the rule sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    /// How many requests of this method and path came before.
    pub(crate) before: usize,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

impl Seen {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(other, _)| other == name)?;
        Some(value)
    }
}

type Rule = dyn Fn(&Seen) -> Fault + Send + Sync;

pub(crate) struct Proxy {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    stopped: Arc<AtomicBool>,
}

impl Proxy {
    /// Stands before `upstream`.
    pub(crate) fn start(
        upstream: u16,
        rule: impl Fn(&Seen) -> Fault + Send + Sync + 'static,
    ) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy {
            port: listener.local_addr().unwrap().port(),
            seen: Arc::default(),
            stopped: Arc::default(),
        };
        let (seen, stopped) = (Arc::clone(&proxy.seen), Arc::clone(&proxy.stopped));
        let rule: Arc<Rule> = Arc::new(rule);
        thread::spawn(move || {
            for client in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (seen, rule) = (Arc::clone(&seen), Arc::clone(&rule));
                let stopped = Arc::clone(&stopped);
                if let Ok(client) = client {
                    // A client that goes away in the middle is no fault of the proxy's.
                    thread::spawn(move || {
                        drop(serve(&client, upstream, &seen, (&*rule, &stopped)))
                    });
                }
            }
        });
        proxy
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The requests that came, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// One request of a connection, which ends with it.
fn serve(
    client: &TcpStream,
    upstream: u16,
    seen: &Mutex<Vec<Seen>>,
    (rule, stopped): (&Rule, &AtomicBool),
) -> std::io::Result<()> {
    let mut reader = BufReader::new(client);
    let mut head = String::new();
    let mut length = 0;
    let mut first = String::new();
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if lower.starts_with("expect:") {
            (&mut &*client).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        } else if line == "\r\n" {
            break;
        } else if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request = note(&first, &head, seen);
    let fault = rule(&request);
    let made_up = match &fault {
        Fault::Answer(status, code) => Some((
            *status,
            format!("<Error><Code>{code}</Code><Message></Message></Error>"),
        )),
        Fault::Document(text) => Some((200, text.clone())),
        _ => None,
    };
    if let Some((status, text)) = made_up {
        let answer = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        );
        return (&mut &*client).write_all(answer.as_bytes());
    }
    let mut server = TcpStream::connect(("127.0.0.1", upstream))?;
    server.write_all(format!("{first}{head}Connection: close\r\n\r\n").as_bytes())?;
    server.write_all(&body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    give_back(client, &answer, (&fault, stopped))
}

fn note(first: &str, head: &str, seen: &Mutex<Vec<Seen>>) -> Seen {
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let headers = head.lines().filter_map(|line| line.split_once(':'));
    let headers = headers
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut seen = seen.lock().unwrap();
    let before = seen
        .iter()
        .filter(|other| other.method == method && other.path == path)
        .count();
    let request = Seen {
        method,
        path,
        before,
        headers,
    };
    seen.push(request.clone());
    request
}

fn give_back(
    mut client: &TcpStream,
    answer: &[u8],
    (fault, stopped): (&Fault, &AtomicBool),
) -> std::io::Result<()> {
    let body = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map_or(answer.len(), |at| at + 4);
    match *fault {
        Fault::CutAfter(bytes) => {
            client.write_all(&answer[..answer.len().min(body + bytes)])?;
            client.shutdown(Shutdown::Both)
        }
        Fault::StallAfter(bytes) => {
            client.write_all(&answer[..answer.len().min(body + bytes)])?;
            // Until the client gives up (a read then ends) or the test is over.
            client.set_read_timeout(Some(Duration::from_millis(100)))?;
            let mut byte = [0];
            while !stopped.load(Ordering::Relaxed) {
                match client.read(&mut byte) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(_) => break,
                }
            }
            Ok(())
        }
        Fault::LoseAnswer => client.shutdown(Shutdown::Both),
        Fault::Delay(time) => {
            // Nothing ever comes, so this ends when the time is over.
            let (_keep, never) = mpsc::channel::<()>();
            let _ = never.recv_timeout(time);
            client.write_all(answer)
        }
        Fault::None | Fault::Answer(..) | Fault::Document(_) => client.write_all(answer),
    }
}
