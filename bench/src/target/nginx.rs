//! nginx as a plain proxy with kept-alive connections on both sides: the baseline.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::child::{Child, Watch};
use crate::upstream::Certificate;

pub(super) struct Nginx<'a> {
    pub(super) address: SocketAddr,
    pub(super) upstream: SocketAddr,
    /// The upstream is behind TLS and has this certificate.
    pub(super) trusted: Option<&'a Certificate>,
    pub(super) open_files: u64,
}

/// Twice 10,000 plus a sixteenth: with fewer left nginx closes connections it has just accepted. No
/// more, since each takes memory even while unused.
const CONNECTIONS: usize = 22_000;

impl Nginx<'_> {
    /// Starts it in this directory.
    pub(super) fn start(&self, directory: &Path, core: usize) -> Result<Child> {
        let settings = directory.join("nginx.conf");
        fs::write(&settings, self.configuration())
            .with_context(|| format!("{} cannot be written", settings.display()))?;
        let (program, log) = (Path::new("nginx"), directory.join("log"));
        Child::start(program, Watch::Kernel, core, &log, |command| {
            command.arg("-p").arg(directory);
            command.arg("-c").arg(&settings);
            command.arg("-e").arg(directory.join("error.log"));
        })
    }

    /// Streams pass unbuffered, as for any chat completions. A request is buffered, which is
    /// nginx's default, but in memory: by default one of 200 KB goes through a file, and costs five
    /// times as much. One worker, because the proxy under test has one core.
    fn configuration(&self) -> String {
        let Self {
            address,
            upstream,
            trusted,
            open_files,
        } = self;
        let scheme = trusted.map_or("http", |_| "https");
        let tls = trusted.map_or_else(String::new, |certificate| {
            let path = certificate.certificate.display();
            format!(
                "proxy_ssl_name localhost;
            proxy_ssl_server_name on;
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate {path};"
            )
        });
        format!(
            "daemon off;
pid nginx.pid;
worker_processes 1;
worker_rlimit_nofile {open_files};
events {{ worker_connections {CONNECTIONS}; }}
http {{
    access_log access.log;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    client_max_body_size 64m;
    client_body_buffer_size 1m;
    keepalive_requests 1000000000;
    upstream bench {{
        server {upstream};
        keepalive 1024;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {address} backlog=4096;
        location / {{
            proxy_pass {scheme}://bench;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_buffering off;
            proxy_read_timeout 300s;
            {tls}
        }}
    }}
}}
"
        )
    }
}
